"""Points put together step by step until as many groups are left as are wanted.

Average linkage on cosines (Sokal and Michener 1958), by chains of nearest neighbours (Murtagh
1983). Of unit vectors the mean cosine of two groups is the product of their means, so it can begin
with small groups as well as with points: more than `_MOST` points are first put into so many by
k-means (Arthur and Vassilvitskii 2007).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.intents.neighbours import Floats, Rows
from bot.knowledge.encoder import Vectors

_MOST = 1500
_ROUNDS = 15
_NEVER = -np.inf


def linked(vectors: Vectors, groups: int, together: Sequence[Rows] = ()) -> Rows:
    """Return the group of each of the vectors, numbered from 0; `vectors` are of length 1.

    Rows of one of `together` are in one group; rows of two of them never are. There are `groups`
    groups, or as many as `together` asks for where that is more.
    """
    start = _start(vectors, together)
    count = int(start.max()) + 1
    sizes = np.bincount(start).astype(float)
    likeness = _likeness(vectors, start, sizes)
    fixed = len(together)
    likeness[:fixed, :fixed] = _NEVER
    return _cut(start, _merges(likeness, sizes, fixed), count, max(groups, fixed, 1))


def _start(vectors: Vectors, together: Sequence[Rows]) -> Rows:
    """Return the small group that each vector begins in; those of `together` come first."""
    start = np.full(len(vectors), -1, dtype=np.intp)
    for number, rows in enumerate(together):
        start[rows] = number
    free = np.flatnonzero(start < 0)
    if len(free) > _MOST:
        own = np.unique(small_groups(vectors[free], _MOST), return_inverse=True)[1]
    else:
        own = np.arange(len(free))
    start[free] = own + len(together)
    return start


def small_groups(vectors: Vectors, number: int, seed: int = 0) -> Rows:
    """Return the group of each vector by k-means, of which some may be empty."""
    rng = np.random.default_rng(seed)
    centres = vectors[rng.choice(len(vectors), number, replace=False)]
    found = np.zeros(len(vectors), dtype=np.intp)
    for _ in range(_ROUNDS):
        lengths = (centres**2).sum(axis=1) / 2
        for low in range(0, len(vectors), 2000):
            near = vectors[low : low + 2000] @ centres.T - lengths
            found[low : low + 2000] = near.argmax(axis=1)
        sizes = np.bincount(found, minlength=number)
        moved = _sums(vectors, found, number) / np.maximum(sizes, 1)[:, None]
        moved[sizes == 0] = centres[sizes == 0]
        if np.allclose(moved, centres, atol=1e-5):
            break
        centres = moved
    return found


def _sums(vectors: Vectors, groups: Rows, number: int) -> Vectors:
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    sums = np.zeros((number, vectors.shape[1]), dtype=np.float32)
    sums[present] = np.add.reduceat(vectors[order], starts, axis=0)
    return sums


def _likeness(vectors: Vectors, groups: Rows, sizes: Floats) -> Floats:
    means = (_sums(vectors, groups, len(sizes)) / sizes[:, None]).astype(float)
    likeness: Floats = means @ means.T
    np.fill_diagonal(likeness, _NEVER)
    return likeness


def _merges(likeness: Floats, sizes: Floats, fixed: int) -> list[tuple[float, int, int]]:
    """Return all merges with their likeness; the second of the two goes into the first.

    A group that holds one of the first `fixed` never meets another such.
    """
    sizes = sizes.copy()
    is_there = np.ones(len(sizes), dtype=bool)
    holds_fixed = np.arange(len(sizes)) < fixed
    merges: list[tuple[float, int, int]] = []
    chain: list[int] = []
    while is_there.sum() > max(fixed, 1):
        if not chain:
            chain = [int(np.flatnonzero(is_there & ~holds_fixed)[0])]
        last = chain[-1]
        best = int(likeness[last].argmax())
        if len(chain) > 1 and likeness[last, chain[-2]] >= likeness[last, best]:
            best = chain[-2]
        if len(chain) < 2 or best != chain[-2]:
            chain.append(best)
            continue
        del chain[-2:]
        keep, gone = (last, best) if holds_fixed[last] else (best, last)
        merges.append((float(likeness[keep, gone]), keep, gone))
        joint = sizes[keep] * likeness[keep] + sizes[gone] * likeness[gone]
        joint /= sizes[keep] + sizes[gone]
        joint[~is_there] = _NEVER
        joint[[keep, gone]] = _NEVER
        if holds_fixed[keep]:
            joint[holds_fixed] = _NEVER
        likeness[keep] = likeness[:, keep] = joint
        likeness[gone] = likeness[:, gone] = _NEVER
        sizes[keep] += sizes[gone]
        is_there[gone] = False
    return merges


def _cut(start: Rows, merges: Sequence[tuple[float, int, int]], count: int, groups: int) -> Rows:
    parent: NDArray[np.intp] = np.arange(count)

    def root(group: int) -> int:
        while parent[group] != group:
            group = int(parent[group])
        return group

    for _, keep, gone in sorted(merges, key=lambda merge: -merge[0])[: max(0, count - groups)]:
        parent[root(gone)] = root(keep)
    roots = np.array([root(group) for group in range(count)])
    return np.unique(roots[start], return_inverse=True)[1].astype(np.intp)
