"""Learning from logs of customers whose preferences are known."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bot.errors import RankingError
from bot.messages import Candidate
from bot.ranking import bandit, q_learning
from bot.ranking.experience import Experience, experience
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.linear import LinearModel
from tests.ranking.shoppers import Kind, Uniform, at_once, in_the_end, log_of, regret

Worth = Callable[[Kind, Candidate], float]

VISITS = 3000


@pytest.fixture(scope="module")
def known() -> Experience:
    return experience(log_of(Uniform(), random.Random(7), VISITS))


def test_that_a_log_becomes_numbers(known: Experience) -> None:
    assert len(known) > VISITS  # some customers were asked back
    assert known.seen.shape == (len(known), known.slates[0].shape[1])
    goes_on = known.follows >= 0
    assert (known.follows[goes_on] == np.flatnonzero(goes_on) + 1).all()
    assert np.nanmax(np.abs(known.rewards)) <= 1


@pytest.mark.parametrize(
    ("learn", "worth"),
    [pytest.param(bandit.fit, at_once, id="at-once"), pytest.param(q_learning.fit, in_the_end)],
)
def test_that_what_was_learned_beats_the_fixed_order(
    known: Experience, learn: Callable[[Experience], LinearModel], worth: Worth
) -> None:
    learned = regret(Greedy("greedy/1", learn(known)), random.Random(1), 2000, worth)
    fixed = regret(FixedOrder(), random.Random(1), 2000, worth)
    blind = regret(Uniform(), random.Random(1), 2000, worth)

    assert learned < fixed
    assert learned < blind / 5


def test_that_q_learning_asks_back_where_the_end_pays(known: Experience) -> None:
    by_the_end = regret(Greedy("q/1", q_learning.fit(known)), random.Random(1), 2000)
    bandits = regret(Greedy("greedy/1", bandit.fit(known)), random.Random(1), 2000)

    assert by_the_end < 0.02
    assert bandits > 5 * by_the_end


def test_that_without_a_future_q_learning_is_the_bandit(known: Experience) -> None:
    ends = q_learning.fit(known, gamma=0.0)

    has_reward = ~np.isnan(known.rewards)
    assert has_reward.all()
    assert ends.weights == pytest.approx(bandit.fit(known).weights)


@pytest.mark.parametrize("learn", [bandit.fit, q_learning.fit])
def test_that_too_little_is_refused(learn: Callable[[Experience], LinearModel]) -> None:
    few = experience(log_of(Uniform(), random.Random(7), 15))

    with pytest.raises(RankingError, match=r"\d+ choices whose reward is known; 100 are needed"):
        learn(few)


def test_that_other_feature_versions_are_left_out() -> None:
    [new, *_] = log_of(Uniform(), random.Random(7), 1)
    old = replace(
        new,
        candidates=tuple(
            replace(each, features={**each.features, "feature_version": 0.0})
            for each in new.candidates
        ),
    )

    assert (len(experience([new])), len(experience([old]))) == (1, 0)
