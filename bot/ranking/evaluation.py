"""A policy held against the log: the rounds that bot/ranking/off_policy.py reckons with."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError
from bot.messages import Candidate
from bot.ranking import linear
from bot.ranking.context import Context
from bot.ranking.experience import (
    LoggedDecision,
    Numbers,
    conversations_of,
    is_of_this_version,
    rewards_of,
    slate_of,
)
from bot.ranking.off_policy import Evaluation, Rounds, evaluate
from bot.ranking.policy import Policy
from bot.ranking.rewards import WORTH, Signal

FOLDS = 2


def value(
    decisions: Iterable[LoggedDecision],
    policy: Policy,
    worth: Mapping[Signal, float] = WORTH,
    *,
    confidence: float = 0.95,
) -> Evaluation:
    """Return what a log says about a policy's mean reward a reply.

    Raises RankingError when the log says too little.
    """
    return evaluate(rounds(list(decisions), policy, worth), confidence=confidence)


def rounds(
    decisions: Sequence[LoggedDecision], policy: Policy, worth: Mapping[Signal, float] = WORTH
) -> Rounds:
    """Return the rounds of the decisions whose reward is known.

    The doubly robust estimator's prediction of a round is learned from other conversations only.
    """
    return rounds_of(look(decisions, policy), rewards_of(decisions, worth))


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Seen:
    """Logged decisions, their slates, and how likely a policy shows each candidate of them.

    `slates` are arrays of shape (candidates, names), `shares` of shape (candidates,).
    """

    decisions: Sequence[LoggedDecision]
    slates: Sequence[Numbers]
    shares: Sequence[Numbers]

    def through(self, policy: Policy, decisions: Sequence[LoggedDecision] | None = None) -> "Seen":
        """Return the same with another policy's shares, which may see other features of them."""
        return replace(self, shares=[_shares(each, policy) for each in decisions or self.decisions])

    def of(self, chosen: NDArray[np.bool_]) -> "Seen":
        """Return those that are chosen."""
        places = np.flatnonzero(chosen)
        return Seen(
            decisions=[self.decisions[i] for i in places],
            slates=[self.slates[i] for i in places],
            shares=[self.shares[i] for i in places],
        )


def look(decisions: Sequence[LoggedDecision], policy: Policy) -> Seen:
    """Let a policy see logged slates.

    Raises RankingError where some were logged with another version of the features, or are there
    twice.
    """
    if not all(is_of_this_version(each) for each in decisions):
        raise RankingError("Some of the log has another version of the features; leave it out.")
    turn, times = next(iter(Counter(each.turn for each in decisions).most_common(1)), ("", 0))
    if times > 1:
        raise RankingError(f"The log has the reply {turn} more than once.")
    return Seen(
        decisions=decisions,
        slates=[slate_of(each) for each in decisions],
        shares=[_shares(each, policy) for each in decisions],
    )


def rounds_of(seen: Seen, rewards: Numbers) -> Rounds:
    """Return the rounds of what a policy saw, with any measure of what was shown as the reward.

    Where the measure is not a number, the round is left out. Raises RankingError where it never is.
    """
    is_known = ~np.isnan(rewards)
    if not is_known.any():
        raise RankingError("The log has no reply of which it is known what it was worth.")
    told, rewards = seen.of(is_known), rewards[is_known]
    conversation = conversations_of(told.decisions)
    logged = [np.array([one.propensity for one in each.candidates]) for each in told.decisions]
    shown = np.array(
        [slate[one.shown] for slate, one in zip(told.slates, told.decisions, strict=True)]
    )
    predicted, expected = predictions(shown, told.slates, told.shares, rewards, conversation)
    return Rounds(
        reward=rewards,
        logged=_of_shown(logged, told),
        target=_of_shown(told.shares, told),
        conversation=conversation,
        unsupported=np.array(
            [share[chance == 0].sum() for share, chance in zip(told.shares, logged, strict=True)]
        ),
        predicted=predicted,
        expected=expected,
        slate_logged=_filled(logged),
        slate_target=_filled(told.shares),
    )


def _shares(decision: LoggedDecision, policy: Policy) -> Numbers:
    """Return how likely a policy shows each candidate of a logged slate."""
    context, slate = as_seen(decision)
    return np.array(policy.propensities(context, slate), dtype=np.float64)


def as_seen(decision: LoggedDecision) -> tuple[Context, list[Candidate]]:
    """Return the context and the slate of a decision as a policy sees them."""
    context = Context(
        question=decision.question, language=decision.language, channel=decision.channel
    )
    return context, [
        Candidate(
            source=each.source,
            text="",
            features=each.features,
            refusal="refused" if each.is_refused else None,
        )
        for each in decision.candidates
    ]


def _of_shown(values: Sequence[Numbers], told: Seen) -> Numbers:
    return np.array(
        [each[one.shown] for each, one in zip(values, told.decisions, strict=True)],
        dtype=np.float64,
    )


def _filled(slates: Sequence[Numbers]) -> Numbers:
    """Return slates of different lengths as one array, filled up with 0."""
    found = np.zeros((len(slates), max(map(len, slates), default=0)))
    for i, each in enumerate(slates):
        found[i, : len(each)] = each
    return found


def predictions(
    shown: Numbers,
    slates: Sequence[Numbers],
    shares: Sequence[Numbers],
    rewards: Numbers,
    conversation: NDArray[np.int64],
) -> tuple[Numbers, Numbers]:
    """Return the reward foretold of what was shown, and its mean over the policy's choices.

    `shown` has the features of each round's reply, `slates` those of its whole slate, `shares` the
    policy's probabilities of that. Each conversation's are learned from other ones.
    """
    fold = conversation % FOLDS
    predicted, expected = np.zeros(len(rewards)), np.zeros(len(rewards))
    for number in range(FOLDS):
        others, own = fold != number, np.flatnonzero(fold == number)
        model = linear.fit(shown[others], rewards[others])
        predicted[own] = model.scores(shown[own])
        expected[own] = [shares[i] @ model.scores(slates[i]) for i in own]
    return predicted, expected
