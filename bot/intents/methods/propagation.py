"""Labels spread over unlabelled texts that are alike, then a linear head learns what was spread.

After Zhou et al., Learning with local and global consistency (NIPS 2003): each text takes a share
of its neighbours' labels, again and again, while labelled texts keep theirs.
"""

from dataclasses import dataclass

import numpy as np

from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings
from bot.intents.fitting import fit_head
from bot.intents.lessons import Lessons, Reader
from bot.intents.methods.linear import FrozenReader
from bot.knowledge.encoder import Vectors

_NEIGHBOURS = 15
_ROUNDS = 30
_FROM_NEIGHBOURS = 0.9
_SHARPNESS = 20.0  # of a cosine as the weight of a neighbour
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Propagation:
    """Label spreading on the graph of nearest neighbours."""

    base: BaseName
    encodings: Encodings

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        return f"label propagation ({self.base})"

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes."""
        return 2 + (len(lessons.texts) + len(lessons.unlabelled)) / 500

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Spread the labels and fit a head to all texts; nothing here is random."""
        vectors = self.encodings.vectors(self.base, [*lessons.texts, *lessons.unlabelled])
        spread_out, weights = spread(vectors, lessons.targets)
        return FrozenReader(
            self.base, fit_head(vectors, spread_out, weights, strength=10.0), self.encodings
        )


def spread(vectors: Vectors, targets: Vectors) -> tuple[Vectors, Vectors]:
    """Return shares of intents, (texts, intents), and how sure each is, (texts).

    The labelled texts come first and keep their labels, with the weight 1.
    """
    near, weights = neighbours(vectors, min(_NEIGHBOURS, len(vectors) - 1))
    start = np.zeros((len(vectors), targets.shape[1]), dtype=np.float32)
    start[: len(targets)] = targets
    shares = start.copy()
    for _ in range(_ROUNDS):
        mixed = np.zeros_like(shares)
        for column in range(near.shape[1]):
            mixed += weights[:, column, None] * shares[near[:, column]]
        shares = _FROM_NEIGHBOURS * mixed + (1 - _FROM_NEIGHBOURS) * start
    # Intents with more labels would else take more than their share.
    shares /= np.maximum(shares.sum(axis=0), 1e-9) / targets.sum(axis=0).clip(1)
    total = shares.sum(axis=1, keepdims=True)
    even = np.float32(1 / targets.shape[1])
    shares = np.where(total > 1e-9, shares / np.maximum(total, 1e-9), even)
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
    sure = 1 - entropy / np.log(max(targets.shape[1], 2))
    shares[: len(targets)], sure[: len(targets)] = targets, 1
    return shares.astype(np.float32), sure.clip(0, 1).astype(np.float32)


def neighbours(vectors: Vectors, number: int) -> tuple[np.ndarray, Vectors]:
    """Return each row's nearest others and their weights, both (rows, number); weights sum to 1."""
    near = np.empty((len(vectors), number), dtype=np.intp)
    weights = np.empty((len(vectors), number), dtype=np.float32)
    for start in range(0, len(vectors), _AT_ONCE):
        cosines = vectors[start : start + _AT_ONCE] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -1
        found = np.argpartition(cosines, -number, axis=1)[:, -number:]
        values = np.take_along_axis(cosines, found, axis=1)
        powers = np.exp(_SHARPNESS * (values - values.max(axis=1, keepdims=True)))
        near[start : start + _AT_ONCE] = found
        weights[start : start + _AT_ONCE] = powers / powers.sum(axis=1, keepdims=True)
    return near, weights
