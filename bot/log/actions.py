"""Calls of tools in the log: stored before they are made, settled after.

A row's state says what is known. One that changes something goes from `asked` over `running` to
`done` or `failed`, and to `unknown` where a call was begun and nothing came back: never back, so
that nothing is carried out twice. Each function is one transaction, or part of one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import uuid_utils
from sqlite_utils import Database

from bot.log.rows import insert
from bot.messages import Dialogue, Language, TurnId
from bot.privacy import mask

LONGEST_KEPT = 2000  # characters of a result
CODE_LENGTH = 12
MOST_LISTED = 100

State = Literal["asked", "declined", "waiting", "refused", "running", "done", "failed", "unknown"]
_COLUMNS = (
    "id, channel, address, customer, tool, arguments, summary, language, state, outcome,"
    " expires_at, coalesce(told_in, asked_in), approved_at IS NOT NULL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A call of a tool. `id` is its idempotency key; `summary` what the customer says yes to.

    `told_in` is the last reply that asked for the yes, or told what became of it; `is_decided` says
    whether an agent approved or refused it.
    """

    id: str
    dialogue: Dialogue
    tool: str
    arguments: Mapping[str, Any]
    summary: str
    language: Language
    state: State
    outcome: str | None
    expires_at: str | None
    told_in: TurnId | None
    is_decided: bool

    @property
    def code(self) -> str:
        """What its buttons name it by."""
        return self.id[-CODE_LENGTH:]


def new_key() -> str:
    """Return a new idempotency key."""
    return str(uuid_utils.uuid7())


def ask(
    db: Database,
    dialogue: Dialogue,
    tool: str,
    arguments: Mapping[str, Any],
    summary: str,
    language: Language,
    now: datetime,
    lasts: timedelta,
) -> Action:
    """Store a call that waits for its customer's yes."""
    row = _row(dialogue, tool, arguments, language, "asked", now)
    row |= {"summary": summary, "expires_at": (now + lasts).isoformat()}
    insert(db, "actions", row)
    found = get(db, str(row["id"]))
    assert found is not None
    return found


def was_read(
    db: Database,
    key: str,
    dialogue: Dialogue,
    tool: str,
    arguments: Mapping[str, Any],
    language: Language,
    started: datetime,
    now: datetime,
    *,
    result: str | None,
    error: str | None,
) -> None:
    """Store a call that only read, once it is over: with its result, or with what went wrong."""
    state: State = "failed" if error else "done"
    row = _row(dialogue, tool, arguments, language, state, started)
    row |= {"id": key, "started_at": started.isoformat(), "settled_at": now.isoformat()}
    insert(db, "actions", row | {"error": error} | _kept(result))


def get(db: Database, key: str) -> Action | None:
    """Return a call by its key."""
    return _first(db, "id = ?", [key])


def named(db: Database, dialogue: Dialogue, code: str) -> Action | None:
    """Return the call of a dialogue that a button names."""
    return _first(
        db,
        f"channel = ? AND customer = ? AND address = ? AND substr(id, -{CODE_LENGTH}) = ?"
        " AND expires_at IS NOT NULL",
        [dialogue.channel, dialogue.customer, dialogue.address, code],
    )


def just_asked(db: Database, dialogue: Dialogue) -> Action | None:
    """Return the call that the last thing said to the customer asks a yes for."""
    return _first(
        db,
        """
        channel = ? AND customer = ? AND address = ? AND state = 'asked' AND asked_in = (
            SELECT id FROM turns
            WHERE conversation = (SELECT conversation FROM turns WHERE id = actions.asked_in)
                AND role <> 'customer'
            ORDER BY number DESC LIMIT 1)
        """,
        [dialogue.channel, dialogue.customer, dialogue.address],
    )


def untold(db: Database, dialogue: Dialogue) -> Action | None:
    """Return a call with a yes of which its customer has not heard yet what came of it.

    Of what an agent decided they are told unasked.
    """
    return _first(
        db,
        "channel = ? AND customer = ? AND address = ? AND confirmed_at IS NOT NULL"
        " AND told_in IS NULL AND approved_at IS NULL"
        " AND state IN ('running', 'done', 'failed', 'unknown')",
        [dialogue.channel, dialogue.customer, dialogue.address],
    )


def decided_before(db: Database) -> list[str]:
    """Return the keys of what an earlier version of the program decided and told nobody unasked."""
    rows = db.execute(
        "SELECT id FROM actions WHERE approved_at IS NOT NULL AND told_in IS NULL"
        " AND state IN ('done', 'failed', 'refused', 'unknown') ORDER BY id"
    ).fetchall()
    return [row[0] for row in rows]


def decline(db: Database, key: str, now: datetime) -> bool:
    """Note the customer's no; return whether it was still asked for."""
    return _change(db, key, "asked", state="declined", settled_at=now.isoformat())


