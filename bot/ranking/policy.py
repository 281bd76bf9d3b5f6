"""Policies: from a slate of candidates to the probability of showing each.

A reply is chosen in `decide`: nowhere else.
"""

import random
from collections.abc import Sequence
from typing import Protocol

from bot.messages import Candidate, Decision
from bot.ranking import features
from bot.ranking.context import Context


class Policy(Protocol):
    """Gives each candidate the probability with which it is shown."""

    @property
    def version(self) -> str:
        """Name and version, as logged with each decision."""
        ...

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return one probability a candidate, adding up to 1; refused candidates get 0.

        The candidates are described (bot/ranking/features.py).
        """
        ...


def decide(
    policy: Policy, context: Context, candidates: Sequence[Candidate], rng: random.Random
) -> Decision:
    """Draw one candidate by the policy's probabilities.

    Raises ValueError when every candidate is refused: a hand-off must always be on the slate.
    """
    if all(candidate.refusal is not None for candidate in candidates):
        raise ValueError("The slate has no candidate that may be shown.")
    slate = features.described(context, candidates)
    propensities = tuple(policy.propensities(context, slate))
    [chosen] = rng.choices(range(len(slate)), weights=propensities)
    return Decision(
        candidates=tuple(slate),
        propensities=propensities,
        chosen=chosen,
        policy=policy.version,
    )
