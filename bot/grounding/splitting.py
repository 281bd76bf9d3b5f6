"""Sentences and clauses of a Markdown text, English or Chinese."""

import re

from bot.knowledge.words import words

_SENTENCE_END = re.compile(r"(?<=[。！？；])|(?<=[.!?])\s+|\n+")
# A point that ends a growing text may still turn out to be a decimal one.
_FINISHED = re.compile(r"[。！？；]|[.!?]+(?=\s)|\n")
_LINK_TARGET = re.compile(r"\]\([^)\s]*\)")
_CLAUSE_BREAK = re.compile(
    r"[,;，；。\n]|(?<!\d)[:：]|[:：](?![\d/])|[.!?](?=\s|$)|\bbut\b|\bhowever\b|但是?|不过", re.I
)


def finished(text: str) -> str:
    """Return the part of a growing text that ends with its last finished sentence."""
    ends = [match.end() for match in _FINISHED.finditer(text)]
    return text[: ends[-1]].rstrip() if ends else ""


def sentences(text: str) -> list[str]:
    """Return the sentences of a Markdown text, English or Chinese; list items are sentences."""
    return [piece.strip() for piece in _SENTENCE_END.split(text) if piece and words(piece)]


def unlinked(text: str) -> str:
    """Return a Markdown text without the addresses of its links; what they are called stays."""
    return _LINK_TARGET.sub("]", text)


def clauses(text: str) -> list[str]:
    """Return the clauses of a sentence: what a comma or "but" divides."""
    return [clause for clause in _CLAUSE_BREAK.split(text) if words(clause)]