def hand_over(db: Database, key: str, now: datetime) -> bool:
    """Note the customer's yes to a call that an agent must approve; return whether it counts."""
    return _change(db, key, "asked", state="waiting", confirmed_at=now.isoformat())


def start(db: Database, key: str, now: datetime) -> bool:
    """Note the customer's yes and that the call begins; return whether it may be made: once."""
    at = now.isoformat()
    return _change(db, key, "asked", state="running", confirmed_at=at, started_at=at)


def approve(db: Database, key: str, account: str, now: datetime) -> bool:
    """Note an agent's approval and that the call begins; return whether it may be made: once."""
    at = now.isoformat()
    return _change(
        db, key, "waiting", state="running", approved_by=account, approved_at=at, started_at=at
    )


def refuse(db: Database, key: str, account: str, now: datetime) -> bool:
    """Note an agent's refusal; return whether it still waited for one."""
    at = now.isoformat()
    return _change(
        db,
        key,
        "waiting",
        state="refused",
        approved_by=account,
        approved_at=at,
        settled_at=at,
    )


def settle(
    db: Database,
    key: str,
    state: Literal["done", "failed", "unknown"],
    outcome: str | None,
    now: datetime,
    *,
    result: str | None = None,
    error: str | None = None,
) -> None:
    """Note what came of a call that was begun, and how it is told."""
    columns = {"state": state, "outcome": outcome, "error": error, "settled_at": now.isoformat()}
    _change(db, key, "running", **columns, **_kept(result))


def give_up_interrupted(db: Database, now: datetime) -> list[str]:
    """Mark the calls that an earlier run of the program began, and return their keys.

    Nobody knows whether they were carried out, so they are never made again.
    """
    rows = db.execute("SELECT id FROM actions WHERE state = 'running' ORDER BY id").fetchall()
    keys = [row[0] for row in rows]
    for key in keys:
        columns = {"error": "interrupted", "settled_at": now.isoformat()}
        _change(db, key, "running", state="unknown", **columns)
    return keys


def link(db: Database, keys: Sequence[str], turn: TurnId) -> None:
    """Note which reply asks for the yes to some calls, or tells what became of them."""
    for key in keys:
        db.execute(
            "UPDATE actions SET asked_in = CASE state WHEN 'asked' THEN :turn ELSE asked_in END,"
            " told_in = CASE state WHEN 'asked' THEN told_in ELSE :turn END WHERE id = :key",
            {"turn": turn, "key": key},
        )


def requests(db: Database) -> list[dict[str, Any]]:
    """Return what customers asked to change: what waits for an agent first, then the newest."""
    return list(
        db.query(
            f"""
            SELECT actions.id, tool, arguments, summary, state, outcome, error, approved_by,
                actions.created_at, settled_at, actions.channel, conversations.id AS conversation
            FROM actions LEFT JOIN conversations
                ON conversations.channel = actions.channel
                AND conversations.address = actions.address
            WHERE expires_at IS NOT NULL
            ORDER BY state = 'waiting' DESC, actions.id DESC LIMIT {MOST_LISTED}
            """
        )
    )


def _row(
    dialogue: Dialogue,
    tool: str,
    arguments: Mapping[str, Any],
    language: Language,
    state: State,
    now: datetime,
) -> dict[str, object]:
    return {
        "id": new_key(),
        "channel": dialogue.channel,
        "address": dialogue.address,
        "customer": dialogue.customer,
        "tool": tool,
        "arguments": json.dumps(dict(arguments), ensure_ascii=False),
        "summary": "",
        "language": language,
        "state": state,
        "created_at": now.isoformat(),
    }


def _kept(result: str | None) -> dict[str, object]:
    """Return what is kept of a result."""
    if result is None:
        return {}
    return {
        "result": mask(result[:LONGEST_KEPT]),
        "result_size": len(result),
        "result_hash": hashlib.sha256(result.encode()).hexdigest(),
    }


def _change(db: Database, key: str, expected: State, **columns: object) -> bool:
    settings = ", ".join(f"{name} = ?" for name in columns)
    cursor = db.execute(
        f"UPDATE actions SET {settings} WHERE id = ? AND state = ?",
        [*columns.values(), key, expected],
    )
    return bool(cursor.rowcount)


def _first(db: Database, condition: str, values: Sequence[object]) -> Action | None:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM actions WHERE {condition} ORDER BY id DESC LIMIT 1", list(values)
    ).fetchone()
    return _action(row) if row else None


def _action(row: Sequence[Any]) -> Action:
    key, channel, address, customer, tool, arguments, *rest = row
    summary, language, state, outcome, expires_at, told_in, is_decided = rest
    return Action(
        id=key,
        dialogue=Dialogue(channel=channel, address=address, customer=customer),
        tool=tool,
        arguments=json.loads(arguments),
        summary=summary,
        language=language,
        state=state,
        outcome=outcome,
        expires_at=expires_at,
        told_in=told_in,
        is_decided=bool(is_decided),
    )
