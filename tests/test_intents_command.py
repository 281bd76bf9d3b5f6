"""`frontdesk intents`: trained, measured, used, with clear words for bad input."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from bot.__main__ import main
from bot.log.intents import label
from bot.log.store import Store
from tests.intents.small_set import MESSAGES, OUTSIDE, rows
from tests.log.writing import exchange
from tests.small_shop import NOW, incoming

BAD_INPUT = 2
ROOT = Path(__file__).parents[1]


def intents(capfd: pytest.CaptureFixture[str], *options: str) -> tuple[object, str, str]:
    sys.argv = ["frontdesk", "intents", *options]
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    return (ended.value.code, *capfd.readouterr())


def written(name: str, lines: Sequence[dict[str, Any]]) -> str:
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "argv", [])
    return tmp_path


@pytest.fixture
def labels(folder: Path) -> str:
    labelled = [{"text": row.text, "intent": row.intents[0]} for row in rows()]
    outside = [{"text": text, "intent": "out_of_scope"} for text in OUTSIDE]
    return written("labels.jsonl", [*labelled, *outside])


def test_that_a_trained_classifier_tells_messages_and_goes_on_where_it_ended(
    labels: str,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, _, err = intents(capfd, "train", "--labels", labels, "--method", "linear")
    assert (code, "Model card" in err) == (0, True)
    assert "linear head" in (folder / "data" / "intents" / "classifier.md").read_text("utf-8")

    asked = written("asked.jsonl", [{"text": "我要退货"}, {"text": "Where is my invoice?"}])
    code, out, _ = intents(capfd, "classify", asked)
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [each["likest"]["intent"] for each in told] == ["return", "invoice"]

    with Path(asked).open(encoding="utf-8") as piped, monkeypatch.context() as patched:
        patched.setattr(sys, "stdin", piped)
        assert intents(capfd, "classify", "-")[1] == out

    first, _ = out.splitlines()
    Path("told.jsonl").write_text(first + '\n{"text": "Wh', encoding="utf-8")  # broken off
    assert intents(capfd, "classify", asked, "--output", "told.jsonl")[0] == 0
    assert Path("told.jsonl").read_text(encoding="utf-8") == out

    code, _, err = intents(
        capfd, "classify", written("one.jsonl", [{"text": "a"}]), "--output", "told.jsonl"
    )
    assert (code, "not of one run" in err) == (BAD_INPUT, True)


def test_that_what_people_labelled_in_the_log_is_learned_without_a_file(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert intents(capfd, "train")[0] == BAD_INPUT
    data = folder / "data"
    data.mkdir()
    with Store(data / "frontdesk.db") as store:
        asyncio.run(store.write(label_all))

    code, _, err = intents(capfd, "train", "--method", "linear")

    assert (code, f"in the log: {len(rows())}" in err) == (0, True)
    assert "Unlabelled" not in err
    asked = written("asked.jsonl", [{"text": "我要退货"}])
    [told] = intents(capfd, "classify", asked)[1].splitlines()
    assert json.loads(told)["likest"]["intent"] == "return"


def test_that_the_logs_unlabelled_messages_are_learned_beside_labels(
    labels: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = folder / "data"
    data.mkdir()
    with Store(data / "frontdesk.db") as store:
        for text in ("Where is the bill?", "我想退掉", "Hello"):
            asyncio.run(store.write(lambda db: exchange(db, incoming(text))))  # noqa: B023

    for options, said in (((), "newest: 2."), (("--unlabelled", "1"), "newest: 1.")):
        code, _, err = intents(capfd, "train", "--labels", labels, "--method", "linear", *options)
        assert (code, said in err) == (0, True)
    card = (data / "intents" / "classifier.md").read_text("utf-8")
    assert "1 unlabelled messages" in card
    assert intents(capfd, "train")[0] == BAD_INPUT  # nobody labelled one of the log


def label_all(db: Database) -> None:
    """Let each message of the small set stand in the log with a person's label."""
    for row in rows():
        exchange(db, incoming(row.text))
        newest = "SELECT id FROM turns WHERE role = 'customer' ORDER BY id DESC"
        [turn] = db.execute(newest).fetchone()
        assert label(db, turn, row.intents[0], "admin", NOW)


def test_that_a_benchmark_prints_the_figures_and_the_method(
    labels: str, capfd: pytest.CaptureFixture[str]
) -> None:
    tests = [{"text": text.split("|")[0].strip(), "intent": i} for i, text in MESSAGES.items()]
    testing = written("test.jsonl", [*tests, {"text": "Bake a cake", "intent": "out_of_scope"}])
    options = ["--shots", "6", "--method", "linear", "--json"]
    code, out, err = intents(capfd, "benchmark", "--train", labels, "--test", testing, *options)

    found = json.loads(out)
    assert code == 0
    assert found["accuracy"] >= 0.75
    assert found["out_of_scope_rows"] == 1
    assert {"macro_f1", "out_of_scope_recall", "out_of_scope_auroc", "seconds"} <= set(found)
    assert "linear head (e5)" in found["method"]
    assert "held-out messages right" in err


def test_that_suggestions_name_what_to_label_and_a_wrong_label(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labelled = [{"text": row.text, "intent": row.intents[0]} for row in rows()]
    wrong = {"text": "Please reset my forgotten password", "intent": "invoice"}
    open_ones = [{"text": "I want my money back"}, {"text": "How do I reset my password?"}]
    path = written("labels.jsonl", [*labelled, wrong, *open_ones])
    code, out, _ = intents(capfd, "suggest", "--labels", path, "--number", "1", "--json")

    found = json.loads(out)
    assert code == 0
    assert [each["text"] for each in found["to_label"]] == ["I want my money back"]
    [doubt] = found["doubts"]
    assert (doubt["row"]["text"], doubt["likelier"]) == (wrong["text"], "password")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param('{"text": "a", "intent": "x"}\n'.encode("utf-16"), "is not UTF-8", id="utf16"),
        pytest.param(b'{"text": "a", "intent": "x"}\n{"text": "b"}\n', "have the intent", id="one"),
        pytest.param(b"", "has no rows", id="empty"),
    ],
)
def test_that_bad_labels_leave_the_model_in_force(
    folder: Path, capfd: pytest.CaptureFixture[str], data: bytes, said: str
) -> None:
    model = folder / "data" / "intents" / "classifier.zip"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"in force")
    Path("labels.jsonl").write_bytes(data)
    code, _, err = intents(capfd, "train", "--labels", "labels.jsonl")

    assert (code, said in err) == (BAD_INPUT, True)
    assert model.read_bytes() == b"in force"


def test_that_without_a_model_it_says_how_to_make_one(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = intents(capfd, "classify", written("asked.jsonl", [{"text": "a"}]))

    assert (code, "frontdesk intents train" in err) == (BAD_INPUT, True)


def test_that_telling_intents_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import bot.cli.intents, bot.intents.live"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert (ran.returncode, ran.stderr) == (0, "")
