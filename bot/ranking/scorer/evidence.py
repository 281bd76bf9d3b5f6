"""What the log says of a reply: how often it was right, and what was right in like conversations.

Rates, not counts: how often a reply was right of the times that it could have been given, drawn
towards the mean where little is known, so that a reply nobody has given yet stands in the middle.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.encoder import Vectors

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]

DOUBT = 2.0  # choices: so much evidence counts as much as the mean
NEAR = 64  # conversations
SHARP, BROAD = 0.05, 0.2  # of a cosine: by how much nearer ones count more
COMMON = 1_000  # replies that others are compared with
SLATE = 128  # replies kept of what was there in a conversation
UNSEEN = -1  # the place of a reply that the log doesn't have
_LIKE = 0.1  # of a cosine, between replies
_NONE = -2  # fills up the slates


@dataclass(frozen=True, slots=True)
class Choice:
    """A slate as places among all texts, the chosen reply first; `weight` below 0 if wrong."""

    slate: tuple[int, ...]
    weight: float


class Counts:
    """How often each reply was right, and there, over choices, by digest."""

    def __init__(self) -> None:
        self.right: defaultdict[str, float] = defaultdict(float)
        self.offered: defaultdict[str, float] = defaultdict(float)

    def add(self, slate: Sequence[str], weight: float) -> None:
        """Count a slate, the chosen reply first."""
        for digest in dict.fromkeys(slate):
            self.offered[digest] += abs(weight)
        self.right[slate[0]] += weight

    def without(self, hidden: Set[str]) -> "Counts":
        """Return counts that can be added to apart from these, without some replies."""
        made = Counts()
        for mine, theirs in ((made.right, self.right), (made.offered, self.offered)):
            mine.update({each: count for each, count in theirs.items() if each not in hidden})
        return made


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Log:
    """Choices of the past as numbers.

    `places` of the replies by digest; `right` and `offered` (replies,) how often they were right,
    and there; `vectors` (first replies, width) of the most common ones and of all that were chosen,
    `common` of them to compare others with. `contexts` (conversations, narrow), with `slates`
    (conversations, longest), `chosen` and `worth` (conversations,), below 0 for a wrong choice.
    """

    places: Mapping[str, int]
    right: Numbers
    offered: Numbers
    vectors: Vectors
    common: int
    contexts: Vectors
    slates: NDArray[np.int32]
    chosen: Integers
    worth: Numbers

    @property
    def mean(self) -> float:
        """How often a reply is right of the times that it is there."""
        return float(np.maximum(self.right, 0).sum() / max(self.offered.sum(), 1.0))

    def places_of(self, digests: Sequence[str]) -> Integers:
        """Return where replies are, UNSEEN for those that the log doesn't have."""
        return np.array([self.places.get(each, UNSEEN) for each in digests], dtype=np.int64)

    def popular(self, places: Integers) -> Numbers:
        """Return the log of how often replies were right."""
        seen = places >= 0
        right = np.where(seen, self.right[places], 0.0)
        return _log_rate(right, np.where(seen, self.offered[places], 0.0), self.mean)

    def popular_like(self, vectors: Vectors) -> Numbers:
        """Return the same, from all replies that say something like these."""
        near = np.exp((vectors @ self.vectors[: self.common].T - 1).astype(np.float64) / _LIKE)
        right, offered = self.right[: self.common], self.offered[: self.common]
        return _log_rate(near @ right, near @ offered, self.mean)

    def near(self, context: Vectors, vectors: Vectors, places: Integers) -> dict[str, Numbers]:
        """Return what the conversations nearest to one say of replies."""
        alike = self.contexts @ context
        nearest = np.argpartition(-alike, min(NEAR, len(alike)) - 1)[:NEAR]
        alike = alike[nearest].astype(np.float64)
        alike -= alike.max()
        chosen, worth = self.chosen[nearest], self.worth[nearest]
        was_right = (chosen[:, None] == places) * worth[:, None]
        was_there = (self.slates[nearest][:, :, None] == places).any(axis=1) * np.abs(worth)[
            :, None
        ]
        sharp, broad = np.exp(alike / SHARP), np.exp(alike / BROAD)
        toward = self.vectors[chosen] @ vectors.T
        return {
            "near": _log_rate(sharp @ was_right, sharp @ was_there, self.mean),
            "near_broad": _log_rate(broad @ was_right, broad @ was_there, self.mean),
            "near_like": (sharp * worth) @ toward / max((sharp * np.abs(worth)).sum(), 1e-9),
        }


def learn(
    choices: Sequence[Choice],
    digests: Sequence[str],
    counts: Counts,
    contexts: Vectors,
    vectors: Vectors,
) -> Log:
    """Return what the log says.

    `choices` are those whose conversation is kept, by `contexts` of shape (choices, narrow);
    `digests` and `vectors` have a row for each text. `counts` may know more choices.
    """
    known = dict.fromkeys(i for each in choices for i in each.slate)
    common = sorted(known, key=lambda i: -counts.offered[digests[i]])[:COMMON]
    first = dict.fromkeys([*common, *(each.slate[0] for each in choices)])
    places: dict[str, int] = {}
    kept: list[int] = []
    for i in first:
        if places.setdefault(digests[i], len(places)) == len(kept):
            kept.append(i)
    for digest in counts.offered:
        places.setdefault(digest, len(places))
    found = np.full((len(choices), _longest(choices)), _NONE, dtype=np.int32)
    for row, choice in enumerate(choices):
        slate = choice.slate[:SLATE]
        found[row, : len(slate)] = [places[digests[i]] for i in slate]
    return Log(
        places=places,
        right=np.array([counts.right[each] for each in places], dtype=np.float64),
        offered=np.array([counts.offered[each] for each in places], dtype=np.float64),
        vectors=vectors[kept],
        common=min(len(common), len(kept)),
        contexts=contexts,
        slates=found,
        chosen=found[:, 0].astype(np.int64),
        worth=np.array([each.weight for each in choices], dtype=np.float64),
    )


def _longest(choices: Sequence[Choice]) -> int:
    return min(max(len(each.slate) for each in choices), SLATE)


def _log_rate(right: Numbers, offered: Numbers, mean: float) -> Numbers:
    rate = (np.maximum(right, 0) + DOUBT * mean) / (offered + DOUBT)
    return np.asarray(np.log(np.maximum(rate, 1e-6)))
