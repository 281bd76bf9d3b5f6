"""What rose beyond chance and was told to the team: each rise once, however often it is seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from bot.intents.report import WEEK, Rise, RiseOf
from bot.log.rows import as_value, insert, select

# A rise is told again while it lasts where it has grown so much since.
_AGAIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rise that was told at `created_at`; the others as in bot/intents/report.py."""

    of: RiseOf
    intent: str
    days: int
    number: int
    expected: float
    p_value: float
    created_at: str


def tell(db: Database, rises: Sequence[Rise], now: datetime) -> list[Alert]:
    """Store rises as told, and return those that had not been told yet.

    What was told is told again after seven days, or when as many days bring twice as much, but
    never twice on one day (UTC). Of two rises of the same, the first is told.
    """
    return [_store(db, rise, now) for rise in rises if _is_news(db, rise, now)]


def alerts(db: Database, since: datetime, until: datetime) -> list[Alert]:
    """Return what was told in a period, the newest first."""
    rows = select(db, _TOLD, {"since": since.isoformat(), "until": until.isoformat()})
    return [as_value(Alert, row) for row in rows]


def _is_news(db: Database, rise: Rise, now: datetime) -> bool:
    rows = select(db, _LAST, {"of": rise.of, "intent": rise.intent})
    if not rows or now - datetime.fromisoformat(rows[0]["created_at"]) >= WEEK:
        return True
    if rows[0]["day"] == _day(now) or rows[0]["days"] != rise.days:
        return False
    return bool(rise.number >= _AGAIN * rows[0]["number"])


def _store(db: Database, rise: Rise, now: datetime) -> Alert:
    told = {
        "of": rise.of,
        "intent": rise.intent,
        "days": rise.days,
        "number": rise.number,
        "expected": rise.expected,
        "p_value": rise.p_value,
        "created_at": now.isoformat(),
    }
    insert(db, "alerts", {"day": _day(now), **told})
    return Alert(**told)  # type: ignore[arg-type]


def _day(now: datetime) -> str:
    return now.date().isoformat()


_LAST = """
    SELECT day, days, number, created_at FROM alerts WHERE of = :of AND intent = :intent
    ORDER BY id DESC LIMIT 1
"""
_TOLD = """
    SELECT * FROM alerts WHERE created_at >= :since AND created_at < :until ORDER BY id DESC
"""
