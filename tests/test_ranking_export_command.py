"""`frontdesk ranking export`, beside a program that runs."""

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from bot.__main__ import main
from bot.cli.ranking_export import as_line
from bot.log import erasure, preferences
from bot.log.migrations import migrations
from bot.log.store import Store
from bot.messages import Candidate, Turn
from bot.ranking.pairs import Pair, Reply
from tests.adapters.web.dialogues import START, message, write_exchange
from tests.log.test_preferences import ask, preferred, rate

NEXT_DAY = START + timedelta(days=1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "argv", [])
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    """The log of a program that runs."""
    with Store(folder / "data" / "frontdesk.db") as opened:
        yield opened


def export(capfd: pytest.CaptureFixture[str], *options: str) -> tuple[object, str]:
    """Run the command; return its exit code and all that it said, on one line."""
    sys.argv = ["frontdesk", "ranking", "export", *options]
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, " ".join("".join(capfd.readouterr()).split())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def test_that_every_kind_of_pair_is_written_and_counted(
    store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    turn = await store.write(lambda db: preferred(db, "我的帐篷"))

    code, said = export(capfd, "pairs.jsonl")

    assert code == 0
    assert "3 pairs in pairs.jsonl: 1 choices, 1 corrections, 1 from customers' feedback." in said
    choice, correction, feedback = lines(folder / "pairs.jsonl")
    assert choice == {
        "prompt": [{"role": "user", "content": "我的帐篷?"}],
        "chosen": [{"role": "assistant", "content": "Within 30 days of delivery."}],
        "rejected": [{"role": "assistant", "content": "Yes, within 30 days."}],
        "source": "choice",
        "turn": turn,
    }
    assert correction["chosen"] == [{"role": "assistant", "content": "我的帐篷: yes."}]
    assert correction["rejected"] == choice["chosen"]
    assert (feedback["chosen"], feedback["rejected"]) == (choice["rejected"], choice["chosen"])
    assert "\\u" not in (folder / "pairs.jsonl").read_text(encoding="utf-8")


def test_that_a_prompt_is_what_chat_templates_take() -> None:
    """It begins and ends with the user, whose and the assistant's messages take turns."""
    said = [
        ("assistant", "Good day."),
        ("customer", "Hi"),
        ("customer", "Is it you?"),
        ("assistant", "Yes."),
        ("agent", "Mira here."),
    ]
    pair = Pair(
        turn="t",
        question="May I return it?",
        history=tuple(Turn(role=role, text=text) for role, text in said),  # type: ignore[arg-type]
        better=Reply(text="Yes."),
        worse=Reply(text="No."),
        source="correction",
        account="admin",
        at=START,
    )

    prompt = json.loads(as_line(pair))["prompt"]

    assert prompt == [
        {"role": "user", "content": "Hi\n\nIs it you?"},
        {"role": "assistant", "content": "Yes.\n\nMira here."},
        {"role": "user", "content": "May I return it?"},
    ]


async def test_that_only_what_was_said_since_is_written(
    store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def fill(db: Database) -> None:
        preferences.correct(db, ask(db, address="ada").turn, "Old.", "admin", START)
        preferences.correct(db, ask(db, address="bo").turn, "New.", "admin", NEXT_DAY)

    await store.write(fill)

    assert export(capfd, "new.jsonl", "--since", NEXT_DAY.date().isoformat())[0] == 0
    assert export(capfd, "none.jsonl", "--since", "2027-01-01T00:00:00")[0] == 0

    assert [line["chosen"][0]["content"] for line in lines(folder / "new.jsonl")] == ["New."]
    assert lines(folder / "none.jsonl") == []


async def test_that_an_erased_customer_is_gone(
    store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("ada", "bo"):
        await store.write(lambda db: preferred(db, name))  # noqa: B023
    await store.write(lambda db: erasure.request(db, "web", "ada", NEXT_DAY.isoformat()))

    export(capfd, "asked.jsonl")
    await store.write(lambda db: erasure.erase(db, "web", "ada", NEXT_DAY.isoformat()))
    export(capfd, "done.jsonl")

    for name in ("asked.jsonl", "done.jsonl"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "ada" not in text
        assert text.count("\n") == 3


async def test_that_who_wrote_in_a_shared_thread_takes_its_pairs_along(
    store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def fill(db: Database) -> None:
        slate = [Candidate(source="article", text="Yes."), Candidate(source="draft", text="No.")]
        guest = message("I am Bo", address="thread", customer="bo")
        write_exchange(db, guest, slate)
        reply = write_exchange(db, message("May I?", address="thread", customer="ada"), slate)
        assert preferences.choose(db, reply.turn, (0, 1), "first", "admin", START)
        rate(db, reply, "up")
        erasure.request(db, "web", "bo", NEXT_DAY.isoformat())

    await store.write(fill)

    assert export(capfd, "pairs.jsonl")[0] == 0
    assert lines(folder / "pairs.jsonl") == []


async def test_that_no_file_is_written_over(
    store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "pairs.jsonl").write_text("mine", encoding="utf-8")

    code, said = export(capfd, "pairs.jsonl")
    assert (code, "is there already" in said) == (2, True)
    assert (folder / "pairs.jsonl").read_text(encoding="utf-8") == "mine"

    code, said = export(capfd, "no/such/folder.jsonl")
    assert (code, "can't be written" in said) == (2, True)


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", ""])
async def test_that_a_wrong_time_is_refused(
    store: Store, folder: Path, capfd: pytest.CaptureFixture[str], since: str
) -> None:
    code, said = export(capfd, "pairs.jsonl", "--since", since)

    assert (code, "--since" in said) == (2, True)
    assert not (folder / "pairs.jsonl").exists()


def test_that_without_a_log_it_says_so(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, said = export(capfd, "pairs.jsonl")

    assert (code, "can't be read" in said) == (2, True)
    assert not (folder / "pairs.jsonl").exists()


def test_that_the_log_of_an_earlier_version_is_refused_in_a_sentence(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "data").mkdir()
    db = Database(folder / "data" / "frontdesk.db")
    migrations.apply(db, stop_before="m011_corrections")
    db.close()

    code, said = export(capfd, "pairs.jsonl")

    assert (code, "if an earlier version made it" in said) == (2, True)
