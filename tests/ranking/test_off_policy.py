"""Estimators against closed forms, and intervals against many logs with a known truth."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.errors import RankingError
from bot.ranking.off_policy import (
    Estimator,
    Numbers,
    Rounds,
    evaluate,
    gain,
    student_quantile,
)

SEED = 7
ARMS = 4


def rounds(**changes: Any) -> Rounds:
    """Return 40 conversations of one round each, logged at even chances of two."""
    number = np.arange(40)
    plain = Rounds(
        reward=(number % 4 == 0).astype(float),
        logged=np.full(40, 0.5),
        target=np.full(40, 0.5),
        conversation=number,
        unsupported=np.zeros(40),
    )
    return replace(plain, **changes)


def made_log(
    rng: np.random.Generator, conversations: int = 400, turns: int = 3
) -> tuple[Rounds, float]:
    """Return a log of even draws, seen from a policy that mostly takes the best, and the truth.

    A conversation's mood is added to all of its rewards.
    """
    means, target = np.array([0.2, 0.3, 0.4, 0.6]), np.array([0.1, 0.1, 0.2, 0.6])
    total = conversations * turns
    conversation = np.repeat(np.arange(conversations), turns)
    mood = rng.choice([-0.15, 0.15], size=conversations)[conversation]
    shown = rng.integers(ARMS, size=total)
    reward = (rng.random(total) < means[shown] + mood).astype(float)
    guessed = means + 0.05
    return (
        Rounds(
            reward=reward,
            logged=np.full(total, 1 / ARMS),
            target=target[shown],
            conversation=conversation,
            unsupported=np.zeros(total),
            predicted=guessed[shown],
            expected=np.full(total, float(target @ guessed)),
        ),
        float(target @ means),
    )


def test_that_the_logging_policy_itself_is_worth_the_mean_reward() -> None:
    found = evaluate(rounds())

    assert [each.value for each in found.estimates.values()] == [0.25, 0.25]
    assert (found.effective, found.heaviest) == (40, 1 / 40)
    assert found.estimates["ips"].low < 0.25 < found.estimates["ips"].high


def test_that_a_fixed_choice_is_worth_its_own_rewards() -> None:
    shown = np.arange(40) % 2
    found = evaluate(rounds(target=(shown == 0).astype(float)))

    # Uniform logging of two: 2 x the sum of the matching rewards / n.
    assert found.estimates["ips"].value == pytest.approx(2 * 10 / 40)
    assert found.estimates["snips"].value == pytest.approx(10 / 20)


def test_that_a_perfect_prediction_leaves_nothing_to_weigh() -> None:
    truth = np.where(np.arange(40) % 2 == 0, 0.8, 0.2)
    found = evaluate(
        rounds(reward=truth, target=np.full(40, 0.1), predicted=truth, expected=np.full(40, 0.5))
    )

    assert found.estimates["dr"].value == pytest.approx(0.5)
    assert found.estimates["dr"].high - found.estimates["dr"].low == pytest.approx(0.0)


def test_that_a_shift_of_all_rewards_moves_snips_by_it() -> None:
    plain = rounds(target=np.linspace(0.1, 0.9, 40))
    moved = replace(plain, reward=plain.reward + 5)

    difference = evaluate(moved).estimates["snips"].value - evaluate(plain).estimates["snips"].value
    assert difference == pytest.approx(5)


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_that_intervals_cover_the_truth_as_often_as_they_say(name: Estimator) -> None:
    covered = 0
    for seed in range(500):
        log, truth = made_log(np.random.default_rng(seed))
        estimate = evaluate(log).estimates[name]
        covered += estimate.low <= truth <= estimate.high

    # 95% of 500, and what chance may take from or add to it (three standard deviations).
    assert abs(covered / 500 - 0.95) <= 3 * (0.95 * 0.05 / 500) ** 0.5


def rare_log(rng: np.random.Generator, target: Numbers, conversations: int = 200) -> Rounds:
    """Return a log that shows the first of four but in 4% of the turns."""
    means, logged = np.array([0.4, 0.3, 0.5, 0.6]), np.array([0.96, *[0.04 / 3] * 3])
    total = 2 * conversations
    shown = rng.choice(ARMS, p=logged, size=total)
    guessed = means + 0.05
    return Rounds(
        reward=(rng.random(total) < means[shown]).astype(float),
        logged=logged[shown],
        target=target[shown],
        conversation=np.arange(total) // 2,
        unsupported=np.zeros(total),
        predicted=guessed[shown],
        expected=np.full(total, float(target @ guessed)),
        slate_logged=np.tile(logged, (total, 1)),
        slate_target=np.tile(target, (total, 1)),
    )


NEW, OLD = np.array([0.5, 0.1, 0.1, 0.3]), np.array([1.0, 0.0, 0.0, 0.0])
MEANS = np.array([0.4, 0.3, 0.5, 0.6])


def test_that_intervals_cover_the_truth_where_little_was_explored() -> None:
    covered = {"ips": 0, "snips": 0, "dr": 0, "gain": 0}
    for seed in range(500):
        rng = np.random.default_rng(seed)
        log = rare_log(rng, NEW)
        shown = replace(log, target=(log.logged > 0.5).astype(float))
        found = dict(evaluate(log).estimates)
        for name, estimate in found.items():
            covered[name] += estimate.low <= NEW @ MEANS <= estimate.high
        old = replace(
            shown,
            expected=np.full(len(log.reward), MEANS[0] + 0.05),
            slate_target=np.tile(OLD, (len(log.reward), 1)),
        )
        better = gain(log, old)
        covered["gain"] += better.low <= (NEW - OLD) @ MEANS <= better.high

    # At least 95% of 500, less what chance may take (three standard deviations).
    least = 500 * 0.95 - 3 * (500 * 0.95 * 0.05) ** 0.5
    assert min(covered.values()) >= least, covered


def test_that_what_was_not_drawn_makes_an_interval_wider() -> None:
    log = rare_log(np.random.default_rng(SEED), NEW)
    blind = replace(log, slate_logged=None, slate_target=None)
    is_usual = log.logged > 0.5
    lucky = replace(log, target=np.where(is_usual, log.target, 0.0))

    assert evaluate(log).effective < evaluate(blind).effective
    assert evaluate(lucky).effective == evaluate(log).effective


def test_that_an_interval_counts_conversations_not_turns() -> None:
    rng = np.random.default_rng(SEED)
    log, _ = made_log(rng)
    apart = replace(log, conversation=np.arange(len(log.reward)))

    def width(of: Rounds) -> float:
        estimate = evaluate(of).estimates["snips"]
        return estimate.high - estimate.low

    assert width(log) > width(apart)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"logged": np.zeros(40)}, "a propensity of 0", id="zero"),
        pytest.param({"logged": np.full(40, 1.5)}, "a propensity of 0", id="over-one"),
        pytest.param({"reward": np.full(40, np.nan)}, "no numbers", id="no-number"),
        pytest.param({"target": np.full(40, -0.1)}, "between 0 and 1", id="negative"),
        pytest.param({"target": np.full(39, 0.1)}, "differ in length", id="length"),
        pytest.param({"slate_logged": np.ones((39, 2))}, "differ in length", id="slates"),
        pytest.param({"slate_target": np.full((40, 2), np.nan)}, "no numbers", id="slate"),
    ],
)
def test_that_what_is_no_log_is_refused(changes: dict[str, Numbers], sentence: str) -> None:
    with pytest.raises(RankingError, match=sentence):
        rounds(**changes)


def test_that_few_conversations_are_refused() -> None:
    few = rounds(conversation=np.arange(40) // 2)

    with pytest.raises(RankingError, match="20 conversations with a reward; 30 are needed"):
        evaluate(few)


def test_that_an_empty_log_is_refused() -> None:
    none = np.zeros(0)
    empty = Rounds(
        reward=none,
        logged=none,
        target=none,
        conversation=np.zeros(0, dtype=np.int64),
        unsupported=none,
    )

    with pytest.raises(RankingError, match="0 conversations"):
        evaluate(empty)


def test_that_a_policy_of_which_nothing_was_shown_is_refused() -> None:
    with pytest.raises(RankingError, match="Nothing that was shown"):
        evaluate(rounds(target=np.zeros(40)))


def test_that_poor_overlap_is_said() -> None:
    lonely = np.full(40, 0.001)
    lonely[3] = 0.9

    warnings = evaluate(rounds(target=lonely, unsupported=np.full(40, 0.4))).warnings

    assert [text.partition(" ")[0] for text in warnings] == ["Only", "One", "In"]


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(3, 3.1824), (10, 2.2281), (30, 2.0423), (1e9, 1.95996)]
)
def test_that_quantiles_are_students(freedom: float, quantile: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, rel=0.01)
