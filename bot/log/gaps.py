"""Questions that no article answered, as the log has them, and what the team decided about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlite_utils import Database

from bot.messages import Language

MOST_QUESTIONS = 500  # the newest: what is older was seen, or is asked again

Mark = Literal["done", "ignored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """A customer's question (its `turn`) that stayed without an answer.

    `nearest` is the id of the article that the search found nearest, or empty.
    """

    turn: str
    conversation: str
    text: str
    language: Language
    asked_at: str
    nearest: str
    is_ignored: bool


def open_questions(db: Database) -> list[OpenQuestion]:
    """Return the newest questions without an answer that the team hasn't dealt with.

    These are hand-offs since no article answered, and answers that their customer found wrong. What
    the team ignores is among them, so that the like of it is ignored, too.
    """
    rows = db.query(_OPEN, {"limit": MOST_QUESTIONS})
    return [
        OpenQuestion(
            turn=row["turn"],
            conversation=row["conversation"],
            text=row["text"],
            language=row["language"],
            asked_at=row["created_at"],
            nearest=row["nearest"] or "",
            is_ignored=row["state"] == "ignored",
        )
        for row in rows
    ]


def mark(
    db: Database, turns: Sequence[str], state: Mark | None, account: str, now: datetime
) -> None:
    """Note what the team decided about some questions; None takes it back."""
    for turn in turns:
        db.execute("DELETE FROM gap_marks WHERE turn = ?", [turn])
        if state:
            db.execute(
                "INSERT INTO gap_marks (turn, state, account, created_at)"
                " SELECT id, ?, ?, ? FROM turns WHERE id = ?",
                [state, account, now.isoformat(), turn],
            )


_OPEN = """
    WITH unanswered (reply) AS (
        SELECT turn FROM handoffs WHERE reason IN ('no_article', 'not_grounded')
        UNION
        SELECT feedback.turn FROM feedback
            JOIN candidates AS shown ON shown.turn = feedback.turn AND shown.shown
        WHERE shown.source IN ('article', 'draft') AND feedback.id IN (
            SELECT max(id) FROM feedback GROUP BY channel, customer, turn, origin)
            AND feedback.verdict = 'down'
    )
    SELECT asked.id AS turn, asked.conversation, asked.text, asked.language, asked.created_at,
        gap_marks.state, (SELECT passages.article FROM retrievals
            JOIN passages ON passages.id = retrievals.passage
            WHERE retrievals.turn = replied.id ORDER BY retrievals.rank LIMIT 1) AS nearest
    FROM unanswered JOIN turns AS replied ON replied.id = unanswered.reply
        JOIN turns AS asked ON asked.id = replied.replied_to
        LEFT JOIN gap_marks ON gap_marks.turn = asked.id
    WHERE asked.superseded_by IS NULL AND asked.withdrawn_at IS NULL AND asked.text <> ''
        AND coalesce(gap_marks.state, '') <> 'done'
    ORDER BY asked.id DESC LIMIT :limit
"""
