"""PDF files as Markdown: lines put together again to paragraphs, larger letters as headings.

Rows of short cells are a table.
"""

import io
import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.errors import ArticlesError
from bot.knowledge.sources.document import Content
from bot.knowledge.sources.markdown import titled
from bot.knowledge.sources.pdf_tables import squeezed, table_rows
from bot.knowledge.words import HAN
from bot.understanding import clean

MOST_PAGES = 2000
LARGER = 1.15  # times the text's size: a heading
LONGEST_HEADING = 120  # characters
FULL_LINE = 0.75  # of the widest: its sentence may go on in the next
DEEPEST_HEADING = 4
FEWEST_PAGES_TO_COMPARE = 3
# Fonts often name an everyday character by a radical's or a ligature's code.
_SUBSTITUTES = re.compile("[\u2e80-\u2fdf\ufb00-\ufb06]")
_BULLET = re.compile(r"^[•●◦▪‣·∙○■]\s*")
_LISTED = re.compile(r"^(- |\d{1,3}[.)、] ?|[(（]\d{1,3}[)）])")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float  # of its letters, in points


def read_pdf(content: bytes) -> Content:
    """Return a PDF's title and text.

    Raises ArticlesError when it is locked with a password, has no text, or can't be read.
    """
    import pypdf  # takes a tenth of a second, and only who has PDFs needs it
    from pypdf.errors import DependencyError, PyPdfError

    # It tells about every flaw of a file that it reads all the same.
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        _unlock(reader)
        pages = [_lines(page) for page in _pages(reader)]
    except (ArticlesError, MemoryError):
        raise
    except RecursionError:
        raise ArticlesError("it is nested too deeply") from None
    except (PyPdfError, DependencyError, ValueError, KeyError, TypeError, OSError) as err:
        raise ArticlesError(f"it is not a readable PDF ({type(err).__name__})") from err
    except Exception as err:  # a hostile file can lead the reader anywhere
        raise ArticlesError(f"it is not a readable PDF ({type(err).__name__})") from err
    text = _markdown(_without_repeated(pages))
    if not text:
        raise ArticlesError("it has no text, so it may be a scan; run text recognition (OCR) on it")
    return titled(text)


def _unlock(reader: Any) -> None:
    """Open a file that only asks for a password to be changed; refuse one that can't be read."""
    if reader.is_encrypted and not reader.decrypt(""):
        raise ArticlesError("it is locked with a password; save it without one")


def _pages(reader: Any) -> Sequence[Any]:
    if len(reader.pages) > MOST_PAGES:
        raise ArticlesError(f"it has more than {MOST_PAGES:,} pages; split it")
    return list(reader.pages)


def _lines(page: Any) -> list[_Line]:
    pieces: list[tuple[str, float]] = []

    def visit(text: str, cm: Any, tm: Any, font: Any, size: float) -> None:
        scale = (tm[0] ** 2 + tm[1] ** 2) ** 0.5 * (cm[0] ** 2 + cm[1] ** 2) ** 0.5
        pieces.append((text, abs(size) * scale))

    page.extract_text(visitor_text=visit)
    rows = table_rows(_everyday(_layout(page)))
    return [
        replace(line, text=rows.get(squeezed(line.text), line.text)) for line in _joined(pieces)
    ]


def _layout(page: Any) -> str:
    """Return a page's text with its columns kept apart, empty where that can't be told."""
    try:
        text = page.extract_text(
            extraction_mode="layout",
            layout_mode_space_vertically=False,
            layout_mode_strip_rotated=False,
        )
    except MemoryError:
        raise
    except Exception:  # the library's layout stumbles over more than its plain text does
        return ""
    return str(text)


def _joined(pieces: Sequence[tuple[str, float]]) -> Iterator[_Line]:
    """Yield lines; a line's size is that of most of its letters."""
    parts: list[tuple[str, float]] = []
    for text, size in [*pieces, ("\n", 0.0)]:
        first, *others = text.split("\n")
        parts.append((first, size))
        for other in others:
            line = clean(_everyday("".join(part for part, _ in parts)))
            if line:
                yield _Line(line, _usual([(part, size) for part, size in parts if part.strip()]))
            parts = [(other, size)]


def _everyday(text: str) -> str:
    return _SUBSTITUTES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


def _usual(parts: Sequence[tuple[str, float]]) -> float:
    sizes: Counter[float] = Counter()
    for text, size in parts:
        sizes[round(size, 1)] += len(text)
    return sizes.most_common(1)[0][0]


def _without_repeated(pages: Sequence[Sequence[_Line]]) -> list[_Line]:
    """Leave out the heads and feet that most pages have, and page numbers."""
    if len(pages) < FEWEST_PAGES_TO_COMPARE:
        return [line for page in pages for line in page]
    on_pages = Counter(key for page in pages for key in {_shape(line) for line in page})
    return [
        line
        for page in pages
        for place, line in enumerate(page)
        if place not in (0, len(page) - 1) or on_pages[_shape(line)] <= len(pages) / 2
    ]


def _shape(line: _Line) -> str:
    return re.sub(r"\d+", "0", line.text)


def _markdown(lines: Sequence[_Line]) -> str:
    if not lines:
        return ""
    usual = _usual([(line.text, line.size) for line in lines])
    levels = _levels(lines, usual)
    widest = max((_width(line.text) for line in lines if line.size <= usual * LARGER), default=0)
    blocks: list[str] = []
    wraps = False
    for line in lines:
        text = _BULLET.sub("- ", line.text)
        is_row = text.lstrip().startswith("| ")
        is_short = _width(text) <= LONGEST_HEADING and not is_row
        level = levels.get(line.size) if is_short else None
        if level:
            blocks.append(f"\n{'#' * level} {text}\n")
        elif wraps and not is_row and not _LISTED.match(text):
            blocks[-1] += _glue(blocks[-1], text) + text
        else:
            blocks.append(text)
        wraps = level is None and not is_row and _width(text) >= FULL_LINE * widest
    return "\n".join(blocks).strip()


def _levels(lines: Sequence[_Line], usual: float) -> dict[float, int]:
    sizes = sorted({line.size for line in lines if line.size > usual * LARGER}, reverse=True)
    return {size: min(level, DEEPEST_HEADING) for level, size in enumerate(sizes, start=1)}


def _width(text: str) -> int:
    """Return how wide a line is, in Latin letters."""
    return len(text) + len(HAN.findall(text))


def _glue(before: str, after: str) -> str:
    is_chinese = HAN.match(after[:1]) or not before[-1:].isascii()
    return "" if is_chinese or before.endswith("-") else " "
