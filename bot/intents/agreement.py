"""How far groups found without labels agree with the intents that people gave.

ACC is the share in the right group once each group stands for one intent, the best that can be
chosen (Kuhn 1955, "The Hungarian method"; here by shortest augmenting paths after Jonker and
Volgenant 1987). NMI is the mutual information over the mean of both entropies; ARI the share of
pairs that agree, less what chance would bring (Hubert and Arabie 1985).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.intents.neighbours import Floats, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Accuracy and normalised mutual information from 0 to 1, adjusted Rand index at most 1."""

    acc: float
    nmi: float
    ari: float


def agreement(groups: Sequence[int], intents: Sequence[str]) -> Agreement:
    """Compare the groups of some messages with their intents; raises ValueError on no messages."""
    if not groups:
        raise ValueError("there are no messages to compare")
    table = _table(groups, intents)
    return Agreement(acc=_accuracy(table), nmi=_information(table), ari=_rand(table))


def assignment(costs: Floats) -> Rows:
    """Return for each row of `costs` a column of its own, at least cost.

    `costs` has the shape (rows, columns), with at least as many columns as rows.
    """
    rows, columns = costs.shape
    row_prices, column_prices = np.zeros(rows), np.zeros(columns + 1)
    owners = np.full(columns + 1, -1, dtype=np.intp)  # the last column is where a path begins
    for row in range(rows):
        owners[columns] = row
        came_from = _shortest_path(costs, row_prices, column_prices, owners)
        column = came_from[0]
        while column != columns:
            before = came_from[1][column]
            owners[column] = owners[before]
            column = before
    chosen = np.empty(rows, dtype=np.intp)
    chosen[owners[:columns][owners[:columns] >= 0]] = np.flatnonzero(owners[:columns] >= 0)
    return chosen


def _shortest_path(
    costs: Floats, row_prices: Floats, column_prices: Floats, owners: Rows
) -> tuple[int, Rows]:
    """Return a free column, and the column before each on the way to it; prices are adapted."""
    columns = costs.shape[1]
    shortest = np.full(columns, np.inf)
    before = np.full(columns, columns, dtype=np.intp)
    is_done = np.zeros(columns + 1, dtype=bool)
    column = columns
    while owners[column] >= 0:
        is_done[column] = True
        row = owners[column]
        through = costs[row] - row_prices[row] - column_prices[:columns]
        shorter = (through < shortest) & ~is_done[:columns]
        shortest[shorter], before[shorter] = through[shorter], column
        open_ones = np.where(is_done[:columns], np.inf, shortest)
        column = int(open_ones.argmin())
        step = open_ones[column]
        row_prices[owners[is_done]] += step
        column_prices[is_done] -= step
        shortest[~is_done[:columns]] -= step
    return column, before


def _table(groups: Sequence[int], intents: Sequence[str]) -> Floats:
    """Return how many messages each group (row) has of each intent (column)."""
    rows = np.unique(np.asarray(groups), return_inverse=True)[1]
    columns = np.unique(np.asarray(intents), return_inverse=True)[1]
    table: Floats = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    return table


def _accuracy(table: Floats) -> float:
    wide = table if table.shape[0] <= table.shape[1] else table.T
    return float(wide[np.arange(len(wide)), assignment(-wide)].sum() / table.sum())


def _information(table: Floats) -> float:
    shares = table / table.sum()
    groups, intents = _entropy(shares.sum(axis=1)), _entropy(shares.sum(axis=0))
    if groups + intents == 0:
        return 1.0  # one group and one intent
    return 2 * (groups + intents - _entropy(shares.ravel())) / (groups + intents)


def _entropy(shares: NDArray[np.float64]) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())


def _rand(table: Floats) -> float:
    both, groups, intents = (
        _pairs(counts) for counts in (table.ravel(), table.sum(axis=1), table.sum(axis=0))
    )
    every = _pairs(np.array([table.sum()]))
    chance = groups * intents / every if every else 0.0
    most = (groups + intents) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def _pairs(counts: NDArray[np.float64]) -> float:
    return float((counts * (counts - 1) / 2).sum())
