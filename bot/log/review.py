"""What is read from the log: the list of conversations, one transcript, one customer's dialogue.

Read-only functions for `Store.read`; frozen values come out. Nothing here decides who may see
what; that is the caller's part.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, TypeVar, cast

from sqlite_utils import Database

from bot.knowledge.words import HAN, content_words, words
from bot.log.outbox import as_outgoing
from bot.messages import Attachment, Citation, Language, Outgoing

PAGE_SIZE = 50
LONGEST_DIALOGUE = 200
# More words than this make a search slow and no better.
MOST_SEARCH_TERMS = 20
# Of a word that is in every other turn, the newest turns will do; nobody reads on to the others.
MOST_MATCHES = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageKey:
    """Where a page of the list ends: the next one starts after it."""

    last_turn_at: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which conversations are wanted; None and the empty text mean all."""

    text: str = ""
    channel: str | None = None
    language: Language | None = None
    handed_off: bool | None = None
    is_open: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSummary:
    """One row of the list. `match` is the first turn that a search found, or None.

    `is_open` while something that was handed off waits for a person.
    """

    id: str
    channel: str
    customer: str
    language: str
    started_at: str
    last_turn_at: str
    turns: int
    question: str | None
    last_text: str | None
    handed_off: bool
    is_open: bool
    match: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage:
    """A page of the list, newest first; `next_key` is None on the last."""

    conversations: tuple[ConversationSummary, ...]
    next_key: PageKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """One possible reply as it was logged, shown or not."""

    position: int
    source: str
    text: str
    citations: tuple[Citation, ...]
    features: Mapping[str, float]
    refusal: str | None
    propensity: float
    policy: str
    is_shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRecord:
    """A passage that was found for a question, as it read then."""

    rank: int
    passage: str
    article: str
    title: str
    heading: str
    text: str
    url: str
    score: float
    closeness: float
    similarity: float | None
    coverage: float
    is_retired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRecord:
    """One call of the model."""

    model: str
    prompt: str
    prompt_version: str
    sampling: str
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: float
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffRecord:
    """A question that was put on the team's list."""

    reason: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """What became of a reply on its way to the customer."""

    state: str
    attempts: int
    platform_id: str | None
    error: str | None
    created_at: str
    settled_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentRecord:
    """A file that came with a message; it stays at the platform."""

    id: int
    kind: str
    name: str
    media_type: str
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """A tool's call that a reply asks about or tells of."""

    tool: str
    arguments: str
    state: str
    error: str | None
    approved_by: str | None
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRecord:
    """What a customer thought of a reply."""

    verdict: str
    complaint: str | None
    comment: str
    origin: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One turn with everything that was logged about it; most is there for the assistant's only."""

    id: str
    number: int
    role: str
    text: str
    language: str
    created_at: str
    policy: str | None
    latency_ms: float | None
    candidates: tuple[CandidateRecord, ...]
    passages: tuple[PassageRecord, ...]
    generations: tuple[GenerationRecord, ...]
    handoff: HandoffRecord | None
    delivery: DeliveryRecord | None
    attachments: tuple[AttachmentRecord, ...]
    feedback: tuple[FeedbackRecord, ...]
    actions: tuple[ActionRecord, ...]
    is_superseded: bool
    is_withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One conversation in full. `earlier_than` is set when older turns were left out."""

    conversation: ConversationSummary
    turns: tuple[TurnRecord, ...]
    earlier_than: int | None


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


_SUMMARY = """
    SELECT c.id, c.channel, customers.external_id AS customer, c.language, c.started_at,
        c.last_turn_at,
        (SELECT count(*) FROM turns WHERE conversation = c.id) AS turns,
        (SELECT text FROM turns WHERE conversation = c.id AND role = 'customer'
            ORDER BY number LIMIT 1) AS question,
        (SELECT text FROM turns WHERE conversation = c.id
            ORDER BY number DESC LIMIT 1) AS last_text,
        EXISTS (SELECT 1 FROM handoffs WHERE conversation = c.id) AS handed_off,
        EXISTS (SELECT 1 FROM handoffs WHERE conversation = c.id AND settled_at IS NULL) AS is_open
    FROM conversations AS c JOIN customers ON customers.id = c.customer
