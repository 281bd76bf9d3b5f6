"""A made log of messages that no intent fits, for the pictures of the page of groups."""

import random
from datetime import datetime, timedelta

from sqlite_utils import Database

from tests.adapters.web.dialogues import ANSWER, HANDOFF, message, write_exchange
from tests.intents.small_set import MESSAGES, texts

# How often a message of it comes, and the share of them that the articles answer.
_KINDS = {
    "delivery_time": (3, 0.95),
    "return": (2, 0.8),
    "password": (2, 0.9),
    "invoice": (4, 0.1),
}
_WEEKS = 8


def write_questions(db: Database, now: datetime) -> None:
    """Store eight weeks of messages in both languages; those about invoices become more."""
    rng = random.Random(5)  # noqa: S311 - draws times, no secrets
    for intent, (times, answered) in _KINDS.items():
        assert intent in MESSAGES
        for text in texts(intent):
            for number in range(times):
                # The larger of two draws: later weeks have more of them.
                age = min(rng.random(), rng.random()) if intent == "invoice" else rng.random()
                at = now - timedelta(weeks=_WEEKS * age)
                slate = [ANSWER if rng.random() < answered else HANDOFF]
                asked = message(text, address=f"{text}-{number}")
                language = "en" if text.isascii() else "zh"
                write_exchange(db, asked, slate, language=language, at=at)
