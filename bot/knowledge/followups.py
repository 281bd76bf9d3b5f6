"""A question together with what was said before it, for one that says too little by itself."""

import re
from collections.abc import Mapping, Sequence

from bot.knowledge.words import HAN, content_words
from bot.messages import Language

TURNS = 4  # of customer and bot
# Characters of each turn: its beginning names what it is about, the rest of an answer says more
# than the question.
BEGINNING: Mapping[Language, int] = {"en": 150, "zh": 60}
# By so much more likely must what is found with them be (probabilities): a dialogue that changes
# its subject has questions that say enough.
CLEARLY = 0.2
# What asks for a price, a time or a number, and does not say of what.
_ASKING = frozenset(
    "much long many far often soon cost costs price take takes wait need time times minutes hours "
    "days weeks months please ok okay".split()
)
_ASKING_ZH = re.compile(
    r"多久|多长|时间|多少|价格|价钱|费用|什么时候|几[天个]|小时|分钟|大[约概]|[一总]共|可以|哪里|怎么"
    r"|为什么|[那要等呢吗吧么还又需得花钱贵能在是会有的了啊到才个一下]|\W"
)


def in_context(question: str, history: Sequence[str], language: Language) -> str:
    """Return the question after the beginnings of the last turns, oldest first."""
    return " ".join([*(turn[: BEGINNING[language]] for turn in history[-TURNS:]), question])


def names_nothing(question: str) -> bool:
    """Return whether a question only asks how much, how long and the like: "And how long?"

    What is found for its words alone is found by chance.
    """
    if HAN.search(question):
        return not _ASKING_ZH.sub("", question)
    return _ASKING.issuperset(content_words(question))
