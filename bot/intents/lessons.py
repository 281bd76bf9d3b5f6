"""What a method learns from, and what it gives: the small interface of all methods."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.intents.live import LiveParts
from bot.intents.rows import Row, counts
from bot.knowledge.encoder import Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """Labelled texts, with targets of shape (texts, intents), 0 or 1, and unlabelled ones."""

    texts: Sequence[str]
    targets: Vectors
    intents: Sequence[str]
    unlabelled: Sequence[str] = ()

    @property
    def labels(self) -> NDArray[np.intp]:
        """The place of each text's intent; of the first, where it has several."""
        return np.asarray(self.targets.argmax(axis=1))

    @property
    def has_several(self) -> bool:
        """Whether a text can have more than one intent."""
        return bool((self.targets.sum(axis=1) > 1).any())

    def subset(self, rows: NDArray[np.intp]) -> "Lessons":
        """Return some of the labelled texts with all unlabelled ones."""
        texts = [self.texts[row] for row in rows]
        return replace(self, texts=texts, targets=self.targets[rows])


def lessons_of(rows: Sequence[Row], unlabelled: Sequence[str] = ()) -> Lessons:
    """Return labelled rows as lessons; intents are in alphabetical order."""
    intents = sorted(counts(rows))
    place = {name: number for number, name in enumerate(intents)}
    targets = np.zeros((len(rows), len(intents)), dtype=np.float32)
    for number, row in enumerate(rows):
        targets[number, [place[intent] for intent in row.intents]] = 1
    return Lessons(
        texts=[row.text for row in rows], targets=targets, intents=intents, unlabelled=unlabelled
    )


class Reader(Protocol):
    """What a method learned."""

    def live(self) -> LiveParts:
        """Return what a model file keeps of it."""
        ...

    def read(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return vectors of length 1, (texts, width), and logits, (texts, intents)."""
        ...


class Method(Protocol):
    """A way to learn intents."""

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        ...

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes on two cores."""
        ...

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Learn from the labelled texts, and from the others where the method can."""
        ...
