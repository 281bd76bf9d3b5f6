"""Tables in the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows with the same keys; shares as percent. Many keys stand below each other."""
    names = [name.replace("_", " ") for name in rows[0]]
    lines = [names, *([_cell(value) for value in row.values()] for row in rows)]
    if len(names) > len(rows):
        lines = [list(line) for line in zip(*lines, strict=True)]
    table = Table()
    for name in lines[0]:
        table.add_column(name, justify="right")
    for line in lines[1:]:
        table.add_row(*line)
    Console(width=150).print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value > 1 else f"{value:.1%}"
    return "–" if value is None else str(value)
