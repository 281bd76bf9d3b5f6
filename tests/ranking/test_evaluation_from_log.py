"""Policies held against logs of customers whose preferences are known."""

import random
from dataclasses import replace

import numpy as np
import pytest

from bot.errors import RankingError
from bot.ranking import features
from bot.ranking.evaluation import rounds, value
from bot.ranking.experience import LoggedDecision
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.policy import Policy
from tests.ranking.shoppers import QUESTION, Uniform, at_once, log_of, visit
from tests.ranking.slates import model

LIKES_ARTICLES = Greedy("greedy/1", model(is_article=1.0))
SEEDS, VISITS = 200, 120


def first_replies(policy: Policy, seed: int, visits: int = VISITS) -> list[LoggedDecision]:
    """Return a log without what followed a question back."""
    found = log_of(policy, random.Random(seed), visits)
    return [each for each in found if each.turn.endswith("-0")]


def truth(policy: Policy) -> float:
    """Return a policy's mean reward of a first reply."""
    rng, total = random.Random(1), 0.0
    for _ in range(4000):
        asked = visit(rng)
        slate = features.described(QUESTION, asked.slate)
        shares = policy.propensities(QUESTION, slate)
        total += sum(s * at_once(asked.kind, c) for s, c in zip(shares, slate, strict=True))
    return total / 4000


@pytest.mark.parametrize("policy", [LIKES_ARTICLES, FixedOrder()], ids=["articles", "fixed"])
def test_that_the_intervals_cover_what_the_policy_is_worth(policy: Policy) -> None:
    true, covered = truth(policy), {"ips": 0, "snips": 0, "dr": 0}
    for seed in range(SEEDS):
        for name, found in value(first_replies(Uniform(), seed), policy).estimates.items():
            covered[name] += found.low <= true <= found.high

    # 95%, and what chance may take from it (three standard deviations).
    least = SEEDS * 0.95 - 3 * (SEEDS * 0.95 * 0.05) ** 0.5
    assert min(covered.values()) >= least


def test_that_the_logging_policy_is_worth_what_was_rewarded() -> None:
    log = first_replies(Uniform(), 7)
    found = rounds(log, Uniform())

    assert value(log, Uniform()).estimates["ips"].value == pytest.approx(found.reward.mean())
    assert found.unsupported.max() == 0


def test_that_what_a_log_never_tried_is_said() -> None:
    found = value(first_replies(LIKES_ARTICLES, 7), Uniform())

    assert found.unsupported == pytest.approx(2 / 3)
    assert any("never tried" in warning for warning in found.warnings)


def test_that_replies_without_a_reward_are_left_out() -> None:
    log = first_replies(Uniform(), 7)
    silent = [replace(each, after=replace(each.after, verdicts=(), next_text=None)) for each in log]
    # Hand-offs cost a person whatever follows, so their reward is known.
    handed_off = [each for each in silent if each.source == "handoff"]

    assert len(rounds(silent, Uniform()).reward) == len(handed_off)


def test_that_a_log_of_other_features_is_refused() -> None:
    [new, *rest] = first_replies(Uniform(), 7)
    old = tuple(
        replace(each, features={**each.features, "feature_version": 0.0}) for each in new.candidates
    )

    with pytest.raises(RankingError, match="another version of the features"):
        value([replace(new, candidates=old), *rest], Uniform())


def test_that_what_was_shown_by_no_chance_is_refused() -> None:
    log = first_replies(Uniform(), 7)
    never = tuple(replace(each, propensity=0.0) for each in log[0].candidates)

    with pytest.raises(RankingError, match="a propensity of 0"):
        value([replace(log[0], candidates=never), *log[1:]], Uniform())


def test_that_a_reply_that_is_there_twice_is_refused() -> None:
    log = first_replies(Uniform(), 7)

    with pytest.raises(RankingError, match="the reply 0-0 more than once"):
        value([*log, log[0]], Uniform())


def test_that_a_log_of_twenty_is_refused() -> None:
    with pytest.raises(RankingError, match="20 conversations with a reward; 30 are needed"):
        value(first_replies(Uniform(), 7, visits=20), FixedOrder())


def test_that_predictions_come_from_other_conversations() -> None:
    log = first_replies(Uniform(), 7)
    found = rounds(log, Uniform())
    turned = [replace(log[0], after=replace(log[0].after, verdicts=[("down", None)])), *log[1:]]
    other = rounds(turned, Uniform())

    assert found.predicted is not None and other.predicted is not None  # noqa: PT018
    assert found.predicted[0] == other.predicted[0]
    assert not np.array_equal(found.reward, other.reward)
