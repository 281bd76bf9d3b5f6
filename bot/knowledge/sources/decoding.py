"""Bytes as text: the encoding is taken only where it can be told for sure."""

import codecs
import re

from bot.errors import ArticlesError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{1,40})", re.IGNORECASE)
_CHINESE = {"gb2312", "gbk", "gb18030"}
# Characters that no Chinese text of some length does without, and that are rare where bytes of
# another encoding (Korean, Japanese, Latin) are read as Chinese by mistake.
_COMMON = frozenset("的是在不了有您我们以可为这到要请和会个上用中时后如果")
_FEWEST_CHARACTERS = 10
_LEAST_COMMON = 0.05
_MOST_RARE = 0.02
_MOST_NULLS = 0.2


def text_of(content: bytes) -> str:
    """Return the text of a file: UTF-8, what a byte order mark names, or plainly Chinese GB18030.

    Raises ArticlesError where the encoding can't be told for sure.
    """
    try:
        for mark, encoding in _MARKS:
            if content.startswith(mark):
                return content.decode(encoding)
        return _unmarked(content)
    except UnicodeDecodeError as err:
        raise ArticlesError("it is not UTF-8 text; save it as UTF-8") from err


def page_text(content: bytes, charset: str | None = None) -> str:
    """Return the text of an HTML page.

    `charset` is what the server said; else the page's own declaration counts. Raises ArticlesError
    where neither is there and the encoding can't be told for sure.
    """
    declared = _DECLARED.search(content[:4096])
    name = charset or (declared[1].decode("ascii") if declared else None)
    if name and not content.startswith(tuple(mark for mark, _ in _MARKS)):
        try:
            encoding = codecs.lookup(name).name
            return content.decode("gb18030" if encoding in _CHINESE else encoding)
        except (LookupError, UnicodeDecodeError):
            return text_of(content)
    return text_of(content)


def _unmarked(content: bytes) -> str:
    """Raises UnicodeDecodeError where the encoding can't be told."""
    if content.count(0) > _MOST_NULLS * len(content):
        # English in UTF-16 has a zero in every second byte.
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        if (chinese := _as_chinese(content)) is None:
            raise
        return chinese


def _as_chinese(content: bytes) -> str | None:
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        return None
    special = [char for char in text if not char.isascii()]
    common = sum(char in _COMMON for char in special)
    # GB2312 holds the 6,763 characters of everyday; chance hits the rest of GB18030 far more often.
    rare = sum(not _is_everyday(char) for char in special)
    is_chinese = (
        len(special) >= _FEWEST_CHARACTERS
        and common >= _LEAST_COMMON * len(special)
        and rare <= _MOST_RARE * len(special)
    )
    return text if is_chinese else None


def _is_everyday(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return char in "—·…“”‘’"
    return not "\u3040" <= char <= "\u30ff"  # Japanese syllables
