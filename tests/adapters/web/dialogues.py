"""Dialogues written straight into the log, and an inbox that answers from a script."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlite_utils import Database

from bot.errors import LogError
from bot.knowledge.words import fts_text
from bot.log.store import Store
from bot.messages import (
    Candidate,
    Citation,
    ConversationId,
    Document,
    Incoming,
    Language,
    Outgoing,
    Place,
    Stage,
    TurnId,
)
from bot.ports import Channel

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RETURNS = Citation(
    article="en/return-an-item",
    title="Return an item",
    url="https://help.example/en/return-an-item",
)
ANSWER = Candidate(
    source="article",
    text="You can return an item within 30 days of delivery. A return costs 7.90 EUR.",
    citations=(RETURNS,),
    features={"coverage": 0.75, "source_article": 1.0},
)
HANDOFF = Candidate(
    source="handoff", text="I've put this on our team's list.", handoff_reason="no_article"
)


@dataclass
class Clock:
    """A clock that moves only when it is told to."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def write_message(db: Database, incoming: Incoming, at: datetime = START) -> int | None:
    """Store a message; return its inbox id, or None when it came before."""
    keys = [incoming.channel, incoming.event_keys[0]]
    if db.execute("SELECT 1 FROM inbox_keys WHERE channel = ? AND event_key = ?", keys).fetchone():
        return None
    inbox = db.execute(
        "INSERT INTO inbox (channel, event_key, address, customer, text, received_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [*keys, incoming.address, incoming.customer, incoming.text, at.isoformat()],
    ).lastrowid
    db.execute("INSERT INTO inbox_keys VALUES (?, ?, ?)", [*keys, inbox])
    for each in incoming.attachments:
        db.execute(
            "INSERT INTO attachments (inbox, kind, external_id, name, media_type, size)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [inbox, each.kind, each.id, each.name, each.media_type, each.size],
        )
    return inbox


def write_exchange(
    db: Database,
    incoming: Incoming,
    slate: Sequence[Candidate] = (ANSWER,),
    *,
    shown: int = 0,
    language: Language = "en",
    at: datetime = START,
    inbox: int | None = None,
) -> Outgoing:
    """Store a message with its reply, as one exchange of a conversation."""
    inbox = inbox or write_message(db, incoming, at)
    conversation = _conversation(db, incoming, language, at)
    question = write_turn(db, conversation, "customer", incoming.text, language, at)
    chosen = slate[shown]
    reply = write_turn(db, conversation, "assistant", chosen.text, language, at, question)
    _write_slate(db, reply, slate, shown)
    if chosen.handoff_reason:
        db.execute(
            "INSERT INTO handoffs (conversation, turn, reason, created_at) VALUES (?, ?, ?, ?)",
            [conversation, reply, chosen.handoff_reason, at.isoformat()],
        )
    db.execute("UPDATE inbox SET turn = ?, reply = ? WHERE id = ?", [question, reply, inbox])
    return _write_outgoing(db, incoming, conversation, reply, slate, shown, language, at)


def write_turn(
    db: Database,
    conversation: str,
    role: str,
    text: str,
    language: str = "en",
    at: datetime = START,
    replied_to: str | None = None,
) -> str:
    """Append a turn to a conversation and return its id."""
    [number] = db.execute(
        "SELECT count(*) + 1 FROM turns WHERE conversation = ?", [conversation]
    ).fetchone()
    turn = f"{conversation}-turn-{number}"
    policy, latency = ("p1", 41.5) if replied_to else (None, None)
    db.execute(
        "INSERT INTO turns (id, conversation, number, role, text, language, created_at, replied_to,"
        " policy, latency_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(turn, conversation, number, role, text, language),
            *(at.isoformat(), replied_to, policy, latency),
        ],
    )
    db.execute("INSERT INTO turn_search (words, turn) VALUES (?, ?)", [fts_text(text), turn])
    return turn


def place(incoming: Incoming) -> Place:
    """Return where the answer to a message is written."""
    return Place(
        address=incoming.address,
        customer=incoming.customer,
        in_reply_to=incoming.event_keys[0],
        language="en",
    )


def message(text: str = "Can I return a tent?", **changes: str) -> Incoming:
    """Return a message of a customer on the web page."""
    address = changes.get("address", "A" * 32)
    return Incoming(
        channel=changes.get("channel", "web"),
        event_keys=(f"{address}:{changes.get('id', text[:40])}",),
        address=address,
        customer=changes.get("customer", address),
        text=text,
    )


