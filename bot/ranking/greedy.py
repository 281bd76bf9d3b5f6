"""Epsilon-greedy's greedy part: the candidate with the highest score, always."""

from collections.abc import Sequence

from bot.messages import Candidate
from bot.ranking import features
from bot.ranking.context import Context
from bot.ranking.linear import LinearModel, best_of


class Greedy:
    """Shows what the model expects most of. bot/ranking/exploration.py adds the epsilon."""

    def __init__(self, version: str, model: LinearModel) -> None:
        self.version = version
        self.model = model

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return 1 for the best, 0 for all others."""
        scores = self.model.scores(features.seen(candidates))
        best = best_of(scores, [candidate.refusal is None for candidate in candidates])
        return [float(i == best) for i in range(len(candidates))]
