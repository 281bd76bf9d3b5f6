"""Texts with what the scorer needs of each: its vector, its words, and whether two are the same."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.encoder import Encoder, Vectors
from bot.knowledge.words import FUNCTION_WORDS, HAN, stem, words

ENCODED_AT_ONCE = 64
LONGEST_ENCODED = 600  # characters: what a reply is about is said by then
LONGEST_READ = 3_000  # characters, for its words
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_SPACE = re.compile(r"\s+")

Progress = Callable[[int, int], None]


class Texts:
    """Texts whose vectors are there. All are encoded alike, as questions: any may stand for any."""

    def __init__(self, width: int) -> None:
        self._rows: dict[str, int] = {}
        self._vectors: Vectors = np.zeros((0, width), dtype=np.float32)
        self._read: dict[str, Wording] = {}

    def add(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Take texts with vectors that were made elsewhere, by the encoder's `questions`."""
        new = dict.fromkeys(text for text in texts if text not in self._rows)
        places = {text: place for place, text in enumerate(texts)}
        rows = vectors[[places[text] for text in new]].astype(np.float32)
        self._rows |= {text: len(self._rows) + i for i, text in enumerate(new)}
        self._vectors = np.concatenate([self._vectors, rows])

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, width)."""
        return self._vectors[[self._rows[text] for text in texts]]

    def places(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of texts among all vectors."""
        return np.array([self._rows[text] for text in texts], dtype=np.int64)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, text: str) -> bool:
        return text in self._rows

    def wording(self, text: str) -> "Wording":
        """Return what a text says in words."""
        found = self._read.get(text)
        if found is None:
            found = self._read[text] = Wording(text)
        return found

    @property
    def all_vectors(self) -> Vectors:
        """Every text's vector."""
        return self._vectors


class Wording:
    """What a text says in words: stems, numbers, its length in words, its share of Chinese."""

    __slots__ = ("asks", "chinese", "digest", "length", "numbers", "stems")

    def __init__(self, text: str) -> None:
        text = text[:LONGEST_READ]
        found = words(text)
        self.stems = frozenset(stem(word) for word in found if word not in FUNCTION_WORDS)
        self.numbers = frozenset(_NUMBER.findall(text))
        self.length = len(found)
        self.chinese = len(HAN.findall(text)) / max(sum(map(str.isalpha, text)), 1)
        self.asks = text.rstrip().endswith(("?", "？"))
        self.digest = digest(text)


def digest(text: str) -> str:
    """Return what two texts share that differ in spaces and case at most."""
    normal = _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def encoded(
    texts: Iterable[str],
    encoder: Encoder,
    progress: Progress | None = None,
    into: Texts | None = None,
) -> Texts:
    """Return texts with their vectors, each text encoded once; those in `into` are kept."""
    known = into
    missing = [t for t in dict.fromkeys(texts) if known is None or t not in known]
    made: list[Vectors] = []
    for start in range(0, len(missing), ENCODED_AT_ONCE):
        batch = missing[start : start + ENCODED_AT_ONCE]
        made.append(encoder.questions([text[:LONGEST_ENCODED] for text in batch]))
        if progress:
            progress(start + len(batch), len(missing))
    if known is None:
        known = Texts(made[0].shape[1] if made else 0)
    if missing:
        known.add(missing, np.concatenate(made))
    return known
