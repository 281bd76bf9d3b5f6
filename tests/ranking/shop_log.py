"""Simulated customers' dialogues in a real log, written by the log's own functions."""

import random
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.conversation import Answer
from bot.log import feedback, inbox, outbox, record
from bot.messages import Decision, Feedback, Incoming, Outgoing
from bot.ranking.policy import Policy, decide
from bot.understanding import understand
from tests.ranking.shoppers import QUESTION, at_once, cleared, visit

CHANNELS = ("telegram", "web")
TEXTS = (("Can I return a tent?", "The blue one!"), ("可以退货吗？", "蓝色的那个！"))


def write_visits(
    db: Database,
    policy: Policy,
    rng: random.Random,
    visits: int,
    began: datetime,
    name: str = "visit",
) -> None:
    """Store so many customers' visits, a minute apart; each says honestly what a reply is worth."""
    for number in range(visits):
        asked, at = visit(rng), began + timedelta(minutes=number)
        customer = f"{name}-{number}"
        decision = decide(policy, QUESTION, asked.slate, rng)
        question, answer = TEXTS[number % 2]
        reply = _exchange(db, customer, question, decision, at)
        if decision.candidate.source == "clarification":
            again = decide(policy, QUESTION, cleared().slate, rng)
            later = at + timedelta(seconds=20)
            reply = _exchange(db, customer, answer, again, later)
            _rate(db, reply, at_once("cleared", again.candidate), rng, later)
        else:
            _rate(db, reply, at_once(asked.kind, decision.candidate), rng, at)


def _exchange(db: Database, customer: str, text: str, decision: Decision, at: datetime) -> Outgoing:
    channel = CHANNELS[len(customer) % 2]
    message = Incoming(
        channel=channel,
        event_keys=(f"{customer}:{at.isoformat()}",),
        address=customer,
        customer=customer,
        text=text,
    )
    waiting = inbox.receive(db, message, at).waiting
    assert waiting
    answer = Answer(message=understand(text), decision=decision)
    reply = record.exchange(db, [waiting], answer, at)
    assert reply
    outbox.start_sending(db, reply, [f"post:{reply.turn}"])
    outbox.sent(db, reply, [f"post:{reply.turn}"], at)
    return reply


def _rate(db: Database, reply: Outgoing, worth: float, rng: random.Random, at: datetime) -> None:
    if reply.handed_off:
        return
    thumb = Feedback(
        channel=reply.channel,
        event_key=f"thumb:{reply.turn}",
        customer=reply.customer,
        verdict="up" if rng.random() < (worth + 1) / 2 else "down",
        origin="button",
        turn=reply.turn,
    )
    feedback.rate(db, thumb, at)