"""


def conversations(
    db: Database,
    filters: Filters | None = None,
    *,
    after: PageKey | None = None,
    limit: int = PAGE_SIZE,
) -> ConversationPage:
    """Return a page of the conversations that fit the filters, newest first.

    All words of the search text must be in one turn (in Chinese, all that spaces part); it may also
    be a conversation's id or a customer's. The newest 10,000 turns with these words count.
    """
    filters = filters or Filters()
    conditions, values = _conditions(filters, after)
    # Found and ordered first: a summary costs more than all of that.
    page = (
        f"SELECT c.id FROM conversations AS c WHERE {' AND '.join(conditions)}"
        f" ORDER BY {_by_time(filters)} LIMIT :limit"
    )
    rows = _rows(
        db,
        f"{_SUMMARY} WHERE c.id IN ({page}) ORDER BY c.last_turn_at DESC, c.id DESC",
        values | {"limit": limit + 1},
    )
    matches = _matches(db, filters.text, [row["id"] for row in rows[:limit]])
    found = tuple(_summary(row, matches.get(row["id"])) for row in rows[:limit])
    last = found[-1] if len(rows) > limit else None
    next_key = PageKey(last_turn_at=last.last_turn_at, id=last.id) if last else None
    return ConversationPage(conversations=found, next_key=next_key)


def channels(db: Database) -> tuple[str, ...]:
    """Return the names of all channels that have conversations."""
    # Jumps through the index from one name to the next; DISTINCT would read every row.
    rows = _rows(
        db,
        """
        WITH RECURSIVE found (name) AS (
            SELECT min(channel) FROM conversations
            UNION ALL
            SELECT (SELECT min(channel) FROM conversations WHERE channel > name)
            FROM found WHERE name IS NOT NULL
        )
        SELECT name FROM found WHERE name IS NOT NULL
        """,
        {},
    )
    return tuple(row["name"] for row in rows)


def transcript(
    db: Database, conversation: str, *, before: int | None = None, limit: int = LONGEST_DIALOGUE
) -> Transcript | None:
    """Return a conversation with its latest turns (before number `before`); None if there is none.

    Long conversations come in pieces of `limit` turns.
    """
    summaries = _rows(db, f"{_SUMMARY} WHERE c.id = :id", {"id": conversation})
    if not summaries:
        return None
    rows = _rows(
        db,
        "SELECT * FROM turns WHERE conversation = :id AND (:before IS NULL OR number < :before)"
        " ORDER BY number DESC LIMIT :limit",
        {"id": conversation, "before": before, "limit": limit + 1},
    )
    shown = rows[:limit][::-1]
    return Transcript(
        conversation=_summary(summaries[0]),
        turns=_turn_records(db, shown),
        earlier_than=shown[0]["number"] if len(rows) > limit else None,
    )


def reply_to(db: Database, channel: str, event_key: str) -> Outgoing | None:
    """Return the reply that a message got, as it went out, or None while it has none."""
    rows = _rows(
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
    return as_outgoing(rows[0]["id"], json.loads(rows[0]["reply"])) if rows else None


def dialogue(db: Database, channel: str, address: str) -> Dialogue | None:
    """Return what a customer sees of a conversation, or None when there is no such conversation.

    Messages that wait for their answer come last.
    """
    place = {"channel": channel, "address": address}
    turns = _rows(db, _DIALOGUE, place | {"limit": LONGEST_DIALOGUE})[::-1]
    waiting = _rows(db, _WAITING, place | {"limit": LONGEST_DIALOGUE})
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


def _by_time(filters: Filters) -> str:
    # With the plus SQLite sorts what was found, instead of looking for it along the index by time.
    plus = "+" if filters.text.strip() else ""
    return f"{plus}c.last_turn_at DESC, {plus}c.id DESC"


_HITS = """
    SELECT turn FROM turn_search WHERE turn_search MATCH :query ORDER BY rowid DESC LIMIT :most
"""
_FOUND = f"""
    SELECT turns.conversation FROM ({_HITS}) AS hits JOIN turns ON turns.id = hits.turn
    UNION SELECT id FROM conversations WHERE id = :text
    UNION SELECT conversations.id
        FROM customers JOIN conversations ON conversations.customer = customers.id
        WHERE customers.external_id = :text
