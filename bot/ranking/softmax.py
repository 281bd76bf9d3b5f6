"""Softmax over the learned score (Boltzmann exploration)."""

from collections.abc import Sequence

import numpy as np

from bot.messages import Candidate
from bot.ranking import features
from bot.ranking.context import Context
from bot.ranking.linear import LinearModel

# What still tries out enough and costs customers little (docs/quality.md, "Learning from the log").
TEMPERATURE = 0.03


class Softmax:
    """Shows candidates with probabilities that grow with their score.

    `temperature` is in units of reward: a candidate with so much more is e times as likely.
    """

    def __init__(self, version: str, model: LinearModel, temperature: float = TEMPERATURE) -> None:
        self.version = version
        self.model = model
        self._temperature = temperature

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return one probability a candidate; refused ones get 0."""
        scores = self.model.scores(features.seen(candidates))
        allowed = np.array([candidate.refusal is None for candidate in candidates])
        scores = np.where(allowed, scores, -np.inf)
        likely = np.exp((scores - scores.max()) / self._temperature)
        return [float(each) for each in likely / likely.sum()]
