"""What is written about messages, answers and deliveries; each function is one transaction."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import uuid_utils
from sqlite_utils import Database

from bot.conversation import Answer
from bot.knowledge.words import fts_text
from bot.messages import (
    Citation,
    ConversationId,
    Incoming,
    Language,
    Outgoing,
    Turn,
    TurnId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A stored message that waits for its answer."""

    id: int
    channel: str
    event_key: str
    address: str
    customer: str
    text: str
    language: Language | None
    received_at: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What was said before in a conversation."""

    history: tuple[Turn, ...] = ()
    language: Language | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A message that is stored; `waiting` is None once it has its answer."""

    is_new: bool
    waiting: Received | None


def receive(db: Database, incoming: Incoming, now: datetime) -> Receipt:
    """Store a message, unless one with any of its keys is stored already."""
    marks = ", ".join("?" * len(incoming.event_keys))
    seen = db.execute(
        f"SELECT inbox FROM inbox_keys WHERE channel = ? AND event_key IN ({marks})",
        [incoming.channel, *incoming.event_keys],
    ).fetchone()
    if seen:
        _add_keys(db, incoming, seen[0])
        return Receipt(is_new=False, waiting=_unanswered(db, seen[0]))
    row = {
        "channel": incoming.channel,
        "event_key": incoming.event_keys[0],
        "address": incoming.address,
        "customer": incoming.customer,
        "text": incoming.text,
        "language": incoming.language,
        "received_at": now.isoformat(),
    }
    inbox = _insert(db, "inbox", row)
    _add_keys(db, incoming, inbox)
    return Receipt(is_new=True, waiting=_received(db, inbox))


def _unanswered(db: Database, inbox: int) -> Received | None:
    row = db.execute("SELECT 1 FROM inbox WHERE id = ? AND turn IS NULL", [inbox]).fetchone()
    return _received(db, inbox) if row else None


def _add_keys(db: Database, incoming: Incoming, inbox: int) -> None:
    for key in incoming.event_keys:
        db.execute(
            "INSERT OR IGNORE INTO inbox_keys (channel, event_key, inbox) VALUES (?, ?, ?)",
            [incoming.channel, key, inbox],
        )


def unanswered(db: Database) -> list[Received]:
    """Return the messages that still wait for an answer, oldest first."""
    rows = db.execute("SELECT id FROM inbox WHERE turn IS NULL ORDER BY id").fetchall()
    return [_received(db, row[0]) for row in rows]


def start_attempt(db: Database, received: Received) -> bool:
    """Count an attempt before it is made, so that a message that kills the program is noticed.

    Return False when the message is answered already.
    """
    found = db.execute(
        "UPDATE inbox SET attempts = attempts + 1 WHERE id = ? AND turn IS NULL", [received.id]
    )
    return bool(found.rowcount)


def context(db: Database, channel: str, address: str, turns: int) -> Context:
    """Return the last `turns` turns at an address, oldest first, and their language."""
    rows = db.execute(
        """
        SELECT turns.role, turns.text, conversations.language
        FROM conversations JOIN turns ON turns.conversation = conversations.id
        WHERE channel = ? AND address = ?
        ORDER BY turns.number DESC LIMIT ?
        """,
        [channel, address, turns],
    ).fetchall()
    if not rows:
        return Context()
    history = tuple(Turn(role=role, text=text) for role, text, _ in reversed(rows))
    return Context(history=history, language=rows[0][2])


def exchange(db: Database, received: Received, answer: Answer, now: datetime) -> Outgoing:
    """Store the customer's turn, the reply with all that led to it, and the reply to be sent."""
    at = now.isoformat()
    conversation = _conversation(db, received, answer.message.language, at)
    asked = _add_turn(
        db,
        conversation,
        role="customer",
        text=received.text,
        language=answer.message.language,
        created_at=received.received_at,
    )
    chosen = answer.decision.candidate
    replied = _add_turn(
        db,
        conversation,
        role="assistant",
        text=chosen.text,
        language=answer.message.language,
        created_at=at,
        replied_to=asked,
        policy=answer.decision.policy,
        latency_ms=answer.latency_ms,
    )
    _record_decision(db, replied, answer)
    if chosen.handoff_reason:
        db.table("handoffs").insert(
            {
                "conversation": conversation,
                "turn": replied,
                "reason": chosen.handoff_reason,
                "created_at": at,
            }
        )
    db.execute("UPDATE inbox SET turn = ? WHERE id = ?", [asked, received.id])
    return _queue(db, received, answer, conversation, replied, at)


def unsent(db: Database) -> list[Outgoing]:
    """Return the replies that were stored and not yet handed to their platform, oldest first."""
    rows = db.execute("SELECT id, reply FROM outbox WHERE state = 'ready' ORDER BY id").fetchall()
    return [_outgoing(row_id, json.loads(reply)) for row_id, reply in rows]


def start_sending(db: Database, outgoing: Outgoing) -> bool:
    """Note that a reply is about to leave; return False when it has left before."""
    found = db.execute(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1 "
        "WHERE id = ? AND state = 'ready'",
        [outgoing.id],
    )
    return bool(found.rowcount)


def sent(db: Database, outgoing: Outgoing, platform_id: str, now: datetime) -> None:
    """Note that the platform took a reply."""
    db.execute(
        "UPDATE outbox SET state = 'sent', platform_id = ?, settled_at = ? WHERE id = ?",
        [platform_id, now.isoformat(), outgoing.id],
    )


