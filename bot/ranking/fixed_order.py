"""The policy to begin with, which needs no log: sources in a fixed order."""

from collections.abc import Sequence

from bot.messages import Candidate, Source
from bot.ranking.context import Context


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

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
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
