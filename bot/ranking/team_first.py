"""The bounds of a learned policy: what people decided stands, and a hand-off is never a trial."""

from collections.abc import Sequence

from bot.messages import Candidate, Source
from bot.ranking.context import Context
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.policy import Policy

# A learned policy chooses among these; anything else is the reply wherever it is on the slate.
CHOSEN_AMONG: frozenset[Source] = frozenset({"draft", "article", "clarification", "handoff"})


def is_left_to_order(candidates: Sequence[Candidate]) -> bool:
    """Whether what people decided is on a slate, so that no learned policy chooses there."""
    return any(each.refusal is None and each.source not in CHOSEN_AMONG for each in candidates)


class TeamFirst:
    """A policy that leaves commands, tools' results and approved answers to the fixed order.

    It hands off where it expects most of that, and never by chance: a person's time is not tried.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._order = FixedOrder()

    @property
    def version(self) -> str:
        """The version of the policy that chooses elsewhere."""
        return self._policy.version

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return one probability a candidate; refused ones get 0."""
        if is_left_to_order(candidates):
            return self._order.propensities(context, candidates)
        own = self._policy.propensities(context, candidates)
        best = max(range(len(own)), key=lambda i: own[i])
        if candidates[best].source == "handoff":
            return [float(i == best) for i in range(len(own))]
        kept = [
            0.0 if each.source == "handoff" else share
            for each, share in zip(candidates, own, strict=True)
        ]
        return [share / sum(kept) for share in kept]
