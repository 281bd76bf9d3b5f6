"""One conversation in full, with everything that was logged about each reply.

Read-only functions for `Store.read`; frozen values come out. Nothing here decides who may see
what; that is the caller's part.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlite_utils import Database

from bot.log import conversations
from bot.log.conversations import ConversationSummary
from bot.log.rows import as_citations, as_value, select
from bot.messages import Attachment, Citation

LONGEST_PIECE = 200  # turns

T = TypeVar("T")


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
class PreferenceRecord:
    """Which of two candidates, by their places on the slate, an account prefers."""

    first: int
    second: int
    verdict: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRecord:
    """What a reply should have said."""

    text: str
    account: str
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
    preferences: tuple[PreferenceRecord, ...]
    corrections: tuple[CorrectionRecord, ...]
    is_superseded: bool
    is_withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One conversation in full. `earlier_than` is set when older turns were left out."""

    conversation: ConversationSummary
    turns: tuple[TurnRecord, ...]
    earlier_than: int | None


def transcript(
    db: Database, conversation: str, *, before: int | None = None, limit: int = LONGEST_PIECE
) -> Transcript | None:
    """Return a conversation with its latest turns (before number `before`); None if there is none.

    Long conversations come in pieces of `limit` turns.
    """
    summary = conversations.conversation(db, conversation)
    if summary is None:
        return None
    rows = select(
        db,
        "SELECT * FROM turns WHERE conversation = :id AND (:before IS NULL OR number < :before)"
        " ORDER BY number DESC LIMIT :limit",
        {"id": conversation, "before": before, "limit": limit + 1},
    )
    shown = rows[:limit][::-1]
    return Transcript(
        conversation=summary,
        turns=_turn_records(db, shown),
        earlier_than=shown[0]["number"] if len(rows) > limit else None,
    )


def _turn_records(db: Database, turns: list[sqlite3.Row]) -> tuple[TurnRecord, ...]:
    ids = json.dumps([turn["id"] for turn in turns])

    def by_turn(sql: str, build: Callable[[sqlite3.Row], T]) -> Mapping[str, list[T]]:
        grouped: defaultdict[str, list[T]] = defaultdict(list)
        for row in select(db, sql, {"ids": ids}):
            grouped[row["turn"]].append(build(row))
        return grouped

    candidates = by_turn(_CANDIDATES, _candidate)
    passages = by_turn(_PASSAGES, partial(as_value, PassageRecord))
    generations = by_turn(_GENERATIONS, partial(as_value, GenerationRecord))
    handoffs = by_turn(_HANDOFFS, partial(as_value, HandoffRecord))
    deliveries = by_turn(_DELIVERIES, partial(as_value, DeliveryRecord))
    attachments = by_turn(_ATTACHMENTS, partial(as_value, AttachmentRecord))
    feedback = by_turn(_FEEDBACK, partial(as_value, FeedbackRecord))
    actions = by_turn(_ACTIONS, partial(as_value, ActionRecord))
    preferences = by_turn(_PREFERENCES, partial(as_value, PreferenceRecord))
    corrections = by_turn(_CORRECTIONS, partial(as_value, CorrectionRecord))
    return tuple(
        as_value(
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
            preferences=tuple(preferences.get(turn["id"], ())),
            corrections=tuple(corrections.get(turn["id"], ())),
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
_PREFERENCES = """
    SELECT * FROM preferences WHERE turn IN (SELECT value FROM json_each(:ids)) ORDER BY id
"""
_CORRECTIONS = """
    SELECT * FROM corrections WHERE turn IN (SELECT value FROM json_each(:ids)) ORDER BY id
"""


def attachment(db: Database, attachment: int) -> tuple[str, Attachment] | None:
    """Return the channel of a customer's file and what fetches it there, or None."""
    rows = select(
        db,
        "SELECT inbox.channel, attachments.* FROM attachments"
        " JOIN inbox ON inbox.id = attachments.inbox WHERE attachments.id = :id",
        {"id": attachment},
    )
    if not rows:
        return None
    [row] = rows
    return row["channel"], as_value(Attachment, row, id=row["external_id"])


def _candidate(row: sqlite3.Row) -> CandidateRecord:
    return as_value(
        CandidateRecord,
        row,
        citations=as_citations(row["citations"]),
        features=json.loads(row["features"]),
        is_shown=bool(row["is_shown"]),
    )
