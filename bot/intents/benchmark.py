"""A classifier trained on one file and measured on another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.errors import IntentsError
from bot.intents.classifier import IntentClassifier, Prediction
from bot.intents.encodings import Progress, quiet
from bot.intents.measures import auroc, macro_f1, micro_f1
from bot.intents.rows import OUT_OF_SCOPE, Row

_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Shares from 0 to 1; None where the test has no such rows.

    `accuracy` and `macro_f1` are of the test rows in scope, by their likest intent, whatever the
    threshold says; `in_scope_accuracy` counts a row as wrong that was taken for out of scope. Of
    rows with several intents `accuracy` is the share told exactly, and `micro_f1` counts intents.
    """

    accuracy: float
    macro_f1: float
    micro_f1: float | None
    in_scope_accuracy: float
    out_of_scope_recall: float | None
    out_of_scope_auroc: float | None
    rows: int
    out_of_scope_rows: int


def with_shots(rows: Sequence[Row], shots: int, seed: int) -> list[Row]:
    """Keep the labels of so many rows of each intent, chosen at random; the others lose theirs."""
    rng = np.random.default_rng(seed)
    kept: Counter[str] = Counter()
    found = list(rows)
    for place in rng.permutation(len(rows)):
        row = rows[place]
        if not row.intents or OUT_OF_SCOPE in row.intents:
            continue
        if all(kept[intent] >= shots for intent in row.intents):
            found[place] = Row(row.text)
        else:
            kept.update(row.intents)
    return found


def measure(
    classifier: IntentClassifier, rows: Sequence[Row], progress: Progress = quiet
) -> Measured:
    """Classify labelled rows and compare. Raises IntentsError where none has an intent."""
    labelled = [row for row in rows if row.intents]
    if all(OUT_OF_SCOPE in row.intents for row in labelled):
        raise IntentsError("No test row has an intent, so there is nothing to compare with.")
    found: list[Prediction] = []
    for start in range(0, len(labelled), _AT_ONCE):
        batch = labelled[start : start + _AT_ONCE]
        found += classifier.classify([row.text for row in batch], parts=False)
        progress("tested", len(found), len(labelled))
    pairs = list(zip(labelled, found, strict=True))
    inside = [(row.intents, each) for row, each in pairs if OUT_OF_SCOPE not in row.intents]
    outside = [each for row, each in pairs if OUT_OF_SCOPE in row.intents]
    expected = [set(intents) for intents, _ in inside]
    has_several = any(len(intents) > 1 for intents in expected)
    told = [_told(each) for _, each in inside]
    kept = [
        set() if each.is_out_of_scope else named
        for (_, each), named in zip(inside, told, strict=True)
    ]
    strange = [np.array([e.strangeness for e in s]) for s in ([e for _, e in inside], outside)]
    return Measured(
        accuracy=_share([a == b for a, b in zip(expected, told, strict=True)]),
        macro_f1=macro_f1(expected, told),
        micro_f1=micro_f1(expected, told) if has_several else None,
        in_scope_accuracy=_share([a == b for a, b in zip(expected, kept, strict=True)]),
        out_of_scope_recall=_share([e.is_out_of_scope for e in outside]) if outside else None,
        out_of_scope_auroc=auroc(*strange) if outside else None,
        rows=len(inside),
        out_of_scope_rows=len(outside),
    )


def _told(found: Prediction) -> set[str]:
    """Return the intents, of a message that was taken for out of scope the likest one."""
    return {each.intent for each in found.intents or found.likest[:1]}


def _share(claims: Sequence[bool]) -> float:
    return sum(claims) / len(claims)
