"""Groups of messages that no intent fits, as the log keeps them, and what the team decides.

Until somebody decides about a group, the next run (bot/log/group_runs.py) may change it. After
that its messages stay together, under its id.
"""

import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlite_utils import Database

from bot.log import intents as labels
from bot.log.intents import Decided, current_name, decisions
from bot.log.rows import insert, select

WEEKS = 8
MOST_EXAMPLES = 5
_NO_ARTICLE = ("no_article", "not_grounded")
_FROM_ARTICLES = ("approved", "article", "draft")

State = Literal["open", "confirmed", "dismissed"]
Outcome = Literal["answered", "unanswered", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A customer's message in a group.

    `outcome`: its reply came from an article or an approved answer and nobody rated it down, or no
    article answered it; empty where neither is known. `is_labelled` says that a person said what it
    wants. `place` orders the messages that show the group; None for all others.
    """

    turn: str
    conversation: str
    text: str
    language: str
    at: str
    outcome: Outcome
    is_labelled: bool
    place: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Messages that want the same; `members` are those that still stand, the newest first.

    `label` is what it was called when somebody decided; `name` what a confirmed intent goes on
    under since then.
    """

    id: int
    name: str
    label: str
    terms: tuple[str, ...]
    state: State
    is_decided: bool
    members: tuple[Member, ...]

    @property
    def title(self) -> str:
        """Its name; where that went with what was erased, its first example."""
        return self.name or self.examples[0].text

    @property
    def examples(self) -> tuple[Member, ...]:
        """The messages that show it best, each text once."""
        shown = sorted(self.members, key=lambda member: (member.place is None, member.place or 0))
        by_text = {member.text: member for member in reversed(shown)}
        return tuple(member for member in shown if by_text[member.text] is member)[:MOST_EXAMPLES]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of its messages, the most frequent first."""
        counted = Counter(member.language for member in self.members)
        return tuple(language for language, _ in counted.most_common())

    @property
    def answered(self) -> int:
        """How many of its messages an article answered."""
        return sum(member.outcome == "answered" for member in self.members)

    @property
    def unanswered(self) -> int:
        """How many of its messages no article answered."""
        return sum(member.outcome == "unanswered" for member in self.members)

    @property
    def share_answered(self) -> float | None:
        """The share that the articles answer, of those where it is known; None without any."""
        known = self.answered + self.unanswered
        return self.answered / known if known else None

    @property
    def unlabelled(self) -> int:
        """How many of its messages nobody gave a label."""
        return sum(not member.is_labelled for member in self.members)

    def weeks(self, now: datetime) -> tuple[int, ...]:
        """Return how many messages came in each of the last eight weeks, the oldest first."""
        ends = [(now - timedelta(weeks=week)).isoformat() for week in range(WEEKS, -1, -1)]
        times = [member.at for member in self.members]
        counted = [sum(low < at <= high for at in times) for low, high in itertools.pairwise(ends)]
        return tuple(counted)


def groups(db: Database) -> list[Group]:
    """Return the groups that have messages, the largest first."""
    return sorted(_groups(db, None), key=lambda group: (-len(group.members), group.id))


def group(db: Database, number: int) -> Group | None:
    """Return one group, None where it has gone: merged, grouped anew, or erased."""
    return next(iter(_groups(db, number)), None)


def outcomes(db: Database, turns: Sequence[str]) -> dict[str, Outcome]:
    """Return what came of some customers' messages."""
    rows = select(db, _OUTCOMES, {"turns": json.dumps(list(turns))})
    return {row["turn"]: _outcome(row) for row in rows}


def confirm(db: Database, number: int, name: str, account: str, now: datetime) -> bool:
    """Give a group's messages an intent as their label; return whether there is such a group.

    A message that somebody labelled already keeps that label.
    """
    found = group(db, number)
    if found is None:
        return False
    is_same = found.state == "confirmed" and name == found.label
    if found.state == "confirmed" and not is_same:
        _unlabel(db, number, found.label)
    if not is_same:  # else it may go on under another name, which stands
        labels.decide(db, name, account, now, retired=False)
    _confirm(db, number, name, account, now)
    return True


def rename(db: Database, number: int, name: str, account: str, now: datetime) -> bool:
    """Give a group another name; of a confirmed one the labels follow. Return whether it is there.

    Where the name is an intent's, the messages get that intent.
    """
    found = group(db, number)
    if found is None:
        return False
    if found.state == "confirmed":
        return confirm(db, number, name, account, now)
    _decide(db, number, account, now, name=name, state=found.state)
    return True


def merge(db: Database, number: int, into: int, account: str, now: datetime) -> bool:
    """Put a group's messages into another one; return whether both are there.

    The other keeps its name. Where one of the two is confirmed, both are: an open one then takes
    the confirmed one's name.
    """
    one, other = group(db, number), group(db, into)
    if one is None or other is None or number == into:
        return False
    if one.state == "confirmed":
        _unlabel(db, number, one.label)
    db.execute(
        "UPDATE intent_group_members SET intent_group = ?, place = NULL WHERE intent_group = ?",
        [into, number],
    )
    db.execute("DELETE FROM intent_groups WHERE id = ?", [number])
    if confirmed := [each for each in (other, one) if each.state == "confirmed"]:
        _confirm(db, into, confirmed[0].label, account, now)
        return True
    state: State = "open" if "open" in (one.state, other.state) else "dismissed"
    _decide(db, into, account, now, state=state)
    return True


def split(
    db: Database,
    number: int,
    turns: Sequence[str],
    name: str,
    account: str,
    now: datetime,
    *,
    is_named: bool = True,
) -> int | None:
    """Put some of a group's messages into a new, open one called `name`; return its id.

    Those with the same words go along. None where there is nothing to split: no message of the
    group is among them, or all are. `is_named` says that a person gave the name.
    """
    found = group(db, number)
    if found is None:
        return None
    chosen = {member.text for member in found.members if member.turn in set(turns)}
    going = [member.turn for member in found.members if member.text in chosen]
    if not going or len(going) == len(found.members):
        return None
    if found.state == "confirmed":
        _unlabel(db, number, found.label, going)
    new = _add(db, name, account, now, is_named=is_named)
    db.execute(
        "UPDATE intent_group_members SET intent_group = ?, is_decided = 1, place = NULL"
        " WHERE turn IN (SELECT value FROM json_each(?))",
        [new, json.dumps(going)],
    )
    _decide(db, number, account, now, state=found.state)
    return new


def dismiss(db: Database, number: int, account: str, now: datetime) -> bool:
    """Note that a group is no intent; return whether it is there. Labels of it are taken back."""
    return _set_state(db, number, "dismissed", account, now)


def reopen(db: Database, number: int, account: str, now: datetime) -> bool:
    """Take back that a group is an intent, or none; return whether it is there."""
    return _set_state(db, number, "open", account, now)


def _set_state(db: Database, number: int, state: State, account: str, now: datetime) -> bool:
    found = group(db, number)
    if found is None:
        return False
    if found.state == "confirmed":
        _unlabel(db, number, found.label)
    _decide(db, number, account, now, state=state)
    return True


def _groups(db: Database, number: int | None) -> list[Group]:
    members: dict[int, list[Member]] = {}
    for row in select(db, _MEMBERS, {"number": number}):
        members.setdefault(row["intent_group"], []).append(_member(row))
    names = decisions(db)
    rows = select(
        db, "SELECT * FROM intent_groups WHERE :number IS NULL OR id = :number", {"number": number}
    )
    return [
        Group(
            id=row["id"],
            name=_name(row, names),
            label=row["name"],
            terms=tuple(json.loads(row["terms"])),
            state=row["state"],
            is_decided=row["decided_at"] is not None,
            members=tuple(members[row["id"]]),
        )
        for row in rows
        if row["id"] in members
    ]


def _name(row: sqlite3.Row, decided: Mapping[str, Decided]) -> str:
    name = str(row["name"])
    return (current_name(name, decided) if row["state"] == "confirmed" else None) or name


def _member(row: sqlite3.Row) -> Member:
    return Member(
        turn=row["turn"],
        conversation=row["conversation"],
        text=row["text"],
        language=row["language"],
        at=row["created_at"],
        outcome=_outcome(row),
        is_labelled=bool(row["is_labelled"]),
        place=row["place"],
    )


def _outcome(row: sqlite3.Row) -> Outcome:
    if row["reason"] in _NO_ARTICLE:
        return "unanswered"
    if row["reason"] or row["source"] not in _FROM_ARTICLES:
        return ""
    return "unanswered" if row["verdict"] == "down" else "answered"


def _add(db: Database, name: str, account: str, now: datetime, *, is_named: bool) -> int:
    row = {
        "name": name,
        "terms": "[]",
        "state": "open",
        "is_named": int(is_named),
        "account": account,
        "created_at": now.isoformat(),
        "decided_at": now.isoformat(),
    }
    return insert(db, "intent_groups", row)


def _confirm(db: Database, number: int, name: str, account: str, now: datetime) -> None:
    """Label a group's messages; what was decided about the intent itself stands."""
    _label(db, number, name, account, now)
    _decide(db, number, account, now, name=name, state="confirmed")


def _decide(
    db: Database, number: int, account: str, now: datetime, *, state: State, name: str | None = None
) -> None:
    """Note a decision: from now on the group's messages stay together."""
    db.execute(
        "UPDATE intent_groups SET state = :state, account = :account, decided_at = :now,"
        " is_named = is_named OR :name IS NOT NULL, name = coalesce(:name, name)"
        " WHERE id = :number",
        {
            "state": state,
            "account": account,
            "now": now.isoformat(),
            "name": name,
            "number": number,
        },
    )
    db.execute("UPDATE intent_group_members SET is_decided = 1 WHERE intent_group = ?", [number])


def _label(db: Database, number: int, name: str, account: str, now: datetime) -> None:
    rows = db.execute(
        "SELECT turn FROM intent_group_members AS member WHERE intent_group = ? AND NOT EXISTS ("
        " SELECT 1 FROM intent_labels"
        " WHERE intent_labels.turn = member.turn AND source = 'person')",
        [number],
    )
    for (turn,) in rows.fetchall():
        labels.label(db, turn, name, account, now)
        db.execute("UPDATE intent_group_members SET is_labelled = 1 WHERE turn = ?", [turn])


def _unlabel(db: Database, number: int, name: str, turns: Sequence[str] | None = None) -> None:
    """Take back the labels that confirming a group gave, of some of its messages or of all."""
    labelled = (
        "intent_group = :number AND is_labelled"
        " AND (:turns IS NULL OR turn IN (SELECT value FROM json_each(:turns)))"
    )
    given = {
        "name": name,
        "number": number,
        "turns": None if turns is None else json.dumps(list(turns)),
    }
    db.execute(
        "DELETE FROM intent_labels WHERE source = 'person' AND intent = :name"
        f" AND turn IN (SELECT turn FROM intent_group_members WHERE {labelled})",
        given,
    )
    db.execute(f"UPDATE intent_group_members SET is_labelled = 0 WHERE {labelled}", given)


# A message that was answered together with later ones has their reply.
_REPLY = """
    coalesce((SELECT reply FROM inbox WHERE inbox.turn = turns.id),
        (SELECT id FROM turns AS answer WHERE answer.replied_to = turns.id
            AND answer.superseded_by IS NULL ORDER BY answer.id DESC LIMIT 1))
"""
_CAME_OF_IT = """
    (SELECT reason FROM handoffs
        WHERE handoffs.conversation = asked.conversation AND handoffs.turn = asked.reply
        LIMIT 1) AS reason,
    (SELECT source FROM candidates WHERE candidates.turn = asked.reply AND shown) AS source,
    (SELECT verdict FROM feedback WHERE feedback.turn = asked.reply
        ORDER BY id DESC LIMIT 1) AS verdict
"""
# With CROSS JOIN SQLite begins with the groups' messages, and not with all of the log.
_MEMBERS = f"""
    SELECT asked.*, {_CAME_OF_IT},
        EXISTS (SELECT 1 FROM intent_labels
            WHERE intent_labels.turn = asked.turn AND source = 'person') AS is_labelled
    FROM (SELECT turn, intent_group, place, turns.conversation, turns.text, turns.language,
            turns.created_at, {_REPLY} AS reply
        FROM intent_group_members CROSS JOIN turns ON turns.id = turn
        WHERE (:number IS NULL OR intent_group = :number)
            AND turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL) AS asked
    ORDER BY asked.created_at DESC, asked.turn DESC
"""
_OUTCOMES = f"""
    SELECT asked.turn, {_CAME_OF_IT}
    FROM (SELECT turns.id AS turn, turns.conversation, {_REPLY} AS reply
        FROM json_each(:turns) AS wanted JOIN turns ON turns.id = wanted.value) AS asked
"""
