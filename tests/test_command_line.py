"""The command line: bad input ends with exit code 2 and one clear sentence, never a traceback."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlite_utils import Database

from bot.__main__ import main
from bot.log.accounts import utc_now
from bot.log.store import Store
from serving.weights import DEFAULT_MODEL
from tests.fakes.vllm_api import MODEL, FakeVllm
from tests.log.writing import exchange
from tests.serving.support import free_port
from tests.small_shop import ARTICLES, NO_MODEL, QUESTION, UNANSWERABLE, incoming


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return " ".join(self.err.split())


Run = Callable[..., Outcome]


@pytest.fixture
def run(
    tmp_path: Path,
    articles: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Run a command in an empty folder, with the small shop's articles and no model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_ARTICLES", str(articles))
    monkeypatch.setenv("FRONTDESK_MODEL_URL", NO_MODEL)
    monkeypatch.setenv("FRONTDESK_MODEL", MODEL)
    monkeypatch.setenv("FRONTDESK_PORT", str(free_port()))

    def run(*arguments: str, **environment: str) -> Outcome:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["frontdesk", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, out, err)

    return run


@pytest.fixture
def served_vllm() -> Iterator[FakeVllm]:
    """A model server in a thread of its own, since a command runs its own event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def make() -> FakeVllm:
        return await FakeVllm().__aenter__()

    fake = asyncio.run_coroutine_threadsafe(make(), loop).result()
    yield fake
    asyncio.run_coroutine_threadsafe(fake.__aexit__(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def assert_refused(outcome: Outcome, *parts: str) -> None:
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert outcome.said.count("Error:") == 1
    assert {part for part in parts if part not in outcome.said} == set()


COMMANDS = [("run",), ("chat",), ("doctor",), ("articles", "check"), ("answers", "evaluate")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_that_an_unknown_setting_ends_every_command(run: Run, command: tuple[str, ...]) -> None:
    assert_refused(run(*command, FRONTDESK_PROT="1"), "FRONTDESK_PROT is not a setting", "PORT")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_that_a_wrong_value_ends_every_command(run: Run, command: tuple[str, ...]) -> None:
    assert_refused(run(*command, FRONTDESK_PORT="端口"), "FRONTDESK_PORT is '端口'")


def test_that_a_broken_file_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "frontdesk.toml").write_text("frontdesk_port = ")

    assert_refused(run("run"), "frontdesk.toml can't be read")


@pytest.mark.parametrize("command", [("run",), ("chat",), ("articles", "check")], ids=" ".join)
def test_that_missing_articles_are_one_sentence(run: Run, command: tuple[str, ...]) -> None:
    outcome = run(*command, FRONTDESK_ARTICLES="没有")

    assert_refused(outcome, "articles folder 没有 does not exist", "FRONTDESK_ARTICLES")


def test_that_a_taken_port_is_one_sentence(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])

        assert_refused(run("run", FRONTDESK_PORT=port), f"Port {port}", "FRONTDESK_PORT")


@pytest.mark.parametrize("command", ["run", "chat"])
def test_that_a_corrupt_database_is_one_sentence(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "frontdesk.db").write_bytes(b"no database" * 1000)

    assert_refused(run(command), "frontdesk.db", "restore a backup")


@pytest.mark.parametrize("command", ["run", "chat"])
def test_that_a_second_program_is_one_sentence(run: Run, tmp_path: Path, command: str) -> None:
    with Store(tmp_path / "data" / "frontdesk.db"):
        assert_refused(run(command), "Another Frontdesk", "FRONTDESK_DATA")


@pytest.mark.parametrize("command", ["run", "chat", "doctor"])
def test_that_a_missing_model_name_is_one_sentence(run: Run, command: str) -> None:
    assert_refused(run(command, FRONTDESK_MODEL=""), "FRONTDESK_MODEL is not set")


def test_that_a_wrong_model_is_one_sentence_of_the_doctor(run: Run, served_vllm: FakeVllm) -> None:
    outcome = run("doctor", FRONTDESK_MODEL_URL=served_vllm.url, FRONTDESK_MODEL="another")

    assert_refused(outcome, "no model 'another'", f"one of: {MODEL}")


def test_that_a_model_server_that_leaves_while_measuring_is_one_sentence(run: Run) -> None:
    assert_refused(run("answers", "evaluate"), "No model server answers")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("nothing",), id="command"),
        pytest.param(("articles", "nothing"), id="subcommand"),
        pytest.param(("run", "--fast"), id="option"),
        pytest.param(("engine", "--port", "many"), id="port"),
        pytest.param(("engine", "--port", "0"), id="port-zero"),
        pytest.param(("articles", "search"), id="argument-missing"),
        pytest.param(("run", "extra"), id="argument-too-many"),
    ],
)
def test_that_a_wrong_command_is_told(run: Run, arguments: tuple[str, ...]) -> None:
    assert_refused(run(*arguments))


