"""The value of a policy from another policy's log, with intervals (off-policy evaluation).

For round i with the reward r, p the logging policy's propensity of what was shown and q the
evaluated policy's, w = q / p:

    IPS    mean(w r)               Horvitz and Thompson 1952
    SNIPS  sum(w r) / sum(w)       Swaminathan and Joachims 2015
    DR     mean(m + w (r - f))     Dudík, Langford and Li 2011

f predicts the reward of what was shown, m is its mean over the slate under the evaluated policy.
The rounds of a conversation depend on each other, so that conversations are what is counted:
intervals come from the sum of each conversation's influence (Liang and Zeger 1986), with Student's
t for as many of them as the weights leave.

Where a log explored rarely, that says too little: the few rounds with large weights are mostly not
among those that were drawn, so an estimate that lacks them looks sure. But the slate says how large
the mean of w² is, whatever was drawn: the sum of q² / p over its candidates. The variance that
follows from it counts as FEW_EFFECTIVE conversations do, beside the observed one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError

Numbers = NDArray[np.float64]
Estimator = Literal["ips", "snips", "dr"]

FEWEST_CONVERSATIONS = 30
# Below these an interval says little, whatever it says.
FEW_EFFECTIVE = 50.0
HEAVIEST_SHARE = 0.1
UNSUPPORTED_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Logged decisions, seen from the policy that is evaluated; arrays of shape (rounds,).

    `reward` of what was shown; `logged` and `target`: its propensity then, and under the evaluated
    policy; `conversation`: a number for each. `unsupported` is how likely the evaluated policy
    shows what the logging policy never did. `predicted` and `expected` are f and m of the module's
    formulas; without them there is no doubly robust estimate. `slate_logged` and `slate_target`,
    of shape (rounds, candidates) and filled up with 0, are both policies' propensities of all that
    might have been shown; without them intervals are too narrow where exploration is rare.

    Raises RankingError where the numbers can't be those of a log.
    """

    reward: Numbers
    logged: Numbers
    target: Numbers
    conversation: NDArray[np.int64]
    unsupported: Numbers
    predicted: Numbers | None = None
    expected: Numbers | None = None
    slate_logged: Numbers | None = None
    slate_target: Numbers | None = None

    def __post_init__(self) -> None:
        given = [self.logged, self.target, self.conversation, self.unsupported]
        given += [each for each in (self.predicted, self.expected) if each is not None]
        if any(each.shape != self.reward.shape for each in given):
            raise RankingError("The columns of the log differ in length.")
        slates = [each for each in (self.slate_logged, self.slate_target) if each is not None]
        if any(len(each) != len(self.reward) for each in slates):
            raise RankingError("The columns of the log differ in length.")
        if not all(np.isfinite(each).all() for each in (self.reward, *given, *slates)):
            raise RankingError("The log has rewards or propensities that are no numbers.")
        if (self.logged <= 0).any() or (self.logged > 1).any():
            raise RankingError("The log has replies that were shown with a propensity of 0.")
        if (self.target < 0).any() or (self.target > 1 + 1e-9).any():
            raise RankingError("The policy gives probabilities that aren't between 0 and 1.")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward with the interval that covers the truth as often as `confidence` says."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a log says about a policy.

    `effective` is Kish's effective number of conversations, of those that were drawn or that might
    have been, whichever is less; `heaviest` the largest share that one
    conversation has of all weight, `unsupported` the mean of the rounds'. `warnings` say what
    makes the estimates doubtful.
    """

    conversations: int
    effective: float
    heaviest: float
    unsupported: float
    estimates: dict[Estimator, Estimate]
    warnings: tuple[str, ...] = field(default=())


def evaluate(rounds: Rounds, *, confidence: float = 0.95) -> Evaluation:
    """Return the estimates of a policy's mean reward a round.

    Raises RankingError when there are too few conversations, or none that the policy would have
    gone on with.
    """
    groups = np.unique(rounds.conversation, return_inverse=True)[1]
    count = _require(groups)
    weights = rounds.target / rounds.logged
    if not weights.any():
        raise RankingError("Nothing that was shown would be shown by this policy.")
    of_each = np.bincount(groups, weights)
    heaviest = float(of_each.max() / of_each.sum())
    squares = None if rounds.slate_target is None else _squares(rounds, rounds.slate_target)
    effective = float(of_each.sum() ** 2 / (of_each**2).sum())
    if squares is not None:
        effective = min(effective, count / float(squares.mean()))
    unsupported = float(rounds.unsupported.mean())
    estimates: dict[Estimator, Estimate] = {
        name: _estimate(found, groups, effective, confidence)
        for name, found in _estimates(rounds, weights, squares).items()
    }
    return Evaluation(
        conversations=count,
        effective=effective,
        heaviest=heaviest,
        unsupported=unsupported,
        estimates=estimates,
        warnings=tuple(_warnings(effective, heaviest, unsupported)),
    )


def gain(new: Rounds, old: Rounds, *, confidence: float = 0.95) -> Estimate:
    """Return by how much a policy is worth more than another, doubly robust, from the same rounds.

    What both would do alike takes no part in its error, so it is nearer than two values are. Raises
    RankingError when there are too few conversations, or no predictions.
    """
    groups = np.unique(new.conversation, return_inverse=True)[1]
    each = _robust(new) - _robust(old)
    if new.slate_target is None or old.slate_target is None:
        return mean(each, new.conversation, confidence=confidence)
    effective = _require(groups) / float(_squares(new, new.slate_target).mean())
    squares = _squares(new, new.slate_target - old.slate_target)
    weights = np.abs(new.target - old.target) / new.logged
    told = _robust_variance(_foretold(new) - _foretold(old), _missed(new), weights, squares)
    value = float(np.mean(each))
    return _estimate(_Found(value, (each - value) / len(each), told), groups, effective, confidence)


def mean(values: Numbers, conversation: NDArray[np.int64], *, confidence: float = 0.95) -> Estimate:
    """Return the mean of the rounds' values, whose rounds depend on others of a conversation.

    Raises RankingError when there are too few conversations.
    """
    groups = np.unique(conversation, return_inverse=True)[1]
    count = _require(groups)
    value = float(np.mean(values))
    of_each = np.bincount(groups, (values - value) / len(values)).astype(np.float64)
    error = _standard_error(of_each)
    quantile = student_quantile((1 + confidence) / 2, count - 1)
    return Estimate(value, value - quantile * error, value + quantile * error)


def _robust(rounds: Rounds) -> Numbers:
    weights = rounds.target / rounds.logged
    return np.asarray(_foretold(rounds) + weights * _missed(rounds))


def _foretold(rounds: Rounds) -> Numbers:
    if rounds.expected is None:
        raise RankingError("Without predictions there is no doubly robust estimate.")
    return rounds.expected


def _missed(rounds: Rounds) -> Numbers:
    if rounds.predicted is None:
        raise RankingError("Without predictions there is no doubly robust estimate.")
    return np.asarray(rounds.reward - rounds.predicted)


def _squares(rounds: Rounds, shares: Numbers) -> Numbers:
    """Return each round's mean of the squared weight, over all that might have been shown."""
    logged = rounds.slate_logged
    if logged is None:
        raise RankingError("The log's rounds lack the slates' propensities.")
    return np.asarray((shares**2 / np.where(logged > 0, logged, np.inf)).sum(axis=1))


