"""The messages of a label file to be labelled next, and its labels to be looked at again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings, Progress
from bot.intents.fitting import fit_head
from bot.intents.heads import softmax
from bot.intents.language import is_english
from bot.intents.lessons import lessons_of
from bot.intents.rows import Row, sort_rows
from bot.intents.teaching import Doubt, doubts, to_label
from bot.intents.training import MOSTLY
from bot.intents.weights import has_bge


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """`to_label` rows have the likest intent; the most teaching and the most doubtful first."""

    to_label: Sequence[Row]
    doubts: Sequence[Doubt]


def suggestions(rows: Sequence[Row], number: int, seed: int, progress: Progress) -> Suggestions:
    """Look through labelled and unlabelled rows. Raises IntentsError as training does."""
    found = sort_rows(rows)
    lessons = lessons_of(found.labelled)
    texts = list(found.unlabelled)
    share = np.mean([is_english(text) for text in [*lessons.texts, *texts]])
    base: BaseName = "bge" if share >= MOSTLY and has_bge() else "e5"
    encodings = Encodings(progress)
    doubted = doubts(lessons, base, encodings, seed)[:number]
    if not texts:
        return Suggestions(to_label=[], doubts=doubted)
    known, vectors = encodings.vectors(base, lessons.texts), encodings.vectors(base, texts)
    probabilities = softmax(fit_head(known, lessons.targets).logits(vectors))
    likest = probabilities.argmax(axis=1)
    return Suggestions(
        to_label=[
            Row(texts[row], (lessons.intents[likest[row]],))
            for row in to_label(vectors, probabilities, number, known)
        ],
        doubts=doubted,
    )
