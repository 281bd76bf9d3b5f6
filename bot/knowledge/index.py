"""Articles in the database: bringing them in, and the full-text search over their passages."""

import math
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from bot.knowledge.articles import Article
from bot.knowledge.words import content_words, fts_query, fts_text, stem
from bot.messages import Passage, PassageId

# A word in the title says more than one in a heading, and that more than one in the text.
TITLE_WEIGHT, HEADING_WEIGHT, TEXT_WEIGHT, QUESTIONS_WEIGHT = 3.0, 2.0, 1.0, 1.0
LOOKED_AT = 5_000  # passages, for one question
COMMON = 500  # passages that have a word: so many are not counted for each question


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a sync did, as numbers of articles."""

    added: int
    changed: int
    retired: int

    @property
    def any(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.changed or self.retired)


def sync(db: Database, articles: Iterable[Article], now: datetime) -> Changes:
    """Make the index hold exactly `articles`; passages no longer in use stay readable, retired."""
    wanted = {article.id: article for article in articles}
    known = indexed(db)
    changes = compare(known, {name: article.digest for name, article in wanted.items()})
    retire(db, sorted(known.keys() - wanted.keys()), now)
    renewed = [each for _, each in sorted(wanted.items()) if known.get(each.id) != each.digest]
    replace(db, [(article, article.digest) for article in renewed], now)
    return changes


def indexed(db: Database) -> dict[str, str]:
    """Return the digest of every article in use by its id."""
    return dict(db.execute("SELECT id, digest FROM articles WHERE retired_at IS NULL").fetchall())


def compare(known: Mapping[str, str], wanted: Mapping[str, str]) -> Changes:
    """Return what leads from the `known` articles to the `wanted`, both digests by id."""
    return Changes(
        added=len(wanted.keys() - known.keys()),
        changed=sum(known[name] != wanted[name] for name in wanted.keys() & known.keys()),
        retired=len(known.keys() - wanted.keys()),
    )


def retire(db: Database, names: Iterable[str], now: datetime) -> None:
    """Take articles out of use."""
    for name in names:
        _retire(db, name, now.isoformat())


def replace(db: Database, articles: Iterable[tuple[Article, str]], now: datetime) -> None:
    """Bring articles in, each with the digest it is known by, in the place of what was there."""
    for article, digest in articles:
        _retire(db, article.id, now.isoformat())
        _insert(db, article, digest, now.isoformat())


def _retire(db: Database, article: str, at: str) -> None:
    current = "SELECT id FROM passages WHERE article = ? AND retired_at IS NULL"
    # `c4` is the column of the passages' ids, which has an index only in this table.
    found = f"SELECT id FROM passage_search_content WHERE c4 IN ({current})"
    db.execute(f"DELETE FROM passage_search WHERE rowid IN ({found})", [article])
    db.execute(
        "UPDATE passages SET retired_at = ? WHERE article = ? AND retired_at IS NULL", [at, article]
    )
    db.execute("DELETE FROM article_questions WHERE article = ?", [article])
    db.execute("UPDATE articles SET retired_at = ? WHERE id = ?", [at, article])


def _insert(db: Database, article: Article, digest: str, at: str) -> None:
    db.table("articles").upsert(
        {
            "id": article.id,
            "title": article.title,
            "language": article.language,
            "url": article.url,
            "digest": digest,
            "updated_at": at,
            "retired_at": None,
            "source": article.source,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What the words of a question say: BM25 by passage, best first, and how rare each stem is.

    `rarity` is the inverse document frequency of each content word's stem, as BM25 defines it.
    """

    matches: Mapping[PassageId, float]
    rarity: Mapping[str, float]


def find(
    db: Database,
    question: str,
    limit: int,
    *,
    total: int,
    counted: MutableMapping[str, int] | None = None,
) -> Matched:
    """Return the passages that share most with the question's words.

    `total` is the number of passages in use: where there are many, common words are left out if
    rarer ones tell enough, since each costs a look at all its passages. Counting is such a look,
    too: `counted` keeps in how many passages each common word is, for as long as none changes.
    """
    asked = content_words(question)
    counts = _counts(db, list(dict.fromkeys(stem(word) for word in asked)), counted)
    searched = _telling(asked, counts) if total > LOOKED_AT else asked
    return Matched(
        matches=_matches(db, searched, limit),
        rarity={word: _idf(total, number) for word, number in counts.items()},
    )


def _matches(db: Database, asked: Sequence[str], limit: int) -> dict[PassageId, float]:
    if not asked:
        return {}
    rows = db.execute(
        """
        SELECT passage, -bm25(passage_search, ?, ?, ?, ?) AS match FROM passage_search
        WHERE passage_search MATCH ? ORDER BY match DESC LIMIT ?
        """,
        [
            TITLE_WEIGHT,
            HEADING_WEIGHT,
            TEXT_WEIGHT,
            QUESTIONS_WEIGHT,
            fts_query(" ".join(asked)),
            limit,
        ],
    )
    return {PassageId(key): match for key, match in rows.fetchall()}


def _telling(asked: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """Return the rarest words that together are in no more than LOOKED_AT passages."""
    kept: list[str] = []
    looked_at = 0
    for word in sorted(asked, key=lambda word: counts[stem(word)]):
        looked_at += counts[stem(word)]
        if kept and looked_at > LOOKED_AT:
            break
        kept.append(word)
    return kept


def _counts(
    db: Database, stems: Sequence[str], counted: MutableMapping[str, int] | None
) -> dict[str, int]:
    """Return in how many passages each stem is, and keep the common ones, which are few."""
    known = {} if counted is None else counted
    found = {each: known[each] for each in stems if each in known}
    found |= _documents(db, [each for each in stems if each not in found])
    known.update({each: number for each, number in found.items() if number >= COMMON})
    return {each: found[each] for each in stems}


def _documents(db: Database, stems: Sequence[str]) -> dict[str, int]:
    """Return in how many passages each stem is."""
    marks = ", ".join("?" * len(stems))
    rows = db.execute(f"SELECT term, doc FROM passage_terms WHERE term IN ({marks})", stems)
    return {**dict.fromkeys(stems, 0), **dict(rows.fetchall())}


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


def _idf(total: int, documents: int) -> float:
    return math.log(1 + (max(total - documents, 0) + 0.5) / (documents + 0.5))
