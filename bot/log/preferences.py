"""Which replies people prefer, as the team and the customers say it.

Of two candidates of a slate one is chosen on the admin pages, or a person writes what the reply
should have said. Customers say it by their thumbs, where the same question had two answers.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlite_utils import Database

from bot.knowledge.words import words
from bot.log.rows import as_value, insert, select
from bot.log.turns import HISTORY_TURNS
from bot.messages import Source, Turn
from bot.ranking.pairs import Pair, Reply

Preference = Literal["first", "second", "equal", "neither"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReply:
    """What a reply said, and where it stands."""

    text: str
    conversation: str
    number: int


def choose(
    db: Database,
    turn: str,
    places: tuple[int, int],
    verdict: Preference,
    account: str,
    now: datetime,
    *,
    stood_first: int | None = None,
) -> bool:
    """Store which of two candidates of a reply is better; return whether that may be asked.

    `places` are theirs on the slate, in order. The later verdict of an account on the same pair
    takes the place of the earlier. `stood_first` is the place of the one that stood first where
    they were shown side by side.
    """
    if not may_be_compared(db, turn, places):
        return False
    db.execute(
        "INSERT INTO preferences (turn, first, second, verdict, account, created_at, stood_first)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (turn, first, second, account) DO UPDATE"
        " SET verdict = excluded.verdict, created_at = excluded.created_at,"
        " stood_first = excluded.stood_first",
        [turn, *places, verdict, account, now.isoformat(), stood_first],
    )
    return True


def may_be_compared(db: Database, turn: str, places: tuple[int, int]) -> bool:
    """Return whether two candidates might both have been shown, and differ in what they say."""
    first, second = places
    rows = db.execute(
        f"SELECT candidates.text FROM candidates JOIN {STANDING} AND turns.id = candidates.turn"
        " WHERE candidates.turn = ? AND position IN (?, ?) AND refusal IS NULL"
        " AND candidates.text <> ''",
        [turn, first, second],
    ).fetchall()
    return first < second and len({plain(text) for (text,) in rows}) == 2


def correct(db: Database, turn: str, text: str, account: str, now: datetime) -> bool:
    """Store what a reply should have said; return whether there is such a reply."""
    row = {"turn": turn, "text": text, "account": account, "created_at": now.isoformat()}
    if shown(db, turn) is None:
        return False
    insert(db, "corrections", row)
    return True


def article_texts(db: Database) -> str:
    """Return all that the articles in use say: what stands there is nobody's secret."""
    rows = db.execute("SELECT text FROM passages WHERE retired_at IS NULL").fetchall()
    return "\n".join(text for (text,) in rows)


def correction(db: Database, turn: str) -> str | None:
    """Return what a reply should have said, as it was written last."""
    row = db.execute(
        "SELECT text FROM corrections WHERE turn = ? ORDER BY id DESC LIMIT 1", [turn]
    ).fetchone()
    return row[0] if row else None


def shown(db: Database, turn: str) -> ShownReply | None:
    """Return a reply to a question, None where there is none, or it no longer stands."""
    rows = select(
        db,
        "SELECT shown.text, turns.conversation, turns.number"
        f" FROM candidates AS shown JOIN {STANDING} AND turns.id = shown.turn"
        " WHERE shown.turn = :turn AND shown.shown",
        {"turn": turn},
    )
    return as_value(ShownReply, rows[0]) if rows else None


def plain(text: str) -> str:
    """Return a text without what makes no difference to its reader."""
    return " ".join(text.split())


def history_before(db: Database, conversation: str, number: int) -> tuple[Turn, ...]:
    """Return the turns before turn `number` as the answer was written from them, oldest first."""
    rows = select(db, _HISTORY, {"id": conversation, "number": number, "limit": HISTORY_TURNS})
    return tuple(Turn(role=row["role"], text=row["text"]) for row in reversed(rows))


def pairs(db: Database, since: datetime | None = None) -> Iterator[Pair]:
    """Yield every pair that people told apart, since a time: choices, corrections, feedback.

    Whoever waits for being erased is left out, with the conversations that they wrote in.
    """
    start = since.isoformat() if since else ""
    for row in select(db, _CHOICES, {"since": start}):
        yield _pair(db, row, "choice", _candidate(row, "better_"), row["account"])
    for row in select(db, _CORRECTIONS, {"since": start}):
        if plain(row["text"]) != plain(row["worse_text"]):
            yield _pair(db, row, "correction", Reply(text=row["text"]), row["account"])
    yield from _feedback_pairs(db, start)


def _pair(
    db: Database,
    row: sqlite3.Row,
    source: Literal["choice", "correction"],
    better: Reply,
    account: str,
) -> Pair:
    return Pair(
        turn=row["turn"],
        question=row["question"],
        history=history_before(db, row["conversation"], row["number"]),
        better=better,
        worse=_candidate(row, "worse_"),
        source=source,
        account=account,
        at=datetime.fromisoformat(row["created_at"]),
    )


def _candidate(row: sqlite3.Row, prefix: str) -> Reply:
    source: Source = row[f"{prefix}source"]
    features = json.loads(row[f"{prefix}features"])
    return Reply(text=row[f"{prefix}text"], source=source, features=features)


