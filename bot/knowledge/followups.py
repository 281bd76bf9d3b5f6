"""A question together with what was said before it, for one that says too little by itself."""

from collections.abc import Mapping, Sequence

from bot.messages import Language

TURNS = 4  # of customer and bot
# Characters of each turn: its beginning names what it is about, the rest of an answer says more
# than the question.
BEGINNING: Mapping[Language, int] = {"en": 150, "zh": 60}
# By so much more likely must what is found with them be (probabilities): a dialogue that changes
# its subject has questions that say enough.
CLEARLY = 0.2


def in_context(question: str, history: Sequence[str], language: Language) -> str:
    """Return the question after the beginnings of the last turns, oldest first."""
    return " ".join([*(turn[: BEGINNING[language]] for turn in history[-TURNS:]), question])
