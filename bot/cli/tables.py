"""Tables in the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows with the same keys; shares as percent."""
    table = Table()
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=150).print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value > 1 else f"{value:.1%}"
    return "–" if value is None else str(value)
