"""Conversations with a message of a customer that fits: what a figure of the report leads to.

The figures are counted in one pass by bot/log/analysis.py; here the same is said in SQL, so that a
page of the list needs no pass. tests/log/test_asked.py holds the two against each other.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlite_utils import Database

from bot.log.analysis import CONCERNS, STILL_THE_SAME, UNKNOWN_INTENT
from bot.log.intents import current_name, decisions
from bot.messages import Language
from bot.sentiment import sentiment_of

# Nobody reads on to the others; the work is bounded with these.
MOST_MESSAGES = 2000
MOST_LOOKED_AT = 3000  # where each is looked at for what takes long to tell
MOST_REPLIES = 5000  # of those that were handed on, or rated
# Going through the messages of an intent takes so many times as long a message as going through
# those of a period, which ends where enough are found.
DEARER = 4
MANY_LABELS = 20_000
LATER = timedelta(days=30)  # that a hand-off or a verdict comes after its message, at most
Outcome = Literal["solved", "unsolved"]
ANY = "any"
CONCERN = "concern"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Customers whose first message since `origin` came from `since` on and before `until`."""

    origin: datetime
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFilters:
    """What must be true of one message of a customer; None, and an empty text, mean anything.

    `reason` is why its reply was a hand-off, `any` for any reason, `concern` for a complaint or a
    risk. `verdict` is what was thought of its reply, `outcome` whether that solved it without a
    person, `cohort` when its customer came first.
    """

    since: datetime | None = None
    until: datetime | None = None
    intent: str = ""
    reason: str = ""
    verdict: Literal["up", "down"] | None = None
    outcome: Outcome | None = None
    is_annoyed: bool = False
    cohort: Cohort | None = None


def conversations_of(
    db: Database, wanted: AskedFilters, channel: str | None, language: Language | None
) -> tuple[str, dict[str, Any]]:
    """Return the query for conversations with a message that fits, and its values.

    The newest 2,000 messages count. For `outcome`, mood and `cohort` the newest 3,000 that fit in
    the rest are looked at; of those that were handed on or rated, the newest 5,000.
    """
    db.conn.create_function("is_annoyed", 1, _is_annoyed, deterministic=True)
    db.conn.create_function("day_after", 1, _day_after, deterministic=True)
    names = _names(db, wanted.intent)
    values: dict[str, Any] = {
        **names,
        "channel": channel,
        "asked_language": language,
        "most_asked": MOST_LOOKED_AT if _costly(wanted) else MOST_MESSAGES,
        "most_replies": MOST_REPLIES,
        "asked_since": wanted.since.isoformat() if wanted.since else "",
        "asked_until": wanted.until.isoformat() if wanted.until else _NEVER,
        "replied_until": (wanted.until + LATER).isoformat() if wanted.until else _NEVER,
        "reasons": json.dumps([*CONCERNS] if wanted.reason == CONCERN else [wanted.reason]),
        "verdict": wanted.verdict,
        "is_solved": wanted.outcome == "solved",
        "cohort_origin": "",
    }
    if wanted.cohort:
        last = wanted.cohort.until - timedelta(microseconds=1)
        values |= {
            "cohort_origin": wanted.cohort.origin.isoformat(),
            "cohort_since": wanted.cohort.since.isoformat(),
            "cohort_last": last.isoformat(),
        }
    listed = _listed(wanted, is_rare=bool(wanted.intent) and _is_rare(db, values))
    # With the plus SQLite goes through the messages that are listed, not through all of the period.
    at = "+asked.created_at" if listed else "asked.created_at"
    checked = _checked(wanted, channel, language, listed)
    newest = (
        "SELECT id, conversation, text, created_at FROM turns AS asked"
        f" WHERE {' AND '.join([*listed, *checked])}"
        f" AND {at} >= :asked_since AND {at} < :asked_until ORDER BY {at} DESC LIMIT :most_asked"
    )
    where = " AND ".join(["1", *_costly(wanted)])
    return f"SELECT conversation FROM ({newest}) AS asked WHERE {where}", values


