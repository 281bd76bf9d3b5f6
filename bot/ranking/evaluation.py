"""A policy held against the log: the rounds that bot/ranking/off_policy.py reckons with."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError
from bot.messages import Candidate
from bot.ranking import linear
from bot.ranking.context import Context
from bot.ranking.experience import Experience, LoggedDecision, Numbers, experience
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
    all_known = experience(decisions, worth)
    if len(all_known) != len(decisions):
        raise RankingError("Some of the log has another version of the features; leave it out.")
    has_reward = ~np.isnan(all_known.rewards)
    kept = [each for each, known in zip(decisions, has_reward, strict=True) if known]
    known = experience(kept, worth)
    shares = [_shares(each, policy) for each in kept]
    logged = [np.array([one.propensity for one in each.candidates]) for each in kept]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(e.conversation for e in kept))}
    conversation = np.array([numbers[each.conversation] for each in kept], dtype=np.int64)
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
    context = Context(
        question=decision.question, language=decision.language, channel=decision.channel
    )
    slate = [
        Candidate(
            source=each.source,
            text="",
            features=each.features,
            refusal="refused" if each.is_refused else None,
        )
        for each in decision.candidates
    ]
    return np.array(policy.propensities(context, slate), dtype=np.float64)


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
