"""What customers think of replies."""

from datetime import datetime

from sqlite_utils import Database

from bot.messages import Feedback


def rate(db: Database, feedback: Feedback, now: datetime) -> bool:
    """Store a verdict once; return whether there is such a reply."""
    turn = _turn(db, feedback)
    if turn is None:
        return False
    db.execute(
        "INSERT INTO feedback (channel, event_key, turn, customer, origin, verdict, complaint,"
        " comment, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (channel, event_key) DO NOTHING",
        [
            feedback.channel,
            feedback.event_key,
            turn,
            feedback.customer,
            feedback.origin,
            feedback.verdict,
            feedback.complaint,
            feedback.comment,
            now.isoformat(),
        ],
    )
    return True


def _turn(db: Database, feedback: Feedback) -> str | None:
    """Return the reply that is meant, if it is one of this channel."""
    if feedback.turn is not None:
        row = db.execute(
            "SELECT turn FROM outbox WHERE channel = ? AND turn = ?",
            [feedback.channel, feedback.turn],
        ).fetchone()
    else:
        row = db.execute(
            "SELECT outbox.turn FROM posts JOIN outbox ON outbox.id = posts.outbox"
            " WHERE posts.channel = ? AND posts.post = ?",
            [feedback.channel, feedback.post],
        ).fetchone()
    return str(row[0]) if row else None
