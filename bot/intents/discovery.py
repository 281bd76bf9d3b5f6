"""Groups of messages that want the same, found without labels.

Messages are tied to their nearest ones (bot/intents/neighbours.py), and the leading eigenvectors of
these ties are put together to groups (bot/intents/linkage.py). How many there are is read off the
eigenvalues. What an admin decided stands: it is given as the messages of each confirmed intent.
Measured in docs/quality.md.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.intents.agreement import assignment
from bot.intents.linkage import linked
from bot.intents.neighbours import (
    Floats,
    Part,
    Rows,
    nearest,
    neighbour_graph,
    spectrum,
    unit,
)
from bot.knowledge.encoder import Vectors

# More are not grouped together, but each joins the group of those that it is nearest to.
MOST_AT_ONCE = 10_000
MOST_GROUPS = 500
_MOST_FOUND = 300
_CLEAR = 0.7  # eigenvalue of a group that has hardly a tie to others
_VOTES = 5
_GOOD_PART = 0.1
_COARSE_TO_FINE = (0.7, 0.85, 1.0, 1.2, 1.5)  # times the number of groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """`groups` has the group of each message, from 0, the largest group first.

    `names` has those of confirmed intents by group; the other groups are new.
    """

    groups: Rows
    names: Mapping[int, str]

    @property
    def number(self) -> int:
        """How many groups there are."""
        return int(self.groups.max()) + 1


def discover(
    parts: Sequence[Part],
    groups: int | None = None,
    confirmed: Mapping[str, Collection[int]] | None = None,
    seed: int = 0,
) -> Discovered:
    """Group messages; their places in all `parts` are 0, 1, 2 and so on.

    `groups` is the number of groups, which is else found. `confirmed` has the places of messages
    whose intent an admin decided: those of one intent are in one group, those of two never are.
    So "merged" is one name for both, "split" two, and "renamed" another.
    """
    size = sum(len(part.rows) for part in parts)
    if size == 0:
        raise ValueError("there are no messages to group")
    decided = {name: np.array(sorted(rows)) for name, rows in (confirmed or {}).items() if rows}
    if size <= MOST_AT_ONCE:
        return _sorted_by_size(_grouped(parts, size, groups, decided, seed), decided)
    some = np.random.default_rng(seed).choice(size, MOST_AT_ONCE, replace=False)
    taken = np.unique(np.concatenate([some, *(rows[:_MOST_FOUND] for rows in decided.values())]))
    return _sorted_by_size(_in_two_steps(parts, taken, groups, decided, seed), decided)


def likely_number(values: Floats) -> int:
    """Return how many groups messages fall into, from the eigenvalues of their ties.

    Groups without any tie between them would have an eigenvalue of 1 each, and a gap would follow.
    Of two signs, the widest gap and the number of values near 1, it is the geometric mean: either
    alone was further off on the sets of docs/quality.md.
    """
    if len(values) < 4:
        return min(2, len(values))
    widest = int((values[1:-1] - values[2:]).argmax()) + 2
    clear = max(2, int((values > _CLEAR).sum()))
    return round(float(np.sqrt(widest * clear)))


def joined(vectors: Vectors, grouped: Vectors, groups: Rows) -> Rows:
    """Return for each vector the group that weighs most among its nearest `grouped` ones.

    `groups` has the group of each of `grouped`, from 0.
    """
    places, cosines = nearest(vectors, grouped, min(_VOTES, len(grouped)))
    votes = np.zeros((len(vectors), int(groups.max()) + 1))
    rows = np.repeat(np.arange(len(vectors)), places.shape[1])
    np.add.at(votes, (rows, groups[places.ravel()]), np.maximum(cosines.ravel(), 1e-3))
    chosen: Rows = votes.argmax(axis=1)
    return chosen


def carried_over(before: Mapping[str, int], now: Mapping[str, int]) -> dict[int, int]:
    """Return which group of now is which of before, by the messages (ids) that both have.

    Groups are matched one to one so that most messages stay where they were; a new group is absent.
    """
    common = [(now[key], before[key]) for key in now if key in before]
    if not common:
        return {}
    new, new_places = np.unique([pair[0] for pair in common], return_inverse=True)
    old, old_places = np.unique([pair[1] for pair in common], return_inverse=True)
    side = max(len(new), len(old))
    shared: Floats = np.zeros((side, side))
    np.add.at(shared, (new_places, old_places), 1)
    matched = assignment(-shared)
    return {
        int(new[row]): int(old[column])
        for row, column in enumerate(matched[: len(new)])
        if shared[row, column] > 0
    }


def _grouped(
    parts: Sequence[Part],
    size: int,
    groups: int | None,
    decided: Mapping[str, Rows],
    seed: int,
) -> Rows:
    together = list(decided.values())
    most = max(4, min(size // 4, _MOST_FOUND)) if groups is None else 2 * groups
    values, vectors = spectrum(neighbour_graph(parts), min(size, most), seed)
    number = min(groups or likely_number(values), size)
    often = _often_together(vectors, number)
    if together and groups is None:
        number += len(together) - _decided_already(linked(often, number), together)
    return linked(often, min(max(number, len(together), 1), size), together)


def _often_together(vectors: Vectors, number: int) -> Vectors:
    """Return vectors whose product is the share of groupings that have two messages together.

    Of groupings into somewhat fewer and more groups, which differ where it is a close thing
    (evidence accumulation, Fred and Jain 2005).
    """
    most = vectors.shape[1]
    counts = sorted({min(max(1, round(number * part)), most) for part in _COARSE_TO_FINE})
    found = [linked(_leading(vectors, count), count) for count in counts]
    members = [np.eye(int(groups.max()) + 1, dtype=np.float32)[groups] for groups in found]
    return unit(np.hstack(members))


def _in_two_steps(
    parts: Sequence[Part],
    taken: Rows,
    groups: int | None,
    decided: Mapping[str, Rows],
    seed: int,
) -> Rows:
    """Group some of the messages; each of the others joins those of its language it is near to."""
    place = np.full(sum(len(part.rows) for part in parts), -1, dtype=np.intp)
    place[taken] = np.arange(len(taken))
    kept = [np.flatnonzero(place[part.rows] >= 0) for part in parts]
    fewer = [
        replace(part, rows=place[part.rows[rows]], own=part.own[rows], shared=part.shared[rows])
        for part, rows in zip(parts, kept, strict=True)
    ]
    known = {name: place[rows[place[rows] >= 0]] for name, rows in decided.items()}
    some = [part for part in fewer if len(part.rows)]
    found = np.zeros(len(place), dtype=np.intp)
    found[taken] = _grouped(some, len(taken), groups, known, seed)
    for part, rows in zip(parts, kept, strict=True):
        rest = np.flatnonzero(place[part.rows] < 0)
        if len(rest) and len(rows):
            groups_there = found[part.rows[rows]]
            found[part.rows[rest]] = joined(part.own[rest], part.own[rows], groups_there)
    for rows in decided.values():
        found[rows] = found[rows[0]]
    return found


def _leading(vectors: Vectors, number: int) -> Vectors:
    return unit(vectors[:, :number])


def _decided_already(natural: Rows, together: Sequence[Rows]) -> int:
    """Return how many groups a confirmed intent has a good part of its messages in."""
    shares = [np.bincount(natural[rows]) / len(rows) for rows in together]
    return len({group for share in shares for group in np.flatnonzero(share >= _GOOD_PART)})


def _sorted_by_size(groups: Rows, decided: Mapping[str, Rows]) -> Discovered:
    sizes = np.bincount(groups)
    place = np.empty(len(sizes), dtype=np.intp)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    found = place[groups]
    return Discovered(
        groups=found, names={int(found[rows[0]]): name for name, rows in decided.items()}
    )
