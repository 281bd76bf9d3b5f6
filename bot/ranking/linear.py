"""A linear model of the reward: ridge regression, which is Bayesian with a normal prior.

With the prior N(0, 1 / penalty) on each weight and noise of variance `noise`, the posterior is
N(mean, noise * inverse(X'X + penalty I)) (Bishop, Pattern Recognition and Machine Learning, 3.3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError
from bot.ranking import features

Numbers = NDArray[np.float64]

PENALTY = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class LinearModel:
    """Weights by feature, with the covariance of what is known about them."""

    weights: Numbers
    covariance: Numbers

    def scores(self, candidates: Numbers) -> Numbers:
        """Return the expected reward of each candidate; features of shape (candidates, names)."""
        return np.asarray(candidates @ self.weights, dtype=np.float64)

    def contributions(self, candidate: Numbers) -> dict[str, float]:
        """Return what each feature adds to a candidate's score, the largest part first."""
        parts = dict(zip(features.NAMES, (candidate * self.weights).tolist(), strict=True))
        return dict(sorted(parts.items(), key=lambda part: -abs(part[1])))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "features": features.VERSION,
            "weights": dict(zip(features.NAMES, self.weights.tolist(), strict=True)),
            "covariance": self.covariance.tolist(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LinearModel":
        """Return what `as_json` gave.

        Raises RankingError when it is of another version of the features, or damaged.
        """
        if data.get("features") != features.VERSION:
            raise RankingError(
                f"The policy was trained on version {data.get('features')} of the features, and "
                f"this is version {features.VERSION}; train it anew."
            )
        try:
            weights = _numbers([data["weights"][name] for name in features.NAMES])
            covariance = _numbers(data["covariance"])
        except (KeyError, TypeError, ValueError) as err:
            raise RankingError("The policy's weights are damaged; train it anew.") from err
        if covariance.shape != (len(weights), len(weights)) or not (
            np.isfinite(weights).all() and np.isfinite(covariance).all()
        ):
            raise RankingError("The policy's weights are damaged; train it anew.")
        return cls(weights, covariance)


class Ridge:
    """What was shown, shape (decisions, names), made ready for models of whatever it brought.

    `shares` weigh the decisions (None: all the same).
    """

    def __init__(
        self, shown: Numbers, shares: Numbers | None = None, penalty: float = PENALTY
    ) -> None:
        self._shown = shown
        self._shares = shares
        weighed = shown if shares is None else shown * shares[:, None]
        self._weighed = weighed
        self._inverse = np.linalg.inv(weighed.T @ shown + penalty * np.eye(shown.shape[1]))

    def fit(self, rewards: Numbers) -> LinearModel:
        """Return the model of rewards, shape (decisions,)."""
        weights = self._inverse @ (self._weighed.T @ rewards)
        left = rewards - self._shown @ weights
        noise = float(np.average(left**2, weights=self._shares)) if len(rewards) else 1.0
        return LinearModel(_numbers(weights), _numbers(noise * self._inverse))


def fit(
    shown: Numbers, rewards: Numbers, shares: Numbers | None = None, penalty: float = PENALTY
) -> LinearModel:
    """Return the model of what was shown, shape (decisions, names), and its rewards.

    `shares` weigh the decisions (None: all the same).
    """
    return Ridge(shown, shares, penalty).fit(rewards)


def best_of(scores: Numbers, allowed: Sequence[bool]) -> int:
    """Return the first candidate with the highest score among those allowed."""
    return int(np.argmax(np.where(allowed, scores, -np.inf)))


def _numbers(values: Any) -> Numbers:
    return np.array(values, dtype=np.float64)
