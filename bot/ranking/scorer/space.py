"""Conversations as vectors: the last turn, the one before it, and what was said earlier."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.knowledge.encoder import Vectors
from bot.ranking.scorer.texts import Texts

PIECES = 3
TURNS = 8  # of a conversation, the last ones, that are looked at
WIDE = 384  # numbers of a conversation
NARROW = 128  # of these, the first ones, where it is compared with logged ones
_FADES = 0.7  # a turn
_WEIGHTS = (1.0, 0.8, 0.5)  # of the pieces where conversations are compared
_SAMPLE = 8_000


@dataclass(frozen=True, eq=False, slots=True)
class Space:
    """What is taken off every vector, since all texts share it, and the main directions.

    `mean` has shape (width,), `directions` (pieces * width, WIDE or fewer), the main ones first.
    """

    mean: Vectors
    directions: Vectors

    def texts(self, vectors: Vectors) -> Vectors:
        """Return vectors without what all share, again of length 1."""
        return _unit(vectors - self.mean)

    def pieces(self, context: Sequence[str], texts: Texts) -> Vectors:
        """Return an array of shape (pieces, width): last turn, the one before, earlier ones."""
        return _pieces(self.texts(texts.vectors(context[-TURNS:])))

    def wide(self, pieces: Vectors) -> Vectors:
        """Return the numbers of conversations, shape (..., WIDE)."""
        flat = (pieces * _weights()).reshape(*pieces.shape[:-2], -1)
        return np.asarray(flat @ self.directions, dtype=np.float32)

    def narrow(self, wide: Vectors) -> Vectors:
        """Return the numbers, of length 1, by which conversations are compared."""
        return _unit(wide[..., :NARROW])


def learn(contexts: Sequence[Sequence[str]], texts: Texts, rng: np.random.Generator) -> Space:
    """Return the space of the conversations' texts, with no look at what was chosen."""
    mean = texts.all_vectors.mean(axis=0)
    space = Space(mean, np.zeros((0, 0), dtype=np.float32))
    some = rng.permutation(len(contexts))[:_SAMPLE]
    pieces = np.stack([space.pieces(contexts[i], texts) for i in some])
    flat = (pieces * _weights()).reshape(len(some), -1)
    values, directions = np.linalg.eigh(flat.T @ flat / len(some))
    kept = np.argsort(values)[::-1][:WIDE]
    return Space(mean, directions[:, kept].astype(np.float32))


def _pieces(turns: Vectors) -> Vectors:
    found = np.zeros((PIECES, turns.shape[1]), dtype=np.float32)
    found[0] = turns[-1]
    if len(turns) > 1:
        found[1] = turns[-2]
    if len(turns) > 2:
        fading = _FADES ** np.arange(len(turns) - 2)[::-1]
        found[2] = _unit(fading.astype(np.float32) @ turns[:-2])
    return found


def _weights() -> Vectors:
    return np.array(_WEIGHTS, dtype=np.float32)[:, None]


def _unit(vectors: Vectors) -> Vectors:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-6), dtype=np.float32)