@pytest.mark.parametrize(
    "command",
    [(), ("run",), ("chat",), ("engine",), ("doctor",), ("articles",), ("answers", "evaluate")],
)
def test_that_every_command_has_help(run: Run, command: tuple[str, ...]) -> None:
    outcome = run(*command, "--help")

    assert outcome.code == 0
    assert outcome.out.startswith("Usage: frontdesk")


def test_that_the_version_is_told(run: Run) -> None:
    assert run("--version").out.startswith("frontdesk, version ")


def test_that_sound_articles_are_counted(run: Run) -> None:
    outcome = run("articles", "check")

    assert outcome.code == 0
    assert f"{len(ARTICLES)} articles, {len(ARTICLES)} passages." in outcome.said


def test_that_every_broken_article_is_listed(run: Run, articles: Path) -> None:
    (articles / "一.md").write_bytes(b"\xff")
    (articles / "[bold]x.md").write_text("---\nlanguage: fr\n---\nx")

    outcome = run("articles", "check", "--articles", str(articles))

    assert outcome.code == 2
    assert "一.md: it is not UTF-8 text; save it as UTF-8." in outcome.said
    assert "[bold]x.md: its front matter has a wrong language" in outcome.said


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_a_search_shows_what_it_found(run: Run, language: str) -> None:
    outcome = run("articles", "search", QUESTION["zh" if language == "zh" else "en"])

    assert outcome.code == 0
    assert f"{language}/returns" in outcome.said


def test_that_an_evaluation_prints_a_table_or_json(run: Run, tmp_path: Path) -> None:
    lines = [
        {"question": QUESTION["en"], "articles": ["en/returns"]},
        {"question": UNANSWERABLE["zh"], "articles": []},
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))
    arguments = ("answers", "evaluate", "--no-model", "--questions", str(path))

    table, data = run(*arguments), run(*arguments, "--json")

    assert (table.code, data.code) == (0, 0)
    assert "right article" in table.out
    assert [row["questions"] for row in json.loads(data.out)["summary"]] == [1, 1, 2]
    assert UNANSWERABLE["zh"] in data.out


def test_that_an_evaluation_waits_for_no_model_that_writes_nothing(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps({"question": QUESTION["en"], "articles": ["en/returns"]}))

    outcome = run("answers", "evaluate", "--questions", str(path), FRONTDESK_MODEL=DEFAULT_MODEL)

    assert outcome.code == 0
    assert f"{DEFAULT_MODEL} is too small to write answers" in outcome.said


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_that_wrong_questions_are_one_sentence(run: Run, tmp_path: Path, content: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(content)

    assert_refused(run("answers", "evaluate", "--questions", str(path)), "questions.jsonl")


def test_that_a_gap_is_drafted_by_the_operators_model(
    run: Run, served_vllm: FakeVllm, tmp_path: Path
) -> None:
    def write(db: Database) -> None:
        asked, now = exchange(db, incoming("Are dogs welcome?"), handoff="no_article"), utc_now()
        db.execute("UPDATE handoffs SET created_at = ?", [now.isoformat()])
        said = {"id": "said", "conversation": asked.conversation, "number": 3, "role": "agent"}
        text = {"text": "On a leash.", "language": "en", "created_at": now.isoformat()}
        db.table("turns").insert(said | text)

    with Store(tmp_path / "data" / "frontdesk.db") as store:
        asyncio.run(store.write(write))
    served_vllm.says("# Dogs in the shop\n\nDogs are welcome on a leash.")

    refused = run("articles", "gaps", "--draft", "1")
    drafted = run("articles", "gaps", "--draft", "1", FRONTDESK_MODEL_URL=served_vllm.url)

    assert_refused(refused, "No model server answers")
    assert drafted.code == 0
    text = (tmp_path / "are-dogs-welcome.md").read_text(encoding="utf-8")
    assert text.startswith("---\ntitle: Dogs in the shop\n")


def test_that_the_doctor_lists_what_is_well_and_what_is_not(
    run: Run, served_vllm: FakeVllm
) -> None:
    bad = run("doctor")
    good = run("doctor", FRONTDESK_MODEL_URL=served_vllm.url)

    assert_refused(bad, "model: No model server answers", "ok articles: 6 in en, zh")
    assert good.code == 0
    assert "Error:" not in good.said
