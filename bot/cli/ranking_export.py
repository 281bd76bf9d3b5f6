"""`frontdesk ranking export`: what people prefer, as data to tune a model by."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import click

from bot.console import Console
from bot.errors import FrontdeskError, LogError
from bot.log.preferences import pairs
from bot.log.store import open_read_only
from bot.messages import Role, Turn
from bot.ranking.pairs import PAIR_SOURCES, Pair, PairSource
from bot.settings import load_settings

# What a chat template knows: a person of the team spoke for the assistant.
_ROLES: dict[Role, str] = {"customer": "user", "assistant": "assistant", "agent": "assistant"}
_NAMES: dict[PairSource, str] = {
    "choice": "choices",
    "correction": "corrections",
    "feedback": "from customers' feedback",
}


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only what was said since that time, in UTC.",
)
@click.pass_obj
def export(console: Console, file: Path, since: datetime | None) -> None:
    """Write what people prefer to FILE, one pair of replies a line, as TRL's DPOTrainer reads it.

    These are the team's choices and corrections, and replies to the same question of which
    customers liked one and disliked the other. Reads the log only, so it also runs beside
    `frontdesk run`. FILE must be a new one.
    """
    found = _pairs(load_settings().database, since.replace(tzinfo=UTC) if since else None)
    try:
        with file.open("x", encoding="utf-8") as lines:
            lines.writelines(f"{as_line(pair)}\n" for pair in found)
    except FileExistsError as err:
        raise FrontdeskError(f"The file {file} is there already; move it away first.") from err
    except OSError as err:
        raise FrontdeskError(f"The file {file} can't be written ({err.strerror}).") from err
    counts = Counter(pair.source for pair in found)
    kinds = ", ".join(f"{counts[source]} {_NAMES[source]}" for source in PAIR_SOURCES)
    console.say(f"{len(found)} pairs in {file}: {kinds}.")


def as_line(pair: Pair) -> str:
    """Return a pair as a line of JSON, conversational and with an explicit prompt.

    The format is "Preference" in https://huggingface.co/docs/trl/dataset_formats.
    """
    asked = Turn(role="customer", text=pair.question)
    line = {
        "prompt": list(_messages([*pair.history, asked])),
        "chosen": [{"role": "assistant", "content": pair.better.text}],
        "rejected": [{"role": "assistant", "content": pair.worse.text}],
        "source": pair.source,
        "turn": pair.turn,
    }
    return json.dumps(line, ensure_ascii=False)


def _pairs(database: Path, since: datetime | None) -> Sequence[Pair]:
    db = open_read_only(database)
    try:
        return list(pairs(db, since))
    except sqlite3.Error as err:
        raise LogError(
            f"The database {database} can't be read ({err}); if an earlier version made it, start "
            "this one once with `frontdesk run`."
        ) from err
    finally:
        db.close()


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, str]]:
    """Yield messages that begin with the user's and take turns, as chat templates want them."""
    said = groupby(turns, lambda turn: _ROLES[turn.role])
    for place, (role, group) in enumerate(said):
        text = "\n\n".join(turn.text for turn in group)
        if place or role == "user":
            yield {"role": role, "content": text}
