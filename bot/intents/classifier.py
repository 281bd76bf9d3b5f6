"""Tells what customers want, live and in batches, from a trained model in numpy and onnxruntime."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bot.intents.clauses import clauses
from bot.intents.heads import sigmoid, softmax
from bot.intents.language import is_english
from bot.intents.rows import shortened
from bot.intents.scope import Scope
from bot.knowledge.encoder import Vectors

SURE_CLAUSE = 0.6  # probability of a further intent, found in a part of the message
_NAMED = 8  # intents of a prediction, at most


@dataclass(frozen=True, slots=True)
class Found:
    """An intent with its probability."""

    intent: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a message wants.

    `intents` are those that it has, the likest first; empty when it is out of scope. `likest` are
    the likest ones all the same, for people to choose from. `strangeness` is from 0 to 1.
    """

    intents: tuple[Found, ...]
    is_out_of_scope: bool
    likest: tuple[Found, ...]
    strangeness: float


class Reader(Protocol):
    """Gives vectors and logits, as methods' readers do."""

    def read(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return vectors (texts, width) and logits (texts, intents)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Expert:
    """A reader with its calibration: temperature of its logits, and what is out of its scope.

    `several` is the least probability of an intent where a message can have more than one; None
    where it has one.
    """

    reader: Reader
    temperature: float
    scope: Scope
    several: float | None

    def probabilities(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return probabilities (texts, intents) and strangeness (texts)."""
        vectors, logits = self.reader.read(texts)
        logits = logits / self.temperature
        found = softmax(logits) if self.several is None else sigmoid(logits)
        return found, self.scope.strangeness(vectors, logits)


class IntentClassifier:
    """Tells the intents of messages; not for several threads at once.

    English messages have an expert of their own where the training brought one.
    """

    def __init__(
        self, intents: Sequence[str], everything: Expert, english: Expert | None = None
    ) -> None:
        self.intents = tuple(intents)
        self.everything = everything
        self.english = english

    def classify(self, texts: Sequence[str], *, parts: bool = True) -> list[Prediction]:
        """Return a prediction for each text; with `parts`, further intents of its clauses too."""
        read = [shortened(text) for text in texts]
        found: list[Prediction | None] = [None] * len(read)
        for expert, rows in self._shared_out(read):
            wanted = [[read[row], *_parts(read[row], parts, expert)] for row in rows]
            flat = [text for each in wanted for text in each]
            probabilities, strangeness = expert.probabilities(flat)
            start = 0
            for row, each in zip(rows, wanted, strict=True):
                here = slice(start, start + len(each))
                found[row] = self._prediction(expert, probabilities[here], strangeness[here])
                start += len(each)
        return [each for each in found if each is not None]

    def _shared_out(self, texts: Sequence[str]) -> list[tuple[Expert, list[int]]]:
        """Return each expert with its texts' places; of a text without words nobody knows more."""
        if self.english is None:
            return [(self.everything, list(range(len(texts))))] if texts else []
        english = [row for row, text in enumerate(texts) if is_english(text)]
        rest = sorted(set(range(len(texts))) - set(english))
        return [
            (expert, rows)
            for expert, rows in ((self.english, english), (self.everything, rest))
            if rows
        ]

    def _prediction(
        self, expert: Expert, probabilities: Vectors, strangeness: Vectors
    ) -> Prediction:
        """Put a message (the first row) and its clauses (the others) together."""
        likest = self._likest(probabilities[0])
        outside = strangeness > expert.scope.threshold
        if expert.several is not None:
            # The likest one stays where none reaches the limit: in scope, it wants something.
            named = [each for each in likest if each.probability >= expert.several] or likest[:1]
        else:
            named = [] if outside[0] else likest[:1]
            for row in range(1, len(probabilities)):
                best = self._likest(probabilities[row])[0]
                known = {each.intent for each in named}
                is_sure = best.probability >= SURE_CLAUSE and not outside[row]
                if is_sure and best.intent not in known:
                    named.append(best)
        is_out = bool(outside[0]) and (expert.several is not None or not named)
        return Prediction(
            intents=() if is_out else tuple(named),
            is_out_of_scope=is_out,
            likest=tuple(likest),
            strangeness=float(strangeness[0]),
        )

    def _likest(self, probabilities: Vectors) -> list[Found]:
        order = np.argsort(-probabilities, kind="stable")[:_NAMED]
        return [Found(self.intents[place], float(probabilities[place])) for place in order]


def _parts(text: str, wanted: bool, expert: Expert) -> list[str]:
    if not wanted or expert.several is not None:
        return []
    found = clauses(text)
    return found if len(found) > 1 else []
