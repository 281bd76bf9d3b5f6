"""The list of conversations as the team looks for them: filtered, searched, a page at a time.

Read-only functions for `Store.read`; frozen values come out. Nothing here decides who may see
what; that is the caller's part.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from bot.knowledge.words import HAN, content_words, words
from bot.log.asked import AskedFilters, conversations_of
from bot.log.rows import as_value, select
from bot.messages import Language

PAGE_SIZE = 50
# More words than this make a search slow and no better.
MOST_SEARCH_TERMS = 20
# Of a word that is in every other turn, the newest turns will do; nobody reads on to the others.
MOST_MATCHES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PageKey:
    """Where a page of the list ends: the next one starts after it."""

    last_turn_at: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which conversations are wanted; None and the empty text mean all.

    `asked` says that one message of a customer in it must fit; `language` then is that message's.
    """

    text: str = ""
    channel: str | None = None
    language: Language | None = None
    handed_off: bool | None = None
    is_open: bool | None = None
    asked: AskedFilters | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSummary:
    """One row of the list. `match` is the first turn that a search found, or None.

    `is_open` while something that was handed off waits for a person, `is_urgent` while something
    urgent does.
    """

    id: str
    channel: str
    customer: str
    language: str
    started_at: str
    last_turn_at: str
    turns: int
    question: str | None
    last_text: str | None
    handed_off: bool
    is_open: bool
    is_urgent: bool
    match: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage:
    """A page of the list, newest first; `next_key` is None on the last."""

    conversations: tuple[ConversationSummary, ...]
    next_key: PageKey | None


_URGENT = "SELECT conversation FROM handoffs WHERE is_urgent AND settled_at IS NULL"
_SUMMARY = f"""
    SELECT c.id, c.channel, customers.external_id AS customer, c.language, c.started_at,
        c.last_turn_at,
        (SELECT count(*) FROM turns WHERE conversation = c.id) AS turns,
        (SELECT text FROM turns WHERE conversation = c.id AND role = 'customer'
            ORDER BY number LIMIT 1) AS question,
        (SELECT text FROM turns WHERE conversation = c.id
            ORDER BY number DESC LIMIT 1) AS last_text,
        EXISTS (SELECT 1 FROM handoffs WHERE conversation = c.id) AS handed_off,
        EXISTS (SELECT 1 FROM handoffs WHERE conversation = c.id AND settled_at IS NULL) AS is_open,
        c.id IN ({_URGENT}) AS is_urgent
    FROM conversations AS c JOIN customers ON customers.id = c.customer
"""


def conversations(
    db: Database,
    filters: Filters | None = None,
    *,
    after: PageKey | None = None,
    limit: int = PAGE_SIZE,
) -> ConversationPage:
    """Return a page of the conversations that fit the filters, newest first.

    All words of the search text must be in one turn (in Chinese, all that spaces part); it may also
    be a conversation's id or a customer's. The newest 10,000 turns with these words count. Where
    what is open is asked for, all that is urgent stands before the rest of the first page.
    """
    filters = filters or Filters()
    conditions, values = _conditions(db, filters, after)
    urgent: tuple[ConversationSummary, ...] = ()
    if filters.is_open:
        urgent = () if after else _urgent(db, filters)
        conditions.append(f"c.id NOT IN ({_URGENT})")
    # Found and ordered first: a summary costs more than all of that.
    page = (
        f"SELECT c.id FROM conversations AS c WHERE {' AND '.join(conditions)}"
        f" ORDER BY {_by_time(filters)} LIMIT :limit"
    )
    rows = select(
        db,
        f"{_SUMMARY} WHERE c.id IN ({page}) ORDER BY c.last_turn_at DESC, c.id DESC",
        values | {"limit": limit + 1},
    )
    matches = _matches(db, filters.text, [row["id"] for row in rows[:limit]])
    found = tuple(_summary(row, matches.get(row["id"])) for row in rows[:limit])
    last = found[-1] if len(rows) > limit else None
    next_key = PageKey(last_turn_at=last.last_turn_at, id=last.id) if last else None
    return ConversationPage(conversations=(*urgent, *found), next_key=next_key)


def _urgent(db: Database, filters: Filters) -> tuple[ConversationSummary, ...]:
    """Return all conversations that fit the filters and have something urgent, newest first."""
    conditions, values = _conditions(db, filters, None)
    where = " AND ".join([*conditions, f"c.id IN ({_URGENT})"])
    rows = select(db, f"{_SUMMARY} WHERE {where} ORDER BY +c.last_turn_at DESC, c.id DESC", values)
    matches = _matches(db, filters.text, [row["id"] for row in rows])
    return tuple(_summary(row, matches.get(row["id"])) for row in rows)


