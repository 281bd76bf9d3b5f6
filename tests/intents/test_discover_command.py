"""`frontdesk intents discover` and `report`: what they print, and what they refuse."""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.log import groups
from bot.log.accounts import utc_now
from bot.log.store import Store
from tests.log.writing import exchange
from tests.small_shop import incoming

TEXTS = {
    "parcel": [
        "Where is my parcel?",
        "my parcel has not come",
        "track my parcel",
        "parcel is late",
    ],
    "refund": [
        "I want my money back",
        "refund please",
        "when is the refund paid",
        "refund my order",
    ],
    "password": ["I forgot my password", "reset my password", "new password", "password is wrong"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "argv", [])
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *options: str) -> tuple[object, str, str]:
    sys.argv = ["frontdesk", "intents", *options]
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    return (ended.value.code, *capfd.readouterr())


def write(rows: list[dict[str, object]]) -> str:
    path = Path("texts.jsonl")
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def test_that_every_text_gets_a_group_and_groups_are_compared(
    capfd: pytest.CaptureFixture[str],
) -> None:
    rows: list[dict[str, object]] = [
        {"text": text, "intent": intent} for intent, texts in TEXTS.items() for text in texts
    ]
    file = write([*rows, rows[0]])

    code, out, _ = run(capfd, "discover", "--texts", file, "--clusters", "3", "--json")

    found = json.loads(out)
    assert (code, found["groups"], found["rows"]) == (0, 3, 13)
    assert found["acc"] > 0.9
    assert found["assignments"][0] == found["assignments"][-1]
    assert [each["group"] for each in found["texts"]] == found["assignments"]
    assert sum(each["size"] for each in found["found"]) == 13
    assert all(each["name"] and each["examples"] for each in found["found"])


def test_that_without_intents_there_is_nothing_to_compare(
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = write([{"text": text} for text in TEXTS["parcel"]])

    code, out, _ = run(capfd, "discover", "--texts", file, "--json")

    found = json.loads(out)
    assert code == 0
    assert "acc" not in found
    assert len(found["assignments"]) == 4


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        pytest.param(b'{"text": "hello"}', ("--clusters", "2"), "1 different", id="too-many"),
        pytest.param(b"", (), "no rows", id="empty"),
        pytest.param(b'{"intent": "a"}', (), "Line 1", id="no-text"),
        pytest.param("{'text': 'é'}".encode("utf-16"), (), "UTF-8", id="encoding"),
    ],
)
def test_that_a_bad_file_is_refused_in_a_sentence(
    capfd: pytest.CaptureFixture[str], content: bytes, options: tuple[str, ...], said: str
) -> None:
    Path("bad.jsonl").write_bytes(content)

    code, out, err = run(capfd, "discover", "--texts", "bad.jsonl", *options)

    assert (code, out) == (2, "")
    assert said in err


async def test_that_the_log_is_reported_in_all_forms(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Store(folder / "data" / "frontdesk.db") as store:
        await store.write(lambda db: exchange(db, incoming("Where is my parcel?")))
        await store.write(lambda db: exchange(db, incoming("A person!"), handoff="complaint"))
        recent = (utc_now() - timedelta(hours=1)).isoformat()
        for table in ("turns", "handoffs"):
            await store.write(
                lambda db, t=table: db.execute(f"UPDATE {t} SET created_at = ?", [recent])
            )
        turns = await store.read(
            lambda db: db.execute("SELECT id FROM turns WHERE role = 'customer'").fetchall()
        )
        (folder / "labels.jsonl").write_text(
            "\n".join(json.dumps({"turn": turn, "intent": "parcel"}) for (turn,) in turns),
            encoding="utf-8",
        )

        code, out, _ = run(
            capfd,
            "report",
            "--intents",
            "labels.jsonl",
            "--json",
            "--csv",
            "a.csv",
            "--html",
            "a.html",
        )

    found = json.loads(out)
    assert code == 0
    assert [line["name"] for line in found["lines"]["intent"]] == ["parcel"]
    assert found["reasons"] == [["complaint", 1]]
    assert "intent,parcel,2" in (folder / "a.csv").read_text(encoding="utf-8-sig")
    assert "<svg" in (folder / "a.html").read_text(encoding="utf-8")


async def ask(store: Store) -> None:
    for text in (*TEXTS["parcel"], *TEXTS["password"]):
        await store.write(lambda db: exchange(db, incoming(text), handoff="no_article"))  # noqa: B023


def test_that_the_log_is_grouped_and_the_groups_are_kept(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Store(folder / "data" / "frontdesk.db") as store:
        asyncio.run(ask(store))

    code, out, _ = run(capfd, "discover", "--log", "--json")
    found = json.loads(out)
    assert (code, found["messages"], found["stored"]) == (0, 8, True)
    assert all(each["is_new"] and each["name"] for each in found["found"])
    assert {each["share_answered"] for each in found["found"]} == {0.0}

    with Store(folder / "data" / "frontdesk.db") as store:
        kept = asyncio.run(store.read(groups.groups))
    assert [(each.name, len(each.members)) for each in kept] == [
        (each["name"], each["size"]) for each in found["found"]
    ]
    assert not any(
        each["is_new"] for each in json.loads(run(capfd, "discover", "--log", "--json")[1])["found"]
    )
    assert "parcel" in run(capfd, "discover", "--log")[1]


async def test_that_beside_a_running_frontdesk_groups_are_shown_and_not_kept(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Store(folder / "data" / "frontdesk.db") as store:
        await ask(store)
        sys.argv = ["frontdesk", "intents", "discover", "--log", "--json"]
        code = await asyncio.to_thread(ended_with)
        out, err = capfd.readouterr()

        assert (code, json.loads(out)["stored"]) == (0, False)
        assert "Frontdesk is running" in err
        assert await store.read(groups.groups) == []


def ended_with() -> object:
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(("--log",), "There is no log", id="no-log"),
        pytest.param((), "--texts FILE or --log", id="nothing"),
        pytest.param(("--log", "--texts", "a"), "--texts FILE or --log", id="both"),
    ],
)
def test_that_what_to_group_must_be_there(
    capfd: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    code, out, err = run(capfd, "discover", *options)

    assert (code, out) == (2, "")
    assert said in err


def test_that_an_empty_log_has_no_groups(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Store(folder / "data" / "frontdesk.db"):
        pass

    code, out, _ = run(capfd, "discover", "--log", "--json")
    assert (code, json.loads(out)["found"]) == (0, [])


def test_that_without_messages_the_report_says_so(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Store(folder / "data" / "frontdesk.db"):
        code, _, err = run(capfd, "report")

    assert (code, "no message" in err) == (2, True)


def test_that_bad_labels_are_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("labels.jsonl").write_text('{"turn": "t"}', encoding="utf-8")
    with Store(folder / "data" / "frontdesk.db"):
        code, _, err = run(capfd, "report", "--intents", "labels.jsonl")

    assert (code, "Line 1 of labels.jsonl" in err) == (2, True)
