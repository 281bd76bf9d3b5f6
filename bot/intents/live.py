"""An expert's reader as it runs live: an encoder in onnxruntime with a head."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.intents.embedder import BaseName, Embedder, EnglishParts, e5_embedder
from bot.intents.encoders import TextEncoder
from bot.intents.heads import Head
from bot.knowledge.encoder import Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveParts:
    """What a model file keeps of a reader: the graph, the head, and what bge needs before it."""

    base: BaseName
    graph: bytes
    head: Head
    english: EnglishParts | None

    def embedder(self) -> Embedder:
        """Return what stands before the graph."""
        return e5_embedder() if self.english is None else self.english.embedder()


class LiveReader:
    """Reads texts; not for several threads at once."""

    def __init__(self, parts: LiveParts) -> None:
        self.parts = parts
        self._encoder = TextEncoder(parts.embedder(), parts.graph)

    def read(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return vectors of shape (texts, width), and logits of shape (texts, intents)."""
        vectors = self._encoder.encode(texts)
        return vectors, self.parts.head.logits(vectors)
