"""Which examples come from the same conversation, told from the turns they share."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bot.ranking.scorer.examples import Example

MOST_TURNS = 40  # examples of one conversation: a pair of turns in more of them is a common one
LARGEST = 0.2  # of all examples


def conversations(examples: Sequence[Example]) -> NDArray[np.int64]:
    """Return a number for each example, the same for those of one conversation.

    Examples belong together where two turns in a row are the same, and rare.
    Where that makes one of more than a fifth of all, each stands for itself.
    """
    having: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, example in enumerate(examples):
        for pair in set(pairwise(example.context)):
            having[pair].append(row)
    parent = list(range(len(examples)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for rows in having.values():
        if len(rows) <= MOST_TURNS:
            for row in rows[1:]:
                parent[root(row)] = root(rows[0])
    found = np.unique([root(row) for row in range(len(examples))], return_inverse=True)[1]
    if np.bincount(found).max() > max(LARGEST * len(examples), MOST_TURNS):
        return np.arange(len(examples))
    return found.astype(np.int64)


def folds(examples: Sequence[Example], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the fold of each example; a conversation is never in two."""
    of = conversations(examples)
    return rng.permutation(np.arange(int(of.max()) + 1) % count)[of]
