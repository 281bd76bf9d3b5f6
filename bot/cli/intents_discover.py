"""`frontdesk intents discover`: messages grouped by what they want, without labels."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from sqlite_utils import Database

from bot import grouped_log
from bot.cli.tables import print_table
from bot.console import Console
from bot.errors import IntentsError, LogInUse
from bot.grouped_log import Named, ToGroup
from bot.intents import grouping, model_file
from bot.intents.agreement import Agreement, agreement
from bot.intents.discovery import MOST_GROUPS
from bot.intents.encodings import Encodings
from bot.intents.grouping import Task
from bot.intents.naming import Described
from bot.intents.neighbours import Rows
from bot.intents.rows import Row, read_rows
from bot.log import group_runs
from bot.log.accounts import utc_now
from bot.log.groups import outcomes
from bot.log.store import Store, open_read_only
from bot.settings import Settings, load_settings

T = TypeVar("T")


@click.command("discover")
@click.option(
    "--texts",
    "source",
    type=click.Path(path_type=Path),
    help='JSON lines {"text"}; where they have an "intent", the groups are compared with it.',
)
@click.option(
    "--log", "of_log", is_flag=True, help="Group the log's messages that no intent fits; keep it."
)
@click.option("--clusters", type=click.IntRange(1, MOST_GROUPS), help="Number of groups.")
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print groups and texts as JSON.")
@click.pass_obj
def discover_intents(
    console: Console,
    source: Path | None,
    of_log: bool,
    clusters: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Group messages by what they want, in any language, and name each group.

    They are those of a file, or of the log. Without --clusters the number of groups is found. Every
    text gets a group. Where rows of a file have an intent, ACC, NMI and ARI tell how far the groups
    agree with it. What an admin decided about groups of the log stands.
    """
    if (source is None) is not of_log:
        raise IntentsError("Say what to group: --texts FILE or --log.")
    if source is None:
        _discover_log(console, load_settings(), clusters, seed, as_json=as_json)
    else:
        _discover_file(console, source, clusters, seed, as_json=as_json)


def _discover_file(
    console: Console, source: Path, clusters: int | None, seed: int, *, as_json: bool
) -> None:
    rows = read_rows(source)
    started = time.monotonic()
    texts = list(dict.fromkeys(row.text for row in rows))
    _check_number(clusters, len(texts), str(source))
    found = grouping.group(
        Task(texts=texts, number=clusters, seed=seed), Encodings(console.learning)
    )
    place = {text: number for number, text in enumerate(texts)}
    groups = np.array(found.groups, dtype=np.intp)[[place[row.text] for row in rows]]
    figures = {
        "rows": len(rows),
        "groups": len(found.described),
        "seconds": round(time.monotonic() - started, 1),
        **(asdict(agreed) if (agreed := _agreement(rows, groups)) else {}),
    }
    if as_json:
        _print_json(figures, rows, groups, found.described, texts)
    else:
        _print_groups(figures, groups, found.described, texts)


def _discover_log(
    console: Console, settings: Settings, clusters: int | None, seed: int, *, as_json: bool
) -> None:
    if not settings.database.is_file():
        raise IntentsError(f"There is no log at {settings.database}.")
    asyncio.run(_write(settings.database, lambda _: None))  # brings an older log up to date
    began, started = utc_now(), time.monotonic()
    is_trained = (settings.intents / model_file.NAME).is_file()
    given = grouped_log.to_group(
        _read(settings.database, lambda db: group_runs.known(db, began, is_trained=is_trained))
    )
    task = given.task(clusters, seed)
    found: list[Named] = []
    if task:
        _check_number(clusters, len(task.texts), "The log")
        grouped = grouping.group(task, Encodings(console.learning))
        found = grouped_log.found_groups(given, grouped)
    figures = {
        "messages": len(given.known.messages),
        "groups": len(found),
        "seconds": round(time.monotonic() - started, 1),
    }
    figures["stored"] = asyncio.run(
        _write(settings.database, lambda db: grouped_log.keep(db, given, found, began, utc_now()))
    )
    if not figures["stored"]:
        console.warn(
            "Frontdesk is running, so these groups are not stored; there, press "
            '"Look for groups now" on /admin/intents/groups.'
        )
    _print_log(figures, given, found, settings.database, as_json=as_json)


