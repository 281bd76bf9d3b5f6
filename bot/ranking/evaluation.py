"""A policy held against the log: the rounds that bot/ranking/off_policy.py reckons with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError
from bot.messages import Candidate
from bot.ranking import linear
from bot.ranking.context import Context
from bot.ranking.experience import (
    Experience,
    LoggedDecision,
    Numbers,
    conversations_of,
    experience,
    is_of_this_version,
)
from bot.ranking.off_policy import Evaluation, Rounds, evaluate
from bot.ranking.policy import Policy
from bot.ranking.rewards import WORTH, Signal, reward, signals

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
    seen = look(decisions, policy)
    return rounds_of(seen, rewards_of(decisions, worth))


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Seen:
    """Logged decisions, and how likely a policy shows each candidate of their slates."""

    decisions: Sequence[LoggedDecision]
    shares: Sequence[Numbers]

    def of(self, chosen: NDArray[np.bool_]) -> "Seen":
        """Return those that are chosen."""
        places = np.flatnonzero(chosen)
        return Seen(
            decisions=[self.decisions[i] for i in places], shares=[self.shares[i] for i in places]
        )


def look(decisions: Sequence[LoggedDecision], policy: Policy) -> Seen:
    """Let a policy see logged slates.

    Raises RankingError where some were logged with another version of the features.
    """
    if not all(is_of_this_version(each) for each in decisions):
        raise RankingError("Some of the log has another version of the features; leave it out.")
    return Seen(decisions=decisions, shares=[_shares(each, policy) for each in decisions])


def rewards_of(decisions: Sequence[LoggedDecision], worth: Mapping[Signal, float]) -> Numbers:
    """Return the reward of each decision, not a number where nothing is known."""
    found = (reward(signals(each.question, each.source, each.after), worth) for each in decisions)
    return np.array([np.nan if each is None else each for each in found], dtype=np.float64)


def rounds_of(seen: Seen, rewards: Numbers) -> Rounds:
    """Return the rounds of what a policy saw, with any measure of what was shown as the reward.

    Where the measure is not a number, the round is left out.
    """
    is_known = ~np.isnan(rewards)
    told = seen.of(is_known)
    kept, shares = told.decisions, told.shares
    known = experience(kept)
    known = replace(known, rewards=rewards[is_known])
    logged = [np.array([one.propensity for one in each.candidates]) for each in kept]
    conversation = conversations_of(kept)
    predicted, expected = _predictions(known, shares, conversation)
    return Rounds(
        reward=known.rewards,
        logged=_of_shown(logged, known),
        target=_of_shown(shares, known),
        conversation=conversation,
        unsupported=np.array(
            [share[chance == 0].sum() for share, chance in zip(shares, logged, strict=True)]
        ),
        predicted=predicted,
        expected=expected,
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


def _of_shown(values: Sequence[Numbers], known: Experience) -> Numbers:
    return np.array([each[i] for each, i in zip(values, known.shown, strict=True)])


def _predictions(
    known: Experience, shares: Sequence[Numbers], conversation: NDArray[np.int64]
) -> tuple[Numbers, Numbers]:
    """Return the reward foretold of what was shown, and its mean over the policy's choices."""
    fold, seen = conversation % FOLDS, known.seen
    predicted, expected = np.zeros(len(known)), np.zeros(len(known))
    for number in range(FOLDS):
        others, own = fold != number, np.flatnonzero(fold == number)
        model = linear.fit(seen[others], known.rewards[others])
        predicted[own] = model.scores(seen[own])
        expected[own] = [shares[i] @ model.scores(known.slates[i]) for i in own]
    return predicted, expected
