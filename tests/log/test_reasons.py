"""Why the replies of a transcript were shown, told from the log alone."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlite_utils import Database

from bot.log import policies, reasons, transcripts
from bot.log.policies import InForce
from bot.log.reasons import Reason
from bot.messages import Candidate
from bot.ranking import features
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.linear import LinearModel
from bot.ranking.trained import TrainedPolicy
from tests.adapters.web.dialogues import START, message, write_exchange
from tests.ranking.slates import APPROVED, ARTICLE, ASKED, DRAFT, HANDOFF, REFUSED, SLATE, model

LIKES_ARTICLES = model(is_article=1.0, length=0.5)
LIKES_DRAFTS = model(is_draft=1.0)
HOUR = timedelta(hours=1)


def put_in_force(
    db: Database, version: str, learned: LinearModel, hours: int, reason: str = "promoted"
) -> None:
    trained = TrainedPolicy(version=version, kind="greedy", model=learned, trained_on={})
    at = START + HOUR * hours
    change = InForce(policy=version, reason=reason, note="", at=at, trained=trained.as_json())
    policies.record(db, [change])


def ask(db: Database, policy: str, hours: int, slate: Sequence[Candidate] = SLATE) -> Reason:
    """Return why the reply to a question, chosen by that policy, was shown."""
    asked = message("Can I return an item?", id=f"{hours}")
    described = features.described(ASKED, slate)
    reply = write_exchange(db, asked, described, at=START + HOUR * hours)
    db.execute("UPDATE turns SET policy = ? WHERE id = ?", [policy, reply.turn])
    found = transcripts.transcript(db, reply.conversation)
    assert found
    return reasons.reasons(db, found)[reply.turn]


def test_that_a_learned_policy_tells_what_it_expected_and_why(db: Database) -> None:
    put_in_force(db, "greedy/1", LIKES_ARTICLES, hours=0)

    why = ask(db, "greedy/1", hours=1)

    assert (why.decided, why.before) == ("learned", FixedOrder.version)
    article = why.candidates[SLATE.index(ARTICLE)]
    assert list(article.parts) == ["is_article", "length"]
    assert article.score == pytest.approx(1.0 + 0.5 * len(ARTICLE.text) / 1500)
    assert article.others == {FixedOrder.version: 0.0}
    assert why.candidates[SLATE.index(DRAFT)].others == {FixedOrder.version: 1.0}


def test_that_the_policy_before_is_the_one_of_that_time(db: Database) -> None:
    put_in_force(db, "greedy/1", LIKES_ARTICLES, hours=0)
    put_in_force(db, "greedy/2", LIKES_DRAFTS, hours=2)
    put_in_force(db, "greedy/3", LIKES_ARTICLES, hours=4)

    second, third = ask(db, "greedy/2", hours=3), ask(db, "greedy/3", hours=5)

    assert (second.before, third.before) == ("greedy/1", "greedy/2")
    likely = [each.others["greedy/2"] for each in third.candidates]
    assert likely == [1.0, 0.0, 0.0, 0.0]


def test_that_what_was_taken_back_is_not_the_policy_before(db: Database) -> None:
    put_in_force(db, "greedy/1", LIKES_ARTICLES, hours=0)
    put_in_force(db, "greedy/2", LIKES_DRAFTS, hours=2)
    put_in_force(db, "greedy/1", LIKES_ARTICLES, hours=4, reason="watch")

    assert ask(db, "greedy/1", hours=5).before == FixedOrder.version


@pytest.mark.parametrize(
    ("policy", "slate", "decided"),
    [
        pytest.param(FixedOrder.version, SLATE, "order", id="fixed-order"),
        pytest.param("fixed-order/1", SLATE, "order", id="an-earlier-fixed-order"),
        pytest.param("greedy/1", [APPROVED, *SLATE], "team", id="the-teams-words"),
        pytest.param("greedy/9", SLATE, "unknown", id="not-in-the-log"),
        pytest.param("greedy/old", SLATE, "unknown", id="other-features"),
        pytest.param("greedy/1", [REFUSED], "unknown", id="nothing-that-might-be-shown"),
        pytest.param("greedy/1", [HANDOFF], "learned", id="nothing-to-choose"),
    ],
)
def test_that_it_says_what_decided(
    db: Database, policy: str, slate: Sequence[Candidate], decided: str
) -> None:
    put_in_force(db, "greedy/1", LIKES_ARTICLES, hours=0)
    put_in_force(db, "greedy/old", LIKES_ARTICLES, hours=0)
    db.execute(
        "UPDATE policies SET trained = json_set(trained, '$.model.features', 0)"
        " WHERE version = 'greedy/old'"
    )

    why = ask(db, policy, hours=1, slate=slate)

    assert why.decided == decided
    assert bool(why.candidates) == (decided == "learned")
