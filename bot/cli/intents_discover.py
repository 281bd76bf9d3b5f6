"""`frontdesk intents discover`: messages grouped by what they want, without labels."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from bot.cli.tables import print_table
from bot.console import Console
from bot.errors import IntentsError
from bot.intents.agreement import Agreement, agreement
from bot.intents.discovery import MOST_GROUPS, discover
from bot.intents.encodings import Encodings
from bot.intents.naming import Described, describe
from bot.intents.neighbours import Part, Rows
from bot.intents.parts import parts_of
from bot.intents.rows import Row, read_rows
from bot.knowledge.encoder import Vectors


@click.command("discover")
@click.option(
    "--texts",
    "source",
    type=click.Path(path_type=Path),
    required=True,
    help='JSON lines {"text"}; where they have an "intent", the groups are compared with it.',
)
@click.option("--clusters", type=click.IntRange(1, MOST_GROUPS), help="Number of groups.")
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print groups and texts as JSON.")
@click.pass_obj
def discover_intents(
    console: Console, source: Path, clusters: int | None, seed: int, as_json: bool
) -> None:
    """Group messages by what they want, in any language, and name each group.

    Without --clusters the number of groups is found. Every text gets a group. Where rows have an
    intent, ACC, NMI and ARI tell how far the groups agree with it.
    """
    rows = read_rows(source)
    started = time.monotonic()
    texts = list(dict.fromkeys(row.text for row in rows))
    if clusters and clusters > len(texts):
        raise IntentsError(
            f"{source} has {len(texts)} different texts, which can't be {clusters} groups."
        )
    parts = parts_of(texts, Encodings(console.learning))
    found = discover(parts, clusters, seed=seed)
    place = {text: number for number, text in enumerate(texts)}
    groups = found.groups[[place[row.text] for row in rows]]
    seconds = round(time.monotonic() - started, 1)
    described = describe(texts, found.groups, _shared(parts, len(texts)))
    figures = {
        "rows": len(rows),
        "groups": found.number,
        "seconds": seconds,
        **(asdict(agreed) if (agreed := _agreement(rows, groups)) else {}),
    }
    if as_json:
        _print_json(figures, rows, groups, described, texts)
    else:
        _print_groups(figures, groups, described, texts)


def _shared(parts: Sequence[Part], size: int) -> Vectors:
    vectors = np.empty((size, parts[0].shared.shape[1]), dtype=np.float32)
    for part in parts:
        vectors[part.rows] = part.shared
    return vectors


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
