"""Which labels would teach most, and which given ones may be wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.intents.choosing import dealt
from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings
from bot.intents.fitting import fit_head
from bot.intents.heads import softmax
from bot.intents.lessons import Lessons
from bot.intents.rows import Row
from bot.knowledge.encoder import Vectors

_NEAR = 10  # texts whose likeness says how usual a message is
_COMPARED = 3000  # texts, at most, that the likeness is measured with


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A label that is probably wrong: the given intent, its probability, and the likelier one."""

    row: Row
    probability: float
    likelier: str
    its_probability: float


def to_label(vectors: Vectors, probabilities: Vectors, number: int, known: Vectors) -> list[int]:
    """Return the places of messages whose label would teach most, the most teaching first.

    A message teaches when its intent is unsure (the two likest are near each other), when many are
    like it, and when neither a labelled one (`known`) nor one chosen before is like it.
    """
    unsure = 1 - _margin(probabilities)
    worth = unsure * _usual(vectors)
    nearest = (vectors @ known.T).max(axis=1) if len(known) else np.zeros(len(vectors))
    chosen: list[int] = []
    for _ in range(min(number, len(vectors))):
        score = worth * (1 - nearest).clip(0)
        score[chosen] = -1
        best = int(score.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen


def doubts(lessons: Lessons, base: BaseName, encodings: Encodings, seed: int) -> list[Doubt]:
    """Return labels that messages held out speak against, the most doubtful first.

    Confident learning (Northcutt et al., arXiv 1911.00068): an intent is likely where its
    probability reaches the mean of the messages that have it; a label is doubted where another
    intent is likely, the given one is not, and the other is likelier.
    """
    probabilities = out_of_fold(lessons, encodings.vectors(base, lessons.texts), seed)
    labels = lessons.labels
    rows = np.arange(len(labels))
    given = probabilities[rows, labels]
    usual = np.array(
        [
            given[labels == intent].mean() if (labels == intent).any() else 1.0
            for intent in range(len(lessons.intents))
        ]
    )
    others = np.where(probabilities >= usual, probabilities, 0)
    others[rows, labels] = 0
    best = others.argmax(axis=1)
    is_doubted = (others[rows, best] > given) & (given < usual[labels])
    found = [
        Doubt(
            row=Row(lessons.texts[row], (lessons.intents[labels[row]],)),
            probability=float(given[row]),
            likelier=lessons.intents[best[row]],
            its_probability=float(probabilities[row, best[row]]),
        )
        for row in np.flatnonzero(is_doubted)
    ]
    return sorted(found, key=lambda doubt: doubt.probability - doubt.its_probability)


def out_of_fold(lessons: Lessons, vectors: Vectors, seed: int) -> Vectors:
    """Return probabilities by heads that did not learn from the message, (texts, intents).

    A message whose intent has no other example gets those of a head that learned from it.
    """
    found = softmax(fit_head(vectors, lessons.targets).logits(vectors))
    for fold in dealt(lessons, seed):
        rest = np.setdiff1d(np.arange(len(vectors)), fold)
        head = fit_head(vectors[rest], lessons.targets[rest])
        found[fold] = softmax(head.logits(vectors[fold]))
    return found


def _margin(probabilities: Vectors) -> NDArray[np.floating]:
    two = np.sort(probabilities, axis=1)[:, -2:]
    return np.asarray(two[:, -1] - two[:, 0] if two.shape[1] > 1 else two[:, 0])


def _usual(vectors: Vectors) -> NDArray[np.floating]:
    """Return the mean cosine with the nearest others."""
    others = vectors[:: max(1, len(vectors) // _COMPARED)]
    number = min(_NEAR + 1, len(others))
    cosines = np.concatenate(
        [
            np.partition(vectors[start : start + 1000] @ others.T, -number, axis=1)[:, -number:]
            for start in range(0, len(vectors), 1000)
        ]
    )
    return np.asarray(cosines.mean(axis=1))


def texts_of(rows: Sequence[Row]) -> list[str]:
    """Return the texts of rows, each once."""
    return list(dict.fromkeys(row.text for row in rows))
