"""What customers sent: stored under its platform's keys, changed by edits, taken back by deletions.

Each function is one transaction, or part of one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from sqlite_utils import Database

from bot.log.rows import insert
from bot.messages import Attachment, Incoming, Language, Withdrawal

_COLUMNS = (
    "id, channel, event_key, address, customer, text, language, received_at, attempts, edits,"
    " preview"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A stored message that waits for its answer. `edits` is the id of the one it replaces."""

    id: int
    channel: str
    event_key: str
    address: str
    customer: str
    text: str
    language: Language | None
    received_at: str
    attempts: int
    edits: int | None = None
    preview: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A message that is stored; `waiting` is None once it has its answer."""

    is_new: bool
    waiting: Received | None


def receive(db: Database, incoming: Incoming, now: datetime) -> Receipt:
    """Store a message, unless one with any of its keys is stored already."""
    if (seen := _known(db, incoming.channel, incoming.event_keys)) is not None:
        _add_keys(db, incoming.channel, incoming.event_keys, seen)
        return Receipt(is_new=False, waiting=_pending(db, seen))
    if incoming.edits is not None:
        return _receive_edit(db, incoming, incoming.edits, now)
    if incoming.album is not None:
        return _receive_picture(db, incoming, incoming.album, now)
    inbox = _add(db, incoming, now)
    return Receipt(is_new=True, waiting=received(db, inbox))


def _receive_picture(db: Database, incoming: Incoming, album: str, now: datetime) -> Receipt:
    """Store a picture with those of its album; a caption becomes the words of all of them."""
    first = _known(db, incoming.channel, [album])
    if first is None:
        keys = (*incoming.event_keys, album)
        inbox = _add(db, replace(incoming, event_keys=keys), now)
        return Receipt(is_new=True, waiting=received(db, inbox))
    _add_attachments(db, incoming, first)
    newest = _newest_version(db, first)
    if not incoming.text or _is_withdrawn(db, first):
        _add_keys(db, incoming.channel, incoming.event_keys, first)
        return Receipt(is_new=False, waiting=_pending(db, newest.id))
    words = "\n".join(filter(None, (newest.text, incoming.text)))
    return _new_version(db, replace(incoming, text=words, attachments=()), first, newest, now)


def _receive_edit(db: Database, incoming: Incoming, edited: str, now: datetime) -> Receipt:
    original = _known(db, incoming.channel, [edited])
    if original is None:
        # The edit came before the message: it stands for both, so that they get one answer.
        keys = (edited, *incoming.event_keys)
        inbox = _add(db, replace(incoming, event_keys=keys), now)
        return Receipt(is_new=True, waiting=received(db, inbox))
    newest = _newest_version(db, original)
    if newest.text == incoming.text or _is_withdrawn(db, original):
        _add_keys(db, incoming.channel, incoming.event_keys, original)
        return Receipt(is_new=False, waiting=_pending(db, newest.id))
    return _new_version(db, incoming, original, newest, now)


def _new_version(
    db: Database, incoming: Incoming, original: int, newest: Received, now: datetime
) -> Receipt:
    """Store other words of a message: in its place while it waits, else to be answered anew."""
    if _pending(db, newest.id):
        db.execute("UPDATE inbox SET text = ? WHERE id = ?", [incoming.text, newest.id])
        _add_keys(db, incoming.channel, incoming.event_keys, newest.id)
        return Receipt(is_new=True, waiting=received(db, newest.id))
    inbox = _add(db, incoming, now, edits=original)
    return Receipt(is_new=True, waiting=received(db, inbox))


def unanswered(db: Database) -> list[Received]:
    """Return the messages that still wait for an answer, oldest first."""
    rows = db.execute(
        "SELECT id FROM inbox WHERE turn IS NULL AND withdrawn_at IS NULL ORDER BY id"
    ).fetchall()
    return [received(db, row[0]) for row in rows]


def withdrawn(db: Database) -> list[Received]:
    """Return the deleted messages of which an answer, or its beginning, may still be shown."""
    rows = db.execute(
        """
        SELECT inbox.id FROM inbox LEFT JOIN turns ON turns.id = inbox.reply
        WHERE inbox.withdrawn_at IS NOT NULL AND inbox.edits IS NULL AND CASE
            WHEN inbox.reply IS NULL THEN inbox.preview IS NOT NULL
            ELSE turns.withdrawn_at IS NULL END
        ORDER BY inbox.id
        """
    ).fetchall()
    return [received(db, row[0]) for row in rows]


def start_attempt(db: Database, ids: Sequence[int], fresh: Collection[int]) -> list[Received]:
    """Return those of some messages that still wait, as they read now.

    An attempt is counted for the `fresh` ones, before it is made, so that a message that kills the
    program is noticed; `attempts` are those of earlier runs of the program.
    """
    waiting = [found for inbox in ids if (found := _pending(db, inbox))]
    for inbox in fresh:
        db.execute("UPDATE inbox SET attempts = attempts + 1 WHERE id = ?", [inbox])
    return [
        each if each.id in fresh else replace(each, attempts=each.attempts - 1) for each in waiting
    ]


def is_as_read(db: Database, message: Received) -> bool:
    """Return whether a message still waits, and nobody has changed it since it was read."""
    now = _pending(db, message.id)
    return now is not None and now.text == message.text


def wording(db: Database, messages: Sequence[Received]) -> str:
    """Return what is asked by messages that get one answer together.

    A new version of a message stands among the others that were answered together with it.
    """
    [edited, *_] = [message.edits for message in messages]
    if edited is None:
        return "\n".join(message.text for message in messages if message.text)
    together = db.execute(
        """
        SELECT other.id FROM inbox AS original JOIN inbox AS other ON other.reply = original.reply
        WHERE original.id = ? AND other.edits IS NULL AND other.withdrawn_at IS NULL
        ORDER BY other.id
        """,
        [edited],
    ).fetchall()
    ids = [row[0] for row in together] or [edited]
    return "\n".join(_newest_version(db, inbox).text for inbox in ids)


def set_text(db: Database, inbox: int, text: str) -> None:
    """Store what a voice message says."""
    db.execute("UPDATE inbox SET text = ? WHERE id = ? AND turn IS NULL", [text, inbox])


def set_preview(db: Database, inbox: int, post: str) -> None:
    """Note which post shows the beginning of a message's answer, unless it was erased meanwhile."""
    db.execute("UPDATE inbox SET preview = ? WHERE id = ? AND event_key <> ''", [post, inbox])


