"""Texts as numbers of word pieces, as BERT's English models without capitals do it.

The rules are those of BERT's own tokenizer (arXiv 1810.04805 and its published code): words are
split at spaces and punctuation, and each into the longest pieces from the left.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from bot.knowledge.words import HAN

_LONGEST_WORD = 100
_CACHED_WORDS = 20_000


class WordPieces:
    """Splits words; a piece inside a word is written with "##" before it."""

    def __init__(self, pieces: Sequence[str], *, unknown: int) -> None:
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        self._unknown = unknown
        self._longest = max(map(len, pieces))
        self._split = lru_cache(_CACHED_WORDS)(self._pieces_of)

    def numbers(self, text: str) -> list[int]:
        """Return the pieces of a text by number."""
        return [number for word in _words(text) for number in self._split(word)]

    def _pieces_of(self, word: str) -> tuple[int, ...]:
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        found: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            ends = range(min(len(word), start + self._longest), start, -1)
            longest = next((end for end in ends if mark + word[start:end] in self._numbers), None)
            if longest is None:
                return (self._unknown,)
            found.append(self._numbers[mark + word[start:longest]])
            start = longest
        return tuple(found)


def _words(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFD", text.lower())
    word: list[str] = []
    for character in plain:
        if unicodedata.category(character) == "Mn":
            continue
        alone = _is_punctuation(character) or HAN.match(character) is not None
        if alone or character.isspace():
            if word:
                yield "".join(word)
                word.clear()
            if alone:
                yield character
        elif character.isprintable():
            word.append(character)
    if word:
        yield "".join(word)


def _is_punctuation(character: str) -> bool:
    is_sign = character.isascii() and character.isprintable() and not character.isalnum()
    return (is_sign and character != " ") or unicodedata.category(character).startswith("P")
