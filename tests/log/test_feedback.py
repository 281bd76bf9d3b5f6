"""Verdicts on replies: by turn or by post, each press once."""

from dataclasses import replace

import pytest
from sqlite_utils import Database

from bot.log import feedback
from bot.messages import Feedback, Outgoing
from tests.log.writing import LATER, exchange
from tests.small_shop import incoming

PRESS = Feedback(
    channel="test", event_key="press:1", customer="customer-ada", verdict="up", origin="button"
)


@pytest.fixture
def shown(db: Database) -> Outgoing:
    return exchange(db, incoming(), ("c:1", "c:2"))


def verdicts(db: Database) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = db.execute(
        "SELECT turn, verdict, complaint, comment FROM feedback ORDER BY id"
    ).fetchall()
    return found


def test_that_a_reply_is_rated_by_its_turn(db: Database, shown: Outgoing) -> None:
    press = replace(PRESS, turn=shown.turn, verdict="down", complaint="unclear", comment="看不明白")

    assert feedback.rate(db, press, LATER) is True
    assert verdicts(db) == [(shown.turn, "down", "unclear", "看不明白")]


@pytest.mark.parametrize("post", ["c:1", "c:2"])
def test_that_a_reply_is_rated_by_any_of_its_posts(
    db: Database, shown: Outgoing, post: str
) -> None:
    assert feedback.rate(db, replace(PRESS, post=post, origin="reaction"), LATER) is True
    assert verdicts(db) == [(shown.turn, "up", None, "")]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"post": "c:9"}, id="unknown-post"),
        pytest.param({"turn": "unknown"}, id="unknown-turn"),
        pytest.param({"post": "c:1", "channel": "slack"}, id="foreign-channel"),
        pytest.param({}, id="nothing-named"),
    ],
)
def test_that_what_is_no_reply_cannot_be_rated(
    db: Database, shown: Outgoing, changes: dict[str, str]
) -> None:
    assert feedback.rate(db, replace(PRESS, **changes), LATER) is False  # type: ignore[arg-type]
    assert verdicts(db) == []


def test_that_another_channels_turn_cannot_be_rated(db: Database, shown: Outgoing) -> None:
    press = replace(PRESS, turn=shown.turn, channel="slack")

    assert feedback.rate(db, press, LATER) is False


def test_that_a_press_that_comes_again_counts_once(db: Database, shown: Outgoing) -> None:
    press = replace(PRESS, turn=shown.turn)

    assert [feedback.rate(db, press, LATER) for _ in "12"] == [True, True]
    assert len(verdicts(db)) == 1


def test_that_a_verdict_is_taken_back_by_another_row(db: Database, shown: Outgoing) -> None:
    for number, verdict in enumerate(("up", "withdrawn", "down")):
        press = replace(PRESS, turn=shown.turn, event_key=f"p{number}", verdict=verdict)  # type: ignore[arg-type]
        assert feedback.rate(db, press, LATER)

    assert [row[1] for row in verdicts(db)] == ["up", "withdrawn", "down"]
