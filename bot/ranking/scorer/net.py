"""Conversations and replies brought into one space, so that a reply lies near where it fits.

Two small networks on frozen vectors, one for the conversation and one for the reply; replies that
were chosen often have numbers of their own besides. Trained to tell the right reply from the others
of its slate and from those of other conversations; a choice that turned out wrong pushes it away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.encoder import Vectors

Integers = NDArray[np.int64]

HIDDEN = 256
WIDTH = 128
BATCH = 128
SLATE = 16  # candidates of a slate that a step looks at
ROUNDS = 12
STEPS = (100, 2_000)  # fewest and most
RATE = 2e-3
DECAY = 0.02
DROPPED = 0.25  # of what a network knows, at each step, so that it leans on no single number
UNNAMED = 0.3  # of the known replies at each step, so that it can do without their own numbers
OTHERS = 0.3  # what telling replies of other conversations apart counts


@dataclass(frozen=True, eq=False, slots=True)
class Taught:
    """What a network learns from.

    `contexts` of shape (rows, numbers), `replies` (texts, width), `slates` the places of each row's
    candidates among the replies, the chosen one first; `named` the number of a reply that was
    chosen often, else -1; `weights` are below 0 where the choice was wrong.
    """

    contexts: Vectors
    replies: Vectors
    slates: Sequence[Integers]
    named: Integers
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Net:
    """The weights of both networks, and the numbers of the known replies (the last row: none)."""

    weights: Mapping[str, Vectors]

    def context(self, numbers: Vectors) -> Vectors:
        """Return where conversations lie, shape (..., WIDTH)."""
        w = self.weights
        return np.asarray(_relu(numbers @ w["c1"] + w["c1b"]) @ w["c2"] + w["c2b"])

    def replies(self, vectors: Vectors, named: Integers) -> Vectors:
        """Return where replies lie, shape (replies, WIDTH)."""
        w = self.weights
        hidden = _relu(vectors @ w["r1"] + w["r1b"])
        return np.asarray(hidden @ w["r2"] + w["r2b"] + w["own"][named])

    def scores(self, context: Vectors, vectors: Vectors, named: Integers) -> Vectors:
        """Return how well each reply fits one conversation."""
        return np.asarray(self.replies(vectors, named) @ self.context(context))


def fit(taught: Taught, seed: int) -> Net:
    """Return networks trained on rows, the same for the same seed."""
    rng = np.random.default_rng(seed)
    names = int(taught.named.max(initial=-1)) + 1
    weights = _start(taught.contexts.shape[1], taught.replies.shape[1], names, rng)
    learner = _Adam(weights)
    size = min(BATCH, max(len(taught.slates) // 2, 1))
    steps = int(np.clip(ROUNDS * len(taught.slates) / size, *STEPS))
    order = np.zeros(0, dtype=np.int64)
    for step in range(steps):
        if len(order) < size:
            order = np.concatenate([order, rng.permutation(len(taught.slates))])
        rows, order = order[:size], order[size:]
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
        learner.step(_gradient(weights, taught, rows, rng), rate)
    return Net(weights)


def _start(contexts: int, replies: int, names: int, rng: np.random.Generator) -> dict[str, Vectors]:
    def matrix(rows: int, columns: int, size: float) -> Vectors:
        return (rng.normal(size=(rows, columns)) * size).astype(np.float32)

    def zeros(*shape: int) -> Vectors:
        return np.zeros(shape, dtype=np.float32)

    return {
        "c1": matrix(contexts, HIDDEN, np.sqrt(2 / contexts)),
        "c1b": zeros(HIDDEN),
        "c2": matrix(HIDDEN, WIDTH, np.sqrt(1 / HIDDEN) / WIDTH**0.25),
        "c2b": zeros(WIDTH),
        "r1": matrix(replies, HIDDEN, np.sqrt(2 / replies)),
        "r1b": zeros(HIDDEN),
        "r2": matrix(HIDDEN, WIDTH, np.sqrt(1 / HIDDEN) / WIDTH**0.25),
        "r2b": zeros(WIDTH),
        "own": zeros(names + 1, WIDTH),
    }


def _gradient(
    w: Mapping[str, Vectors], taught: Taught, rows: Integers, rng: np.random.Generator
) -> dict[str, Vectors]:
    """Return how the loss of some rows changes with each weight."""
    slates = [_some(taught.slates[row], rng) for row in rows]
    used, places = np.unique(np.concatenate(slates), return_inverse=True)
    named = taught.named[used].copy()
    named[rng.random(len(used)) < UNNAMED] = -1
    x, v = taught.contexts[rows], taught.replies[used]
    hc, hr = _relu(x @ w["c1"] + w["c1b"]), _relu(v @ w["r1"] + w["r1b"])
    hc *= _kept(hc.shape, rng)
    hr *= _kept(hr.shape, rng)
    c = hc @ w["c2"] + w["c2b"]
    r = hr @ w["r2"] + w["r2b"] + w["own"][named]
    lengths = np.array([len(slate) for slate in slates])
    ds = _loss_gradient(c @ r.T, places, lengths, taught.weights[rows])
    dc, dr = ds @ r, ds.T @ c
    dhc, dhr = (dc @ w["c2"].T) * (hc > 0), (dr @ w["r2"].T) * (hr > 0)
    own = np.zeros_like(w["own"])
    np.add.at(own, named, dr)
    own[-1] = 0
    scale = np.float32(1 / (1 - DROPPED))
    return {
        "c1": x.T @ dhc * scale,
        "c1b": dhc.sum(axis=0) * scale,
        "c2": hc.T @ dc,
        "c2b": dc.sum(axis=0),
        "r1": v.T @ dhr * scale,
        "r1b": dhr.sum(axis=0) * scale,
        "r2": hr.T @ dr,
        "r2b": dr.sum(axis=0),
        "own": own,
    }


def _loss_gradient(
    scores: Vectors, places: Integers, lengths: Integers, weights: NDArray[np.float64]
) -> Vectors:
    """Return how the loss changes with each score, shape (rows, replies).

    `places` are those of all slates one after the other, the chosen reply first.
    """
    rows = np.arange(len(lengths))
    of_row = np.repeat(rows, lengths)
    chosen = places[np.cumsum(lengths) - lengths]
    on_slate = np.zeros(scores.shape, dtype=bool)
    on_slate[of_row, places] = True
    found = _pull(scores, on_slate, chosen, weights)
    # Replies that were right elsewhere; not where they are the same, nor on this slate.
    rivals = np.zeros(scores.shape, dtype=bool)
    rivals[:, chosen[weights > 0]] = True
    rivals &= ~on_slate
    rivals[rows, chosen] = True
    found += OTHERS * _pull(scores, rivals, chosen, np.maximum(weights, 0))
    return np.asarray(found / len(rows), dtype=np.float32)


def _pull(
    scores: Vectors, allowed: NDArray[np.bool_], chosen: Integers, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the gradient of -log p where the choice was right, of -log(1 - p) where wrong."""
    rows = np.arange(len(scores))
    masked = np.where(allowed, scores, -np.inf)
    share = np.exp(masked - masked.max(axis=1, keepdims=True)).astype(np.float64)
    share /= share.sum(axis=1, keepdims=True)
    hit = share[rows, chosen]
    share[rows, chosen] -= 1
    wrong = -hit / np.maximum(1 - hit, 1e-6)
    factor = np.where(weights < 0, wrong, 1.0) * np.abs(weights)
    return np.asarray(share * factor[:, None])