def intents_asked(db: Database) -> tuple[str, ...]:
    """Return the names that messages have as their intents, under today's names."""
    names = decisions(db)
    current = {current_name(intent, names) for (intent,) in db.execute(_INTENTS).fetchall()}
    return tuple(sorted(name for name in current if name))


def _names(db: Database, intent: str) -> dict[str, str]:
    """Return the names that an intent has in the log, and those that are out of use, as JSON."""
    names = decisions(db)
    same = [name for name in {intent, *names} if current_name(name, names) == intent]
    retired = [name for name in names if current_name(name, names) is None]
    return {"intents": json.dumps(same), "retired": json.dumps(retired)}


def _is_rare(db: Database, values: Mapping[str, Any]) -> bool:
    """Say whether so few messages have an intent that they are best looked at one by one."""
    names = ("intents", "asked_since", "asked_until")
    given = {name: values[name] for name in names} | {"many": MANY_LABELS}
    labels, asked = db.execute(_HOW_MANY, given).fetchone()
    return bool(labels < min(MANY_LABELS, asked / DEARER))


def _listed(wanted: AskedFilters, *, is_rare: bool) -> list[str]:
    """Return the conditions that name the messages themselves, few of all."""
    listed = []
    if wanted.intent not in ("", UNKNOWN_INTENT) and is_rare:
        listed.append(f"asked.id IN ({_TOLD})")
    if wanted.reason:
        is_right = "1" if wanted.reason == ANY else _IS_REASON
        listed.append(f"asked.id IN ({_HANDED_ON.format(is_right=is_right)})")
    if wanted.verdict:
        listed.append(f"asked.id IN ({_RATED})")
    return listed


def _checked(
    wanted: AskedFilters, channel: str | None, language: Language | None, listed: Sequence[str]
) -> list[str]:
    """Return the conditions that are quickly checked of each message."""
    checked = [*_STANDS]
    if language is not None:
        checked.append("asked.language = :asked_language")
    if channel is not None:
        checked.append(_ON_CHANNEL)
    if wanted.intent == UNKNOWN_INTENT:
        checked.append(
            f"NOT EXISTS (SELECT 1 FROM intent_labels WHERE turn = asked.id AND {_IN_USE})"
        )
    elif wanted.intent and not any(_TOLD in each for each in listed):
        checked.append(f"EXISTS ({_TOLD} AND told.turn = asked.id)")
    return checked


def _costly(wanted: AskedFilters) -> list[str]:
    """Return the conditions that take long to check, of few messages therefore."""
    costly = []
    if wanted.outcome:
        costly.append(f"({_SOLVED}) = :is_solved")
    if wanted.is_annoyed:
        costly.append("is_annoyed(asked.text)")
    if wanted.cohort:
        costly.append(_FIRST)
    return costly


def _is_annoyed(text: str) -> bool:
    return sentiment_of(text) < 0


def _day_after(at: str) -> str:
    return (datetime.fromisoformat(at) + STILL_THE_SAME).isoformat()


