"""What stands on an encoder's vector and gives a number for each intent."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.encoder import Vectors

LEAK = 0.2  # of the hidden layer's leaky ReLU


@dataclass(frozen=True, slots=True)
class Head:
    """A linear layer, `weights` (width, intents) and `bias` (intents).

    Before it there may be a hidden one, of shapes (vector, width) and (width), with a leaky ReLU.
    """

    weights: Vectors
    bias: Vectors
    hidden_weights: Vectors | None = None
    hidden_bias: Vectors | None = None

    def logits(self, vectors: Vectors) -> Vectors:
        """Return an array of shape (vectors, intents)."""
        if self.hidden_weights is not None and self.hidden_bias is not None:
            vectors = vectors @ self.hidden_weights + self.hidden_bias
            vectors = np.where(vectors > 0, vectors, LEAK * vectors)
        return np.asarray(vectors @ self.weights + self.bias)

    def arrays(self) -> dict[str, Vectors]:
        """Return its arrays by name, those that it has."""
        names = ("weights", "bias", "hidden_weights", "hidden_bias")
        found = ((name, getattr(self, name)) for name in names)
        return {name: array for name, array in found if array is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Vectors]) -> "Head":
        """Make it of what `arrays` gave; raises TypeError for other names."""
        return cls(**arrays)


def softmax(logits: NDArray[np.floating]) -> Vectors:
    """Return probabilities, each row with the sum 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def sigmoid(logits: NDArray[np.floating]) -> Vectors:
    """Return a probability for each number by itself."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), dtype=np.float32)
