"""What customers' messages want, as the classifier and the team said it.

A turn has a person's label, or those of the newest classifier that read it, never both: a person's
label stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlite_utils import Database

from bot.intents.in_force import says_what_is_wanted
from bot.intents.rows import OUT_OF_SCOPE, Row, shortened
from bot.intents.wanted import Wanted
from bot.log.rows import as_value, insert, select
from bot.log.rows import rows as each_row
from bot.messages import TurnId


@dataclass(frozen=True, slots=True)
class Asked:
    """A customer's turn that may get a label."""

    id: TurnId
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A customer's message with an intent of it, as it may be labelled anew."""

    turn: TurnId
    conversation: str
    text: str
    intent: str
    probability: float


@dataclass(frozen=True, slots=True)
class Decided:
    """What the team decided about an intent; a retired one may go on under another name."""

    name: str
    state: Literal["confirmed", "retired"]
    becomes: str | None


def newest(db: Database) -> str:
    """Return the id of the newest turn, an empty text where there is none."""
    [found] = db.execute("SELECT coalesce(max(id), '') FROM turns").fetchone()
    return str(found)


def unlabelled(db: Database, model: str, after: str, before: str, limit: int) -> list[Asked]:
    """Return customers' turns that neither `model` nor a person labelled, the newest first.

    They have words, still stand, and their ids lie between `after` and `before`.
    """
    rows = select(
        db,
        """
        SELECT id, text FROM turns
        WHERE id > :after AND id < :before AND role = 'customer' AND text <> ''
            AND superseded_by IS NULL AND withdrawn_at IS NULL
            AND NOT EXISTS (
                SELECT 1 FROM intent_labels
                WHERE turn = turns.id AND (source = 'person' OR model = :model))
        ORDER BY id DESC LIMIT :limit
        """,
        {"model": model, "after": after, "before": before, "limit": limit},
    )
    return [as_value(Asked, row) for row in rows]


def tell(db: Database, wanted: Mapping[TurnId, Wanted], now: datetime) -> None:
    """Store what a classifier told, in the place of what an older one did.

    Turns that a person labelled, or that were erased meanwhile, are left out.
    """
    for turn, each in wanted.items():
        if _is_closed(db, turn):
            continue
        db.execute("DELETE FROM intent_labels WHERE turn = ?", [turn])
        for found in each.found:
            row = {
                "turn": turn,
                "intent": found.intent,
                "probability": found.probability,
                "source": "model",
                "model": each.model,
                "account": "",
                "created_at": now.isoformat(),
            }
            insert(db, "intent_labels", row)


def label(db: Database, turn: str, intent: str, account: str, now: datetime) -> bool:
    """Store what a person says that a customer's turn wants; return whether there is such a turn.

    It takes the place of all labels that the turn had.
    """
    found = db.execute("SELECT 1 FROM turns WHERE id = ? AND role = 'customer'", [turn]).fetchone()
    if not found:
        return False
    db.execute("DELETE FROM intent_labels WHERE turn = ?", [turn])
    row = {
        "turn": turn,
        "intent": intent,
        "probability": 1.0,
        "source": "person",
        "model": "",
        "account": account,
        "created_at": now.isoformat(),
    }
    insert(db, "intent_labels", row)
    return True


def taught(db: Database) -> list[Row]:
    """Return customers' messages with the labels that people gave them, under today's names.

    Whoever waits for being erased is left out. Empty for a log that is older than labels.
    """
    if "intent_labels" not in db.table_names():
        return []
    names = decisions(db)
    told = select(db, f"SELECT turns.text, intent FROM {_TAUGHT} ORDER BY turn", {})
    named = ((row["text"], current_name(row["intent"], names)) for row in told)
    return [Row(text, (name,) if name else ()) for text, name in named]


def untaught(db: Database, most: int) -> list[Row]:
    """Return the newest customers' messages that nobody labelled, each text once, without labels.

    They teach how messages lie. Whoever waits for being erased is left out.
    """
    if "intent_labels" not in db.table_names():
        return []
    texts: dict[str, None] = {}
    for row in each_row(db, _UNTAUGHT, {}):
        if len(texts) == most:
            break
        if (text := shortened(row["text"])) and says_what_is_wanted(text):
            texts[text] = None
    return [Row(text) for text in texts]


