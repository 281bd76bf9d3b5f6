"""What customers are told unasked: stored like every reply, and sent like one."""

from datetime import datetime

from sqlite_utils import Database

from bot.log import outbox
from bot.log.turns import add_turn, hand_off, record_candidates
from bot.messages import Candidate, Decision, Dialogue, Language, Outgoing, TurnId


def notice(
    db: Database,
    dialogue: Dialogue,
    earlier: TurnId,
    candidate: Candidate,
    language: Language,
    policy: str,
    now: datetime,
) -> Outgoing | None:
    """Store what a customer is told unasked, behind an `earlier` reply to them, and queue it.

    It takes that reply's place on the team's list. Returns None, and stores nothing, when there is
    no such reply any more.
    """
    before = outbox.reply_of(db, dialogue.channel, earlier)
    if before is None:
        return None
    at = now.isoformat()
    [asked] = db.execute("SELECT replied_to FROM turns WHERE id = ?", [earlier]).fetchone()
    told = add_turn(
        db,
        before.conversation,
        role="assistant",
        text=candidate.text,
        language=language,
        created_at=at,
        replied_to=asked,
        policy=policy,
    )
    decision = Decision(candidates=(candidate,), propensities=(1.0,), chosen=0, policy=policy)
    record_candidates(db, told, decision)
    db.execute(
        "UPDATE handoffs SET settled_at = ? WHERE conversation = ? AND turn = ?"
        " AND settled_at IS NULL",
        [at, before.conversation, earlier],
    )
    hand_off(db, before.conversation, told, candidate, at)
    db.execute("UPDATE conversations SET last_turn_at = ? WHERE id = ?", [at, before.conversation])
    outgoing = Outgoing(
        id=0,  # until it is stored
        conversation=before.conversation,
        turn=told,
        channel=dialogue.channel,
        address=dialogue.address,
        customer=dialogue.customer,
        in_reply_to=before.in_reply_to,
        text=candidate.text,
        source=candidate.source,
        language=language,
        citations=(),
        candidates=1,
        handed_off=candidate.handoff_reason is not None,
    )
    return outbox.queue(db, outgoing, now)
