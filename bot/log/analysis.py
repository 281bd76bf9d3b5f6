"""What the log knows of each customer's message: what came of it, and how long that took.

One pass over the turns of the period in the order of their ids, which are in the order of time, and
few small look-ups beside it, so a million turns take seconds.
"""

import bisect
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from bot.concerns import Concern
from bot.log.intents import current_name, decisions
from bot.sentiment import sentiment_of

UNKNOWN_INTENT = "?"
# A hand-off so soon after a reply says that the reply did not help.
STILL_THE_SAME = timedelta(hours=24)
# Every message was looked through for these when it was answered.
CONCERNS: Mapping[str, Concern] = {"risk": "risk", "complaint": "complaint"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A customer's message and what came of it.

    `at` is UTC in ISO 8601.
    `is_solved`: it was answered, not rated down, and no person was asked for or came within a day.
    `handoff` is why its reply was a hand-off, else empty; `verdict` is up, down or empty.
    `reply_ms` is the time from its arrival until its reply was stored, `wait_minutes` until a
    person wrote or settled what was handed off; None where there is none. `sentiment` is from -1
    (bad) to 1. `is_outdated`: its intent was told by an older classifier than others' are.
    """

    turn: str
    conversation: str
    customer: str
    channel: str
    language: str
    intent: str
    at: str
    is_solved: bool
    handoff: str
    verdict: str
    reply_ms: float | None
    wait_minutes: float | None
    sentiment: int
    concern: Concern | None
    is_outdated: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is kept of a customer's turn; its text isn't, so that a million fit into memory."""

    turn: str
    conversation: str
    language: str
    at: str
    sentiment: int


@dataclass(frozen=True, slots=True)
class _HandOff:
    """Why a reply was a hand-off, and when a person settled that, if one did."""

    reason: str
    settled_at: str | None


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said since a time: questions, and by the ids of turns what belongs together.

    `answered` has the first reply to each question, `notices` what was told to it later unasked.
    `instead` has the reply in whose place another went, `gone` those that went without one. `times`
    are those of replies, `wrote` when people of the team did, by conversation.
    """

    asked: list[_Asked] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)
    notices: dict[str, list[str]] = field(default_factory=dict)
    instead: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    times: dict[str, str] = field(default_factory=dict)
    wrote: dict[str, list[str]] = field(default_factory=dict)

    def replies(self, turn: str) -> list[str]:
        """Return the replies to a question that stand now, the first one first."""
        first = self.answered.get(turn)
        while first in self.instead:
            first = self.instead[first]
        return [first, *self.notices.get(turn, ())] if first and first not in self.gone else []

    def waited_ms(self, asked: _Asked) -> float | None:
        """Return how long a question waited for its first reply."""
        first = self.answered.get(asked.turn)
        return None if first is None else max(0.0, 60_000 * _minutes(asked.at, self.times[first]))


@dataclass(frozen=True, slots=True)
class _Known:
    """What else is known, by reply or by conversation; times in their order.

    `outdated` are the questions that an older classifier labelled.
    """

    places: Mapping[str, tuple[str, str]]
    handoffs: Mapping[str, _HandOff]
    handed_on: Mapping[str, list[str]]
    verdicts: Mapping[str, str]
    intents: Mapping[str, str]
    outdated: Collection[str]


def messages(
    db: Database,
    since: datetime,
    until: datetime,
    intents: Mapping[str, str],
    outdated: Collection[str] = (),
) -> list[Message]:
    """Return the customers' messages of a period, oldest first; `intents` are by turn.

    `outdated` are the turns whose intents an older classifier told.
    """
    low = since.isoformat()
    said = _said(db, since, until)
    handoffs, handed_on = _handoffs(db, low, said)
    places = {
        row["id"]: (row["customer"], row["channel"])
        for row in _rows(db, "SELECT id, customer, channel FROM conversations", {})
    }
    known = _Known(places, handoffs, handed_on, _verdicts(db, since), intents, outdated)
    return [_message(each, said, known) for each in said.asked]


def labelled_intents(db: Database, since: datetime) -> dict[str, str]:
    """Return the likeliest intent of each message since then, by turn, under today's names.

    Empty for a log that no program has opened since there are labels.
    """
    if "intent_labels" not in db.table_names():
        return {}
    rows = _rows(
        db,
        "SELECT turn, intent FROM intent_labels WHERE turn >= :first ORDER BY probability",
        {"first": first_id(since)},
    )
    names = decisions(db)
    found = ((row["turn"], current_name(row["intent"], names)) for row in rows)
    return {turn: name for turn, name in found if name}


def outdated(db: Database, since: datetime) -> set[str]:
    """Return the turns since then whose labels are of another classifier than the newest one's.

    The newest turns are labelled first, so theirs is the newest. What two classifiers tell can't be
    compared: an intent that only one of them knows would seem to come or go.
    """
    if "intent_labels" not in db.table_names():
        return set()
    rows = _rows(db, _OUTDATED, {"first": first_id(since)})
    return {row["turn"] for row in rows}


def first_id(at: datetime) -> str:
    """Return the lowest UUIDv7 of a time (RFC 9562): turns since then have no lower one."""
    milliseconds = f"{max(0, int(at.timestamp() * 1000)):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-000000000000"


def _rows(db: Database, sql: str, values: Mapping[str, Any]) -> Iterator[sqlite3.Row]:
    cursor = db.conn.cursor()
    cursor.row_factory = sqlite3.Row
    try:
        yield from cursor.execute(sql, values)
    finally:
        cursor.close()


def _said(db: Database, since: datetime, until: datetime) -> _Said:
    """Return what was said since a time; the questions are those of before `until`."""
    low, high = since.isoformat(), until.isoformat()
    said = _Said()
    waiting: dict[str, list[str]] = {}  # questions without a reply yet, by conversation
    for row in _rows(db, _TURNS, {"first": first_id(since)}):
        turn, conversation, at = row["id"], row["conversation"], row["created_at"]
        stands = row["superseded_by"] is None and row["withdrawn_at"] is None
        if row["role"] == "assistant":
            _note_reply(said, row, waiting.pop(conversation, []))
        elif row["role"] == "agent":
            if stands:
                said.wrote.setdefault(conversation, []).append(at)
        else:
            waiting.setdefault(conversation, []).append(turn)
            if stands and low <= at < high:
                mood = sentiment_of(row["text"])
                said.asked.append(_Asked(turn, conversation, row["language"], at, mood))
    for times in said.wrote.values():
        times.sort()  # a clock may have been set back between two turns
    return said


def _note_reply(said: _Said, row: sqlite3.Row, waiting: list[str]) -> None:
    """Note a reply, which answers all questions since the last one, or tells one more of it."""
    reply, asked = row["id"], row["replied_to"] or ""  # an erased question is no more
    if row["superseded_by"] is not None:
        said.instead[reply] = row["superseded_by"]
    elif row["withdrawn_at"] is not None:
        said.gone.add(reply)
    said.times[reply] = row["created_at"]
    if asked in said.answered:
        said.notices.setdefault(asked, []).append(reply)
    for turn in [*waiting, asked]:
        said.answered.setdefault(turn, reply)


def _handoffs(
    db: Database, low: str, said: _Said
) -> tuple[dict[str, _HandOff], dict[str, list[str]]]:
    """Return the hand-offs that stand, by the reply; and when there was one, by conversation."""
    handoffs: dict[str, _HandOff] = {}
    times: dict[str, list[str]] = {}
    for row in _rows(db, _HANDOFFS, {"low": low}):
        if row["turn"] not in said.instead and row["turn"] not in said.gone:
            handoffs[row["turn"]] = _HandOff(row["reason"], row["settled_at"])
            times.setdefault(row["conversation"], []).append(row["created_at"])
    return handoffs, times


def _verdicts(db: Database, since: datetime) -> dict[str, str]:
    """Return the newest verdict on each reply since then, of those that were not taken back.

    The newest of a customer and a way of telling it counts; another way's may stand beside it.
    """
    told: dict[str, dict[tuple[str, str, str], str]] = {}
    for row in _rows(db, _VERDICTS, {"first": first_id(since)}):
        by_way = told.setdefault(row["turn"], {})
        way = (row["channel"], row["customer"], row["origin"])
        by_way.pop(way, None)  # the newest one comes last
        by_way[way] = row["verdict"]
    standing = {
        turn: [verdict for verdict in by_way.values() if verdict != "withdrawn"]
        for turn, by_way in told.items()
    }
    return {turn: verdicts[-1] for turn, verdicts in standing.items() if verdicts}


def _message(asked: _Asked, said: _Said, known: _Known) -> Message:
    conversation, at = asked.conversation, asked.at
    customer, channel = known.places[conversation]
    replies = said.replies(asked.turn)
    handoff = next((known.handoffs[each] for each in replies if each in known.handoffs), None)
    verdict = next((known.verdicts[each] for each in replies if each in known.verdicts), "")
    needed = any(
        _is_soon_after(times[conversation], at)
        for times in (known.handed_on, said.wrote)
        if conversation in times
    )
    reason = handoff.reason if handoff else ""
    return Message(
        turn=asked.turn,
        conversation=conversation,
        customer=customer,
        channel=channel,
        language=asked.language,
        intent=known.intents.get(asked.turn, UNKNOWN_INTENT),
        at=at,
        is_solved=bool(replies) and not handoff and not needed and verdict != "down",
        handoff=reason,
        verdict=verdict,
        reply_ms=said.waited_ms(asked),
        wait_minutes=_wait(at, handoff, said.wrote.get(conversation, ())) if handoff else None,
        sentiment=asked.sentiment,
        concern=CONCERNS.get(reason),
        is_outdated=asked.turn in known.outdated,
    )


def _wait(at: str, handoff: _HandOff, wrote: Sequence[str]) -> float | None:
    """Return the minutes until a person wrote, or settled it without; None while nobody did."""
    came = [each for each in (_first(wrote, at, "9999"), handoff.settled_at) if each]
    return max(0.0, _minutes(at, min(came))) if came else None


def _is_soon_after(times: Sequence[str], at: str) -> bool:
    day_later = (datetime.fromisoformat(at) + STILL_THE_SAME).isoformat()
    return bool(_first(times, at, day_later))


def _first(times: Sequence[str], low: str, high: str) -> str:
    """Return the first time from `low` on and before `high`, or an empty text."""
    place = bisect.bisect_left(times, low)
    return times[place] if place < len(times) and times[place] < high else ""


def _minutes(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 60


_HANDOFFS = """
    SELECT turn, conversation, reason, created_at, settled_at FROM handoffs
    WHERE created_at >= :low ORDER BY created_at
"""
_VERDICTS = """
    SELECT turn, channel, customer, origin, verdict FROM feedback WHERE turn >= :first ORDER BY id
"""
# What the bot wrote is long, and of no interest here.
_TURNS = """
    SELECT id, conversation, role, CASE role WHEN 'customer' THEN text END AS text, language,
        created_at, replied_to, superseded_by, withdrawn_at
    FROM turns WHERE id >= :first ORDER BY id
"""
_OUTDATED = """
    SELECT turn FROM intent_labels WHERE turn >= :first AND source = 'model' AND model <> (
        SELECT model FROM intent_labels WHERE source = 'model' ORDER BY turn DESC LIMIT 1)
"""
