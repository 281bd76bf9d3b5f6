"""Groups found, their number, and what an admin decided about them."""

import numpy as np
import pytest

from bot.intents import discovery
from bot.intents.agreement import agreement
from bot.intents.discovery import carried_over, discover, joined, likely_number
from tests.intents.test_neighbours import blobs, part


@pytest.mark.parametrize("groups", [3, 8, 20])
def test_that_the_groups_and_their_number_are_found(groups: int) -> None:
    found = discover([part(blobs(groups, 25))])
    right = [str(row // 25) for row in range(groups * 25)]

    assert found.number == pytest.approx(groups, rel=0.2)
    assert agreement(found.groups.tolist(), right).nmi > 0.95


def test_that_the_number_can_be_given_and_the_largest_group_is_first() -> None:
    found = discover([part(blobs(4, 25)[:70])], 3)

    sizes = np.bincount(found.groups)
    assert len(sizes) == 3
    assert sizes.tolist() == sorted(sizes, reverse=True)


def test_that_both_languages_of_an_intent_are_one_group() -> None:
    meaning = blobs(5, 20)

    found = discover([part(meaning), part(meaning, 100)], 5)

    assert (found.groups[:100] == found.groups[100:]).all()


def test_that_it_gives_the_same_each_time() -> None:
    parts = [part(blobs(4, 25))]

    assert (discover(parts).groups == discover(parts).groups).all()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_that_a_handful_of_messages_is_grouped(size: int) -> None:
    found = discover([part(blobs(1, size))])

    assert len(found.groups) == size
    assert 1 <= found.number <= size


def test_that_no_messages_are_refused() -> None:
    with pytest.raises(ValueError, match="no messages"):
        discover([])


class TestDecisions:
    def test_that_a_split_and_a_merge_stand_when_more_messages_come(self) -> None:
        vectors = blobs(4, 40)
        confirmed = {
            "first half": range(10),
            "second half": range(20, 30),
            "both": [*range(40, 55), *range(80, 95)],
        }

        found = discover([part(vectors)], None, confirmed)

        groups = {name: group for group, name in found.names.items()}
        assert set(groups) == set(confirmed)
        assert len(set(groups.values())) == 3
        for name, rows in confirmed.items():
            assert set(found.groups[list(rows)]) == {groups[name]}
        assert set(found.groups[40:80]) == set(found.groups[80:120]) == {groups["both"]}
        assert not set(found.groups[120:]) & set(groups.values())

    def test_that_new_messages_join_a_renamed_intent(self) -> None:
        found = discover([part(blobs(3, 30))], 3, {"parcels": range(5)})

        assert {found.names.get(group) for group in found.groups[:30]} == {"parcels"}

    def test_that_nothing_decided_changes_nothing(self) -> None:
        parts = [part(blobs(3, 30))]

        assert (discover(parts, None, {"empty": []}).groups == discover(parts).groups).all()


class TestManyMessages:
    @pytest.fixture(autouse=True)
    def fewer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(discovery, "MOST_AT_ONCE", 60)

    def test_that_the_rest_joins_its_like(self) -> None:
        found = discover([part(blobs(3, 60))], 3)

        right = [str(row // 60) for row in range(180)]
        assert agreement(found.groups.tolist(), right).acc == 1

    def test_that_decisions_stand(self) -> None:
        found = discover([part(blobs(3, 60))], 3, {"a": range(0, 60, 2), "b": [61, 121]})

        groups = {name: group for group, name in found.names.items()}
        assert set(found.groups[:60]) == {groups["a"]}
        assert found.groups[61] == found.groups[121] == groups["b"]


def test_that_the_number_is_read_off_the_eigenvalues() -> None:
    assert likely_number(np.array([1, 0.99, 0.98, 0.3, 0.2, 0.1])) == 3
    assert likely_number(np.array([1.0])) == 1


def test_that_a_message_joins_what_most_of_its_neighbours_are_in() -> None:
    known = np.array([[1, 0], [0.9, 0.1], [0, 1]], dtype=np.float32)

    assert joined(np.array([[0.8, 0.2]], dtype=np.float32), known, np.array([0, 0, 1])) == [0]


def test_that_a_group_is_known_again_by_its_messages() -> None:
    before = {"m1": 0, "m2": 0, "m3": 1, "m4": 1}
    now = {"m1": 5, "m2": 5, "m3": 2, "m4": 5, "new": 7}

    assert carried_over(before, now) == {5: 0, 2: 1}
    assert carried_over({}, now) == {}


@pytest.mark.parametrize("groups", [1, 2, 29, 30])
def test_that_any_number_up_to_that_of_the_messages_can_be_given(groups: int) -> None:
    assert discover([part(blobs(3, 10))], groups).number == groups
