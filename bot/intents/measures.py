"""How well intents were told: F1 of one or several a message, area under the ROC curve."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray


def f1_by_intent(
    expected: Sequence[Collection[str]], found: Sequence[Collection[str]]
) -> dict[str, float]:
    """Return for each expected intent 2 x right / (expected + found)."""
    asked = Counter(intent for each in expected for intent in each)
    answered = Counter(intent for each in found for intent in each)
    right = Counter(
        intent for a, b in zip(expected, found, strict=True) for intent in set(a) & set(b)
    )
    return {name: 2 * right[name] / (asked[name] + answered[name]) for name in sorted(asked)}


def macro_f1(expected: Sequence[Collection[str]], found: Sequence[Collection[str]]) -> float:
    """Return the mean F1 of the expected intents."""
    return float(np.mean(list(f1_by_intent(expected, found).values())))


def micro_f1(expected: Sequence[Collection[str]], found: Sequence[Collection[str]]) -> float:
    """Return 2 x right / (expected + found), of all intents of all messages together."""
    right = sum(len(set(a) & set(b)) for a, b in zip(expected, found, strict=True))
    return 2 * right / sum(len(a) + len(b) for a, b in zip(expected, found, strict=True))


def confusions(
    expected: Sequence[Collection[str]], found: Sequence[Collection[str]]
) -> list[tuple[str, str, int]]:
    """Return which intent was taken for which, and how often, the most frequent first."""
    pairs = Counter(
        (missed, instead)
        for a, b in zip(expected, found, strict=True)
        for missed in sorted(set(a) - set(b))
        for instead in sorted(set(b) - set(a))
    )
    return [(missed, instead, number) for (missed, instead), number in pairs.most_common()]


def auroc(inside: NDArray[np.floating], outside: NDArray[np.floating]) -> float:
    """Return how often one of `outside` has a higher value than one of `inside`.

    Ties count half.
    """
    values = np.sort(inside)
    below = np.searchsorted(values, outside, side="left")
    not_above = np.searchsorted(values, outside, side="right")
    return float((below + not_above).mean() / 2 / len(values))
