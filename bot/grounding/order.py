"""Whether words stand as they do in their source: who does what to whom.

A phrase keeps the order of its words; phrases ("within 30 days", "for orders") may change places
within a clause, as long as the same stands behind each "to", "from" and "than".
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bot.grounding.numbers import NUMBER_WORDS
from bot.knowledge.words import FUNCTION_WORDS, words
from bot.synonyms import meaning_stem

# What such a word's next words are decides who does what to whom.
_DIRECTIONS = frozenset("to from than before after by for 从 到 比 给 向 由 被".split())
_DIRECTED = 3  # words behind it
_RANGE = 6  # words at most: "from 10:00 to 18"
_PHRASE_BREAK = re.compile(
    r"\b(?:in|on|at|to|from|for|with|by|within|before|after|during|through|via|per|of|if|when"
    r"|while|and|or|as|that|which|who|you|we|they|it)\b|[,;:()，；：、（）。]|[从到在对给向由被和或与当把的]|以及|如果|内|后|前",
    re.IGNORECASE,
)


def in_order(own: Sequence[str], stretch: Sequence[str]) -> int:
    """Return how many words both have in the same order: their longest common subsequence."""
    longest = [0] * (len(stretch) + 1)
    for word in own:
        before = 0
        for position, other in enumerate(stretch, start=1):
            above = longest[position]
            longest[position] = before + 1 if word == other else max(above, longest[position - 1])
            before = above
    return longest[-1]


def phrases(text: str) -> list[str]:
    """Return the phrases of a sentence: what a preposition, "and" or a comma divides."""
    return [phrase for phrase in _PHRASE_BREAK.split(text) if phrase and words(phrase)]


def is_redirected(said: str, source: str) -> bool:
    """Return whether a word stands behind another "to", "from" or "than" than in the source."""
    there = list(_directed(source))
    return any(
        direction not in known
        for direction, following in _directed(said)
        for word in following[:1]
        if (known := {other for other, behind in there if word in behind})
    )


def _directed(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each word of direction with the content words that stand behind it."""
    said = words(text)
    for position, word in enumerate(said):
        if word in _DIRECTIONS and not _begins_range(said[position:]):
            behind = [w for w in said[position + 1 :] if w not in FUNCTION_WORDS][:_DIRECTED]
            yield word, [NUMBER_WORDS.get(w) or meaning_stem(w) for w in behind]


def _begins_range(said: Sequence[str]) -> bool:
    """Return whether words begin with "from 10 to 18": its "from" may be left out or put in."""
    return (
        said[0] == "from"
        and len(said) > 1
        and said[1].isdigit()
        and any(
            word in ("to", "until") and behind.isdigit()
            for word, behind in pairwise(said[2:_RANGE])
        )
    )