def examples(db: Database, first: str, number: int = 5) -> dict[str, list[Labelled]]:
    """Return the newest messages of each intent, from the turn `first` on, under today's names."""
    names = decisions(db)
    found: dict[str, list[Labelled]] = {}
    for row in select(db, _NEWEST, {"first": first, "number": number}):
        if name := current_name(row["intent"], names):
            found.setdefault(name, []).append(as_value(Labelled, row, intent=name))
    return {name: each[:number] for name, each in found.items()}


def doubtful(db: Database, first: str, number: int) -> list[Labelled]:
    """Return the messages whose likeliest intent the classifier was least sure of.

    Of the turns from `first` on.
    """
    names = decisions(db)
    rows = select(db, _DOUBTFUL, {"first": first, "number": number})
    return [
        as_value(Labelled, row, intent=current_name(row["intent"], names) or "") for row in rows
    ]


def decide(
    db: Database, name: str, account: str, now: datetime, *, retired: bool, becomes: str = ""
) -> None:
    """Store that an intent is confirmed, or retired and under which name it goes on, if any."""
    row = {
        "name": name,
        "state": "retired" if retired else "confirmed",
        "becomes": becomes or None,
        "account": account,
        "created_at": now.isoformat(),
    }
    insert(db, "intents", row)


def decisions(db: Database) -> dict[str, Decided]:
    """Return what the team decided last about each intent, by its name."""
    rows = select(db, "SELECT name, state, becomes FROM intents ORDER BY id", {})
    return {row["name"]: as_value(Decided, row) for row in rows}


def names(db: Database) -> list[str]:
    """Return the names of intents that people gave, or a classifier lately, as they are today."""
    decided = decisions(db)
    given = db.execute(_NAMES, [_NEWEST_NAMED]).fetchall()
    found = {current_name(name, decided) for name in (*decided, *(name for (name,) in given))}
    return sorted(name for name in found if name and name != OUT_OF_SCOPE)


def current_name(name: str, decided: Mapping[str, Decided]) -> str | None:
    """Return the name that an intent goes on under, None where it was retired without one."""
    for _ in range(len(decided)):  # names that lead in a circle end somewhere
        found = decided.get(name)
        if found is None or found.state == "confirmed":
            return name
        if found.becomes is None:
            return None
        name = found.becomes
    return name


def _is_closed(db: Database, turn: TurnId) -> bool:
    row = db.execute(
        "SELECT 1 FROM turns WHERE id = ? AND NOT EXISTS ("
        " SELECT 1 FROM intent_labels WHERE turn = turns.id AND source = 'person')",
        [turn],
    ).fetchone()
    return row is None


_NEWEST_NAMED = 2_000  # labels of classifiers that are looked through for names
_NAMES = """
    SELECT intent FROM intent_labels WHERE source = 'person'
    UNION SELECT intent FROM (SELECT intent FROM intent_labels ORDER BY turn DESC LIMIT ?)
"""
# Whoever waits for being erased is left out.
_STAYS = """
    turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM inbox JOIN erasures ON erasures.channel = inbox.channel
            AND erasures.customer = inbox.customer AND erasures.erased_at IS NULL
        WHERE inbox.turn = turns.id)
"""
_UNTAUGHT = f"""
    SELECT text FROM turns
    WHERE role = 'customer' AND text <> '' AND {_STAYS} AND NOT EXISTS (
        SELECT 1 FROM intent_labels WHERE turn = turns.id AND source = 'person')
    ORDER BY id DESC
"""
_TAUGHT = f"""
    intent_labels JOIN turns ON turns.id = turn AND turns.text <> '' AND {_STAYS}
    WHERE intent_labels.source = 'person'
"""
_NEWEST = """
    SELECT turn, turns.conversation, turns.text, intent, probability FROM (
        SELECT *, row_number() OVER (PARTITION BY intent ORDER BY turn DESC) AS place
        FROM intent_labels WHERE turn >= :first) AS intent_labels
        JOIN turns ON turns.id = turn
    WHERE place <= :number AND turns.text <> ''
        AND turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL
    ORDER BY turn DESC
"""
# The other columns are those of the row with the maximum (SQLite's "bare columns").
_DOUBTFUL = """
    SELECT turn, turns.conversation, turns.text, intent, max(probability) AS probability
    FROM intent_labels JOIN turns ON turns.id = turn AND turns.text <> ''
        AND turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL
    WHERE turn >= :first AND source = 'model' AND intent <> 'out_of_scope'
    GROUP BY turn ORDER BY probability, turn DESC LIMIT :number
"""
