"""Everything that is known of how a reply fits a conversation, as named numbers.

Those from the log and the nets are evidence for a reply, and so is likeness to what was said: more
of either never counts against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.encoder import Vectors
from bot.ranking.scorer import wording
from bot.ranking.scorer.evidence import UNSEEN, Log
from bot.ranking.scorer.net import Net
from bot.ranking.scorer.space import TURNS, Space
from bot.ranking.scorer.texts import Texts
from bot.ranking.scorer.wording import Rarity

Numbers = NDArray[np.float64]

EVIDENCE = ("popular", "popular_like", "near", "near_broad", "near_like", "fits")
MEANING = ("close_to_last", "close_to_before", "close_to_earlier", "repeats")
NAMES = (*EVIDENCE, "is_new", *MEANING, *wording.NAMES)
IS_EVIDENCE = np.array([name in EVIDENCE for name in NAMES])
RISING = np.array([name in (*EVIDENCE, *MEANING[:3], *wording.SHARED) for name in NAMES])


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Knowledge:
    """What parts are measured with: the space, rare words, the log, the nets and their names."""

    space: Space
    rarity: Rarity
    log: Log
    nets: Sequence[Net]
    named: Mapping[str, int]

    def parts(self, context: Sequence[str], replies: Sequence[str], texts: Texts) -> Numbers:
        """Return an array of shape (replies, NAMES); the last TURNS of the context and
        all replies have their vectors in `texts`."""
        context = context[-TURNS:]
        vectors = self.space.texts(texts.vectors(replies))
        pieces = self.space.pieces(context, texts)
        turns = [texts.wording(turn) for turn in context]
        worded = [texts.wording(reply) for reply in replies]
        places = self.log.places_of([each.digest for each in worded])
        named = np.array([self.named.get(each.digest, -1) for each in worded], dtype=np.int64)
        wide = self.space.wide(pieces)
        numbers = net_numbers(wide, context, texts)
        said = self.space.texts(texts.vectors(context[:-1]))
        known = {
            "popular": self.log.popular(places),
            "popular_like": self.log.popular_like(vectors),
            **self.log.near(self.space.narrow(wide), vectors, places),
            "fits": np.mean(
                [net.scores(numbers, vectors * scale(vectors), named) for net in self.nets], axis=0
            ),
            "is_new": (places == UNSEEN).astype(np.float64),
            "close_to_last": vectors @ pieces[0],
            "close_to_before": vectors @ pieces[1],
            "close_to_earlier": vectors @ pieces[2],
            "repeats": (vectors @ said.T).max(axis=1, initial=0.0),
            **wording.described(turns, worded, self.rarity),
        }
        return np.stack([known[name] for name in NAMES], axis=1).astype(np.float64)


def net_numbers(wide: Vectors, context: Sequence[str], texts: Texts) -> Vectors:
    """Return what a net sees of a conversation: its numbers, how long it is, how it ends."""
    last = texts.wording(context[-1])
    turns = np.zeros(TURNS, dtype=np.float32)
    turns[min(len(context), TURNS) - 1] = 1
    told = np.array([last.asks, last.chinese, np.log1p(last.length) / 2], dtype=np.float32)
    return np.concatenate([wide * scale(wide), turns, told])


def scale(vectors: Vectors) -> float:
    """Return what brings the numbers of vectors of length 1 to about 1."""
    return float(np.sqrt(vectors.shape[-1]))
