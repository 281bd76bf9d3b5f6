"""Why a reply was shown."""

import random

import pytest

from bot.ranking.experience import LoggedDecision
from bot.ranking.explaining import explain
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.softmax import Softmax
from tests.ranking.shoppers import log_of
from tests.ranking.slates import model

LEARNED = model(answers=0.5, is_draft=-0.25)


def first() -> LoggedDecision:
    policy = Softmax("softmax/1", LEARNED)
    return next(each for each in log_of(policy, random.Random(7), 9) if len(each.candidates) == 3)


def test_that_the_parts_add_up_to_the_score() -> None:
    for each in explain(first(), LEARNED, []):
        assert each.score == pytest.approx(sum(each.parts.values()))
        assert all(each.parts.values())


def test_that_it_says_what_another_policy_would_have_shown() -> None:
    explained = explain(first(), LEARNED, [FixedOrder()])

    would = {each.source: each.others[FixedOrder.version] for each in explained}
    assert would == {"draft": 1.0, "article": 0.0, "handoff": 0.0}
    assert sum(each.is_shown for each in explained) == 1


def test_that_the_fixed_order_has_no_parts() -> None:
    assert all(each.score is None and not each.parts for each in explain(first(), None, []))