def not_sent(
    db: Database,
    outgoing: Outgoing,
    error: str,
    state: Literal["ready", "failed", "in_doubt"],
    now: datetime,
) -> None:
    """Note that the platform did not take a reply: for now, for good, or who knows."""
    settled_at = None if state == "ready" else now.isoformat()
    db.execute(
        "UPDATE outbox SET state = ?, error = ?, settled_at = ? WHERE id = ?",
        [state, error, settled_at, outgoing.id],
    )


def doubt_interrupted(db: Database, now: datetime) -> int:
    """Mark replies whose sending a crash interrupted, and return how many there are.

    They may or may not have arrived. Sending again could answer twice, so a person decides.
    """
    found = db.execute(
        "UPDATE outbox SET state = 'in_doubt', settled_at = ?, "
        "error = 'interrupted while sending' WHERE state = 'sending'",
        [now.isoformat()],
    )
    return int(found.rowcount)


def _received(db: Database, inbox: int) -> Received:
    row = db.execute(
        "SELECT id, channel, event_key, address, customer, text, language, received_at, attempts "
        "FROM inbox WHERE id = ?",
        [inbox],
    ).fetchone()
    names = (
        "id",
        "channel",
        "event_key",
        "address",
        "customer",
        "text",
        "language",
        "received_at",
        "attempts",
    )
    return Received(**dict(zip(names, row, strict=True)))


def _conversation(db: Database, received: Received, language: Language, at: str) -> ConversationId:
    customer = _customer(db, received, at)
    db.execute(
        """
        INSERT INTO conversations
            (id, customer, channel, address, language, started_at, last_turn_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (channel, address) DO UPDATE
        SET language = excluded.language, last_turn_at = excluded.last_turn_at
        """,
        [
            _new_id(),
            customer,
            received.channel,
            received.address,
            language,
            received.received_at,
            at,
        ],
    )
    [found] = db.execute(
        "SELECT id FROM conversations WHERE channel = ? AND address = ?",
        [received.channel, received.address],
    ).fetchone()
    return ConversationId(found)


def _customer(db: Database, received: Received, at: str) -> str:
    db.execute(
        "INSERT INTO customers (id, channel, external_id, created_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (channel, external_id) DO NOTHING",
        [_new_id(), received.channel, received.customer, at],
    )
    [found] = db.execute(
        "SELECT id FROM customers WHERE channel = ? AND external_id = ?",
        [received.channel, received.customer],
    ).fetchone()
    return str(found)


def _add_turn(db: Database, conversation: ConversationId, **columns: Any) -> TurnId:
    turn = TurnId(_new_id())
    [number] = db.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM turns WHERE conversation = ?", [conversation]
    ).fetchone()
    db.table("turns").insert(
        {"id": turn, "conversation": conversation, "number": number, **columns}
    )
    db.table("turn_search").insert({"words": fts_text(columns["text"]), "turn": turn})
    return turn


def _record_decision(db: Database, turn: TurnId, answer: Answer) -> None:
    decision = answer.decision
    db.table("candidates").insert_all(
        {
            "turn": turn,
            "position": position,
            "source": candidate.source,
            "text": candidate.text,
            "citations": _json([asdict(citation) for citation in candidate.citations]),
            "features": _json(dict(candidate.features)),
            "refusal": candidate.refusal,
            "propensity": propensity,
            "policy": decision.policy,
            "shown": int(position == decision.chosen),
        }
        for position, (candidate, propensity) in enumerate(
            zip(decision.candidates, decision.propensities, strict=True)
        )
    )
    db.table("retrievals").insert_all(
        {
            "turn": turn,
            "rank": rank,
            "passage": hit.passage.id,
            "score": hit.score,
            "closeness": hit.closeness,
            "similarity": hit.similarity,
            "coverage": hit.coverage,
        }
        for rank, hit in enumerate(answer.hits, start=1)
    )
    if answer.generation:
        _record_generation(db, turn, answer)


def _record_generation(db: Database, turn: TurnId, answer: Answer) -> None:
    assert answer.generation is not None
    row = asdict(answer.generation)
    del row["texts"], row["log_probabilities"]  # each draft is a candidate
    db.table("generations").insert({**row, "turn": turn, "sampling": _json(row["sampling"])})


def _queue(
    db: Database,
    received: Received,
    answer: Answer,
    conversation: ConversationId,
    turn: TurnId,
    at: str,
) -> Outgoing:
    chosen = answer.decision.candidate
    reply = {
        "conversation": conversation,
        "turn": turn,
        "channel": received.channel,
        "address": received.address,
        "in_reply_to": received.event_key,
        "text": chosen.text,
        "source": chosen.source,
        "language": answer.message.language,
        "citations": [asdict(citation) for citation in chosen.citations],
        "candidates": len(answer.decision.candidates),
        "handed_off": chosen.handoff_reason is not None,
    }
    row = {
        "turn": turn,
        "conversation": conversation,
        "channel": received.channel,
        "address": received.address,
        "reply": _json(reply),
        "state": "ready",
        "created_at": at,
    }
    return _outgoing(_insert(db, "outbox", row), reply)


def _outgoing(row_id: int, reply: dict[str, Any]) -> Outgoing:
    citations: Iterable[dict[str, str]] = reply["citations"]
    return Outgoing(
        **{**reply, "citations": tuple(Citation(**citation) for citation in citations)}, id=row_id
    )


def _insert(db: Database, table: str, row: dict[str, Any]) -> int:
    """Insert a row into a table with an integer key and return the key."""
    key = db.table(table).insert(row).last_pk
    assert isinstance(key, int)
    return key


def _new_id() -> str:
    return str(uuid_utils.uuid7())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
