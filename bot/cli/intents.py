"""`frontdesk intents`: a classifier trained, measured and used."""

import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bot.cli.intents_discover import discover_intents
from bot.cli.intents_report import report_intents
from bot.cli.tables import print_table
from bot.console import Console
from bot.errors import IntentsError
from bot.intents import model_file
from bot.intents.benchmark import measure, with_shots
from bot.intents.card import model_card
from bot.intents.classifier import Prediction
from bot.intents.encodings import Encodings
from bot.intents.method_names import METHODS
from bot.intents.rows import Row, read_rows
from bot.intents.training import Trained, check_torch, train
from bot.log.intents import taught, untaught
from bot.log.store import open_read_only
from bot.settings import load_settings

_AT_ONCE = 64

methods_option = click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(METHODS),
    help="Try this method; may stand several times. Default: all, as the time allows.",
)
seconds_option = click.option(
    "--seconds",
    type=click.FloatRange(1),
    help="Time for choosing and learning; default: 240, from 3,000 labelled rows on 480.",
)


@click.group()
def intents() -> None:
    """Tell what customers want: train a classifier, measure it, use it."""


intents.add_command(discover_intents)
intents.add_command(report_intents)


@intents.command("train")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help='JSON lines {"text", "intent"}; rows without an intent help too.',
)
@click.option(
    "--unlabelled",
    type=click.IntRange(0),
    default=3000,
    show_default=True,
    help="So many of the log's newest messages that nobody labelled are learned from, too.",
)
@methods_option
@seconds_option
@click.option("--seed", default=0, show_default=True)
@click.pass_obj
def train_classifier(
    console: Console,
    labels: Path | None,
    unlabelled: int,
    methods: Sequence[str],
    seconds: float | None,
    seed: int,
) -> None:
    """Train a classifier from labelled messages, and write its model card.

    They are those of a file and those that people labelled in the log, also as confirmed groups.
    The model goes into force whole or not at all, also while `frontdesk run` runs.
    """
    settings = load_settings()
    told, untold = _rows_of_log(settings.database, unlabelled, console)
    if labels is None and not told:
        raise IntentsError(
            "Nobody labelled a message of the log yet: give labelled ones with --labels FILE."
        )
    rows = [*(read_rows(labels) if labels else ()), *told, *untold]
    trained = _trained(rows, console, methods, seconds, seed)
    about = {"trained_at": datetime.now(UTC).isoformat(), "method": trained.method}
    card = model_card(trained, datetime.now(UTC))
    made = model_file.save(settings.intents, trained.classifier, about, card)
    console.say(f"Trained in {trained.seconds:.0f} s: {made}, {trained.method}.")
    console.say(f"Model card: {made.parent / model_file.CARD}.")


@intents.command("benchmark")
@click.option("--train", "training", type=click.Path(path_type=Path), required=True)
@click.option("--test", "testing", type=click.Path(path_type=Path), required=True)
@click.option("--shots", type=click.IntRange(1), help="Labels kept for each intent.")
@methods_option
@seconds_option
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_obj
def benchmark(
    console: Console,
    training: Path,
    testing: Path,
    shots: int | None,
    methods: Sequence[str],
    seconds: float | None,
    seed: int,
    as_json: bool,
) -> None:
    """Train on one file and measure on another, with nothing stored.

    With --shots, the labels of all other rows are hidden: they are then unlabelled messages.
    """
    rows, tests = read_rows(training), read_rows(testing)
    if shots:
        rows = with_shots(rows, shots, seed)
    trained = _trained(rows, console, methods, seconds, seed)
    started = time.monotonic()
    measured = measure(trained.classifier, tests, console.learning)
    took = time.monotonic() - started
    figures = {
        **asdict(measured),
        "method": trained.method,
        "seconds": round(trained.seconds, 1),
        "messages_per_second": round((measured.rows + measured.out_of_scope_rows) / took, 1),
    }
    if as_json:
        tried = [
            {**asdict(each), "language": report.language}
            for report in trained.reports
            for each in report.tried
        ]
        click.echo(json.dumps({**figures, "tried": tried}, ensure_ascii=False, indent=1))
    else:
        print_table([figures])


@intents.command("classify")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write there; where it has lines already, go on after them.",
)
@click.pass_obj
def classify(console: Console, source: Path, output: Path | None) -> None:
    """Tell the intents of the messages in FILE (JSON lines with text; - is standard input).

    Each line out has the text, its intents with probabilities, and whether it is out of scope.
    """
    settings = load_settings()
    stored = model_file.load(settings.intents)
    rows = read_rows(source)
    done = _lines_in(output) if output else 0
    if done > len(rows):
        raise IntentsError(f"{output} has {done} lines, {source} {len(rows)} rows: not of one run.")
    for start in range(done, len(rows), _AT_ONCE):
        batch = rows[start : start + _AT_ONCE]
        found = stored.classifier.classify([row.text for row in batch])
        _write(output, [_line(row, each) for row, each in zip(batch, found, strict=True)])
        console.learning("classified", start + len(batch), len(rows))


@intents.command("suggest")
@click.option("--labels", type=click.Path(path_type=Path), required=True)
@click.option("--number", type=click.IntRange(1), default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print both lists as JSON.")
@click.pass_obj
def suggest(console: Console, labels: Path, number: int, seed: int, as_json: bool) -> None:
    """List the unlabelled messages whose label would teach most, and labels that may be wrong."""
    check_torch()
    from bot.intents.suggesting import suggestions

    found = suggestions(read_rows(labels), number, seed, console.learning)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=1))
        return
    for each in found.to_label:
        click.echo(f"label   {each.intents[0] if each.intents else '?'}?  {each.text}")
    for doubt in found.doubts:
        click.echo(f"doubt   {doubt.row.intents[0]} -> {doubt.likelier}?  {doubt.row.text}")


def _trained(
    rows: Sequence[Row],
    console: Console,
    methods: Sequence[str],
    seconds: float | None,
    seed: int,
) -> Trained:
    return train(
        rows,
        seed=seed,
        clock=time.monotonic,
        seconds=seconds,
        methods=methods or None,
        encodings=Encodings(console.learning),
        say=console.say,
    )


def _rows_of_log(database: Path, unlabelled: int, console: Console) -> tuple[list[Row], list[Row]]:
    """Return the messages that people labelled, and the newest others, if there is a log."""
    if not database.is_file():
        return [], []
    with closing(open_read_only(database)) as db:
        told, untold = taught(db), untaught(db, unlabelled)
    if told:
        console.say(f"Messages that people labelled in the log: {len(told)}.")
    if untold:
        console.say(f"Unlabelled messages of the log, the newest: {len(untold)}.")
    return told, untold


def _line(row: Row, found: Prediction) -> dict[str, Any]:
    return {
        "text": row.text,
        "intents": [asdict(each) for each in found.intents],
        "is_out_of_scope": found.is_out_of_scope,
        "likest": asdict(found.likest[0]),
    }


def _write(output: Path | None, lines: Sequence[dict[str, Any]]) -> None:
    """Append whole lines."""
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as err:
        raise IntentsError(f"{output} can't be written ({err.strerror}).") from err


def _lines_in(output: Path) -> int:
    """Return how many whole lines a file has; a last one that was broken off is cut away."""
    try:
        raw = output.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if whole != raw:
            output.write_bytes(whole)
    except FileNotFoundError:
        return 0
    except OSError as err:
        raise IntentsError(f"{output} can't be read ({err.strerror}).") from err
    return whole.count(b"\n")
