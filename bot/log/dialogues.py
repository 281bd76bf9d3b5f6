"""What channels may read of the log."""

from collections.abc import Sequence

from sqlite_utils import Database

from bot.log import outbox
from bot.log.inbox import customer_language
from bot.log.store import Store
from bot.messages import Language, Outgoing, TurnId
from bot.ports import OpenQuestion

MOST_QUESTIONS = 10


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
