"""How well replies are ranked, against which one people chose."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Shares of choices that came first or among the first five, and the mean of 1 / rank."""

    rows: int
    recall_at_1: float
    recall_at_5: float
    mrr: float


def rank(scores: NDArray[np.float64], chosen: int) -> int:
    """Return the place of the chosen one, from 1; any that score the same come before it."""
    return int((scores >= scores[chosen]).sum())


def ranking(ranks: Iterable[int]) -> Ranking:
    """Return the measures of some ranks."""
    found = np.array(list(ranks), dtype=np.float64)
    return Ranking(
        rows=len(found),
        recall_at_1=float((found <= 1).mean()),
        recall_at_5=float((found <= 5).mean()),
        mrr=float((1 / found).mean()),
    )
