"""Policies that came into force, copied into the log, where reviewers read them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from bot.log.rows import insert, select

NEWEST = 10_000  # replies; a start must not read a log of years


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Since when a policy was in force, and why; `trained` is None for the fixed order."""

    policy: str
    reason: str
    note: str
    at: datetime
    trained: Mapping[str, Any] | None


def count(db: Database) -> int:
    """Return how many changes are stored."""
    found: int = db.execute("SELECT count(*) FROM policy_changes").fetchone()[0]
    return found


def record(db: Database, changes: Sequence[InForce]) -> None:
    """Store changes that are not stored yet, oldest first."""
    for change in changes:
        at = change.at.isoformat()
        trained = None if change.trained is None else json.dumps(dict(change.trained))
        db.execute(
            "INSERT INTO policies (version, trained, created_at) VALUES (?, ?, ?)"
            " ON CONFLICT (version) DO NOTHING",
            [change.policy, trained, at],
        )
        row = {"policy": change.policy, "reason": change.reason, "note": change.note}
        insert(db, "policy_changes", {**row, "created_at": at})


def history(db: Database) -> list[InForce]:
    """Return what was in force, newest first."""
    rows = select(
        db,
        "SELECT policy, reason, note, policy_changes.created_at, trained FROM policy_changes"
        " JOIN policies ON policies.version = policy ORDER BY policy_changes.id DESC",
        {},
    )
    trained = {row["policy"]: json.loads(row["trained"] or "null") for row in rows}
    return [
        InForce(
            policy=row["policy"],
            reason=row["reason"],
            note=row["note"],
            at=datetime.fromisoformat(row["created_at"]),
            trained=trained[row["policy"]],
        )
        for row in rows
    ]


def tries(db: Database, since: datetime) -> int:
    """Return how many of the newest replies, given since then, were not what was thought best."""
    values = {"since": since.isoformat(), "newest": NEWEST}
    found: int = db.execute(_TRIES, values).fetchone()[0]
    return found


_TRIES = """
    SELECT count(*)
    FROM (SELECT id, created_at FROM turns WHERE role = 'assistant' ORDER BY id DESC LIMIT :newest)
        AS reply JOIN candidates AS shown ON shown.turn = reply.id AND shown.shown
    WHERE reply.created_at >= :since
        AND shown.propensity < (SELECT max(propensity) FROM candidates WHERE turn = reply.id)
"""
