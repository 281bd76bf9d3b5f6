"""What each customer used of the model, day by day."""

from datetime import UTC, datetime

from sqlite_utils import Database


def add(
    db: Database, channel: str, customer: str, now: datetime, *, calls: int, tokens: int
) -> None:
    """Count calls of the model, and the tokens of their prompts and of what was written."""
    db.execute(
        """
        INSERT INTO usage (channel, customer, day, calls, tokens) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (channel, customer, day) DO UPDATE
        SET calls = calls + excluded.calls, tokens = tokens + excluded.tokens
        """,
        [channel, customer, _day(now), calls, tokens],
    )


def tokens_used(db: Database, channel: str, customer: str, now: datetime) -> int:
    """Return how many tokens were used for a customer on this day, by UTC."""
    row = db.execute(
        "SELECT tokens FROM usage WHERE channel = ? AND customer = ? AND day = ?",
        [channel, customer, _day(now)],
    ).fetchone()
    return int(row[0]) if row else 0


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()
