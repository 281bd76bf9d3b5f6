"""`frontdesk ranking`: from a log to a policy in force and back, beside a program that may run."""

import asyncio
import json
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import main
from bot.log.store import Store
from bot.ranking.exploration import Exploring
from bot.ranking.fixed_order import FixedOrder
from tests.ranking.shop_log import write_visits

Run = Callable[..., tuple[object, str, str]]


class Unlimited:
    def is_left(self) -> bool:
        return True


def write_log(path: Path, visits: int, share: float = 0.4) -> None:
    """Make a log of three days ago."""

    async def write() -> None:
        policy = Exploring(FixedOrder(), share, Unlimited())
        began, rng = datetime.now(UTC) - timedelta(days=3), random.Random(7)
        with Store(path) as store:
            await store.write(lambda db: write_visits(db, policy, rng, visits, began))

    asyncio.run(write())


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that is large enough to learn from."""
    path = tmp_path_factory.mktemp("log") / "frontdesk.db"
    write_log(path, 1500)
    return path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "argv", [])
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def ranking(data: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*options: str) -> tuple[object, str, str]:
        sys.argv = ["frontdesk", "ranking", *options]
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code, *capfd.readouterr())

    return run


def parsed(answer: tuple[object, str, str]) -> Any:
    return json.loads(answer[1])


def test_that_a_policy_goes_from_the_log_into_force_and_back(
    ranking: Run, data: Path, explored: Path
) -> None:
    shutil.copy(explored, data / "frontdesk.db")
    assert "fixed-order/2 is in force, and nothing came before it." in ranking("rollback")[2]

    assert ranking("train", "--kind", "greedy")[0] == 0
    [version] = parsed(ranking("status", "--json"))["trained"]
    judged = ranking("evaluate", "--json")
    promoted = ranking("promote")

    assert (judged[0], parsed(judged)["passes"], parsed(judged)["policy"]) == (0, True, version)
    assert (promoted[0], f"In force: {version}." in promoted[2]) == (0, True)
    assert parsed(ranking("status", "--json"))["in_force"] == version
    assert "is in force already" in ranking("evaluate", version)[2]
    assert ranking("rollback")[0] == 0
    history = parsed(ranking("status", "--json"))["history"]
    assert [change["reason"] for change in history] == ["rolled_back", "promoted"]


def test_that_a_policy_the_log_does_not_speak_for_stays_out(ranking: Run, data: Path) -> None:
    write_log(data / "frontdesk.db", 300, share=0.0)
    assert ranking("train")[0] == 0

    code, out, err = ranking("evaluate")
    refused = ranking("promote")

    assert (code, "policy" in out, "Against it: " in err) == (1, True, True)
    assert (refused[0], "does not come into force; fixed-order/2 stays." in refused[2]) == (2, True)
    assert parsed(ranking("status", "--json"))["in_force"] == "fixed-order/2"


def test_that_a_reply_is_explained(ranking: Run, data: Path, explored: Path) -> None:
    shutil.copy(explored, data / "frontdesk.db")
    with closing(sqlite3.connect(data / "frontdesk.db")) as db:
        [turn] = db.execute("SELECT turn FROM candidates WHERE source = 'draft'").fetchone()

    told = parsed(ranking("explain", turn, "--json"))
    assert told["turn"] == turn
    assert {each["source"] for each in told["candidates"]} == {"draft", "article", "handoff"}
    assert "Yes, within 30 days." in ranking("explain", turn)[2]
    assert "no reply 'x'" in ranking("explain", "x")[2]


def test_that_groups_stand_side_by_side(ranking: Run, data: Path, explored: Path) -> None:
    shutil.copy(explored, data / "frontdesk.db")

    rows = parsed(ranking("report", "--json"))

    assert [row["group"] for row in rows] == [
        "everybody",
        "language en",
        "language zh",
        "channel telegram",
        "channel web",
        "new customers",
    ]
    assert "language zh" in ranking("report")[1]
    assert "no replies yet" in ranking("report", "--days", "1")[2]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["train"], "choices whose reward is known; 100 are needed"),
        (["evaluate"], "No policy is trained yet"),
        (["promote", "softmax/1"], "There is no policy softmax/1"),
        (["train", "--kind", "magic"], "'magic' is not one of"),
    ],
)
def test_that_what_cannot_be_done_is_one_sentence(
    ranking: Run, data: Path, command: list[str], said: str
) -> None:
    write_log(data / "frontdesk.db", 20, share=0.0)

    code, _, err = ranking(*command)

    assert (code, said in err, "Traceback" in err) == (2, True, False)


def test_that_without_a_log_it_says_so(ranking: Run) -> None:
    code, _, err = ranking("train")

    assert (code, "can't be read" in err) == (2, True)