def channels(db: Database) -> tuple[str, ...]:
    """Return the names of all channels that have conversations."""
    # Jumps through the index from one name to the next; DISTINCT would read every row.
    rows = select(
        db,
        """
        WITH RECURSIVE found (name) AS (
            SELECT min(channel) FROM conversations
            UNION ALL
            SELECT (SELECT min(channel) FROM conversations WHERE channel > name)
            FROM found WHERE name IS NOT NULL
        )
        SELECT name FROM found WHERE name IS NOT NULL
        """,
        {},
    )
    return tuple(row["name"] for row in rows)


def conversation(db: Database, name: str) -> ConversationSummary | None:
    """Return one conversation's row of the list, or None if there is none."""
    rows = select(db, f"{_SUMMARY} WHERE c.id = :id", {"id": name})
    return _summary(rows[0]) if rows else None


def _by_time(filters: Filters) -> str:
    # With the plus SQLite sorts what was found, instead of looking for it along the index by time.
    plus = "+" if filters.text.strip() or filters.asked else ""
    return f"{plus}c.last_turn_at DESC, {plus}c.id DESC"


_HITS = """
    SELECT turn FROM turn_search WHERE turn_search MATCH :query ORDER BY rowid DESC LIMIT :most
"""
_FOUND = f"""
    SELECT turns.conversation FROM ({_HITS}) AS hits JOIN turns ON turns.id = hits.turn
    UNION SELECT id FROM conversations WHERE id = :text
    UNION SELECT conversations.id
        FROM customers JOIN conversations ON conversations.customer = customers.id
        WHERE customers.external_id = :text
"""


def _conditions(
    db: Database, filters: Filters, after: PageKey | None
) -> tuple[list[str], dict[str, Any]]:
    conditions = ["1"]
    values: dict[str, Any] = {}
    if filters.text.strip():
        conditions.append(f"c.id IN ({_FOUND})")
        query = _search(filters.text)
        values |= {"text": filters.text.strip(), "query": query, "most": MOST_MATCHES}
    if filters.channel is not None and filters.asked is None:  # which looks at the channel itself
        conditions.append("c.channel = :channel")
        values["channel"] = filters.channel
    if filters.asked is not None:
        found, more = conversations_of(db, filters.asked, filters.channel, filters.language)
        conditions.append(f"c.id IN ({found})")
        values |= more
    elif filters.language is not None:
        conditions.append("c.language = :language")
        values["language"] = filters.language
    if filters.is_open is not None:
        conditions.append(
            "EXISTS (SELECT 1 FROM handoffs WHERE conversation = c.id AND settled_at IS NULL)"
            " = :is_open"
        )
        values["is_open"] = filters.is_open
    if filters.handed_off is not None:
        conditions.append("EXISTS (SELECT 1 FROM handoffs WHERE conversation = c.id) = :handed_off")
        values["handed_off"] = filters.handed_off
    if after is not None:
        conditions.append("(c.last_turn_at, c.id) < (:after_at, :after_id)")
        values |= {"after_at": after.last_turn_at, "after_id": after.id}
    return conditions, values


def _search(text: str) -> str:
    """Return the FTS5 query for turns with all the words of a text.

    Not `fts_query`, which asks for any of the words: right for finding articles, too wide here.
    A run of Chinese is cut into words differently in each sentence, so any of its words will do.
    """
    terms = text.split()[:MOST_SEARCH_TERMS]
    kept = [content_words(term) for term in terms]
    found = [group for group in kept if group] or [words(term) for term in terms if words(term)]
    return " AND ".join(f"({_any_or_all(group)})" for group in found) or '""'


def _any_or_all(group: list[str]) -> str:
    operator = " OR " if HAN.search("".join(group)) else " AND "
    return operator.join(f'"{word}"' for word in group[:MOST_SEARCH_TERMS])


def _matches(db: Database, text: str, ids: list[str]) -> Mapping[str, str]:
    """Return the first turn that a search found in each of some conversations."""
    if not text.strip() or not ids:
        return {}
    rows = select(
        db,
        f"""
        SELECT turns.conversation, turns.text, min(turns.number)
        FROM ({_HITS}) AS hits JOIN turns ON turns.id = hits.turn
        WHERE turns.conversation IN (SELECT value FROM json_each(:ids))
        GROUP BY turns.conversation
        """,
        {"query": _search(text), "ids": json.dumps(ids), "most": MOST_MATCHES},
    )
    return {row["conversation"]: row["text"] for row in rows}


def _summary(row: sqlite3.Row, match: str | None = None) -> ConversationSummary:
    return as_value(
        ConversationSummary,
        row,
        handed_off=bool(row["handed_off"]),
        is_open=bool(row["is_open"]),
        is_urgent=bool(row["is_urgent"]),
        match=match,
    )
