"""Everything that the log holds of one customer, for that customer."""

import json
from typing import Any

from sqlite_utils import Database


def customer_data(db: Database, channel: str, customer: str) -> str:
    """Return a customer's data as readable JSON."""
    return json.dumps(
        {
            "channel": channel,
            "customer": customer,
            "conversations": _conversations(db, channel, customer),
            "messages": _messages(db, channel, customer),
            "feedback": _feedback(db, channel, customer),
            "usage": _usage(db, channel, customer),
            "actions": _actions(db, channel, customer),
            "corrections": _corrections(db, channel, customer),
            "intents": _intents(db, channel, customer),
            "groups": _groups(db, channel, customer),
        },
        ensure_ascii=False,
        indent=2,
    )


def _conversations(db: Database, channel: str, customer: str) -> list[dict[str, Any]]:
    rows = db.query(
        "SELECT conversations.id, conversations.started_at, conversations.language"
        " FROM conversations JOIN customers ON customers.id = conversations.customer"
        " WHERE customers.channel = ? AND customers.external_id = ? ORDER BY conversations.id",
        [channel, customer],
    )
    return [row | {"turns": _turns(db, row["id"], customer)} for row in list(rows)]


def _turns(db: Database, conversation: str, customer: str) -> list[dict[str, Any]]:
    """Return a conversation without what others wrote in it, and what was said to them."""
    return list(
        db.query(
            """
            SELECT created_at AS time, role, language, text FROM turns
            WHERE conversation = ? AND NOT EXISTS (
                SELECT 1 FROM inbox
                WHERE inbox.turn IN (turns.id, turns.replied_to) AND inbox.customer <> ?)
            ORDER BY number
            """,
            [conversation, customer],
        )
    )


def _messages(db: Database, channel: str, customer: str) -> list[dict[str, Any]]:
    """Return what the customer sent, answered or not, with the files that came along."""
    rows = list(
        db.query(
            "SELECT id, received_at AS time, text, withdrawn_at AS deleted,"
            " (SELECT text FROM turns WHERE turns.id = inbox.reply) AS reply FROM inbox"
            " WHERE channel = ? AND customer = ? ORDER BY id",
            [channel, customer],
        )
    )
    for row in rows:
        row["files"] = list(
            db.query(
                "SELECT kind, name, media_type, size FROM attachments WHERE inbox = ? ORDER BY id",
                [row.pop("id")],
            )
        )
    return rows


def _feedback(db: Database, channel: str, customer: str) -> list[dict[str, Any]]:
    return list(
        db.query(
            "SELECT created_at AS time, verdict, complaint, comment, origin FROM feedback"
            " WHERE channel = ? AND customer = ? ORDER BY id",
            [channel, customer],
        )
    )


def _usage(db: Database, channel: str, customer: str) -> list[dict[str, Any]]:
    return list(
        db.query(
            "SELECT day, calls, tokens FROM usage WHERE channel = ? AND customer = ? ORDER BY day",
            [channel, customer],
        )
    )


def _actions(db: Database, channel: str, customer: str) -> list[dict[str, Any]]:
    rows = db.query(
        "SELECT created_at AS time, tool, arguments, state, outcome, confirmed_at AS confirmed"
        " FROM actions WHERE channel = ? AND customer = ? ORDER BY id",
        [channel, customer],
    )
    return [row | {"arguments": json.loads(row["arguments"])} for row in rows]


def _corrections(db: Database, channel: str, customer: str) -> list[dict[str, Any]]:
    """Return what people of the team wrote that this customer should have been told."""
    return list(
        db.query(
            "SELECT created_at AS time, text FROM corrections WHERE turn IN (SELECT turns.id"
            " FROM inbox JOIN turns ON turns.replied_to = inbox.turn"
            " WHERE inbox.channel = ? AND inbox.customer = ?) ORDER BY id",
            [channel, customer],
        )
    )


def _intents(db: Database, channel: str, customer: str) -> list[dict[str, Any]]:
    """Return what this customer's messages were taken to want."""
    return list(
        db.query(
            "SELECT turns.created_at AS time, turns.text AS message, intent, probability, source"
            " FROM inbox JOIN turns ON turns.id = inbox.turn"
            " JOIN intent_labels ON intent_labels.turn = turns.id"
            " WHERE inbox.channel = ? AND inbox.customer = ? ORDER BY turns.id, intent",
            [channel, customer],
        )
    )


def _groups(db: Database, channel: str, customer: str) -> list[dict[str, Any]]:
    """Return this customer's messages that are in a group, and its name, if a person gave it.

    A name that nobody gave comes from the words of others, too.
    """
    return list(
        db.query(
            "SELECT turns.created_at AS time, turns.text AS message, "
            " CASE WHEN is_named THEN intent_groups.name ELSE '' END AS 'group'"
            " FROM inbox JOIN turns ON turns.id = inbox.turn"
            " JOIN intent_group_members AS member ON member.turn = turns.id"
            " JOIN intent_groups ON intent_groups.id = member.intent_group"
            " WHERE inbox.channel = ? AND inbox.customer = ? ORDER BY turns.id",
            [channel, customer],
        )
    )
