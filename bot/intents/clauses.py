"""The parts of a message that can each want something."""

import re

from bot.knowledge.words import HAN, words

_ENDS = re.compile(
    r"[.!?;\n]+(?=\s|$)|[。！？；\n]+"
    r"|,?\s+(?:and also|also|plus|and then|another thing|besides|by the way)\b,?"
    r"|,\s*(?:and|but)\s+|(?:[，,]\s*)?(?:另外|还有|而且|顺便|以及|此外)[，,]?",
    re.IGNORECASE,
)
_LEAST_WORDS, _LEAST_HAN = 3, 4
MOST = 8  # of a message are looked at


def clauses(text: str) -> list[str]:
    """Return its sentences and clauses that say enough by themselves, at most eight."""
    parts = (part.strip(" ,，、") for part in _ENDS.split(text))
    return [part for part in parts if _says_enough(part)][:MOST]


def _says_enough(part: str) -> bool:
    return len(words(part)) >= _LEAST_WORDS or len(HAN.findall(part)) >= _LEAST_HAN
