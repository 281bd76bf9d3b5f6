"""A made log of a shop whose replies a learned policy ranks, for the pictures of its page."""

import random
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.conversation import Answer
from bot.log import feedback, inbox, outbox, policies, record
from bot.log.policies import InForce
from bot.messages import Candidate, Decision, Feedback, Incoming, Language, Outgoing
from bot.ranking.context import Context
from bot.ranking.exploration import DailyBudget, Exploring
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.policy import Policy, decide
from bot.ranking.trained import TrainedPolicy
from bot.understanding import understand
from tests.ranking.slates import model

LEARNED = model(
    answers=1.1,
    support=0.25,
    score=0.3,
    is_draft=-0.62,
    is_article=-0.1,
    is_clarification=0.12,
    is_handoff=-0.45,
    length=-0.2,
    chinese_draft=-0.15,
)
QUESTIONS: dict[Language, tuple[str, ...]] = {
    "en": ("Can I return a tent?", "How much is the delivery?", "Is my jacket under warranty?"),
    "zh": ("帐篷可以退货吗？", "运费是多少？", "外套有保修吗？"),
}
TEXTS: dict[Language, tuple[str, str, str, str]] = {
    "en": (
        "Yes, you can return it within 30 days of delivery. A return costs 7.90 EUR.",
        "You can return an item within 30 days of delivery, unworn and with its labels.",
        "Do you mean an order that has arrived, or one that is on its way?",
        "I've put this on our team's list.",
    ),
    "zh": (
        "可以，签收后30天内可以退货，退货运费为7.90欧元。",
        "商品签收后30天内，未使用且吊牌完整的，可以退货。",
        "您指的是已经收到的订单，还是还在路上的？",
        "我已经转给团队处理。",
    ),
}
CHANNELS = ("web", "web", "telegram", "telegram", "slack")
DAYS = 28
VISITS_A_DAY = 46
_LIKED = {"approved": 0.9, "article": 0.68, "clarification": 0.55, "handoff": 0.3}


def write_shop(db: Database, now: datetime) -> None:
    """Store four weeks of visits under the fixed order and two learned policies."""
    rng = random.Random(11)  # noqa: S311 - draws customers, no secrets
    for days, change in _changes(now):
        policies.record(db, [change])
        policy = _policy(change)
        for day in range(days):
            for number in range(VISITS_A_DAY):
                at = change.at + timedelta(days=day, minutes=number * 29)
                _visit(db, policy, rng, at, f"{at:%m%d}-{number}")


def _changes(now: datetime) -> list[tuple[int, InForce]]:
    """Return what was in force for so many days."""
    began = now - timedelta(days=DAYS)
    first, second = began + timedelta(days=9), began + timedelta(days=14)
    third = second + timedelta(days=2)
    gain = "Gain +0.094 (+0.051 to +0.137) over fixed-order/2."
    doubtful = "Gain +0.041 (+0.006 to +0.076) over softmax/20261111."
    worse = "Since it is in force, the mean reward fell from 0.171 to 0.089."
    return [
        (9, _change(FixedOrder.version, "start", "", began)),
        (5, _change("softmax/20261111", "promoted", gain, first)),
        (2, _change("greedy/20261116", "promoted", doubtful, second)),
        (12, _change("softmax/20261111", "watch", worse, third)),
    ]


def _change(version: str, reason: str, note: str, at: datetime) -> InForce:
    trained = None if version == FixedOrder.version else _trained(version, at).as_json()
    return InForce(policy=version, reason=reason, note=note, at=at, trained=trained)


def _trained(version: str, at: datetime) -> TrainedPolicy:
    told = {
        "learner": "q-learning",
        "decisions": 4870,
        "conversations": 2315,
        "until": (at - timedelta(days=1)).isoformat(),
    }
    kind = "greedy" if version.startswith("greedy") else "softmax"
    return TrainedPolicy(version=version, kind=kind, model=LEARNED, trained_on=told)


def _policy(change: InForce) -> Policy:
    chosen = _trained(change.policy, change.at).policy() if change.trained else FixedOrder()
    return Exploring(chosen, 0.05, DailyBudget(10**6, lambda: change.at.date()))


def _visit(db: Database, policy: Policy, rng: random.Random, at: datetime, name: str) -> None:
    language: Language = "zh" if rng.random() < 0.35 else "en"
    # Every fourth visit is of somebody who came before.
    customer = f"regular-{rng.randrange(60)}" if rng.random() < 0.25 else name
    channel = CHANNELS[sum(map(ord, customer)) % len(CHANNELS)]
    question = rng.choice(QUESTIONS[language])
    context = Context(question=question, language=language, channel=channel)
    decision = decide(policy, context, _slate(language, rng), rng)
    reply = _exchange(db, channel, customer, question, decision, at)
    if rng.random() < 0.45:
        _rate(db, reply, _chance(decision, language), rng, at)


def _slate(language: Language, rng: random.Random) -> list[Candidate]:
    draft, article, back, handoff = TEXTS[language]
    found = {"score": rng.uniform(0.6, 1.0), "closeness": 0.8, "coverage": 0.6}
    checked = {"support": rng.uniform(0.6, 1.0), "answers": rng.random(), "log_probability": -4.0}
    slate = [
        Candidate(source="draft", text=draft, features=found | checked),
        Candidate(source="article", text=article, features=found),
        Candidate(source="handoff", text=handoff, handoff_reason="not_grounded"),
    ]
    kind = rng.random()
    if kind < 0.12:  # nothing passed the checks
        return [Candidate(source="draft", text=draft, refusal="number"), slate[-1]]
    if kind < 0.3:
        slate.insert(0, Candidate(source="clarification", text=back, features={"margin": 0.02}))
    return slate


def _chance(decision: Decision, language: Language) -> float:
    """Return how likely a customer finds a reply helpful."""
    shown = decision.candidate
    likely = _LIKED.get(shown.source, 0.35 + 0.5 * shown.features.get("answers", 0.5))
    return likely - 0.12 * (language == "zh")


def _exchange(
    db: Database, channel: str, customer: str, text: str, decision: Decision, at: datetime
) -> Outgoing:
    message = Incoming(
        channel=channel,
        event_keys=(f"{customer}:{at.isoformat()}",),
        address=customer,
        customer=customer,
        text=text,
    )
    waiting = inbox.receive(db, message, at).waiting
    assert waiting
    reply = record.exchange(db, [waiting], Answer(message=understand(text), decision=decision), at)
    assert reply
    outbox.start_sending(db, reply, [f"post:{reply.turn}"])
    outbox.sent(db, reply, [f"post:{reply.turn}"], at)
    if reply.handed_off:
        record.settle(db, reply.conversation, at)
    return reply


def _rate(db: Database, reply: Outgoing, chance: float, rng: random.Random, at: datetime) -> None:
    thumb = Feedback(
        channel=reply.channel,
        event_key=f"thumb:{reply.turn}",
        customer=reply.customer,
        verdict="up" if rng.random() < chance else "down",
        origin="button",
        turn=reply.turn,
    )
    feedback.rate(db, thumb, at + timedelta(seconds=30))
