"""A made log of a shop whose customers' wishes change, for the pictures of the analysis."""

import random
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.alerts_upkeep import risen
from bot.conversation import Answer
from bot.intents.classifier import Found
from bot.intents.wanted import Wanted
from bot.log import alerts, feedback, inbox, outbox, record
from bot.log import intents as labels
from bot.log.analysis import labelled_intents, messages
from bot.messages import (
    Candidate,
    Decision,
    Feedback,
    HandoffReason,
    Incoming,
    Language,
    Outgoing,
)
from bot.understanding import understand

DAYS = 28
CHANNELS = ("web", "web", "telegram", "slack")
# Each intent: a question in both languages, how many ask it a day, and how many need a person.
INTENTS: dict[str, tuple[str, str, float, float]] = {
    "track order": ("Where is my order?", "我的订单到哪里了？", 9, 0.1),
    "return item": ("Can I return a tent?", "帐篷可以退货吗？", 7, 0.05),
    "refund status": ("When do I get my money back?", "退款什么时候到账？", 4, 0.2),
    "delivery cost": ("How much is the delivery?", "运费是多少？", 4, 0.02),
    "warranty claim": ("The zip of my jacket broke", "外套的拉链坏了", 2.5, 0.35),
    "change address": ("Can I still change the address?", "还能改收货地址吗？", 2, 0.5),
    "damaged parcel": ("My parcel arrived damaged", "收到的包裹破损了", 1, 0.6),
    "out_of_scope": ("What's the weather in the mountains?", "山里天气怎么样？", 1, 0.0),
}
RISING = "damaged parcel"
ANNOYED: dict[Language, str] = {"en": "This is unacceptable.", "zh": "太差了。"}
TEXT = "I've looked that up for you. 已为您查到。"


def write_shop(db: Database, now: datetime) -> None:
    """Store four weeks of questions; in the last days more parcels arrive damaged."""
    rng = random.Random(7)  # noqa: S311 - draws customers, no secrets
    asked = sorted(_questions(rng, now))
    for number, (at, intent) in enumerate(asked):
        _question(db, rng, at, intent, number)
    since = now - timedelta(days=DAYS)
    for hours in range(72, 0, -1):  # the running program looks more often
        at = now - timedelta(hours=hours)
        found = messages(db, since, at, labelled_intents(db, since))
        alerts.tell(db, risen(found, at), at)


def _questions(rng: random.Random, now: datetime) -> list[tuple[datetime, str]]:
    found = []
    for day in range(DAYS):
        for intent, (_, _, usual, _) in INTENTS.items():
            begins = now - timedelta(days=DAYS - day)
            busy = 0.6 if begins.weekday() > 4 else 1.1
            often = usual * busy * (12 if intent == RISING and day >= DAYS - 3 else 1)
            number = sum(rng.random() < often / 20 for _ in range(20))
            found += [(begins + timedelta(hours=24 * rng.random()), intent) for _ in range(number)]
    return found


def _question(db: Database, rng: random.Random, at: datetime, intent: str, number: int) -> None:
    language: Language = "zh" if rng.random() < 0.35 else "en"
    english, chinese, _, needy = INTENTS[intent]
    text = chinese if language == "zh" else english
    if rng.random() < 0.03 + needy / 8:
        text = f"{text} {ANNOYED[language]}"
    customer = f"regular-{rng.randrange(40)}" if rng.random() < 0.35 else f"visitor-{number}"
    reason = _reason(rng) if rng.random() < needy else None
    reply = _exchange(db, rng, at, customer, text, reason)
    wanted = Wanted(found=(Found(intent, rng.uniform(0.6, 0.99)),), model="intents/20261101")
    [turn] = db.execute("SELECT replied_to FROM turns WHERE id = ?", [reply.turn]).fetchone()
    labels.tell(db, {turn: wanted}, at)
    if rng.random() < 0.3:
        _rate(db, reply, "down" if rng.random() < 0.1 + needy else "up", at)
    if reason and rng.random() < 0.9:
        record.settle(db, reply.conversation, at + timedelta(minutes=rng.randint(4, 90)))


def _reason(rng: random.Random) -> HandoffReason:
    reasons: tuple[HandoffReason, ...] = (
        "no_article",
        "not_grounded",
        "asked_for_person",
        "complaint",
        "risk",
    )
    [found] = rng.choices(reasons, (5, 3, 4, 2, 0.4))
    return found


def _exchange(
    db: Database,
    rng: random.Random,
    at: datetime,
    customer: str,
    text: str,
    reason: HandoffReason | None,
) -> Outgoing:
    channel = CHANNELS[sum(map(ord, customer)) % len(CHANNELS)]
    message = Incoming(
        channel=channel,
        event_keys=(f"{customer}:{at.isoformat()}",),
        address=customer,
        customer=customer,
        text=text,
    )
    waiting = inbox.receive(db, message, at).waiting
    assert waiting
    chosen = Candidate(source="handoff" if reason else "article", text=TEXT, handoff_reason=reason)
    decision = Decision(candidates=(chosen,), propensities=(1.0,), chosen=0, policy="fixed-order/2")
    answered = at + timedelta(seconds=rng.uniform(0.8, 4))
    answer = Answer(message=understand(text), decision=decision)
    reply = record.exchange(db, [waiting], answer, answered)
    assert reply
    outbox.start_sending(db, reply, [f"post:{reply.turn}"])
    outbox.sent(db, reply, [f"post:{reply.turn}"], answered)
    return reply


def _rate(db: Database, reply: Outgoing, verdict: str, at: datetime) -> None:
    thumb = Feedback(
        channel=reply.channel,
        event_key=f"thumb:{reply.turn}",
        customer=reply.customer,
        verdict=verdict,  # type: ignore[arg-type]
        origin="button",
        turn=reply.turn,
    )
    feedback.rate(db, thumb, at + timedelta(seconds=30))
