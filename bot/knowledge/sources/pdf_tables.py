"""Tables in a PDF, which knows none: lines of equally many short cells with gaps between them."""

import re
from collections.abc import Iterator, Sequence

from bot.knowledge.words import HAN

FEWEST_ROWS = 3
LARGEST_CELL = 40  # Latin letters
# Some column beside the first is narrower than this: columns of prose are not.
NARROW = 20
_GAP = re.compile(r" {2,}")

Row = tuple[str, ...]


def table_rows(layout: str) -> dict[str, str]:
    """Return the rows of tables as Markdown, by their text without spaces.

    `layout` is a page's text with its columns kept apart by spaces.
    """
    found: dict[str, str] = {}
    for table in _tables(layout.split("\n")):
        rows = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in table]
        rows[0] = f"\n{rows[0]}\n|{' --- |' * len(table[0])}"
        rows[-1] += "\n"
        found |= {squeezed("".join(row)): text for row, text in zip(table, rows, strict=True)}
    return found


def squeezed(text: str) -> str:
    """Return a text without its spaces."""
    return "".join(text.split())


def _tables(lines: Sequence[str]) -> Iterator[Sequence[Row]]:
    """Yield runs of lines that have equally many cells, two or more, and look like a table's."""
    run: list[Row] = []
    for line in (*lines, ""):
        cells = tuple(_GAP.split(line.strip()))
        if run and len(cells) != len(run[0]):
            if _is_table(run):
                yield run
            run = []
        if len(cells) > 1:
            run.append(cells)


def _is_table(rows: Sequence[Row]) -> bool:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return len(rows) >= FEWEST_ROWS and max(widths) <= LARGEST_CELL and min(widths[1:]) < NARROW


def _width(text: str) -> int:
    return len(text) + len(HAN.findall(text))
