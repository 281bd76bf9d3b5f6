"""A log of many customers with whatever can happen to a message, written as the program does."""

import random
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.conversation import Answer
from bot.intents.classifier import Found
from bot.intents.wanted import Wanted
from bot.log import feedback, inbox, notices, outbox, record
from bot.log import intents as labels
from bot.log.turns import add_turn
from bot.messages import (
    Candidate,
    Decision,
    Dialogue,
    Feedback,
    HandoffReason,
    Incoming,
    Outgoing,
    TurnId,
    Withdrawal,
)
from bot.understanding import understand

TEXTS = {
    "parcel": ("Where is my parcel?", "我的包裹在哪里？", "This is terrible, where is my parcel?"),
    "refund": ("I want my money back", "我要退款", "垃圾，太差了，我要退款"),
    "tents": ("Do you sell tents?", "你们卖帐篷吗？", "Thanks, you sell great tents?"),
    "gift": ("Can you wrap a gift?", "可以包装成礼物吗？", "Can you wrap this great gift?"),
}
OFTEN = (10, 10, 10, 2)  # the last one is rare
REASONS: tuple[HandoffReason, ...] = ("no_article", "asked_for_person", "complaint", "risk")
CHANNELS = ("web", "telegram")


class BusyLog:
    """Writes what customers say and what comes of it, drawn by a seeded `rng`."""

    def __init__(self, db: Database, rng: random.Random) -> None:
        self._db = db
        self._rng = rng
        self._keys = 0

    def fill(self, customers: int, began: datetime, days: int) -> None:
        """Let customers write on several days each."""
        visits = [
            (began + timedelta(minutes=self._rng.randrange(days * 24 * 60)), number)
            for number in range(customers)
            for _ in range(self._rng.randint(1, 4))
        ]
        for at, number in sorted(visits):
            self._visit(f"customer-{number}", CHANNELS[number % 2], at)

    def _visit(self, name: str, channel: str, at: datetime) -> None:
        rng = self._rng
        [intent] = rng.choices([*TEXTS], OFTEN)
        parts = [self._message(name, channel, rng.choice(TEXTS[intent]))]
        if rng.random() < 0.2:
            parts.insert(0, self._message(name, channel, "Hello"))
        answered = at + timedelta(seconds=rng.randint(1, 90))
        reply = self._exchange(parts, at, answered)
        self._label(parts[-1], intent)
        self._rate(reply, answered)
        what = rng.random()
        if what < 0.15:
            self._edit(parts[-1], rng.choice(TEXTS["tents"]), answered)
        elif what < 0.22:
            self._withdraw(parts[-1], answered)
        elif what < 0.32:
            self._agent(reply, answered + timedelta(hours=rng.choice((1, 30))))
        elif what < 0.4:
            self._tell(parts[-1], reply, answered + timedelta(minutes=9))
        elif what < 0.5:
            record.settle(self._db, reply.conversation, answered + timedelta(minutes=20))

    def _message(self, name: str, channel: str, text: str, edits: str | None = None) -> Incoming:
        self._keys += 1
        return Incoming(
            channel=channel,
            event_keys=(f"event-{self._keys}",),
            address=name,
            customer=name,
            text=text,
            edits=edits,
        )

    def _exchange(self, parts: list[Incoming], at: datetime, answered: datetime) -> Outgoing:
        waiting = [inbox.receive(self._db, part, at).waiting for part in parts]
        reason = self._rng.choice(REASONS) if self._rng.random() < 0.25 else None
        source = "handoff" if reason else "article"
        chosen = Candidate(source=source, text="Yes. 可以。", handoff_reason=reason)  # type: ignore[arg-type]
        decision = Decision(candidates=(chosen,), propensities=(1.0,), chosen=0, policy="test/1")
        answer = Answer(message=understand(parts[-1].text), decision=decision)
        stored = [each for each in waiting if each]
        reply = record.exchange(self._db, stored, answer, answered)
        assert reply
        posts = (f"post-{self._keys}",)
        outbox.start_sending(self._db, reply, posts)
        outbox.sent(self._db, reply, posts, answered)
        return reply

    def _label(self, asked: Incoming, intent: str) -> None:
        kind = self._rng.random()
        turn = self._turn(asked)
        if kind < 0.2:
            return
        others = [other for other in TEXTS if other != intent]
        found = (Found(intent, 0.8), Found(self._rng.choice(others), 0.1))
        if kind < 0.3:
            found = (Found("over", 0.9), *found)
        elif kind < 0.4:
            found = (Found("money", 0.8),)
        labels.tell(self._db, {turn: Wanted(found=found, model="m")}, datetime.now().astimezone())

    def _rate(self, reply: Outgoing, at: datetime) -> None:
        for origin in ("button", "reaction"):
            while self._rng.random() < 0.3:
                self._keys += 1
                rating = Feedback(
                    channel=reply.channel,
                    event_key=f"press-{self._keys}",
                    customer=reply.customer,
                    verdict=self._rng.choice(("up", "down", "withdrawn")),  # type: ignore[arg-type]
                    origin=origin,  # type: ignore[arg-type]
                    turn=reply.turn,
                )
                feedback.rate(self._db, rating, at)

    def _edit(self, asked: Incoming, text: str, at: datetime) -> None:
        text = f"{text} {self._keys}"  # an edit that changes nothing is none
        again = self._message(asked.customer, asked.channel, text, edits=asked.event_keys[0])
        self._exchange([again], at, at + timedelta(seconds=3))

    def _withdraw(self, asked: Incoming, at: datetime) -> None:
        gone = Withdrawal(channel=asked.channel, event_key=asked.event_keys[0])
        if withdrawn := inbox.withdraw(self._db, gone, at):
            record.retraction(self._db, withdrawn, at)

    def _agent(self, reply: Outgoing, at: datetime) -> None:
        add_turn(
            self._db,
            reply.conversation,
            role="agent",
            text="Mira here.",
            language="en",
            created_at=at.isoformat(),
        )

    def _tell(self, asked: Incoming, reply: Outgoing, at: datetime) -> None:
        dialogue = Dialogue(channel=asked.channel, address=asked.address, customer=asked.customer)
        told = Candidate(source="action", text="Done. 办好了。")
        assert notices.notice(self._db, dialogue, reply.turn, told, "en", "test/1", at)

    def _turn(self, asked: Incoming) -> TurnId:
        [turn] = self._db.execute(
            "SELECT turn FROM inbox WHERE event_key = ?", [asked.event_keys[0]]
        ).fetchone()
        return TurnId(turn)


def decide(db: Database, now: datetime) -> None:
    """Let `money` go on as `refund`, and take `over` out of use."""
    labels.decide(db, "money", "admin", now, retired=True, becomes="refund")
    labels.decide(db, "over", "admin", now, retired=True)
