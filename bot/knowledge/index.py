"""Articles in the database: bringing them in, and the full-text search over their passages."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from bot.knowledge.articles import Article
from bot.knowledge.words import content_words, fts_query, fts_text, stem
from bot.messages import Language, Passage, PassageId

# A word in the title says more than one in a heading, and that more than one in the text.
TITLE_WEIGHT, HEADING_WEIGHT, TEXT_WEIGHT, QUESTIONS_WEIGHT = 3.0, 2.0, 1.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a sync did, as numbers of articles."""

    added: int
    changed: int
    retired: int


def sync(db: Database, articles: Iterable[Article], now: datetime) -> Changes:
    """Make the index hold exactly `articles`; passages no longer in use stay readable, retired."""
    at = now.isoformat()
    wanted = {article.id: article for article in articles}
    known = {
        row["id"]: row["digest"]
        for row in db.query("SELECT id, digest FROM articles WHERE retired_at IS NULL")
    }
    gone = known.keys() - wanted.keys()
    changed = {name for name in wanted.keys() & known.keys() if wanted[name].digest != known[name]}
    added = wanted.keys() - known.keys()
    for name in gone | changed:
        _retire(db, name, at)
    for name in sorted(added | changed):
        _insert(db, wanted[name], at)
    return Changes(added=len(added), changed=len(changed), retired=len(gone))


def _retire(db: Database, article: str, at: str) -> None:
    current = "SELECT id FROM passages WHERE article = ? AND retired_at IS NULL"
    db.execute(f"DELETE FROM passage_search WHERE passage IN ({current})", [article])
    db.execute(
        "UPDATE passages SET retired_at = ? WHERE article = ? AND retired_at IS NULL", [at, article]
    )
    db.execute("DELETE FROM article_questions WHERE article = ?", [article])
    db.execute("UPDATE articles SET retired_at = ? WHERE id = ?", [at, article])


def _insert(db: Database, article: Article, at: str) -> None:
    db.table("articles").upsert(
        {
            "id": article.id,
            "title": article.title,
            "language": article.language,
            "url": article.url,
            "digest": article.digest,
            "updated_at": at,
            "retired_at": None,
        },
        pk="id",
    )
    db.table("article_questions").insert_all(
        {"article": article.id, "position": position, "text": question}
        for position, question in enumerate(article.questions)
    )
    for position, passage in enumerate(dict.fromkeys(article.passages)):
        _insert_passage(db, passage, position, article.questions)


def _insert_passage(
    db: Database, passage: Passage, position: int, questions: Sequence[str]
) -> None:
    row: dict[str, Any] = {**asdict(passage), "position": position, "retired_at": None}
    db.table("passages").upsert(row, pk="id")
    searchable = {name: fts_text(row[name]) for name in ("title", "heading", "text")}
    db.table("passage_search").insert(
        {
            **searchable,
            "questions": fts_text("\n".join(questions)),
            "passage": passage.id,
            "language": passage.language,
        }
    )


def find(db: Database, question: str, language: Language, limit: int) -> list[PassageId]:
    """Return the passages in `language` that share most with the question's words, by BM25."""
    query = fts_query(question)
    if not query:
        return []
    rows = db.execute(
        """
        SELECT passage FROM passage_search
        WHERE passage_search MATCH ? AND language = ?
        ORDER BY bm25(passage_search, ?, ?, ?, ?) LIMIT ?
        """,
        [
            query,
            language,
            TITLE_WEIGHT,
            HEADING_WEIGHT,
            TEXT_WEIGHT,
            QUESTIONS_WEIGHT,
            limit,
        ],
    )
    return [PassageId(row[0]) for row in rows.fetchall()]


def current_passages(db: Database) -> list[Passage]:
    """Return every passage in use."""
    return [_passage(row) for row in db.query("SELECT * FROM passages WHERE retired_at IS NULL")]


def questions_by_article(db: Database) -> dict[str, list[str]]:
    """Return the ways customers ask for each article in use."""
    found: dict[str, list[str]] = {}
    for row in db.query("SELECT article, text FROM article_questions ORDER BY article, position"):
        found.setdefault(row["article"], []).append(row["text"])
    return found


def _passage(row: Mapping[str, Any]) -> Passage:
    return Passage(
        id=PassageId(row["id"]),
        article=row["article"],
        title=row["title"],
        heading=row["heading"],
        text=row["text"],
        language=row["language"],
        url=row["url"],
    )


def rarity(db: Database, question: str, language: Language) -> dict[str, float]:
    """Return the inverse document frequency of each content word's stem, as BM25 defines it."""
    stems = list(dict.fromkeys(stem(word) for word in content_words(question)))
    [total] = db.execute(
        "SELECT count(*) FROM passages WHERE language = ? AND retired_at IS NULL", [language]
    ).fetchone()
    marks = ", ".join("?" * len(stems))
    found = db.execute(f"SELECT term, doc FROM passage_terms WHERE term IN ({marks})", stems)
    documents = dict(found.fetchall())
    return {word: _idf(total, documents.get(word, 0)) for word in stems}


def _idf(total: int, documents: int) -> float:
    # A word can be in more passages than the language has: numbers are in both languages.
    return math.log(1 + (max(total - documents, 0) + 0.5) / (documents + 0.5))
