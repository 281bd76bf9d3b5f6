"""Replies on their way to customers: stored before they are sent, and what became of them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlite_utils import Database

from bot.log.rows import insert
from bot.messages import Choice, Citation, Document, Outgoing, TurnId

# In the words of the index of unsettled replies, without which SQLite does not use it.
_READY = "state IN ('ready', 'sending') AND state = 'ready'"
_SENDING = "state IN ('ready', 'sending') AND state = 'sending'"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reply that is to be sent, and when its question came.

    `is_doubtful`: some or all of it may have been posted before.
    """

    outgoing: Outgoing
    is_doubtful: bool
    asked_at: datetime


def queue(db: Database, outgoing: Outgoing, now: datetime) -> Outgoing:
    """Store a reply to be sent; return it with the id it got."""
    reply = asdict(outgoing)
    del reply["id"]
    row = {
        "turn": outgoing.turn,
        "conversation": outgoing.conversation,
        "channel": outgoing.channel,
        "address": outgoing.address,
        "reply": json.dumps(reply, ensure_ascii=False),
        "state": "ready",
        "created_at": now.isoformat(),
    }
    return as_outgoing(insert(db, "outbox", row), reply)


def unsent(db: Database) -> list[Outgoing]:
    """Return the replies that were stored and not yet handed to their platform, oldest first."""
    rows = db.execute(f"SELECT id, reply FROM outbox WHERE {_READY} ORDER BY id").fetchall()
    return [as_outgoing(row_id, json.loads(reply)) for row_id, reply in rows]


def waiting(db: Database, outgoing: Outgoing) -> Waiting | None:
    """Return a reply as it is now, or None when it has left before.

    Its conversation may have moved to another address since it was queued. What is told unasked
    counts from when an agent decided on it.
    """
    row = db.execute(
        f"""
        SELECT outbox.reply, outbox.is_doubtful, coalesce((SELECT max(approved_at) FROM actions
            WHERE told_in IS NOT NULL AND told_in = outbox.turn), asked.created_at)
        FROM outbox JOIN turns ON turns.id = outbox.turn JOIN turns AS asked
            ON asked.id = turns.replied_to
        WHERE outbox.id = ? AND {_READY}
        """,
        [outgoing.id],
    ).fetchone()
    if row is None:
        return None
    reply, is_doubtful, asked_at = row
    return Waiting(
        as_outgoing(outgoing.id, json.loads(reply)),
        is_doubtful=bool(is_doubtful),
        asked_at=datetime.fromisoformat(asked_at),
    )


def start_sending(db: Database, outgoing: Outgoing, posts: Sequence[str]) -> Outgoing:
    """Note that a reply is about to leave, and the posts that it shall stand in; return it."""
    db.execute(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1,"
        " reply = json_set(reply, '$.replaces', json(?)) WHERE id = ?",
        [json.dumps(posts), outgoing.id],
    )
    return replace(outgoing, replaces=tuple(posts))


def sent(db: Database, outgoing: Outgoing, posts: Sequence[str], now: datetime) -> None:
    """Note that the platform took a reply, and the posts that show it now."""
    db.execute(
        "UPDATE outbox SET state = 'sent', platform_id = ?, settled_at = ?,"
        " reply = json_remove(reply, '$.document') WHERE id = ?",
        [posts[-1] if posts else None, now.isoformat(), outgoing.id],
    )
    _show(db, outgoing, posts)


def _show(db: Database, outgoing: Outgoing, posts: Sequence[str]) -> None:
    """Note which posts show a reply now, in the place of those that it replaces."""
    for post in outgoing.replaces:
        db.execute("DELETE FROM posts WHERE channel = ? AND post = ?", [outgoing.channel, post])
    for part, post in enumerate(posts):
        db.execute(
            "INSERT INTO posts (channel, post, outbox, part) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (channel, post) DO UPDATE SET outbox = excluded.outbox,"
            " part = excluded.part",
            [outgoing.channel, post, outgoing.id, part],
        )


def not_sent(
    db: Database,
    outgoing: Outgoing,
    error: str,
    state: Literal["ready", "failed", "in_doubt"],
    now: datetime,
    posts: Sequence[str] | None = None,
    *,
    is_doubtful: bool = False,
) -> None:
    """Note that the platform did not take a reply: for now, for good, or who knows.

    `posts` show some of it by now: another try goes on in their place, and so does a new version.
    With `is_doubtful` the next try finds out first what was posted.
    """
    settled_at = None if state == "ready" else now.isoformat()
    document = "reply" if state == "ready" else "json_remove(reply, '$.document')"
    db.execute(
        "UPDATE outbox SET state = ?, error = ?, settled_at = ?, is_doubtful = ?,"
        f" reply = {document} WHERE id = ?",
        [state, error, settled_at, is_doubtful, outgoing.id],
    )
    if posts is not None:
        _show(db, outgoing, posts)
        db.execute(
            "UPDATE outbox SET reply = json_set(reply, '$.replaces', json(?)) WHERE id = ?",
            [json.dumps(posts), outgoing.id],
        )


def doubt_interrupted(db: Database) -> int:
    """Let replies whose sending was interrupted be sent, once it is found out what was posted.

    Returns how many there are.
    """
    found = db.execute(f"UPDATE outbox SET state = 'ready', is_doubtful = 1 WHERE {_SENDING}")
    return int(found.rowcount)


def posts_of(db: Database, turn: TurnId) -> tuple[str, ...]:
    """Return the posts that show a reply, in order."""
    rows = db.execute(
        "SELECT posts.post FROM posts JOIN outbox ON outbox.id = posts.outbox"
        " WHERE outbox.turn = ? ORDER BY posts.part",
        [turn],
    ).fetchall()
    return tuple(row[0] for row in rows)


def reply_of(db: Database, channel: str, turn: TurnId) -> Outgoing | None:
    """Return a reply as it was queued, or None when there is none."""
    row = db.execute(
        "SELECT id, reply FROM outbox WHERE channel = ? AND turn = ? ORDER BY id LIMIT 1",
        [channel, turn],
    ).fetchone()
    return as_outgoing(row[0], json.loads(row[1])) if row else None


def as_outgoing(row_id: int, reply: dict[str, Any]) -> Outgoing:
    """Return a stored reply. Rows of earlier versions lack the newer fields."""
    document = reply.get("document")
    return Outgoing(
        **{
            **{"customer": ""},
            **reply,
            "citations": tuple(Citation(**each) for each in reply["citations"]),
            "also_answers": tuple(reply.get("also_answers", ())),
            "choices": tuple(Choice(**each) for each in reply.get("choices", ())),
            "replaces": tuple(reply.get("replaces", ())),
            "document": Document(**document) if document else None,
        },
        id=row_id,
    )
