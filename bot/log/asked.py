"""Conversations with a message of a customer that fits: what a figure of the report leads to.

The figures are counted in one pass by bot/log/analysis.py; here the same is said in SQL, so that a
page of the list needs no pass. tests/log/test_asked.py holds the two against each other.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlite_utils import Database

from bot.log.analysis import CONCERNS, STILL_THE_SAME, UNKNOWN_INTENT
from bot.log.intents import current_name, decisions
from bot.messages import Language
from bot.sentiment import sentiment_of

# Nobody reads on to the others; the work is bounded with them.
MOST_MESSAGES = 5000
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

    The newest 5,000 messages count that fit in all but `outcome`, mood and first message.
    """
    db.conn.create_function(
        "is_annoyed", 1, lambda text: sentiment_of(text) < 0, deterministic=True
    )
    db.conn.create_function("day_after", 1, _day_after, deterministic=True)
    values: dict[str, Any] = {"most_asked": MOST_MESSAGES}
    inner = [*_period(wanted, values), *_place(channel, language, values)]
    if wanted.intent:
        inner.append(_intent(db, wanted.intent, values))
    if wanted.reason:
        inner.append(_reason(wanted, values))
    if wanted.verdict:
        inner.append("asked.id IN (" + _rated(wanted, values) + ")")
    outer = ["1"]
    if wanted.outcome:
        outer.append(f"({_SOLVED}) = :is_solved")
        values["is_solved"] = wanted.outcome == "solved"
    if wanted.is_annoyed:
        outer.append("is_annoyed(asked.text)")
    if wanted.cohort:
        outer.append(_FIRST)
        values |= {
            "cohort_origin": wanted.cohort.origin.isoformat(),
            "cohort_since": wanted.cohort.since.isoformat(),
            "cohort_last": (wanted.cohort.until - timedelta(microseconds=1)).isoformat(),
        }
    newest = (
        "SELECT id, conversation, text, created_at FROM turns AS asked"
        f" WHERE {' AND '.join([*_STANDS, *inner])} ORDER BY created_at DESC LIMIT :most_asked"
    )
    return f"SELECT conversation FROM ({newest}) AS asked WHERE {' AND '.join(outer)}", values


def intents_asked(db: Database) -> tuple[str, ...]:
    """Return the names that messages have as their intents, under today's names."""
    # Jumps through the labels by the classifier's newest ones; reading all would take long.
    rows = db.execute(
        "SELECT DISTINCT intent FROM ("
        " SELECT intent FROM intent_labels ORDER BY turn DESC LIMIT :most)",
        {"most": MOST_MESSAGES},
    ).fetchall()
    names = decisions(db)
    current = {current_name(intent, names) for (intent,) in rows}
    return tuple(sorted(name for name in current if name))


def _period(wanted: AskedFilters, values: dict[str, Any]) -> list[str]:
    conditions = []
    if wanted.since:
        conditions.append("asked.created_at >= :asked_since")
        values["asked_since"] = wanted.since.isoformat()
    if wanted.until:
        conditions.append("asked.created_at < :asked_until")
        values["asked_until"] = wanted.until.isoformat()
    return conditions


def _place(channel: str | None, language: Language | None, values: dict[str, Any]) -> list[str]:
    conditions = []
    if language is not None:
        conditions.append("asked.language = :asked_language")
        values["asked_language"] = language
    if channel is not None:
        conditions.append(
            "EXISTS (SELECT 1 FROM conversations"
            " WHERE id = asked.conversation AND channel = :asked_channel)"
        )
        values["asked_channel"] = channel
    return conditions


def _intent(db: Database, intent: str, values: dict[str, Any]) -> str:
    """Return that the likeliest intent of a message, under today's names, is this one."""
    names = decisions(db)
    values["retired"] = json.dumps([name for name in names if current_name(name, names) is None])
    if intent == UNKNOWN_INTENT:
        return f"NOT EXISTS (SELECT 1 FROM intent_labels WHERE turn = asked.id AND {_IN_USE})"
    same = [name for name in {intent, *names} if current_name(name, names) == intent]
    values["intents"] = json.dumps(same)
    return f"asked.id IN ({_TOLD})"


def _reason(wanted: AskedFilters, values: dict[str, Any]) -> str:
    reasons = tuple(CONCERNS) if wanted.reason == CONCERN else (wanted.reason,)
    is_right = "1" if wanted.reason == ANY else "reason IN (SELECT value FROM json_each(:reasons))"
    values |= {"reasons": json.dumps(reasons), "handed_on_since": _since(wanted)}
    return f"asked.id IN ({_HANDED_ON.format(is_right=is_right)})"


def _rated(wanted: AskedFilters, values: dict[str, Any]) -> str:
    values |= {"verdict": wanted.verdict, "rated_since": _since(wanted)}
    return _RATED


def _since(wanted: AskedFilters) -> str:
    return wanted.since.isoformat() if wanted.since else ""


def _day_after(at: str) -> str:
    return (datetime.fromisoformat(at) + STILL_THE_SAME).isoformat()


_STANDS = (
    "asked.role = 'customer'",
    "asked.superseded_by IS NULL",
    "asked.withdrawn_at IS NULL",
)
_IN_USE = "intent NOT IN (SELECT value FROM json_each(:retired))"
_TOLD = f"""
    SELECT turn FROM intent_labels AS told
    WHERE intent IN (SELECT value FROM json_each(:intents)) AND NOT EXISTS (
        SELECT 1 FROM intent_labels WHERE turn = told.turn AND probability > told.probability
            AND {_IN_USE})
"""
# A message of a burst knows its reply from the inbox; what is told unasked later, only the last.
_HANDED_ON = """
    SELECT inbox.turn FROM handoffs JOIN inbox ON inbox.reply = handoffs.turn
    WHERE handoffs.created_at >= :handed_on_since AND {is_right}
    UNION ALL
    SELECT replied.replied_to FROM handoffs JOIN turns AS replied ON replied.id = handoffs.turn
        AND replied.superseded_by IS NULL AND replied.withdrawn_at IS NULL
    WHERE handoffs.created_at >= :handed_on_since AND {is_right}
"""
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
_RATED = f"""
    SELECT inbox.turn FROM feedback AS said JOIN inbox ON inbox.reply = said.turn
    WHERE said.verdict = :verdict AND said.created_at >= :rated_since AND {_NEWEST_VERDICT}
    UNION ALL
    SELECT replied.replied_to FROM feedback AS said JOIN turns AS replied ON replied.id = said.turn
        AND replied.superseded_by IS NULL AND replied.withdrawn_at IS NULL
    WHERE said.verdict = :verdict AND said.created_at >= :rated_since AND {_NEWEST_VERDICT}
"""
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
