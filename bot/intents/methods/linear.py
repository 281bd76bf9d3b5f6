"""A linear head on the vectors of a frozen encoder: seconds, and hard to beat with many labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings
from bot.intents.fitting import fit_head
from bot.intents.heads import Head
from bot.intents.lessons import Lessons, Reader
from bot.intents.live import LiveParts
from bot.intents.weights import Base, base
from bot.knowledge.e5_graph import graph
from bot.knowledge.encoder import Vectors


@dataclass(frozen=True, slots=True)
class FrozenReader:
    """A head on a frozen encoder."""

    base: BaseName
    head: Head
    encodings: Encodings

    def read(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return vectors of shape (texts, width), and logits of shape (texts, intents)."""
        vectors = self.encodings.vectors(self.base, texts)
        return vectors, self.head.logits(vectors)

    def live(self) -> LiveParts:
        """Return the frozen encoder's graph with the head."""
        return live_parts(base(self.base), self.head)


def live_parts(encoder: Base, head: Head) -> LiveParts:
    """Return an encoder, frozen or tuned, with its head as a model file keeps them."""
    return LiveParts(base=encoder.name, graph=graph(encoder), head=head, english=encoder.english)


@dataclass(frozen=True, slots=True)
class Linear:
    """Multinomial logistic regression; where texts have several intents, one for each intent."""

    base: BaseName
    encodings: Encodings

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        return f"linear head ({self.base})"

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes: the encoder's time, where it has not run yet."""
        return 1 + len(lessons.texts) / 1000

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Fit the head; nothing here is random."""
        vectors = self.encodings.vectors(self.base, lessons.texts)
        head = fit_head(vectors, lessons.targets, several=lessons.has_several)
        return FrozenReader(self.base, head, self.encodings)
