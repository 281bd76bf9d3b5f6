"""What the words of a reply say about how it fits, without any log."""

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bot.ranking.scorer.texts import Wording

Numbers = NDArray[np.float64]

BUCKETS = 1 << 14  # of words: which one a word falls into is all that is kept of it


@dataclass(frozen=True, eq=False, slots=True)
class Rarity:
    """How much a word says: the fewer texts have it, the more. By the bucket of the word."""

    weights: NDArray[np.float32]

    def of(self, words: Iterable[str]) -> float:
        """Return what words say together."""
        return float(sum(self.weights[bucket(word)] for word in words))


def learn(texts: Sequence[Wording]) -> Rarity:
    """Return how much words say among texts."""
    counts = Counter(number for each in texts for number in {bucket(word) for word in each.stems})
    weights = np.full(BUCKETS, math.log(1 + len(texts)), dtype=np.float32)
    for number, count in counts.items():
        weights[number] = math.log((1 + len(texts)) / (1 + count)) + 0.1
    return Rarity(weights)


@lru_cache(maxsize=100_000)
def bucket(word: str) -> int:
    """Return the bucket of a word, the same in every run."""
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % BUCKETS


def described(
    context: Sequence[Wording], replies: Sequence[Wording], rarity: Rarity
) -> dict[str, Numbers]:
    """Return what the words say of each reply to a conversation, its turns in order."""
    last, before = context[-1], context[:-1]
    earlier = frozenset[str]().union(*(turn.stems for turn in before)) - last.stems
    numbers = frozenset[str]().union(*(turn.numbers for turn in (*before, last)))
    said = {turn.digest for turn in context}
    asked = rarity.of(last.stems)
    rows = []
    for reply in replies:
        shared = rarity.of(reply.stems & last.stems)
        with_earlier = rarity.of(reply.stems & earlier)
        own = rarity.of(reply.stems)
        rows.append(
            (
                shared / asked if asked else 0.0,
                (shared + with_earlier) / own if own else 0.0,
                math.log1p(shared),
                math.log1p(with_earlier),
                math.log1p(len(reply.numbers & numbers)),
                math.log1p(len(reply.numbers - numbers)),
                float(reply.digest in said),
                math.log1p(reply.length),
                1 - abs(reply.chinese - last.chinese),
                float(reply.asks),
                float(reply.asks and last.asks),
            )
        )
    return dict(zip(NAMES, np.array(rows, dtype=np.float64).T, strict=True))


SHARED = ("shares_last", "covered", "words_of_last", "words_of_earlier", "numbers_known")
NAMES = (
    *SHARED,
    "numbers_new",
    "said_before",
    "length",
    "same_language",
    "asks",
    "asks_back",
)
