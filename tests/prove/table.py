"""The outcome of proofs, as a table on the screen and in docs/delivery.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table

from tests.prove.proof import Row, Scale

BEGIN = "<!-- proofs: written by `make prove` -->"
END = "<!-- end of proofs -->"
HEAD = ("number", "what", "aim", "reached", "holds", "seed", "seconds")
LONGEST_CELL = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was run with which seed, and what came of it."""

    scale: Scale
    seed: int
    rows: Sequence[Row]

    @property
    def holds(self) -> bool:
        """Whether every row holds; nothing at all proves nothing."""
        return bool(self.rows) and all(row.holds for row in self.rows)


def cells(row: Row, seed: int) -> list[str]:
    """Return a row in the order of the head."""
    holds = "yes" if row.holds else "NO"
    return [row.proof, row.what, row.aim, row.reached, holds, str(seed), f"{row.seconds:.0f}"]


def on_screen(outcome: Outcome) -> Table:
    """Return the table for the terminal."""
    table = Table(*HEAD)
    for row in outcome.rows:
        table.add_row(*cells(row, outcome.seed), style=None if row.holds else "red")
    return table


def lines_of(outcome: Outcome) -> list[str]:
    """Return the rows as lines of a table in Markdown."""
    return [_line(map(_cell, cells(row, outcome.seed))) for row in outcome.rows]


def written_into(text: str, outcome: Outcome, order: Sequence[str]) -> str:
    """Return a document with the rows between its marks, in the place of the same proofs' old ones.

    `order` are the numbers of all proofs. Raises ValueError for a document without marks.
    """
    before, begin, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"There is no place for the table: {BEGIN} … {END}.")
    anew = {row.proof for row in outcome.rows}
    kept = [line for line in old.splitlines() if _number(line) in {*order} - anew]
    rows = sorted([*kept, *lines_of(outcome)], key=lambda line: order.index(_number(line)))
    head = [_line(HEAD), f"|{'---|' * len(HEAD)}"]
    return f"{before}{BEGIN}\n\n" + "\n".join([*head, *rows]) + f"\n\n{END}{after}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(line: str) -> str:
    return line.removeprefix("|").partition("|")[0].strip()


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= LONGEST_CELL else f"{line[:LONGEST_CELL]} …"
