"""What channels may read of the log."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from bot.log import outbox
from bot.log.inbox import customer_language
from bot.log.rows import as_citations, as_value, select
from bot.log.store import Store
from bot.messages import Citation, Language, Outgoing, TurnId
from bot.ports import OpenQuestion

MOST_QUESTIONS = 10
LONGEST_DIALOGUE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueTurn:
    """One turn as its customer sees it. `turn` is None while a question waits to be answered."""

    turn: str | None
    event_key: str | None
    role: str
    text: str
    citations: tuple[Citation, ...]
    created_at: str
    handed_off: bool
    is_answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A conversation as its customer sees it, at most the latest 200 turns."""

    turns: tuple[DialogueTurn, ...]


class StoredDialogues:
    """The `Dialogues` of an open database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def takes_part(self, channel: str, address: str, customer: str) -> bool:
        """Return whether this customer has been answered at this address."""
        return await self._store.read(lambda db: _takes_part(db, channel, address, customer))

    async def open_questions(self, channel: str, customer: str) -> Sequence[OpenQuestion]:
        """Return a customer's questions that wait for a person, newest first, ten at most."""
        return await self._store.read(lambda db: _open_questions(db, channel, customer))

    async def reply(self, channel: str, turn: TurnId) -> Outgoing | None:
        """Return a reply as it went out, or None when there is none."""
        return await self._store.read(lambda db: outbox.reply_of(db, channel, turn))

    async def language(self, channel: str, customer: str) -> Language | None:
        """Return the language that a customer chose, else the last one written, else None."""
        return await self._store.read(lambda db: customer_language(db, channel, customer))


def _takes_part(db: Database, channel: str, address: str, customer: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM inbox WHERE channel = ? AND address = ? AND customer = ?"
        " AND withdrawn_at IS NULL LIMIT 1",
        [channel, address, customer],
    ).fetchone()
    return row is not None


def _open_questions(db: Database, channel: str, customer: str) -> list[OpenQuestion]:
    rows = db.execute(
        """
        SELECT coalesce(
                -- Who asked for a person meant the question before.
                CASE WHEN handoffs.reason = 'asked_for_person' THEN (
                    SELECT before.text FROM turns AS before JOIN inbox AS mine
                        ON mine.turn = before.id AND mine.customer = inbox.customer
                    WHERE before.conversation = asked.conversation
                        AND before.number < asked.number AND before.text NOT LIKE '/%'
                        AND before.superseded_by IS NULL AND before.withdrawn_at IS NULL
                    ORDER BY before.number DESC LIMIT 1) END,
                asked.text) AS text,
            conversations.address, handoffs.created_at
        FROM inbox JOIN turns AS asked ON asked.id = inbox.turn
            JOIN conversations ON conversations.id = asked.conversation
            JOIN turns AS replied ON replied.replied_to = asked.id
            JOIN handoffs ON handoffs.turn = replied.id
        WHERE inbox.channel = ? AND inbox.customer = ?
            AND handoffs.settled_at IS NULL AND replied.superseded_by IS NULL
            AND asked.withdrawn_at IS NULL
        ORDER BY handoffs.id DESC LIMIT ?
        """,
        [channel, customer, MOST_QUESTIONS],
    ).fetchall()
    return [OpenQuestion(text=text, address=address, asked_at=at) for text, address, at in rows]


def reply_to(db: Database, channel: str, event_key: str) -> Outgoing | None:
    """Return the reply that a message got, as it went out, or None while it has none."""
    rows = select(
        db,
        """
        SELECT outbox.id, outbox.reply
        FROM inbox_keys JOIN inbox ON inbox.id = inbox_keys.inbox
            JOIN outbox ON outbox.turn = inbox.reply
        WHERE inbox_keys.channel = :channel AND inbox_keys.event_key = :event_key
        ORDER BY outbox.id LIMIT 1
        """,
        {"channel": channel, "event_key": event_key},
    )
    return outbox.as_outgoing(rows[0]["id"], json.loads(rows[0]["reply"])) if rows else None


def dialogue(db: Database, channel: str, address: str) -> Dialogue | None:
    """Return what a customer sees of a conversation, or None when there is no such conversation.

    Messages that wait for their answer come last.
    """
    place = {"channel": channel, "address": address}
    turns = select(db, _DIALOGUE, place | {"limit": LONGEST_DIALOGUE})[::-1]
    waiting = select(db, _WAITING, place | {"limit": LONGEST_DIALOGUE})
    if not turns and not waiting:
        return None
    return Dialogue(turns=tuple(_dialogue_turn(row) for row in turns + waiting))


_DIALOGUE = """
    SELECT turns.id AS turn, inbox.event_key, turns.role, turns.text, shown.citations,
        turns.created_at, EXISTS (SELECT 1 FROM handoffs
            WHERE handoffs.conversation = turns.conversation AND handoffs.turn = turns.id)
            AS handed_off
    FROM turns JOIN conversations ON conversations.id = turns.conversation
        LEFT JOIN candidates AS shown ON shown.turn = turns.id AND shown.shown
        LEFT JOIN inbox ON inbox.turn = turns.id
    WHERE conversations.channel = :channel AND conversations.address = :address
    ORDER BY turns.number DESC LIMIT :limit
"""
_WAITING = """
    SELECT NULL AS turn, 'customer' AS role, text, received_at AS created_at, NULL AS citations,
        event_key, 0 AS handed_off
    FROM inbox WHERE turn IS NULL AND withdrawn_at IS NULL
        AND channel = :channel AND address = :address
    ORDER BY id LIMIT :limit
"""


def _dialogue_turn(row: sqlite3.Row) -> DialogueTurn:
    return as_value(
        DialogueTurn,
        row,
        citations=as_citations(row["citations"]) if row["citations"] else (),
        handed_off=bool(row["handed_off"]),
        is_answered=row["turn"] is not None,
    )
