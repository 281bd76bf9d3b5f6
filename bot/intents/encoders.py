"""An encoder in onnxruntime, frozen or tuned: what runs live."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.intents.embedder import Embedder
from bot.knowledge.e5_graph import session
from bot.knowledge.encoder import Vectors


class TextEncoder:
    """Turns texts into vectors of length 1, one text at a time, each on one core."""

    def __init__(self, embedder: Embedder, graph: bytes) -> None:
        self._embedder = embedder
        self._width = embedder.places.shape[1]
        self._session: Any = session(graph)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, width); of a long text the first 510 pieces count."""
        found = np.empty((len(texts), self._width), dtype=np.float32)
        for row, text in enumerate(texts):
            [hidden] = self._session.run(None, {"embedded": self._embedder.embedded(text)})
            pooled = hidden[0] if self._embedder.is_first else hidden.sum(axis=0)
            found[row] = pooled / np.linalg.norm(pooled)
        return found