def _some(slate: Integers, rng: np.random.Generator) -> Integers:
    """Return a slate, or the chosen reply and some others of a long one."""
    if len(slate) <= SLATE:
        return slate
    return np.concatenate([slate[:1], rng.choice(slate[1:], SLATE - 1, replace=False)])


def _kept(shape: tuple[int, ...], rng: np.random.Generator) -> Vectors:
    kept = rng.random(shape, dtype=np.float32) >= DROPPED
    return np.asarray(kept / np.float32(1 - DROPPED), dtype=np.float32)


def _relu(values: Any) -> Vectors:
    return np.asarray(np.maximum(values, 0))


class _Adam:
    """Kingma and Ba 2015, with the decay of Loshchilov and Hutter 2019."""

    def __init__(self, weights: dict[str, Vectors]) -> None:
        self._weights = weights
        self._mean = {name: np.zeros_like(each) for name, each in weights.items()}
        self._square = {name: np.zeros_like(each) for name, each in weights.items()}
        self._steps = 0

    def step(self, gradient: Mapping[str, Vectors], rate: float) -> None:
        self._steps += 1
        first, second = 1 - 0.9**self._steps, 1 - 0.999**self._steps
        for name, change in gradient.items():
            mean, square = self._mean[name], self._square[name]
            mean += 0.1 * (change - mean)
            square += 0.001 * (change * change - square)
            weight = self._weights[name]
            if weight.ndim > 1:
                weight *= 1 - rate * DECAY
            weight -= (rate / first) * mean / (np.sqrt(square / second) + 1e-8)
