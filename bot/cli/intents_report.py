"""`frontdesk intents report`: what customers wanted, how it went, and what rose."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Table

from bot.console import Console
from bot.errors import IntentsError
from bot.intents.report import DIMENSIONS, Line, Report, report
from bot.intents.report_page import as_csv, as_html, told
from bot.log.analysis import Message, labelled_intents, messages, outdated
from bot.log.store import open_read_only
from bot.settings import load_settings

_MOST_LINES = 30


@click.command("report")
@click.option("--days", type=click.IntRange(1, 3660), default=28, show_default=True)
@click.option(
    "--intents",
    "labels",
    type=click.Path(path_type=Path),
    help='JSON lines {"turn", "intent"}; else the intents that the log holds.',
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write a table there.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write a page with plots.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def report_intents(
    console: Console,
    days: int,
    labels: Path | None,
    csv_file: Path | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Sum up the last days of the log by intent, language and channel.

    Volume, trend, share solved without a person, thumbs, hand-offs, times, annoyance and
    complaints; what rose in the last seven days more than chance explains; who came back. Reads
    the log only, so it also runs beside `frontdesk run`.
    """
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    found = _messages(since, until, labels)
    if not found:
        raise IntentsError(f"The log has no message of a customer in the last {days} days.")
    made = report(found, since, until)
    for path, text in ((csv_file, as_csv), (page, as_html)):
        if path:
            _write(path, text(made))
            console.say(f"Written: {path}.")
    if as_json:
        click.echo(json.dumps(asdict(made), ensure_ascii=False, indent=1, default=str))
    else:
        _print(made)


def _messages(since: datetime, until: datetime, labels: Path | None) -> Sequence[Message]:
    given = _read_labels(labels) if labels else None
    db = open_read_only(load_settings().database)
    try:
        if given is not None:
            return messages(db, since, until, given)
        return messages(db, since, until, labelled_intents(db, since), outdated(db, since))
    finally:
        db.close()


def _read_labels(path: Path) -> dict[str, str]:
    """Read intents by turn; raises IntentsError naming the line that can't be used."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as err:
        raise IntentsError(f"{path} is not UTF-8; save the file as UTF-8.") from err
    except OSError as err:
        raise IntentsError(f"{path} can't be read ({err.strerror}).") from err
    found = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            found[str(row["turn"])] = str(row["intent"])
        except (ValueError, KeyError, TypeError) as err:
            raise IntentsError(
                f'Line {number} of {path} must be an object {{"turn": "…", "intent": "…"}}.'
            ) from err
    return found


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8-sig" if path.suffix == ".csv" else "utf-8")
    except OSError as err:
        raise IntentsError(f"The file {path} can't be written ({err.strerror}).") from err


def _print(made: Report) -> None:
    terminal = Terminal(width=150)
    for name in DIMENSIONS:
        table = Table()
        for place, column in enumerate(_cells(made.whole)):
            table.add_column(name if not place else column, justify="right" if place else "left")
        for line in made.lines[name][:_MOST_LINES]:
            table.add_row(*_cells(line).values())
        table.add_section()
        table.add_row(*_cells(made.whole).values())
        terminal.print(table)
    for rise in made.rises:
        terminal.print(
            escape(
                f"Rose: {told(rise.of, rise.intent)}, {rise.number} in the last seven days, "
                f"expected {rise.expected:.1f} (p = {rise.p_value:.2g})."
            )
        )
    terminal.print(
        f"{made.returning:.0%} of {made.whole.customers} customers wrote on several days."
    )


def _cells(line: Line) -> dict[str, Any]:
    return {
        "name": escape(line.name),
        "messages": str(line.messages),
        "share": f"{line.share:.0%}",
        "solved": f"{line.solved:.0%}",
        "up/down": f"{line.thumbs_up}/{line.thumbs_down}",
        "handed on": f"{line.handed_on:.0%}",
        "most for": line.top_reason,
        "reply s": "–" if line.reply_ms is None else f"{line.reply_ms / 1000:.1f}",
        "person min": "–" if line.wait_minutes is None else f"{line.wait_minutes:.0f}",
        "annoyed": f"{line.annoyed:.0%}",
        "complaints": str(line.complaints),
        "weeks": " ".join(map(str, line.weeks)),
    }
