"""A log of made conversations, stored by the log's own functions: the same rows as in real work."""

import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlite_utils import Database

from bot.conversation import Answer
from bot.knowledge import index
from bot.knowledge.articles import read_articles
from bot.knowledge.scoring import Hit
from bot.log import feedback, inbox, outbox, record
from bot.log.store import Store
from bot.messages import (
    Candidate,
    Citation,
    Decision,
    Feedback,
    Generation,
    Incoming,
    Outgoing,
    Passage,
)
from bot.understanding import understand

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"
CHANNEL = "telegram"
REGULAR = "regular"  # a customer with as many questions in a small log as in a large one
QUESTIONS_OF_REGULAR = 200
RARE = {"en": "zeppelin", "zh": "琥珀"}
MESSAGES_OF_A_CUSTOMER = 5
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
IN_ONE_TRANSACTION = 1000


class Maker:
    """Makes exchanges for a log of `total` turns, the same ones for the same `seed`."""

    def __init__(self, db: Database, total: int, seed: int = 1) -> None:
        self._rng = random.Random(seed)
        self._exchanges = total // 2
        self._passages = index.current_passages(db)
        lines = (EXAMPLE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
        self._questions = [json.loads(line)["question"] for line in lines]

    def message(self, number: int) -> Incoming:
        """Return the customer's message of one exchange."""
        customer, rng = self._customer(number), self._rng
        text = f"{rng.choice(self._questions)} {rng.randrange(10**7)}"
        if number % max(1, self._exchanges // 10) == 7:
            text += f" {RARE['en']} {RARE['zh']}"
        return Incoming(
            channel=CHANNEL,
            event_keys=(f"update:{number}", f"message:{customer}:{number}"),
            address=customer,
            customer=customer,
            text=text,
        )

    def answer(self, number: int, text: str) -> Answer:
        """Return an answer as the whole way of a message leaves it."""
        rng, shown = self._rng, self._rng.choice(self._passages)
        is_handed_off = rng.random() < 0.08
        candidates = self._candidates(shown, is_handed_off=is_handed_off)
        hits = tuple(_hit(passage) for passage in rng.sample(self._passages, 5))
        decision = Decision(
            candidates=candidates, propensities=(1.0, 0.0, 0.0), chosen=0, policy="fixed-order/1"
        )
        return Answer(
            message=understand(text),
            decision=decision,
            hits=hits,
            generation=_generation(rng),
            latency_ms=rng.uniform(300, 3000),
        )

    def moment(self, number: int) -> datetime:
        """Return when an exchange happened; a log of any size spans half a year."""
        return BEGINNING + timedelta(seconds=number * 15_000_000 / max(1, self._exchanges))

    def write(self, db: Database, number: int) -> Outgoing:
        """Store one exchange, from the message's arrival to the note that its reply arrived."""
        message, now = self.message(number), self.moment(number)
        waiting = inbox.receive(db, message, now).waiting
        assert waiting
        [waiting] = inbox.start_attempt(db, [waiting.id], [waiting.id])
        outgoing = record.exchange(db, [waiting], self.answer(number, message.text), now)
        assert outgoing
        leaving = outbox.start_sending(db, outgoing, [f"{message.address}:{number}"])
        outbox.sent(db, leaving, leaving.replaces, now)
        self._afterwards(db, number, outgoing)
        return outgoing

    def _afterwards(self, db: Database, number: int, outgoing: Outgoing) -> None:
        now = self.moment(number)
        if outgoing.handed_off and self._rng.random() < 0.99:
            record.settle(db, outgoing.conversation, now)
        if self._rng.random() < 0.05:
            press = Feedback(
                channel=CHANNEL,
                event_key=f"press:{number}",
                customer=outgoing.customer,
                verdict="up",
                origin="button",
                turn=outgoing.turn,
            )
            feedback.rate(db, press, now)

    def _customer(self, number: int) -> str:
        if number % 20 == 0 and number < 20 * QUESTIONS_OF_REGULAR:
            return REGULAR
        return f"c{max(0, number // MESSAGES_OF_A_CUSTOMER + self._rng.randint(-20, 20))}"

    def _candidates(self, shown: Passage, *, is_handed_off: bool) -> tuple[Candidate, ...]:
        cited = (Citation(article=shown.article, title=shown.title, url=shown.url),)
        features = {"closeness": self._rng.random(), "coverage": self._rng.random(), "bias": 1.0}
        first = Candidate(
            source="handoff" if is_handed_off else "draft",
            text=shown.text[:300],
            citations=cited,
            features=features,
            handoff_reason="no_article" if is_handed_off else None,
        )
        second = Candidate(source="draft", text=shown.text[:200], citations=cited, refusal="number")
        return first, second, Candidate(source="article", text=shown.text, citations=cited)


def fill(path: Path, turns: int, progress: Callable[[str], None]) -> None:
    """Make a log of so many turns, in large transactions and without waiting for the disk."""
    with closing(_prepared(path)) as db:
        maker = Maker(db, turns)
        for first in range(0, turns // 2, IN_ONE_TRANSACTION):
            with db.atomic():
                for number in range(first, min(first + IN_ONE_TRANSACTION, turns // 2)):
                    maker.write(db, number)
            if first % (50 * IN_ONE_TRANSACTION) == 0:
                progress(f"{2 * first:,} of {turns:,} turns")


def _prepared(path: Path) -> Database:
    with Store(path):
        pass
    db = Database(sqlite3.connect(path))
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA cache_size = -200000")
    with db.atomic():
        bring_articles(db)
    return db


def bring_articles(db: Database) -> None:
    """Store the example shop's articles, so that there are passages to answer from."""
    articles, _ = read_articles(EXAMPLE / "articles")
    index.sync(db, articles, BEGINNING)


def turns_in(db: Database) -> Sequence[tuple[str, str]]:
    """Return id and text of every turn, oldest first."""
    return db.execute("SELECT id, text FROM turns ORDER BY id").fetchall()


def _hit(passage: Passage) -> Hit:
    return Hit(passage=passage, score=0.7, closeness=0.6, similarity=0.83, coverage=0.4)


def _generation(rng: random.Random) -> Generation:
    return Generation(
        model="SmolLM2-135M-Instruct",
        prompt="answer/en",
        prompt_version="3f2a",
        sampling={"temperature": 0.4, "top_p": 0.9, "n": 2},
        texts=(),
        log_probabilities=(),
        input_tokens=rng.randrange(300, 900),
        output_tokens=rng.randrange(20, 160),
        latency_ms=rng.uniform(300, 3000),
        error=None,
    )
