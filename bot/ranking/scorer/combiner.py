"""How much each part of what is known of a reply counts: an additive model of what is chosen.

The score of a reply is a sum of one curve a part, and the chances on a slate are the softmax of
the scores (conditional logit, McFadden 1974). A curve is straight between a part's quantiles and
goes on level outside them, so that no odd value outvotes the rest. Evidence for a reply never
counts against it: those curves only rise. What a part adds can be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]
Shape = Literal["lines", "curves"]

QUANTILES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
STEPS = 300
RATE = 0.05
LEVEL = 0.1  # how much a curve's mean slope is drawn to 0, beside its bends


@dataclass(frozen=True, eq=False, slots=True)
class Slates:
    """Slates one after the other: parts of shape (replies, names).

    `starts` (slates,) says where each begins, its chosen reply first; `weights` are below 0 where
    the choice was wrong.
    """

    parts: Numbers
    starts: Integers
    weights: Numbers

    def some(self, rows: Integers) -> "Slates":
        """Return some of the slates."""
        ends = np.append(self.starts[1:], len(self.parts))
        pieces = [np.arange(self.starts[row], ends[row]) for row in rows]
        lengths = np.array([len(each) for each in pieces])
        return Slates(
            self.parts[np.concatenate(pieces)],
            np.cumsum(lengths) - lengths,
            self.weights[rows],
        )


@dataclass(frozen=True, eq=False, slots=True)
class Combiner:
    """Curves: `knots` and `heights` of shape (names, knots); outside the knots they are level."""

    knots: Numbers
    heights: Numbers

    def contributions(self, parts: Numbers) -> Numbers:
        """Return what each part adds to each reply's score; parts of shape (replies, names)."""
        columns = [
            np.interp(parts[:, i], self.knots[i], self.heights[i]) for i in range(parts.shape[1])
        ]
        return np.stack(columns, axis=1)

    def scores(self, parts: Numbers) -> Numbers:
        """Return the score of each reply."""
        return np.asarray(self.contributions(parts).sum(axis=1))


def fit(slates: Slates, rising: NDArray[np.bool_], shape: Shape, penalty: float) -> Combiner:
    """Return the curves under which the choices are most likely.

    `rising` (names,) says whose curve may not fall; `penalty` draws curves towards straight lines,
    and lines towards 0.
    """
    quantiles = QUANTILES if shape == "curves" else (QUANTILES[0], QUANTILES[-1])
    knots = _knots(slates.parts, quantiles)
    # A curve is a sum of ramps, each rising by 1 between two knots, over the part's spread.
    ramps = np.concatenate([_ramps(slates.parts[:, i], knots[i]) for i in range(len(knots))], 1)
    steps_of = np.diff(knots, axis=1) / np.maximum(slates.parts.std(axis=0), 1e-9)[:, None]
    size = np.minimum(steps_of, 3.0).reshape(-1)
    features = ramps * size
    up = np.repeat(rising, len(quantiles) - 1)
    weights = _minimise(features, slates, up, penalty, len(quantiles) - 1)
    heights = np.cumsum(
        np.concatenate([np.zeros((len(knots), 1)), (weights * size).reshape(len(knots), -1)], 1), 1
    )
    return Combiner(knots, heights)


def loss(scores: Numbers, slates: Slates) -> float:
    """Return minus the mean log chance that each choice had (that it had not, where wrong)."""
    share = _chances(scores, slates.starts)[slates.starts]
    of_choice = np.where(slates.weights < 0, 1 - share, share)
    worth = np.abs(slates.weights)
    return float(-(worth * np.log(np.maximum(of_choice, 1e-9))).sum() / max(worth.sum(), 1e-9))


def _minimise(
    features: Numbers, slates: Slates, up: NDArray[np.bool_], penalty: float, segments: int
) -> Numbers:
    """Return the ramps' slopes by Adam, held at 0 or above where a curve may not fall."""
    weights = np.zeros(features.shape[1])
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    worth = np.abs(slates.weights)
    total = max(worth.sum(), 1e-9)
    of_slate = np.repeat(
        np.arange(len(slates.starts)), np.diff(np.append(slates.starts, len(features)))
    )
    for step in range(1, STEPS + 1):
        share = _chances(features @ weights, slates.starts)
        hit = share[slates.starts]
        pull = share.copy()
        pull[slates.starts] -= 1
        factor = np.where(slates.weights < 0, -hit / np.maximum(1 - hit, 1e-6), 1.0) * worth / total
        gradient = features.T @ (pull * factor[of_slate])
        slopes = weights.reshape(-1, segments)
        level = slopes.mean(axis=1, keepdims=True)
        gradient += penalty * (slopes - level + LEVEL * level).reshape(-1)
        mean += 0.1 * (gradient - mean)
        square += 0.01 * (gradient**2 - square)
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS))
        moved = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
        weights = weights - rate * moved
        weights = np.where(up, np.maximum(weights, 0), weights)
    return weights


def _chances(scores: Numbers, starts: Integers) -> Numbers:
    lengths = np.diff(np.append(starts, len(scores)))
    top = np.repeat(np.maximum.reduceat(scores, starts), lengths)
    share = np.exp(scores - top)
    return np.asarray(share / np.repeat(np.add.reduceat(share, starts), lengths))


def _knots(parts: Numbers, quantiles: Sequence[float]) -> Numbers:
    found = np.quantile(parts, quantiles, axis=0).T
    # Many equal values make equal knots; interp wants them apart.
    spread = np.maximum(found[:, -1:] - found[:, :1], 1e-6)
    return np.asarray(found + spread * np.linspace(0, 1e-6, len(quantiles)))


def _ramps(values: Numbers, knots: Numbers) -> Numbers:
    low, high = knots[:-1], knots[1:]
    return np.clip((values[:, None] - low) / (high - low), 0, 1)
