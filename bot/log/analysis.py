"""What the log knows of each customer's message: what came of it, and how long that took.

One pass over the turns of the period in the order of their ids, which are in the order of time, and
few small look-ups beside it, so a million turns take seconds.
"""

import bisect
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from bot.concerns import Concern
from bot.log.intents import current_name, decisions
from bot.sentiment import sentiment_of

UNKNOWN_INTENT = "?"
# A hand-off so soon after a reply says that the reply did not help.
_STILL_THE_SAME = timedelta(hours=24)
# Every message was looked through for these when it was answered.
_CONCERNS: Mapping[str, Concern] = {"risk": "risk", "complaint": "complaint"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A customer's message and what came of it.

    `at` is UTC in ISO 8601.
    `is_solved`: it was answered, not rated down, and no person was asked for or came within a day.
    `handoff` is why its reply was a hand-off, else empty; `verdict` is up, down or empty.
    `latency_ms` is the time that the reply took, `wait_minutes` until a person answered; None where
    there is none. `sentiment` is from -1 (bad) to 1.
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
    latency_ms: float | None
    wait_minutes: float | None
    sentiment: int
    concern: Concern | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is kept of a customer's turn; its text isn't, so that a million fit into memory."""

    turn: str
    conversation: str
    language: str
    at: str
    sentiment: int


@dataclass(frozen=True, slots=True)
class _People:
    """When people were asked for, and when they wrote, by conversation, in the order of time."""

    asked: Mapping[str, list[str]]
    wrote: Mapping[str, list[str]]


def messages(
    db: Database, since: datetime, until: datetime, intents: Mapping[str, str]
) -> list[Message]:
    """Return the customers' messages of a period, oldest first; `intents` are by turn."""
    low, high = since.isoformat(), until.isoformat()
    places = {
        row["id"]: (row["customer"], row["channel"])
        for row in _rows(db, "SELECT id, customer, channel FROM conversations", {})
    }
    reasons, handed_on = _handoffs(db, low)
    verdicts = _verdicts(db)
    wrote: dict[str, list[str]] = {}
    asked: list[_Asked] = []
    replies: dict[str, tuple[str, float | None]] = {}
    for row in _rows(db, _TURNS, {"first": first_id(since)}):
        if row["role"] == "agent":
            wrote.setdefault(row["conversation"], []).append(row["created_at"])
        elif row["role"] == "assistant":
            replies[row["replied_to"]] = (row["id"], row["latency_ms"])
        elif low <= row["created_at"] < high:
            at, text = row["created_at"], row["text"]
            asked.append(
                _Asked(row["id"], row["conversation"], row["language"], at, sentiment_of(text))
            )
    known = _People(handed_on, wrote)
    return [_message(each, places, replies, reasons, verdicts, known, intents) for each in asked]


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


def _handoffs(db: Database, low: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return why a reply was a hand-off, by its turn; and when there was one, by conversation."""
    reasons: dict[str, str] = {}
    times: dict[str, list[str]] = {}
    for row in _rows(db, _HANDOFFS, {"low": low}):
        reasons[row["turn"]] = row["reason"]
        times.setdefault(row["conversation"], []).append(row["created_at"])
    return reasons, times


def _verdicts(db: Database) -> dict[str, str]:
    """Return the newest verdict on each reply that was not taken back."""
    rows = _rows(db, "SELECT turn, verdict FROM feedback ORDER BY id", {})
    newest = {row["turn"]: row["verdict"] for row in rows}
    return {turn: verdict for turn, verdict in newest.items() if verdict != "withdrawn"}


def _message(
    asked: _Asked,
    places: Mapping[str, tuple[str, str]],
    replies: Mapping[str, tuple[str, float | None]],
    reasons: Mapping[str, str],
    verdicts: Mapping[str, str],
    people: _People,
    intents: Mapping[str, str],
) -> Message:
    conversation, at = asked.conversation, asked.at
    customer, channel = places[conversation]
    reply, latency = replies.get(asked.turn, ("", None))
    verdict, reason = verdicts.get(reply, ""), reasons.get(reply, "")
    needed = any(
        _is_soon_after(times[conversation], at)
        for times in (people.asked, people.wrote)
        if conversation in times
    )
    came = _first(people.wrote.get(conversation, ()), at, "9999") if needed or reason else ""
    return Message(
        turn=asked.turn,
        conversation=conversation,
        customer=customer,
        channel=channel,
        language=asked.language,
        intent=intents.get(asked.turn, UNKNOWN_INTENT),
        at=at,
        is_solved=bool(reply) and not reason and not needed and verdict != "down",
        handoff=reason,
        verdict=verdict,
        latency_ms=latency,
        wait_minutes=_minutes(at, came) if came and reason else None,
        sentiment=asked.sentiment,
        concern=_CONCERNS.get(reason),
    )


def _is_soon_after(times: Sequence[str], at: str) -> bool:
    day_later = (datetime.fromisoformat(at) + _STILL_THE_SAME).isoformat()
    return bool(_first(times, at, day_later))


def _first(times: Sequence[str], low: str, high: str) -> str:
    """Return the first time from `low` on and before `high`, or an empty text."""
    place = bisect.bisect_left(times, low)
    return times[place] if place < len(times) and times[place] < high else ""


def _minutes(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 60


_HANDOFFS = """
    SELECT turn, conversation, reason, created_at FROM handoffs
    WHERE created_at >= :low ORDER BY created_at
"""
_TURNS = """
    SELECT id, conversation, role, text, language, created_at, replied_to, latency_ms FROM turns
    WHERE id >= :first AND superseded_by IS NULL AND withdrawn_at IS NULL
    ORDER BY id
"""
