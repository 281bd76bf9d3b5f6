"""A policy in force, judged by what followed its own replies."""

import random

from bot.ranking import watch
from bot.ranking.experience import LoggedDecision
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.policy import Policy
from bot.ranking.rewards import WORTH
from tests.ranking.shoppers import log_of
from tests.ranking.slates import KNOWING, model

BETTER = Greedy("better/1", KNOWING)
WORSE = Greedy("worse/1", model(answers=-1.4, is_article=0.3))
HANDS_OFF = Greedy("handoff/1", model(is_handoff=1.0))


def log(policy: Policy, visits: int = 400, seed: int = 7) -> list[LoggedDecision]:
    return list(log_of(policy, random.Random(seed), visits))


def test_that_a_worse_policy_is_objected_to() -> None:
    found = watch.changes(log(FixedOrder()), log(WORSE, seed=8))

    why = watch.objection(found)

    assert why is not None
    assert why.startswith("Since it is in force, the mean reward fell from 0.")


def test_that_more_handoffs_are_objected_to_whatever_they_are_worth() -> None:
    free = {**WORTH, "handed_off": 1.0}

    why = watch.objection(watch.changes(log(BETTER), log(HANDS_OFF), free))

    assert why == ("Since it is in force, the share without a hand-off fell from 1.000 to 0.000.")


def test_that_a_better_one_and_an_equal_one_stay() -> None:
    assert watch.objection(watch.changes(log(FixedOrder()), log(BETTER, seed=8))) is None
    same = [
        watch.changes(log(BETTER, 150, seed=n), log(BETTER, 150, seed=n + 50)) for n in range(10)
    ]
    assert sum(watch.objection(each) is not None for each in same) <= 1


def test_that_too_few_conversations_say_nothing() -> None:
    assert watch.changes(log(BETTER), log(HANDS_OFF, visits=20)) == []
    assert watch.objection([]) is None


def test_that_complaints_are_told_as_a_share() -> None:
    found = watch.changes(log(FixedOrder()), log(WORSE, seed=8))

    [complaints] = [each for each in found if each.name == "the share without a complaint"]

    assert 0 < complaints.since.value < complaints.before.value < 1
