"""Policies: from a slate of candidates to the probability of showing each.

A reply is chosen in `decide`: nowhere else.
"""

import random
from collections.abc import Sequence
from typing import Protocol

from bot.messages import Candidate, Decision, Source


class Policy(Protocol):
    """Gives each candidate the probability with which it is shown."""

    @property
    def version(self) -> str:
        """Name and version, as logged with each decision."""
        ...

    def propensities(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return one probability a candidate, adding up to 1; refused candidates get 0."""
        ...


class FixedOrder:
    """What the team approved, a question back, a grounded draft, the article answer, a hand-off.

    Among grounded drafts the best supported one is shown, and of equals the likelier one.
    """

    version = "fixed-order/2"
    _ORDER: tuple[Source, ...] = (
        "command",
        "courtesy",
        "approved",
        "clarification",
        "draft",
        "action",
        "article",
        "handoff",
    )

    def propensities(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return 1 for the first in order and 0 for all others."""
        allowed = [i for i, candidate in enumerate(candidates) if candidate.refusal is None]
        best = min(allowed, key=lambda i: self._rank(candidates[i]))
        return [float(i == best) for i in range(len(candidates))]

    def _rank(self, candidate: Candidate) -> tuple[int, float, float]:
        features = candidate.features
        return (
            self._ORDER.index(candidate.source),
            -features.get("support", 0.0),
            -features.get("log_probability", 0.0),
        )


def decide(policy: Policy, candidates: Sequence[Candidate], rng: random.Random) -> Decision:
    """Draw one candidate by the policy's probabilities.

    Raises ValueError when every candidate is refused: a hand-off must always be on the slate.
    """
    if all(candidate.refusal is not None for candidate in candidates):
        raise ValueError("The slate has no candidate that may be shown.")
    propensities = tuple(policy.propensities(candidates))
    [chosen] = rng.choices(range(len(candidates)), weights=propensities)
    return Decision(
        candidates=tuple(candidates),
        propensities=propensities,
        chosen=chosen,
        policy=policy.version,
    )
