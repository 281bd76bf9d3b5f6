"""How groups and intents agree, against figures worked out by hand."""

import itertools
import math

import numpy as np
import pytest

from bot.intents.agreement import agreement, assignment


def test_that_the_same_groups_under_other_names_agree_wholly() -> None:
    found = agreement([2, 2, 0, 0, 1], ["a", "a", "b", "b", "c"])

    assert (found.acc, found.nmi, found.ari) == pytest.approx((1, 1, 1))


def test_that_a_worked_example_comes_out() -> None:
    found = agreement([0, 0, 0, 1, 1, 1], ["a", "a", "b", "b", "b", "b"])

    entropies = math.log(2) + (math.log(3) / 3 + 2 / 3 * math.log(3 / 2))
    joint = math.log(3) / 3 + math.log(6) / 6 + math.log(2) / 2
    assert found.acc == pytest.approx(5 / 6)
    assert found.nmi == pytest.approx(2 * (entropies - joint) / entropies)
    assert found.ari == pytest.approx((4 - 6 * 7 / 15) / ((6 + 7) / 2 - 6 * 7 / 15))


def test_that_more_groups_than_intents_count_only_once_each() -> None:
    assert agreement([0, 1, 2, 3], ["a", "a", "b", "b"]).acc == 0.5
    assert agreement([0, 0, 0, 0], ["a", "a", "b", "c"]).acc == 0.5


@pytest.mark.parametrize(
    ("groups", "intents", "expected"),
    [
        pytest.param([0, 0], ["a", "a"], (1, 1, 1), id="one-of-each"),
        pytest.param([0], ["a"], (1, 1, 1), id="one-message"),
        pytest.param([0, 0, 0, 0], ["a", "a", "b", "b"], (0.5, 0, 0), id="all-together"),
    ],
)
def test_that_degenerate_groups_have_figures(
    groups: list[int], intents: list[str], expected: tuple[float, ...]
) -> None:
    found = agreement(groups, intents)

    assert (found.acc, found.nmi, found.ari) == pytest.approx(expected, abs=1e-9)


def test_that_no_messages_are_refused() -> None:
    with pytest.raises(ValueError, match="no messages"):
        agreement([], [])


def test_that_the_assignment_is_the_cheapest_of_all() -> None:
    rng = np.random.default_rng(4)
    for rows, columns in [(1, 1), (2, 5), (4, 4), (5, 6)]:
        costs = rng.normal(size=(rows, columns))
        chosen = assignment(costs)
        least = min(
            sum(costs[row, column] for row, column in enumerate(columns_of))
            for columns_of in itertools.permutations(range(columns), rows)
        )

        assert len(set(chosen.tolist())) == rows
        assert costs[np.arange(rows), chosen].sum() == pytest.approx(least)