@dataclass
class ScriptedInbox:
    """Stores what it gets and answers at once with the next candidate of the script.

    With `is_holding` it only stores, until `answer_held()`. With `is_broken` it stores nothing.
    """

    store: Store
    script: list[Candidate] = field(default_factory=list)
    stages: Sequence[Stage] = ()
    beginnings: Sequence[str] = ()
    document: Document | None = None
    is_holding: bool = False
    is_broken: bool = False
    language: Language = "en"
    channel: Channel | None = None
    history: list[Incoming] = field(default_factory=list)
    held: list[tuple[Incoming, int]] = field(default_factory=list)
    left: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def accept(self, incoming: Incoming) -> bool:
        if self.is_broken:
            raise LogError("The database refused a write (disk full).")
        inbox = await self.store.write(lambda db: write_message(db, incoming))
        if inbox is None:
            return False
        self.history.append(incoming)
        self.held.append((incoming, inbox))
        if not self.is_holding:
            await self.answer_held()
        return True

    def leave(self, channel: str, event_key: str, address: str) -> None:
        assert event_key.startswith(address)
        self.left.put_nowait(event_key)

    async def answer_held(self) -> None:
        """Answer what was held back."""
        assert self.channel is not None
        while self.held:
            incoming, inbox = self.held.pop(0)
            for stage in self.stages:
                await self.channel.show_progress(place(incoming), stage)
            for text in self.beginnings:
                await self.channel.preview(place(incoming), text)
            outgoing = await self._exchange(incoming, inbox)
            await self.channel.send(replace(outgoing, document=self.document))

    async def _exchange(self, incoming: Incoming, inbox: int) -> Outgoing:
        candidate = self.script.pop(0) if self.script else ANSWER
        return await self.store.write(
            lambda db: write_exchange(
                db, incoming, [candidate], inbox=inbox, language=self.language
            )
        )


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


def _conversation(db: Database, incoming: Incoming, language: str, at: datetime) -> str:
    customer = f"{incoming.channel}/{incoming.customer}"
    conversation = f"{incoming.channel}-{incoming.address}"
    db.execute(
        "INSERT OR IGNORE INTO customers (id, channel, external_id, created_at)"
        " VALUES (?, ?, ?, ?)",
        [customer, incoming.channel, incoming.customer, at.isoformat()],
    )
    db.execute(
        "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel, address)"
        " DO UPDATE SET last_turn_at = excluded.last_turn_at",
        [
            *(conversation, customer, incoming.channel, incoming.address),
            *(language, at.isoformat(), at.isoformat()),
        ],
    )
    return conversation


def _write_slate(db: Database, turn: str, slate: Sequence[Candidate], shown: int) -> None:
    for position, candidate in enumerate(slate):
        citations = json.dumps([asdict(citation) for citation in candidate.citations])
        db.execute(
            "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(turn, position, candidate.source, candidate.text, citations),
                *(json.dumps(dict(candidate.features)), candidate.refusal),
                *(1 / len(slate), "p1", int(position == shown)),
            ],
        )


def _write_outgoing(
    db: Database,
    incoming: Incoming,
    conversation: str,
    turn: str,
    slate: Sequence[Candidate],
    shown: int,
    language: Language,
    at: datetime,
) -> Outgoing:
    chosen = slate[shown]
    reply = {
        "conversation": conversation,
        "turn": turn,
        "channel": incoming.channel,
        "address": incoming.address,
        "customer": incoming.customer,
        "in_reply_to": incoming.event_keys[0],
        "text": chosen.text,
        "source": chosen.source,
        "language": language,
        "citations": [asdict(citation) for citation in chosen.citations],
        "candidates": len(slate),
        "handed_off": chosen.handoff_reason is not None,
        "choices": [asdict(choice) for choice in chosen.choices],
    }
    row_id = db.execute(
        "INSERT INTO outbox (turn, conversation, channel, address, reply, state, attempts,"
        " created_at) VALUES (?, ?, ?, ?, ?, 'sent', 1, ?)",
        [turn, conversation, incoming.channel, incoming.address, json.dumps(reply), at.isoformat()],
    ).lastrowid
    return Outgoing(
        id=row_id or 0,
        conversation=ConversationId(conversation),
        turn=TurnId(turn),
        channel=incoming.channel,
        address=incoming.address,
        customer=incoming.customer,
        in_reply_to=incoming.event_keys[0],
        text=chosen.text,
        source=chosen.source,
        language=language,
        citations=chosen.citations,
        candidates=len(slate),
        handed_off=chosen.handoff_reason is not None,
        choices=chosen.choices,
    )