def _read(database: Path, work: Callable[[Database], T]) -> T:
    with closing(open_read_only(database)) as db:
        if "intent_groups" not in db.table_names():
            raise IntentsError(
                f"The log {database} is older than groups: start `frontdesk run` once."
            )
        return work(db)


async def _write(database: Path, work: Callable[[Database], None]) -> bool:
    """Do something in the log; return False where another Frontdesk has it."""
    try:
        with Store(database) as store:
            await store.write(work)
    except LogInUse:
        return False
    return True


def _check_number(clusters: int | None, different: int, source: str) -> None:
    if clusters and clusters > different:
        raise IntentsError(
            f"{source} has {different} different texts, which can't be {clusters} groups."
        )


def _print_log(
    figures: dict[str, Any],
    given: ToGroup,
    found: Sequence[Named],
    database: Path,
    *,
    as_json: bool,
) -> None:
    """Print the groups of the log, with the share of each that the articles answer."""
    turns = [turn for each in found for turn in each.group.turns]
    came = _read(database, lambda db: outcomes(db, turns))
    text = {turn: text for text, turns in given.turns.items() for turn in turns}
    lines: list[dict[str, Any]] = []
    for each in found:
        counted = Counter(came.get(turn, "") for turn in each.group.turns)
        known = counted["answered"] + counted["unanswered"]
        lines.append(
            {
                "name": each.group.name or each.described.name,
                "size": len(each.group.turns),
                "share_answered": round(counted["answered"] / known, 3) if known else None,
                "is_new": each.group.id is None,
                "terms": each.described.terms,
                "examples": [text[turn] for turn in each.group.examples],
                "turns": each.group.turns,
            }
        )
    if as_json:
        click.echo(json.dumps({**figures, "found": lines}, ensure_ascii=False, indent=1))
        return
    for line in lines:
        share = line["share_answered"]
        answered = "" if share is None else f"  ({share:.0%} answered)"
        click.echo(f"{line['size']:5}x  {line['name']}{answered}")
        for example in line["examples"]:
            click.echo(f"        {' '.join(example.split())[:120]}")
    print_table([figures])


def _agreement(rows: Sequence[Row], groups: Rows) -> Agreement | None:
    """Compare where rows have an intent; several intents of a row count as one of their own."""
    labelled = [number for number, row in enumerate(rows) if row.intents]
    if not labelled:
        return None
    intents = ["\n".join(rows[number].intents) for number in labelled]
    return agreement(groups[labelled].tolist(), intents)


def _print_json(
    figures: dict[str, Any],
    rows: Sequence[Row],
    groups: Rows,
    described: Sequence[Described],
    texts: Sequence[str],
) -> None:
    sizes = np.bincount(groups, minlength=len(described))
    found = {
        **figures,
        "found": [
            {
                "group": number,
                "name": each.name,
                "size": int(sizes[number]),
                "terms": each.terms,
                "examples": [texts[row] for row in each.examples],
            }
            for number, each in enumerate(described)
        ],
        "assignments": groups.tolist(),
        "texts": [
            {"text": row.text, "group": int(group), "name": described[group].name}
            for row, group in zip(rows, groups, strict=True)
        ],
    }
    click.echo(json.dumps(found, ensure_ascii=False, indent=1))


def _print_groups(
    figures: dict[str, Any], groups: Rows, described: Sequence[Described], texts: Sequence[str]
) -> None:
    sizes = np.bincount(groups, minlength=len(described))
    for number, each in enumerate(described):
        click.echo(f"{number:3}. {sizes[number]:5}x  {each.name}")
        for row in each.examples:
            click.echo(f"              {' '.join(texts[row].split())[:120]}")
    print_table([figures])
