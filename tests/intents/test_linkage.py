"""Average linkage, with what must be together."""

import numpy as np
import pytest

from bot.intents import linkage
from bot.intents.linkage import linked, small_groups
from bot.knowledge.gaps import clusters
from tests.intents.test_neighbours import blobs


def same(first: np.ndarray, second: np.ndarray) -> bool:
    return len(set(zip(first, second, strict=True))) == len(set(first)) == len(set(second))


def test_that_groups_come_out_as_they_were_made() -> None:
    assert same(linked(blobs(6, 15), 6), np.repeat(np.arange(6), 15))


def test_that_it_is_what_plain_average_linkage_gives() -> None:
    vectors = blobs(5, 12, width=4, seed=3)
    plain = clusters(vectors, 0.5)
    groups = np.empty(len(vectors), dtype=int)
    for number, rows in enumerate(plain):
        groups[rows] = number

    assert same(linked(vectors, len(plain)), groups)


def test_that_many_points_begin_in_small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkage, "_MOST", 40)

    assert same(linked(blobs(6, 50), 6), np.repeat(np.arange(6), 50))


def test_that_what_belongs_together_is_never_parted_nor_mixed() -> None:
    vectors = blobs(3, 20)
    one, other = np.array([0, 1, 25]), np.array([2, 3, 45])

    found = linked(vectors, 3, [one, other])

    assert len(set(found[one])) == len(set(found[other])) == 1
    assert found[0] != found[2]
    assert len(set(found)) == 3


def test_that_there_are_at_least_as_many_groups_as_were_decided() -> None:
    found = linked(blobs(1, 9), 1, [np.array([row]) for row in range(4)])

    assert len(set(found)) == 4
    assert len(set(found[:4])) == 4


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_that_as_many_groups_come_out_as_are_asked_for(groups: int) -> None:
    assert set(linked(blobs(2, 4), groups)) == set(range(groups))


def test_that_small_groups_stay_within_a_blob() -> None:
    found = small_groups(blobs(4, 50), 30)

    assert len(set(found)) > 4
    assert all(len({row // 50 for row in np.flatnonzero(found == g)}) == 1 for g in set(found))
