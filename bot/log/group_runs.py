"""What a run that groups the log's messages reads, and what it leaves.

Messages that no intent fits: where a classifier is in force those that it told out of scope, else
those without any label; and those of an intent that was retired. What a person labelled, greetings
and commands are left out. Of groups that somebody decided about, messages of theirs are read too,
so that new ones can join them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.intents.in_force import says_what_is_wanted
from bot.intents.rows import OUT_OF_SCOPE, shortened
from bot.log.analysis import first_id
from bot.log.intents import Asked, current_name, decisions
from bot.log.rows import insert, rows, select
from bot.messages import TurnId

# The newest: about 20 ms each in the background, and what is older was seen.
MOST_MESSAGES = 3_000
OLDEST = timedelta(days=180)
MOST_ANCHORS = 100  # of each group that was decided about
FEWEST_IN_GROUP = 2


@dataclass(frozen=True, slots=True)
class Anchor:
    """A message of a group that somebody decided about."""

    turn: str
    text: str
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a run begins with.

    `messages` are those that no intent fits, the newest first; `anchors` belong to groups that were
    decided about. `before` has the group of each message of the others, and `terms` what each of
    these was named by.
    """

    messages: Sequence[Asked]
    anchors: Sequence[Anchor]
    before: dict[str, int]
    terms: dict[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroup:
    """A group as a run found it; `id` is that of one which is there already, None for a new one.

    `name` is empty where the old one stays. `turns` are its messages, `examples` those that show
    it, the best first.
    """

    id: int | None
    name: str
    terms: Sequence[str]
    turns: Sequence[str]
    examples: Sequence[str]


def known(db: Database, now: datetime, *, is_trained: bool, most: int = MOST_MESSAGES) -> Known:
    """Return what to group; `is_trained` says whether a classifier tells the log's messages."""
    anchors = [Anchor(*row) for row in db.execute(_ANCHORS, [MOST_ANCHORS]).fetchall()]
    before = dict(db.execute(_UNDECIDED).fetchall())
    terms = {
        number: tuple(json.loads(each))
        for number, each in db.execute("SELECT id, terms FROM intent_groups").fetchall()
    }
    return Known(
        messages=unfit(db, now, most, is_trained=is_trained),
        anchors=[Anchor(each.turn, shortened(each.text), each.group) for each in anchors],
        before=before,
        terms=terms,
    )


def unfit(db: Database, now: datetime, most: int, *, is_trained: bool) -> list[Asked]:
    """Return the newest messages that no intent fits, as they are read."""
    decided = decisions(db)
    gone = [OUT_OF_SCOPE, *(name for name in decided if current_name(name, decided) is None)]
    values = {
        "first": first_id(now - OLDEST),
        "gone": json.dumps(gone),
        "is_trained": is_trained,
    }
    found: list[Asked] = []
    for row in rows(db, _UNFIT, values):
        if len(found) == most:
            break
        if (text := shortened(row["text"])) and says_what_is_wanted(text):
            found.append(Asked(TurnId(row["id"]), text))
    return found


def keep(
    db: Database,
    found: Sequence[FoundGroup],
    read: Sequence[str],
    started: datetime,
    now: datetime,
) -> None:
    """Store what a run found of the messages `read`; what was decided meanwhile stands.

    Groups that nobody decided about, and that were not found again, go. Of one with a message that
    was erased meanwhile neither name nor terms are kept, which come from its words.
    """
    found = [_without_erased(db, group) for group in found]
    db.execute(f"DELETE FROM intent_group_members WHERE NOT is_decided AND {_FITS}")
    db.execute(
        "DELETE FROM intent_group_members"
        " WHERE NOT is_decided AND turn IN (SELECT value FROM json_each(?))",
        [json.dumps(list(read))],
    )
    there = {
        row["id"]: row["decided_at"] is not None
        for row in select(db, "SELECT id, decided_at FROM intent_groups", {})
    }
    kept = {group.id for group in found}
    for number, is_decided in there.items():
        if not is_decided and number not in kept:
            db.execute("DELETE FROM intent_group_members WHERE intent_group = ?", [number])
    for group in found:
        if group.id is None:
            _fill(db, _add(db, group, now), group)
        elif group.id in there:  # else merged into another one meanwhile
            if not there[group.id]:
                _renew(db, group)
            _fill(db, group.id, group)
    _drop_small(db)
    _note_run(db, len(read), len(found), started, now)


@dataclass(frozen=True, slots=True)
class Run:
    """The newest run: when it ended, how many messages it grouped, how many groups it found."""

    ended_at: str
    messages: int
    found: int


def newest_run(db: Database) -> Run | None:
    """Return the newest run, None where there was none."""
    row = db.execute(
        "SELECT ended_at, messages, found FROM intent_group_runs ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return Run(*row) if row else None


def _note_run(db: Database, messages: int, found: int, started: datetime, now: datetime) -> None:
    row = {
        "messages": messages,
        "found": found,
        "started_at": started.isoformat(),
        "ended_at": now.isoformat(),
    }
    insert(db, "intent_group_runs", row)


def _without_erased(db: Database, group: FoundGroup) -> FoundGroup:
    [there] = db.execute(
        "SELECT count(*) FROM turns WHERE id IN (SELECT value FROM json_each(?))",
        [json.dumps(list(group.turns))],
    ).fetchone()
    return group if there == len(group.turns) else replace(group, name="", terms=())


def _add(db: Database, group: FoundGroup, now: datetime) -> int:
    row = {
        "name": group.name,
        "terms": json.dumps(list(group.terms), ensure_ascii=False),
        "state": "open",
        "is_named": 0,
        "account": "",
        "created_at": now.isoformat(),
        "decided_at": None,
    }
    return insert(db, "intent_groups", row)


def _renew(db: Database, group: FoundGroup) -> None:
    db.execute(
        "UPDATE intent_groups SET terms = ?, name = CASE ? WHEN '' THEN name ELSE ? END"
        " WHERE id = ?",
        [json.dumps(list(group.terms), ensure_ascii=False), group.name, group.name, group.id],
    )


def _fill(db: Database, number: int, group: FoundGroup) -> None:
    """Add a group's messages, but for those that were erased or put elsewhere meanwhile."""
    for turn in group.turns:
        db.execute(
            "INSERT OR IGNORE INTO intent_group_members (turn, intent_group, is_decided)"
            " SELECT id, ?, 0 FROM turns WHERE id = ?",
            [number, turn],
        )
    db.execute("UPDATE intent_group_members SET place = NULL WHERE intent_group = ?", [number])
    for place, turn in enumerate(group.examples):
        db.execute(
            "UPDATE intent_group_members SET place = ? WHERE intent_group = ? AND turn = ?",
            [place, number, turn],
        )


def _drop_small(db: Database) -> None:
    small = (
        "SELECT id FROM intent_groups WHERE decided_at IS NULL AND (SELECT count(*) FROM"
        " intent_group_members WHERE intent_group = intent_groups.id) < ?"
    )
    db.execute(
        f"DELETE FROM intent_group_members WHERE intent_group IN ({small})", [FEWEST_IN_GROUP]
    )
    db.execute(f"DELETE FROM intent_groups WHERE id IN ({small})", [FEWEST_IN_GROUP])


_STANDS = """
    turns.text <> '' AND turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM inbox JOIN erasures ON erasures.channel = inbox.channel
        AND erasures.customer = inbox.customer AND erasures.erased_at IS NULL
        WHERE inbox.turn = turns.id)
"""
# A label by a classifier whose intent is there, or by a person, whatever it says.
_FITS = """
    EXISTS (SELECT 1 FROM intent_labels WHERE intent_labels.turn = intent_group_members.turn
        AND (source = 'person' OR intent <> 'out_of_scope'))
"""
_UNFIT = f"""
    SELECT id, text FROM turns
    WHERE id >= :first AND role = 'customer' AND {_STANDS}
        AND NOT EXISTS (SELECT 1 FROM intent_labels WHERE turn = turns.id AND (source = 'person'
            OR intent NOT IN (SELECT value FROM json_each(:gone))))
        AND (NOT :is_trained OR EXISTS (SELECT 1 FROM intent_labels WHERE turn = turns.id))
        AND NOT EXISTS (SELECT 1 FROM intent_group_members
            WHERE intent_group_members.turn = turns.id AND is_decided)
    ORDER BY id DESC
"""
_ANCHORS = f"""
    SELECT turn, text, intent_group FROM (
        SELECT turn, turns.text, intent_group,
            row_number() OVER (PARTITION BY intent_group ORDER BY turn DESC) AS place
        FROM intent_group_members JOIN turns ON turns.id = turn
        WHERE is_decided AND {_STANDS})
    WHERE place <= ?
"""
_UNDECIDED = """
    SELECT turn, intent_group FROM intent_group_members
        JOIN intent_groups ON intent_groups.id = intent_group
    WHERE decided_at IS NULL
"""