def withdraw(db: Database, withdrawal: Withdrawal, now: datetime) -> Received | None:
    """Mark a message and its versions as deleted by its author; return it, or None if unknown."""
    original = _known(db, withdrawal.channel, [withdrawal.event_key])
    if original is None:
        return None
    at = now.isoformat()
    versions = "SELECT id FROM inbox WHERE id = :id OR edits = :id"
    db.execute(
        f"UPDATE inbox SET withdrawn_at = :at WHERE withdrawn_at IS NULL AND id IN ({versions})",
        {"id": original, "at": at},
    )
    db.execute(
        "UPDATE turns SET withdrawn_at = :at WHERE withdrawn_at IS NULL AND id IN"
        f" (SELECT turn FROM inbox WHERE id IN ({versions}))",
        {"id": original, "at": at},
    )
    return received(db, original)


def customer_language(db: Database, channel: str, customer: str) -> Language | None:
    """Return the language that a customer chose, else the one last written, else None."""
    row = db.execute(
        """
        SELECT coalesce(customers.language, (
            SELECT conversations.language FROM conversations
            WHERE conversations.customer = customers.id ORDER BY last_turn_at DESC LIMIT 1))
        FROM customers WHERE channel = ? AND external_id = ?
        """,
        [channel, customer],
    ).fetchone()
    return row[0] if row else None


def received(db: Database, inbox: int) -> Received:
    """Return a stored message."""
    row = db.execute(f"SELECT {_COLUMNS} FROM inbox WHERE id = ?", [inbox]).fetchone()
    fields = dict(zip((name.strip() for name in _COLUMNS.split(",")), row, strict=True))
    return Received(**fields, attachments=_attachments(db, inbox))


def _known(db: Database, channel: str, keys: Sequence[str]) -> int | None:
    marks = ", ".join("?" * len(keys))
    row = db.execute(
        f"SELECT inbox FROM inbox_keys WHERE channel = ? AND event_key IN ({marks})",
        [channel, *keys],
    ).fetchone()
    return cast(int, row[0]) if row else None


def _newest_version(db: Database, original: int) -> Received:
    row = db.execute(
        "SELECT max(id) FROM inbox WHERE id = ? OR edits = ?", [original, original]
    ).fetchone()
    return received(db, row[0])


def _pending(db: Database, inbox: int) -> Received | None:
    row = db.execute(
        "SELECT 1 FROM inbox WHERE id = ? AND turn IS NULL AND withdrawn_at IS NULL", [inbox]
    ).fetchone()
    return received(db, inbox) if row else None


def _is_withdrawn(db: Database, inbox: int) -> bool:
    row = db.execute("SELECT withdrawn_at FROM inbox WHERE id = ?", [inbox]).fetchone()
    return row[0] is not None


def _add(db: Database, incoming: Incoming, now: datetime, edits: int | None = None) -> int:
    row: dict[str, Any] = {
        "channel": incoming.channel,
        "event_key": incoming.event_keys[0],
        "address": incoming.address,
        "customer": incoming.customer,
        "text": incoming.text,
        "language": incoming.language,
        "received_at": now.isoformat(),
        "edits": edits,
    }
    inbox = insert(db, "inbox", row)
    _add_keys(db, incoming.channel, incoming.event_keys, inbox)
    _add_attachments(db, incoming, inbox)
    return inbox


def _add_attachments(db: Database, incoming: Incoming, inbox: int) -> None:
    for attachment in incoming.attachments:
        db.execute(
            "INSERT INTO attachments (inbox, kind, external_id, name, media_type, size)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                inbox,
                attachment.kind,
                attachment.id,
                attachment.name,
                attachment.media_type,
                attachment.size,
            ],
        )


def _add_keys(db: Database, channel: str, keys: Sequence[str], inbox: int) -> None:
    for key in keys:
        db.execute(
            "INSERT OR IGNORE INTO inbox_keys (channel, event_key, inbox) VALUES (?, ?, ?)",
            [channel, key, inbox],
        )


def _attachments(db: Database, inbox: int) -> tuple[Attachment, ...]:
    rows = db.execute(
        "SELECT kind, external_id, name, media_type, size FROM attachments WHERE inbox = ?"
        " ORDER BY id",
        [inbox],
    ).fetchall()
    return tuple(
        Attachment(kind=kind, id=external_id, name=name, media_type=media_type, size=size)
        for kind, external_id, name, media_type, size in rows
    )
