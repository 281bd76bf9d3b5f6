"""Long texts in parts, cut where they read best and never inside what a reader sees as one sign."""

import re
import unicodedata
from collections.abc import Callable, Iterable


def utf16_length(text: str) -> int:
    """Count UTF-16 code units, as Telegram does."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_BOUNDARIES = (
    re.compile(r"\n[ \t]*\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?…][\"'”’»)\]]*(?=\s)|[。！？；…][”’」』》）\"')]*"),
    re.compile(r"[，、：]|[,;:](?=\s)"),
    re.compile(r"\s"),
)


def split_text(text: str, limit: int, length: Callable[[str], int] = len) -> list[str]:
    """Return the text in parts of at most `limit`, without the white space at the cuts.

    Cuts after a paragraph where one ends in the later half of a part, else after a line, a
    sentence, a clause or a word, else between two graphemes. Only a grapheme that is itself longer
    than the limit is broken, because no message could hold it.
    """
    parts = []
    rest = text.strip()
    while rest:
        end = _longest_prefix(rest, limit, length)
        if end < len(rest):
            end = _best_cut(rest, end)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return parts


def _longest_prefix(text: str, limit: int, length: Callable[[str], int]) -> int:
    total = 0
    for index, character in enumerate(text):
        total += length(character)
        if total > limit:
            # One character always goes, or a limit below its length would never end.
            return max(index, 1)
    return len(text)


def _best_cut(text: str, end: int) -> int:
    # One character more than fits: a sentence may end exactly at the limit.
    window = text[: end + 1]
    for earliest in (end // 2, 1):
        for boundary in _BOUNDARIES:
            ends = (match.end() for match in boundary.finditer(window))
            cuts = [cut for cut in ends if earliest <= cut <= end and is_boundary(text, cut)]
            if cuts:
                return cuts[-1]
    return next((cut for cut in range(end, 0, -1) if is_boundary(text, cut)), end)


# The property values of Unicode's text segmentation (UAX #29) that unicodedata does not carry.
_JOINER = "\u200d"
_LATE_VOWELS = "\u0e33\u0eb3"
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\U000110bd")
_VIRAMA_CLASS = 9


def is_boundary(text: str, index: int) -> bool:
    """Return whether a cut at `index` leaves every grapheme of the text whole.

    Errs towards False: never inside what a reader sees as one character, though now and then not
    between two that could be parted.
    """
    if index <= 0 or index >= len(text):
        return True
    before, after = text[index - 1], text[index]
    if before == "\r" and after == "\n":
        return False
    if _extends(after) or before == _JOINER or before in _PREPENDED:
        return False
    if unicodedata.combining(before) == _VIRAMA_CLASS and unicodedata.category(after) == "Lo":
        return False
    return not (_is_flag_letter(after) and _count_flag_letters(text[:index]) % 2)


def _extends(character: str) -> bool:
    code = ord(character)
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or character in _LATE_VOWELS
        or code in (0x200C, 0x200D)
        or 0x1160 <= code <= 0x11FF  # Hangul vowels and final consonants
        or 0xD7B0 <= code <= 0xD7FF
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones
        or 0xE0020 <= code <= 0xE007F  # tags, as in the flag of Wales
    )


def _is_flag_letter(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF


def _count_flag_letters(text: str) -> int:
    """Count the flag letters at the end of the text: two make one flag."""
    return sum(1 for _ in _leading(reversed(text)))


def _leading(characters: Iterable[str]) -> Iterable[str]:
    for character in characters:
        if not _is_flag_letter(character):
            return
        yield character
