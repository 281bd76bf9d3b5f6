"""What people decided stands: a policy chooses only where the team has not spoken."""

from collections.abc import Sequence

from bot.messages import Candidate, Source
from bot.ranking.context import Context
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.policy import Policy

# A learned policy chooses among these; everything else is the reply wherever it is on the slate.
CHOSEN_AMONG: frozenset[Source] = frozenset({"draft", "article", "clarification", "handoff"})


class TeamFirst:
    """A policy that leaves commands, tools' results and approved answers to the fixed order."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._order = FixedOrder()

    @property
    def version(self) -> str:
        """The version of the policy that chooses elsewhere."""
        return self._policy.version

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return one probability a candidate; refused ones get 0."""
        is_decided = any(
            each.refusal is None and each.source not in CHOSEN_AMONG for each in candidates
        )
        policy = self._order if is_decided else self._policy
        return policy.propensities(context, candidates)
