"""A turn's rows in the log, whatever it is: a question, a reply, what is told unasked."""

import json
from dataclasses import asdict
from typing import Any

import uuid_utils
from sqlite_utils import Database

from bot.knowledge.words import fts_text
from bot.log.rows import insert
from bot.messages import Candidate, ConversationId, Decision, TurnId

HISTORY_TURNS = 12  # that an answer is written from


def add_turn(db: Database, conversation: ConversationId, **columns: Any) -> TurnId:
    """Store what one party said, with the other `columns` of its row."""
    turn = TurnId(str(uuid_utils.uuid7()))
    [number] = db.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM turns WHERE conversation = ?", [conversation]
    ).fetchone()
    insert(db, "turns", {"id": turn, "conversation": conversation, "number": number, **columns})
    insert(db, "turn_search", {"words": fts_text(columns["text"]), "turn": turn})
    return turn


def record_candidates(db: Database, turn: TurnId, decision: Decision) -> None:
    """Store a slate, and which of it is shown."""
    for position, candidate in enumerate(decision.candidates):
        row = {
            "turn": turn,
            "position": position,
            "source": candidate.source,
            "text": candidate.text,
            "citations": _json([asdict(citation) for citation in candidate.citations]),
            "features": _json(dict(candidate.features)),
            "refusal": candidate.refusal,
            "propensity": decision.propensities[position],
            "policy": decision.policy,
            "shown": int(position == decision.chosen),
        }
        insert(db, "candidates", row)


def hand_off(
    db: Database,
    conversation: ConversationId,
    turn: TurnId,
    candidate: Candidate,
    at: str,
    *,
    is_urgent: bool = False,
) -> None:
    """Put a reply on the team's list where it says that it is; what `is_urgent` comes first."""
    if reason := candidate.handoff_reason:
        row = {
            "conversation": conversation,
            "turn": turn,
            "reason": reason,
            "created_at": at,
            "is_urgent": int(is_urgent),
        }
        insert(db, "handoffs", row)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
