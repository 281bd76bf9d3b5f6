"""Answers that the team wrote or approved, with every version of each.

`approved_answers` says that there is one and whether it is retired; what it says is its newest
version. Versions are only ever added.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from bot.log.rows import insert
from bot.messages import Citation, Language

NEWEST_THUMBS = 1_000  # of all replies


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What an approved answer says, and to which questions.

    `article` is the id of the article that it belongs to, or empty; `valid_until` the last day it
    is shown (ISO 8601), or empty.
    """

    text: str
    questions: tuple[str, ...]
    language: Language
    article: str = ""
    valid_until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedAnswer:
    """One version of an approved answer: `number` counts from 1."""

    id: int
    number: int
    wording: Wording
    account: str
    created_at: str
    retired_at: str | None
    citation: Citation | None = None

    def is_shown_on(self, day: str) -> bool:
        """Return whether customers may get it on a day (ISO 8601)."""
        until = self.wording.valid_until
        return self.retired_at is None and (not until or day <= until)


_CURRENT = """
    SELECT approved_answers.id, approved_answers.retired_at, version.*,
        articles.title AS article_title, articles.url AS article_url
    FROM approved_answers
        JOIN approved_versions AS version ON version.answer = approved_answers.id
        LEFT JOIN articles ON articles.id = version.article AND articles.retired_at IS NULL
"""


def answers(db: Database) -> list[ApprovedAnswer]:
    """Return every approved answer in its newest version, newest answer first."""
    newest = "SELECT max(number) FROM approved_versions WHERE answer = approved_answers.id"
    rows = db.query(f"{_CURRENT} WHERE number = ({newest}) ORDER BY approved_answers.id DESC")
    return [_answer(row) for row in rows]


def versions(db: Database, answer: int) -> list[ApprovedAnswer]:
    """Return all versions of an approved answer, newest first; [] if there is none."""
    rows = db.query(
        f"{_CURRENT} WHERE approved_answers.id = ? ORDER BY version.number DESC", [answer]
    )
    return [_answer(row) for row in rows]


def add(db: Database, wording: Wording, account: str, now: datetime) -> int:
    """Store a new approved answer; return its id."""
    answer = insert(db, "approved_answers", {"created_at": now.isoformat()})
    _add_version(db, answer, 1, wording, account, now)
    return answer


def edit(db: Database, answer: int, wording: Wording, account: str, now: datetime) -> None:
    """Store a new version of an approved answer, which is shown from now on."""
    [last] = db.execute(
        "SELECT max(number) FROM approved_versions WHERE answer = ?", [answer]
    ).fetchone()
    _add_version(db, answer, last + 1, wording, account, now)
    db.execute("UPDATE approved_answers SET retired_at = NULL WHERE id = ?", [answer])


def retire(db: Database, answer: int, now: datetime) -> None:
    """Show an approved answer no more; its versions stay, and an edit brings it back."""
    db.execute(
        "UPDATE approved_answers SET retired_at = ? WHERE id = ? AND retired_at IS NULL",
        [now.isoformat(), answer],
    )


def has_article(db: Database, article: str) -> bool:
    """Return whether an article with that id is in use."""
    row = db.execute("SELECT 1 FROM articles WHERE id = ? AND retired_at IS NULL", [article])
    return row.fetchone() is not None


def reply_as_wording(db: Database, turn: str) -> Wording | None:
    """Return a reply of the log as it can be approved, with the question it answered, or None."""
    row = db.execute(
        """
        SELECT turns.text, turns.language, asked.text, shown.citations
        FROM turns JOIN turns AS asked ON asked.id = turns.replied_to
            LEFT JOIN candidates AS shown ON shown.turn = turns.id AND shown.shown
        WHERE turns.id = ? AND turns.role = 'assistant'
        """,
        [turn],
    ).fetchone()
    if row is None:
        return None
    text, language, question, citations = row
    cited: Sequence[dict[str, str]] = json.loads(citations or "[]")
    return Wording(
        text=text,
        questions=(" ".join(question.split()),),
        language=language,
        article=cited[0]["article"] if cited else "",
    )


def _add_version(
    db: Database, answer: int, number: int, wording: Wording, account: str, now: datetime
) -> None:
    row = {
        "answer": answer,
        "number": number,
        "text": wording.text,
        "questions": json.dumps(wording.questions, ensure_ascii=False),
        "language": wording.language,
        "article": wording.article,
        "valid_until": wording.valid_until,
        "account": account,
        "created_at": now.isoformat(),
    }
    insert(db, "approved_versions", row)


def _answer(row: dict[str, Any]) -> ApprovedAnswer:
    citation = None
    if row["article_title"] is not None:
        citation = Citation(
            article=row["article"], title=row["article_title"], url=row["article_url"]
        )
    return ApprovedAnswer(
        id=row["id"],
        number=row["number"],
        wording=Wording(
            text=row["text"],
            questions=tuple(json.loads(row["questions"])),
            language=row["language"],
            article=row["article"],
            valid_until=row["valid_until"],
        ),
        account=row["account"],
        created_at=row["created_at"],
        retired_at=row["retired_at"],
        citation=citation,
    )


def liked(db: Database, answer: int) -> float:
    """Return how likely customers like an approved answer, by the newest thumbs; 0.5 without any.

    The mean of a Beta distribution that began as even.
    """
    up, down = db.execute(_THUMBS, {"answer": answer, "newest": NEWEST_THUMBS}).fetchone()
    return float((up + 1) / (up + down + 2))


_THUMBS = """
    SELECT count(*) FILTER (WHERE verdict = 'up'), count(*) FILTER (WHERE verdict = 'down')
    FROM (SELECT turn, verdict FROM feedback ORDER BY id DESC LIMIT :newest) AS thumb
        JOIN candidates ON candidates.turn = thumb.turn AND candidates.shown
    WHERE candidates.source = 'approved'
        AND json_extract(candidates.features, '$.approved_answer') = :answer
"""
