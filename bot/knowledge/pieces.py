"""Texts as numbers of word pieces: the unigram tokenizer of SentencePiece (arXiv 1808.06226)."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

_SPACE = "\u2581"  # stands for the space before a word
_UNKNOWN_PENALTY = 10.0
_CACHED_WORDS = 20_000


class Pieces:
    """Splits each word into the pieces whose scores add up to the most.

    Since no piece goes on into a next word, words are split one by one, and common ones once.
    """

    def __init__(
        self,
        pieces: Sequence[str],
        scores: Sequence[float],
        *,
        normal: Mapping[int, str],
        unknown: int,
    ) -> None:
        """`normal` says what a character is replaced with; `unknown` is the piece for any other."""
        self._numbers = {piece: number for number, piece in enumerate(pieces) if number != unknown}
        self._scores = scores
        self._normal = normal
        self._unknown = unknown
        self._unknown_score = min(scores) - _UNKNOWN_PENALTY
        self._longest = max(map(len, pieces))
        self._split_once = lru_cache(_CACHED_WORDS)(self._split)

    def numbers(self, text: str) -> list[int]:
        """Return the pieces of a text by number."""
        words = re.sub(" +", " ", " " + text.translate(self._normal)).replace(" ", _SPACE)
        found: list[int] = []
        for word in re.findall(f"{_SPACE}[^{_SPACE}]*", words):
            # A Chinese sentence is one word, and seldom comes again.
            split = self._split_once if len(word) <= self._longest else self._split
            found.extend(split(word))
        return found

    def _split(self, word: str) -> tuple[int, ...]:
        """Find the best way through a word (Viterbi): for each end its best last piece."""
        best = [0.0] + [-math.inf] * len(word)
        last = [(0, self._unknown)] * (len(word) + 1)
        for start in range(len(word)):
            unknown = best[start] + self._unknown_score
            if unknown > best[start + 1]:
                best[start + 1], last[start + 1] = unknown, (start, self._unknown)
            for end in range(start + 1, min(start + self._longest, len(word)) + 1):
                number = self._numbers.get(word[start:end])
                if number is not None and best[start] + self._scores[number] > best[end]:
                    best[end], last[end] = best[start] + self._scores[number], (start, number)
        found: list[int] = []
        end = len(word)
        while end:
            end, number = last[end]
            found.append(number)
        return tuple(reversed(found))
