"""Cutting a long passage down to the sentences that answer, without changing a word.

A passage is a row of pieces: sentences, and lists or tables whole, together with the line that
leads into them. The pieces nearest to the question stay, with what they depend on: the sentence
before a "then" or "it", the condition after ("but", "除外"). Numbers set on
examples/shop/questions-tuning.jsonl; docs/quality.md has them.
"""

import re
from collections.abc import Iterable, Sequence

from bot.knowledge.meaning import Meaning
from bot.knowledge.scoring import Hit, stems
from bot.knowledge.vectors import Text
from bot.knowledge.words import content_words
from bot.messages import Passage, PassageId

SHORTEST_TRIMMED = 300  # Latin letters; a Chinese character says as much as three
NEAR_VECTORS = 0.06  # how far a piece may be behind the nearest and stay: of cosine plus coverage
NEAR_WORDS = 0.4  # the same where only the share of the question's words is known

COVERAGE_WEIGHT = 0.05

_PIECE = re.compile(r".+?(?:[。！？；]+[”’」』）]*|[.!?]+[\"'”’)]*(?=\s|$)|\n|$)\s*", re.DOTALL)
_ROW = re.compile(r"\s*(?:[-*+•|]|\d+[.)、])")
_LEADS_IN = (":", "：")
# Says nothing without the sentence before.
_LEANS_BACK = re.compile(
    r"(?:but|however|this|that|these|those|it|its|they|their|then|until then|otherwise|instead"
    r"|in that case|after that|if not|if so|except|so|for this|the same|also)\b"
    r"|(?:但|不过|否则|此时|这|那|届时|除此|另外|此外|若|也|其中|同样|它|他们|因此|所以)",
    re.IGNORECASE,
)
# Limits what the sentence before promises.
_LIMITS = re.compile(
    r"^(?:but|however|except|unless|only|otherwise|if not)\b|\b(?:except|unless)\b"
    r"|^(?:但|不过|否则|除非|仅限)|除外|不含|不包括",
    re.IGNORECASE,
)


def is_long(passage: Passage) -> bool:
    """Return whether a passage is worth cutting."""
    letters = len(passage.text) * (3 if passage.language == "zh" else 1)
    return letters >= SHORTEST_TRIMMED and len(pieces(passage.text)) > 2


def pieces(text: str) -> list[str]:
    """Return the pieces of a passage in order; together they are the text."""
    found: list[str] = []
    for block in re.findall(r".+?(?:\n{2,}|$)", text, re.DOTALL):
        if not any(_ROW.match(line) for line in block.splitlines()):
            found += _PIECE.findall(block)
        elif found and found[-1].rstrip().endswith(_LEADS_IN):
            found[-1] += block
        else:
            found.append(block)
    return found


def trimmed(parts: Sequence[str], scores: Sequence[float], near: float) -> str:
    """Return the pieces whose score is at most `near` below the best, with what they depend on."""
    best = max(scores)
    kept = {i for i, score in enumerate(scores) if score >= best - near}
    for position in sorted(kept):
        while position > 0 and _LEANS_BACK.match(parts[position].lstrip()):
            position -= 1
            kept.add(position)
    for position in range(1, len(parts)):
        if position - 1 in kept and _LIMITS.search(parts[position].strip()):
            kept.add(position)
    return "".join(parts[position] for position in sorted(kept)).strip()


async def trimmed_texts(
    hits: Sequence[Hit], question: str, meaning: Meaning, seconds: float
) -> dict[PassageId, str]:
    """Return what is left of each long passage among some hits; short ones stay whole.

    By the vectors of its pieces where they are there within `seconds`, else by their words.
    """
    asked = stems(" ".join(content_words(question)))
    found = {}
    for hit in hits:
        if not is_long(hit.passage):
            continue
        parts = pieces(hit.passage.text)
        covered = [len(asked & stems(part)) / max(len(asked), 1) for part in parts]
        alike = await meaning.cosines(question, encoded(parts), seconds)
        if alike is None:
            found[hit.passage.id] = trimmed(parts, covered, NEAR_WORDS)
            continue
        scores = [a + COVERAGE_WEIGHT * c for a, c in zip(alike, covered, strict=True)]
        found[hit.passage.id] = trimmed(parts, scores, NEAR_VECTORS)
    return found


def texts_to_encode(passages: Iterable[Passage]) -> list[Text]:
    """Return the pieces of all long passages, as they are encoded."""
    long = (passage for passage in passages if is_long(passage))
    return [text for passage in long for text in encoded(pieces(passage.text))]


def encoded(parts: Sequence[str]) -> list[Text]:
    """Return pieces as they are encoded."""
    return [Text(part.strip(), is_question=False) for part in parts]
