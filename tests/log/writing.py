"""Messages and answers as they get into the log, without a desk."""

from collections.abc import Sequence
from datetime import timedelta

from sqlite_utils import Database

from bot.conversation import Answer
from bot.log import inbox, outbox, record
from bot.log.inbox import Received
from bot.messages import (
    Candidate,
    Decision,
    HandoffReason,
    Incoming,
    Outgoing,
)
from bot.understanding import understand
from tests.small_shop import NOW

LATER = NOW + timedelta(minutes=5)


def receive(db: Database, message: Incoming) -> Received:
    """Store a new message."""
    receipt = inbox.receive(db, message, NOW)
    assert receipt.is_new
    assert receipt.waiting is not None
    return receipt.waiting


def answer(
    question: str, text: str = "Yes. 可以。", handoff: HandoffReason | None = None
) -> Answer:
    """Return an answer to a question that needs no article."""
    candidate = Candidate(
        source="handoff" if handoff else "courtesy", text=text, handoff_reason=handoff
    )
    decision = Decision(candidates=(candidate,), propensities=(1.0,), chosen=0, policy="test/1")
    return Answer(message=understand(question), decision=decision)


def reply(
    db: Database,
    batch: Sequence[Received],
    text: str = "Yes. 可以。",
    handoff: HandoffReason | None = None,
) -> Outgoing:
    """Store the reply to some messages."""
    found = answer(batch[-1].text, text, handoff)
    outgoing = record.exchange(db, batch, found, LATER)
    assert outgoing is not None
    return outgoing


def exchange(
    db: Database, message: Incoming, posts: Sequence[str] = (), handoff: HandoffReason | None = None
) -> Outgoing:
    """Store a message and its reply, delivered as `posts` if there are any."""
    outgoing = reply(db, [receive(db, message)], handoff=handoff)
    if posts:
        outbox.start_sending(db, outgoing, posts)
        outbox.sent(db, outgoing, posts, LATER)
    return outgoing
