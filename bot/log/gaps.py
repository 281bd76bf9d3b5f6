"""Questions that no article answered, as the log has them, and what the team made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlite_utils import Database

from bot.messages import Language

# The newest: what is older was seen, or is asked again.
MOST_QUESTIONS = 500
OLDEST_DAYS = 365

Mark = Literal["done", "ignored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """A customer's question (its `turn`) that stayed without an answer.

    `nearest` is the id of the article that the search found nearest, or empty; `answers` are what
    the team's people wrote to it before the bot replied again, oldest first.
    """

    turn: str
    conversation: str
    text: str
    language: Language
    asked_at: str
    nearest: str
    is_ignored: bool
    answers: tuple[str, ...] = ()


def open_questions(db: Database, now: datetime) -> list[OpenQuestion]:
    """Return the newest questions without an answer that the team hasn't dealt with.

    These are hand-offs since no article answered, and answers that their customer found wrong. What
    the team ignores is among them, so that the like of it is ignored, too.
    """
    oldest = (now - timedelta(days=OLDEST_DAYS)).isoformat()
    return _questions(db, _OPEN, {"limit": MOST_QUESTIONS, "oldest": oldest})


def questions_of_group(db: Database, group: int) -> list[OpenQuestion]:
    """Return the newest questions without an answer in a group of messages (`intent_groups`).

    What the team has dealt with is left out.
    """
    return _questions(db, _OF_GROUP, {"limit": MOST_QUESTIONS, "oldest": "", "group": group})


def _questions(db: Database, sql: str, values: dict[str, Any]) -> list[OpenQuestion]:
    rows = list(db.query(sql, values))
    return [
        OpenQuestion(
            turn=row["turn"],
            conversation=row["conversation"],
            text=row["text"],
            language=row["language"],
            asked_at=row["created_at"],
            nearest=row["nearest"] or "",
            is_ignored=row["state"] == "ignored",
            answers=_answers(db, row["conversation"], row["replied"]),
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


def article_text(db: Database, article: str) -> str:
    """Return what an article says, as Markdown; empty where there is none any more."""
    rows = db.query(
        "SELECT title, heading, text FROM passages WHERE article = ? AND retired_at IS NULL"
        " ORDER BY position",
        [article],
    )
    passages = list(rows)
    parts = [f"## {each['heading']}\n\n{each['text']}" for each in passages]
    return "\n\n".join([f"# {passages[0]['title']}", *parts]) if passages else ""


def _answers(db: Database, conversation: str, replied: int) -> tuple[str, ...]:
    rows = db.execute(_ANSWERS, {"conversation": conversation, "replied": replied}).fetchall()
    return tuple(text for (text,) in rows)


_OPEN_IN = """
    SELECT asked.id AS turn, asked.conversation, asked.text, asked.language, asked.created_at,
        replied.number AS replied, gap_marks.state,
        (SELECT passages.article FROM retrievals
            JOIN passages ON passages.id = retrievals.passage
            WHERE retrievals.turn = replied.id ORDER BY retrievals.rank LIMIT 1) AS nearest
    FROM turns AS replied JOIN turns AS asked ON asked.id = replied.replied_to
        LEFT JOIN gap_marks ON gap_marks.turn = asked.id
    WHERE replied.id IN (
        SELECT turn FROM handoffs
            WHERE created_at >= :oldest AND reason IN ('no_article', 'not_grounded')
        UNION
        SELECT said.turn FROM feedback AS said
            JOIN candidates AS shown ON shown.turn = said.turn AND shown.shown
        WHERE said.verdict = 'down' AND said.created_at >= :oldest
            AND shown.source IN ('article', 'draft')
            AND NOT EXISTS (SELECT 1 FROM feedback AS later
                WHERE later.turn = said.turn AND later.id > said.id
                    AND later.channel = said.channel AND later.customer = said.customer
                    AND later.origin = said.origin))
        AND asked.superseded_by IS NULL AND asked.withdrawn_at IS NULL AND asked.text <> ''
        AND coalesce(gap_marks.state, '') <> 'done' {also}
    ORDER BY asked.id DESC LIMIT :limit
"""
_OPEN = _OPEN_IN.format(also="")
_OF_GROUP = _OPEN_IN.format(
    also="AND asked.id IN (SELECT turn FROM intent_group_members WHERE intent_group = :group)"
)
_ANSWERS = """
    SELECT text FROM turns
    WHERE conversation = :conversation AND number > :replied AND role = 'agent'
        AND superseded_by IS NULL AND withdrawn_at IS NULL AND text <> ''
        AND number < coalesce((SELECT min(number) FROM turns WHERE conversation = :conversation
            AND number > :replied AND role = 'assistant'), number + 1)
    ORDER BY number
"""