@dataclass(slots=True, kw_only=True)
class _Rated:
    """One text as an answer to one question: how often it was liked more than disliked."""

    liking: int = 0
    at: str = ""
    rows: list[sqlite3.Row] = field(default_factory=list)


def _feedback_pairs(db: Database, since: str) -> Iterator[Pair]:
    """Yield a pair for each liked and each disliked text that answered the same question.

    The same are questions of the same words and language that came after the same words, a
    question asked again counting once: "And for tents?" has another answer after another question.
    """
    asked: defaultdict[tuple[str, ...], dict[str, _Rated]] = defaultdict(dict)
    for row in select(db, _RATED, {}):
        said = " ".join(words(row["question"]))
        before = _asked_before(history_before(db, row["conversation"], row["number"]), said)
        text = asked[row["language"], said, before].setdefault(plain(row["worse_text"]), _Rated())
        text.liking += 1 if row["verdict"] == "up" else -1
        text.at = max(text.at, row["created_at"])
        text.rows.append(row)
    for (_, said, _), texts in asked.items():
        rated = texts.values() if said else ()
        for worse in (text for text in rated if text.liking < 0):
            for better in (text for text in rated if text.liking > 0):
                if max(worse.at, better.at) >= since:
                    yield _told_apart(db, better, worse)


def _told_apart(db: Database, better: _Rated, worse: _Rated) -> Pair:
    row = worse.rows[-1]
    return Pair(
        turn=row["turn"],
        question=row["question"],
        history=history_before(db, row["conversation"], row["number"]),
        better=_candidate(better.rows[-1], "worse_"),
        worse=_candidate(row, "worse_"),
        source="feedback",
        account="",
        at=datetime.fromisoformat(max(worse.at, better.at)),
    )


def _asked_before(history: Sequence[Turn], question: str) -> str:
    """Return the words that the customer wrote last and that weren't this question."""
    said = (" ".join(words(turn.text)) for turn in reversed(history) if turn.role == "customer")
    return next((text for text in said if text != question), "")


# Replies that still stand, with the question that still stands: joined with a condition behind it.
STANDING = """
    turns JOIN turns AS asked ON asked.id = turns.replied_to AND turns.role = 'assistant'
        AND turns.superseded_by IS NULL AND turns.withdrawn_at IS NULL
        AND asked.superseded_by IS NULL AND asked.withdrawn_at IS NULL AND asked.text <> ''
"""
_HISTORY = """
    SELECT role, text FROM turns
    WHERE conversation = :id AND number < :number AND superseded_by IS NULL
        AND withdrawn_at IS NULL AND text <> ''
    ORDER BY number DESC LIMIT :limit
"""
_NOT_ASKED_TO_ERASE = """
    NOT EXISTS (
        SELECT 1 FROM erasures
            JOIN inbox ON inbox.channel = erasures.channel AND inbox.customer = erasures.customer
            JOIN turns AS theirs ON theirs.id = inbox.turn
        WHERE erasures.erased_at IS NULL AND theirs.conversation = turns.conversation)
"""
_ASKED = "asked.text AS question, asked.number, turns.conversation, turns.language"
_CHOICES = f"""
    SELECT preferences.turn, preferences.account, preferences.created_at, {_ASKED},
        better.text AS better_text, better.source AS better_source,
        better.features AS better_features, worse.text AS worse_text,
        worse.source AS worse_source, worse.features AS worse_features
    FROM preferences JOIN {STANDING} AND turns.id = preferences.turn
        JOIN candidates AS better ON better.turn = preferences.turn
            AND better.position = iif(verdict = 'first', first, second)
        JOIN candidates AS worse ON worse.turn = preferences.turn
            AND worse.position = iif(verdict = 'first', second, first)
    WHERE verdict IN ('first', 'second') AND preferences.created_at >= :since
        AND {_NOT_ASKED_TO_ERASE}
    ORDER BY preferences.id
"""
_CORRECTIONS = f"""
    SELECT corrections.turn, corrections.text, corrections.account, corrections.created_at,
        {_ASKED}, worse.text AS worse_text, worse.source AS worse_source,
        worse.features AS worse_features
    FROM corrections JOIN {STANDING} AND turns.id = corrections.turn
        JOIN candidates AS worse ON worse.turn = corrections.turn AND worse.shown
    WHERE corrections.id IN (SELECT max(id) FROM corrections GROUP BY turn)
        AND corrections.created_at >= :since AND {_NOT_ASKED_TO_ERASE}
    ORDER BY corrections.id
"""
_RATED = f"""
    SELECT feedback.turn, feedback.verdict, feedback.created_at, {_ASKED},
        worse.text AS worse_text, worse.source AS worse_source, worse.features AS worse_features
    FROM feedback JOIN {STANDING} AND turns.id = feedback.turn
        JOIN candidates AS worse ON worse.turn = feedback.turn AND worse.shown
    WHERE feedback.id IN (SELECT max(id) FROM feedback GROUP BY channel, customer, turn, origin)
        AND verdict IN ('up', 'down') AND worse.text <> ''
        AND worse.source NOT IN ('courtesy', 'command', 'busy', 'action')
        AND {_NOT_ASKED_TO_ERASE}
    ORDER BY feedback.id
"""