"""


def _conditions(filters: Filters, after: PageKey | None) -> tuple[list[str], dict[str, Any]]:
    conditions = ["1"]
    values: dict[str, Any] = {}
    if filters.text.strip():
        conditions.append(f"c.id IN ({_FOUND})")
        query = _search(filters.text)
        values |= {"text": filters.text.strip(), "query": query, "most": MOST_MATCHES}
    if filters.channel is not None:
        conditions.append("c.channel = :channel")
        values["channel"] = filters.channel
    if filters.language is not None:
        conditions.append("c.language = :language")
        values["language"] = filters.language
    if filters.is_open is not None:
        conditions.append(
            "EXISTS (SELECT 1 FROM handoffs WHERE conversation = c.id AND settled_at IS NULL)"
            " = :is_open"
        )
        values["is_open"] = filters.is_open
    if filters.handed_off is not None:
        conditions.append("EXISTS (SELECT 1 FROM handoffs WHERE conversation = c.id) = :handed_off")
        values["handed_off"] = filters.handed_off
    if after is not None:
        conditions.append("(c.last_turn_at, c.id) < (:after_at, :after_id)")
        values |= {"after_at": after.last_turn_at, "after_id": after.id}
    return conditions, values


def _search(text: str) -> str:
    """Return the FTS5 query for turns with all the words of a text.

    Not `fts_query`, which asks for any of the words: right for finding articles, too wide here.
    A run of Chinese is cut into words differently in each sentence, so any of its words will do.
    """
    terms = text.split()[:MOST_SEARCH_TERMS]
    kept = [content_words(term) for term in terms]
    found = [group for group in kept if group] or [words(term) for term in terms if words(term)]
    return " AND ".join(f"({_any_or_all(group)})" for group in found) or '""'


def _any_or_all(group: list[str]) -> str:
    operator = " OR " if HAN.search("".join(group)) else " AND "
    return operator.join(f'"{word}"' for word in group[:MOST_SEARCH_TERMS])


def _matches(db: Database, text: str, ids: list[str]) -> Mapping[str, str]:
    """Return the first turn that a search found in each of some conversations."""
    if not text.strip() or not ids:
        return {}
    rows = _rows(
        db,
        f"""
        SELECT turns.conversation, turns.text, min(turns.number)
        FROM ({_HITS}) AS hits JOIN turns ON turns.id = hits.turn
        WHERE turns.conversation IN (SELECT value FROM json_each(:ids))
        GROUP BY turns.conversation
        """,
        {"query": _search(text), "ids": json.dumps(ids), "most": MOST_MATCHES},
    )
    return {row["conversation"]: row["text"] for row in rows}


def _turn_records(db: Database, turns: list[sqlite3.Row]) -> tuple[TurnRecord, ...]:
    ids = json.dumps([turn["id"] for turn in turns])

    def by_turn(sql: str, build: Callable[[sqlite3.Row], T]) -> Mapping[str, list[T]]:
        grouped: defaultdict[str, list[T]] = defaultdict(list)
        for row in _rows(db, sql, {"ids": ids}):
            grouped[row["turn"]].append(build(row))
        return grouped

    candidates = by_turn(_CANDIDATES, _candidate)
    passages = by_turn(_PASSAGES, partial(_record, PassageRecord))
    generations = by_turn(_GENERATIONS, partial(_record, GenerationRecord))
    handoffs = by_turn(_HANDOFFS, partial(_record, HandoffRecord))
    deliveries = by_turn(_DELIVERIES, partial(_record, DeliveryRecord))
    attachments = by_turn(_ATTACHMENTS, partial(_record, AttachmentRecord))
    feedback = by_turn(_FEEDBACK, partial(_record, FeedbackRecord))
    actions = by_turn(_ACTIONS, partial(_record, ActionRecord))
    return tuple(
        _record(
            TurnRecord,
            turn,
            candidates=tuple(candidates.get(turn["id"], ())),
            passages=tuple(passages.get(turn["id"], ())),
            generations=tuple(generations.get(turn["id"], ())),
            handoff=next(iter(handoffs.get(turn["id"], ())), None),
            delivery=next(iter(deliveries.get(turn["id"], ())), None),
            attachments=tuple(attachments.get(turn["id"], ())),
            feedback=tuple(feedback.get(turn["id"], ())),
            actions=tuple(actions.get(turn["id"], ())),
            is_superseded=turn["superseded_by"] is not None,
            is_withdrawn=turn["withdrawn_at"] is not None,
        )
        for turn in turns
    )


_CANDIDATES = """
    SELECT *, shown AS is_shown FROM candidates
    WHERE turn IN (SELECT value FROM json_each(:ids)) ORDER BY turn, position