def _robust_variance(
    foretold: Numbers, missed: Numbers, weights: Numbers, squares: Numbers
) -> float:
    """Return the variance to expect of a mean of `foretold` and what was missed, weighed."""
    of_each = np.var(foretold) + squares.mean() * _mean_square(missed, weights)
    return float(of_each) / len(foretold)


def _mean_square(values: Numbers, weights: Numbers) -> float:
    """Return the mean square of what was drawn, or by weight, whichever is more.

    Rewards of some candidates vary more than of others; by weight alone, few would say it.
    """
    plain = float(np.mean(values**2))
    return max(plain, float(np.average(values**2, weights=weights))) if weights.any() else plain


def _require(groups: NDArray[np.int64]) -> int:
    count = int(groups.max(initial=-1)) + 1
    if count < FEWEST_CONVERSATIONS:
        raise RankingError(
            f"The log has {count} conversations with a reward; {FEWEST_CONVERSATIONS} are needed."
        )
    return count


@dataclass(frozen=True, eq=False, slots=True)
class _Found:
    """A value with every round's influence on it, and the variance to expect where it is known."""

    value: float
    influence: Numbers
    variance: float | None


def _estimates(
    rounds: Rounds, weights: Numbers, squares: Numbers | None
) -> dict[Estimator, _Found]:
    """Return what each estimator finds; `squares` are the rounds' means of the squared weight."""
    total, reward = len(weights), rounds.reward
    heavy = None if squares is None else float(squares.mean())
    ips = float(np.mean(weights * reward))
    snips = float(np.sum(weights * reward) / np.sum(weights))
    drawn = None if heavy is None else heavy * _mean_square(reward, weights) - ips**2
    apart = None if heavy is None else heavy * _mean_square(reward - snips, weights)
    found: dict[Estimator, _Found] = {
        "ips": _Found(ips, (weights * reward - ips) / total, drawn and drawn / total),
        "snips": _Found(
            snips, weights * (reward - snips) / np.sum(weights), apart and apart / total
        ),
    }
    if rounds.predicted is not None and rounds.expected is not None:
        each = _robust(rounds)
        value = float(np.mean(each))
        foretold, missed = rounds.expected, _missed(rounds)
        variance = None if squares is None else _robust_variance(foretold, missed, weights, squares)
        found["dr"] = _Found(value, (each - value) / total, variance)
    return found


def _estimate(
    found: _Found, groups: NDArray[np.int64], effective: float, confidence: float
) -> Estimate:
    """Return a value with its interval."""
    error = _standard_error(np.bincount(groups, found.influence).astype(np.float64))
    if found.variance is not None:
        # What the rounds of a conversation have in common is seen only in what was drawn.
        together = max(0.0, error**2 - _standard_error(found.influence) ** 2)
        told = FEW_EFFECTIVE * (max(found.variance, 0.0) + together)
        error = math.sqrt((told + effective * error**2) / (FEW_EFFECTIVE + effective))
    away = student_quantile((1 + confidence) / 2, max(effective - 1, 1.0)) * error
    return Estimate(found.value, found.value - away, found.value + away)


def _standard_error(influences: Numbers) -> float:
    count = len(influences)
    return math.sqrt(count / (count - 1) * float(np.sum(influences**2)))


def _warnings(effective: float, heaviest: float, unsupported: float) -> Sequence[str]:
    found = []
    if effective < FEW_EFFECTIVE:
        found.append(f"Only {effective:.0f} conversations' worth of the log speaks for the policy.")
    if heaviest > HEAVIEST_SHARE:
        found.append(f"One conversation has {heaviest:.0%} of all weight.")
    if unsupported > UNSUPPORTED_SHARE:
        found.append(
            f"In {unsupported:.1%} of the turns the policy shows what the log never tried."
        )
    return found


def student_quantile(probability: float, freedom: float) -> float:
    """Return a quantile of Student's t (Abramowitz and Stegun 26.7.5; within 1% from 3 degrees)."""
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
