"""What a learned policy may not choose."""

import pytest

from bot.messages import Candidate
from bot.ranking import features
from bot.ranking.policy import Policy
from bot.ranking.softmax import Softmax
from bot.ranking.team_first import TeamFirst
from tests.ranking.slates import APPROVED, ARTICLE, ASKED, DRAFT, HANDOFF, SLATE, model

DONE = Candidate(source="action", text="Order 7 is on its way.")


def shares(policy: Policy, slate: list[Candidate]) -> list[float]:
    return list(policy.propensities(ASKED, features.described(ASKED, slate)))


def test_that_what_people_decided_stands() -> None:
    likes_articles = TeamFirst(Softmax("s/1", model(is_article=1.0)))

    assert shares(likes_articles, [APPROVED, *SLATE]) == [1, 0, 0, 0, 0]
    assert shares(likes_articles, [DONE, HANDOFF]) == [1, 0]


def test_that_a_handoff_is_shown_as_the_best_alone() -> None:
    even = TeamFirst(Softmax("s/1", model()))
    tired = TeamFirst(Softmax("s/1", model(is_handoff=0.1)))

    assert shares(even, [DRAFT, ARTICLE, HANDOFF]) == pytest.approx([0.5, 0.5, 0])
    assert shares(tired, [DRAFT, ARTICLE, HANDOFF]) == [0, 0, 1]
