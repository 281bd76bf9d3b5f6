"""Linear Thompson sampling: each candidate as often as it is the best, by what is known.

Agrawal and Goyal 2013. The propensity of a candidate is the probability that a draw of the weights
from their posterior puts it first. That has no closed form; it is counted over fixed draws, so
that the same slate always has the same propensities, and what is logged is what was drawn from.
"""

from collections.abc import Sequence

import numpy as np

from bot.messages import Candidate
from bot.ranking import features
from bot.ranking.context import Context
from bot.ranking.linear import LinearModel

DRAWS = 1000
_SEED = 20261


class ThompsonSampling:
    """Shows candidates in proportion to how likely each is the best."""

    def __init__(self, version: str, model: LinearModel, draws: int = DRAWS) -> None:
        self.version = version
        self.model = model
        normal = np.random.default_rng(_SEED).standard_normal((draws, len(model.weights)))
        values, vectors = np.linalg.eigh(model.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        self._weights = model.weights + normal @ root.T

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return one probability a candidate; refused ones get 0."""
        seen = features.seen(candidates)
        allowed = np.array([candidate.refusal is None for candidate in candidates])
        scores = np.where(allowed[:, None], seen @ self._weights.T, -np.inf)
        wins = np.bincount(np.argmax(scores, axis=0), minlength=len(candidates))
        return [float(each) for each in wins / wins.sum()]
