"""How much each part of what is known of a reply counts: an additive model of what is chosen.

The score of a reply is a sum of one curve a part, and the chances on a slate are the softmax of
the scores (conditional logit, McFadden 1974). A curve is straight between a part's quantiles and
goes on level outside them, so that no odd value outvotes the rest. Evidence for a reply never
counts against it: those curves only rise. What a part adds can be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]

QUANTILES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LONGEST = 3.0  # of a ramp, in a part's standard deviations
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
class Terms:
    """What each part's curve may be, shape (names,): whether it may only rise, whether it may bend.

    `penalties` draw curves towards straight lines, and lines towards 0.
    """

    rising: NDArray[np.bool_]
    curved: NDArray[np.bool_]
    penalties: Numbers


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


def fit(slates: Slates, terms: Terms) -> Combiner:
    """Return the curves under which the choices are most likely."""
    knots = _knots(slates.parts, QUANTILES)
    # A curve is a sum of ramps, each rising by 1 between two knots, over the part's spread.
    ramps = np.concatenate([_ramps(slates.parts[:, i], knots[i]) for i in range(len(knots))], 1)
    steps_of = np.diff(knots, axis=1) / np.maximum(slates.parts.std(axis=0), 1e-9)[:, None]
    size = np.minimum(steps_of, LONGEST)
    slopes = _minimise(ramps * size.reshape(-1), slates, terms)
    rises = np.concatenate([np.zeros((len(knots), 1)), slopes * size], axis=1)
    return Combiner(knots, np.cumsum(rises, axis=1))


def loss(scores: Numbers, slates: Slates) -> float:
    """Return minus the mean log chance that each choice had (that it had not, where wrong)."""
    share = _chances(scores, slates.starts)[slates.starts]
    of_choice = np.where(slates.weights < 0, 1 - share, share)
    worth = np.abs(slates.weights)
    return float(-(worth * np.log(np.maximum(of_choice, 1e-9))).sum() / max(worth.sum(), 1e-9))


def _minimise(features: Numbers, slates: Slates, terms: Terms) -> Numbers:
    """Return the ramps' slopes, shape (names, ramps), by Adam within what the terms allow."""
    shape = (len(terms.rising), features.shape[1] // len(terms.rising))
    slopes = np.zeros(shape)
    mean, square = np.zeros(shape), np.zeros(shape)
    worth = np.abs(slates.weights)
    total = max(worth.sum(), 1e-9)
    of_slate = np.repeat(
        np.arange(len(slates.starts)), np.diff(np.append(slates.starts, len(features)))
    )
    for step in range(1, STEPS + 1):
        share = _chances(features @ slopes.reshape(-1), slates.starts)
        hit = share[slates.starts]
        share[slates.starts] -= 1
        factor = np.where(slates.weights < 0, -hit / np.maximum(1 - hit, 1e-6), 1.0) * worth / total
        level = slopes.mean(axis=1, keepdims=True)
        gradient = (features.T @ (share * factor[of_slate])).reshape(shape)
        gradient += terms.penalties[:, None] * (slopes - level + LEVEL * level)
        mean += 0.1 * (gradient - mean)
        square += 0.01 * (gradient**2 - square)
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS))
        moved = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
        slopes = slopes - rate * moved
        slopes = np.where(terms.rising[:, None], np.maximum(slopes, 0), slopes)
        slopes = np.where(terms.curved[:, None], slopes, slopes.mean(axis=1, keepdims=True))
    return np.asarray(slopes)


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