"""
_PASSAGES = """
    SELECT retrievals.*, passages.article, passages.title, passages.heading, passages.text,
        passages.url, passages.retired_at IS NOT NULL AS is_retired
    FROM retrievals JOIN passages ON passages.id = retrievals.passage
    WHERE retrievals.turn IN (SELECT value FROM json_each(:ids))
    ORDER BY retrievals.turn, retrievals.rank
"""
_GENERATIONS = """
    SELECT * FROM generations WHERE turn IN (SELECT value FROM json_each(:ids)) ORDER BY id
"""
_ACTIONS = """
    SELECT asked_in AS turn, * FROM actions WHERE asked_in IN (SELECT value FROM json_each(:ids))
    UNION
    SELECT told_in AS turn, * FROM actions WHERE told_in IN (SELECT value FROM json_each(:ids))
    ORDER BY created_at
"""
_HANDOFFS = """
    SELECT handoffs.* FROM turns JOIN handoffs
        ON handoffs.conversation = turns.conversation AND handoffs.turn = turns.id
    WHERE turns.id IN (SELECT value FROM json_each(:ids)) ORDER BY handoffs.id
"""
_DELIVERIES = """
    SELECT * FROM outbox WHERE turn IN (SELECT value FROM json_each(:ids)) ORDER BY id
"""
_ATTACHMENTS = """
    SELECT attachments.*, inbox.turn FROM attachments JOIN inbox ON inbox.id = attachments.inbox
    WHERE inbox.turn IN (SELECT value FROM json_each(:ids)) ORDER BY attachments.id
"""
_FEEDBACK = """
    SELECT * FROM feedback WHERE turn IN (SELECT value FROM json_each(:ids)) ORDER BY id
"""


def attachment(db: Database, attachment: int) -> tuple[str, Attachment] | None:
    """Return the channel of a customer's file and what fetches it there, or None."""
    rows = _rows(
        db,
        "SELECT inbox.channel, attachments.* FROM attachments"
        " JOIN inbox ON inbox.id = attachments.inbox WHERE attachments.id = :id",
        {"id": attachment},
    )
    if not rows:
        return None
    [row] = rows
    return row["channel"], _record(Attachment, row, id=row["external_id"])


def _summary(row: sqlite3.Row, match: str | None = None) -> ConversationSummary:
    return _record(
        ConversationSummary,
        row,
        handed_off=bool(row["handed_off"]),
        is_open=bool(row["is_open"]),
        match=match,
    )


def _candidate(row: sqlite3.Row) -> CandidateRecord:
    return _record(
        CandidateRecord,
        row,
        citations=_citations(row["citations"]),
        features=json.loads(row["features"]),
        is_shown=bool(row["is_shown"]),
    )


def _dialogue_turn(row: sqlite3.Row) -> DialogueTurn:
    return _record(
        DialogueTurn,
        row,
        citations=_citations(row["citations"]) if row["citations"] else (),
        handed_off=bool(row["handed_off"]),
        is_answered=row["turn"] is not None,
    )


def _record(kind: type[T], row: sqlite3.Row, **more: object) -> T:
    """Build a value from the columns of its fields' names; `more` stands in for columns."""
    names = {field.name for field in fields(cast(Any, kind))} - set(more)
    return kind(**{name: row[name] for name in names}, **more)


def _citations(text: str) -> tuple[Citation, ...]:
    return tuple(Citation(**citation) for citation in json.loads(text))


def _rows(db: Database, sql: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
    cursor = db.conn.cursor()
    cursor.row_factory = sqlite3.Row
    try:
        return cursor.execute(sql, values).fetchall()
    finally:
        cursor.close()
