"""What was in force, as the log keeps it, and what was tried."""

from datetime import datetime, timedelta

import pytest
from sqlite_utils import Database

from bot.log import policies
from bot.log.policies import InForce
from tests.log.writing import LATER, exchange
from tests.small_shop import NOW, incoming


def change(policy: str, minutes: int) -> InForce:
    at = NOW + timedelta(minutes=minutes)
    trained = {"kind": "softmax"} if policy != "fixed-order/2" else None
    return InForce(policy=policy, reason="promoted", note="Better.", at=at, trained=trained)


def test_that_changes_come_back_newest_first(db: Database) -> None:
    changes = [change("softmax/1", 0), change("fixed-order/2", 1), change("softmax/1", 2)]
    policies.record(db, changes[:2])
    policies.record(db, changes[2:])

    assert policies.count(db) == 3
    assert policies.history(db) == list(reversed(changes))


@pytest.mark.parametrize(
    ("propensities", "since", "tried"),
    [
        pytest.param([0.1, 0.9], NOW, 1, id="another-was-thought-better"),
        pytest.param([0.9, 0.1], NOW, 0, id="the-best"),
        pytest.param([0.1, 0.9], LATER + timedelta(days=1), 0, id="yesterday"),
    ],
)
def test_that_tries_are_counted(
    db: Database, propensities: list[float], since: datetime, tried: int
) -> None:
    reply = exchange(db, incoming("Dogs?"))
    db.execute("UPDATE candidates SET propensity = ?", propensities[:1])
    db.execute(
        "INSERT INTO candidates SELECT turn, 1, source, text, citations, features, refusal, ?,"
        " policy, 0 FROM candidates WHERE turn = ?",
        [propensities[1], reply.turn],
    )

    assert policies.tries(db, since) == tried