_NEVER = "9999"
_INTENTS = """
    WITH RECURSIVE found (name) AS (
        SELECT min(intent) FROM intent_labels
        UNION ALL
        SELECT (SELECT min(intent) FROM intent_labels WHERE intent > name)
        FROM found WHERE name IS NOT NULL
    )
    SELECT name FROM found WHERE name IS NOT NULL
"""
_HOW_MANY = """
    SELECT
        (SELECT count(*) FROM (
            SELECT 1 FROM intent_labels WHERE intent IN (SELECT value FROM json_each(:intents))
            LIMIT :many)),
        (SELECT count(*) FROM turns
            WHERE role = 'customer' AND created_at >= :asked_since AND created_at < :asked_until)
"""
_ON_CHANNEL = """
    EXISTS (SELECT 1 FROM conversations WHERE id = asked.conversation AND channel = :channel)
"""
_IS_REASON = "reason IN (SELECT value FROM json_each(:reasons))"
_STANDS = (
    "asked.role = 'customer'",
    "asked.superseded_by IS NULL",
    "asked.withdrawn_at IS NULL",
)
_IN_USE = "intent NOT IN (SELECT value FROM json_each(:retired))"
_ANY_LABEL = f"SELECT 1 FROM intent_labels WHERE turn = asked.id AND {_IN_USE}"
_TOLD = f"""
    SELECT turn FROM intent_labels AS told
    WHERE intent IN (SELECT value FROM json_each(:intents)) AND NOT EXISTS (
        SELECT 1 FROM intent_labels WHERE turn = told.turn AND probability > told.probability
            AND {_IN_USE})
"""
# A message of a burst knows its reply from the inbox; what is told unasked later, only the last.
_ASKED = """
    SELECT inbox.turn FROM ({replies}) AS found JOIN inbox ON inbox.reply = found.turn
    UNION ALL
    SELECT replied.replied_to FROM ({replies}) AS found JOIN turns AS replied
        ON replied.id = found.turn
        AND replied.superseded_by IS NULL AND replied.withdrawn_at IS NULL
"""
_HANDED_ON = _ASKED.format(
    replies="""
        SELECT turn FROM handoffs
        WHERE created_at >= :asked_since AND created_at < :replied_until AND {is_right}
        ORDER BY created_at DESC LIMIT :most_replies
    """
)
_LATER = """
    SELECT 1 FROM feedback AS later WHERE later.turn = {said}.turn AND later.id > {said}.id
        AND later.channel = {said}.channel AND later.customer = {said}.customer
        AND later.origin = {said}.origin
"""
_NEWEST_VERDICT = f"""
    NOT EXISTS ({_LATER.format(said="said")})
    AND NOT EXISTS (SELECT 1 FROM feedback AS other
        WHERE other.turn = said.turn AND other.id > said.id
            AND other.verdict NOT IN ('withdrawn', said.verdict)
            AND NOT EXISTS ({_LATER.format(said="other")}))
"""
_RATED = _ASKED.format(
    replies=f"""
        SELECT said.turn FROM feedback AS said
        WHERE said.verdict = :verdict AND said.created_at >= :asked_since
            AND said.created_at < :replied_until AND {_NEWEST_VERDICT}
        ORDER BY said.created_at DESC LIMIT :most_replies
    """
)
_REPLIES = """
    SELECT reply FROM inbox WHERE inbox.turn = asked.id AND reply IS NOT NULL
    UNION ALL
    SELECT replied.id FROM turns AS replied WHERE replied.replied_to = asked.id
        AND replied.superseded_by IS NULL AND replied.withdrawn_at IS NULL
"""
_SOON = "created_at >= asked.created_at AND {of}.created_at < day_after(asked.created_at)"
_SOLVED = f"""
    EXISTS ({_REPLIES})
    AND NOT EXISTS (SELECT 1 FROM handoffs WHERE turn IN ({_REPLIES}))
    AND NOT EXISTS (SELECT 1 FROM feedback AS said
        WHERE said.turn IN ({_REPLIES}) AND said.verdict = 'down' AND {_NEWEST_VERDICT})
    AND NOT EXISTS (SELECT 1 FROM handoffs JOIN turns AS replied ON replied.id = handoffs.turn
            AND replied.superseded_by IS NULL AND replied.withdrawn_at IS NULL
        WHERE handoffs.conversation = asked.conversation
            AND handoffs.{_SOON.format(of="handoffs")})
    AND NOT EXISTS (SELECT 1 FROM turns AS wrote
        WHERE wrote.conversation = asked.conversation AND wrote.role = 'agent'
            AND wrote.superseded_by IS NULL AND wrote.withdrawn_at IS NULL
            AND wrote.{_SOON.format(of="wrote")})
"""
_FIRST = """
    (SELECT min(said.created_at)
    FROM conversations AS own JOIN turns AS said ON said.conversation = own.id
    WHERE own.customer = (SELECT customer FROM conversations WHERE id = asked.conversation)
        AND said.role = 'customer' AND said.superseded_by IS NULL AND said.withdrawn_at IS NULL
        AND said.created_at >= :cohort_origin) BETWEEN :cohort_since AND :cohort_last
"""
