"""The outcome of proofs, as a table on the screen and in docs/delivery.md."""

from collections.abc import Sequence
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


def as_markdown(outcome: Outcome) -> str:
    """Return the table for the documents."""
    lines = [" | ".join(HEAD), "|".join(["---"] * len(HEAD))]
    lines += [" | ".join(map(_cell, cells(row, outcome.seed))) for row in outcome.rows]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)


def written_into(text: str, outcome: Outcome) -> str:
    """Return a document with the table between its marks. Raises ValueError where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"There is no place for the table: {BEGIN} … {END}.")
    form = f"The {outcome.scale} forms:"
    return f"{before}{BEGIN}\n{form}\n\n{as_markdown(outcome)}\n{END}{after}"


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= LONGEST_CELL else f"{line[:LONGEST_CELL]} …"
