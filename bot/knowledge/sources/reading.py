"""One file of articles, whatever kind it is: its documents, or why it can't be read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

from bot.errors import ArticlesError
from bot.knowledge.sources.conversion import converter
from bot.knowledge.sources.decoding import page_text
from bot.knowledge.sources.document import Content, Converted, document
from bot.knowledge.sources.head import Head, read_head
from bot.knowledge.sources.markdown import read_markdown
from bot.knowledge.sources.question_table import read_question_table

LARGEST_TEXT = 2_000_000  # bytes of a Markdown file, a page or a table; characters of any article
LARGEST_FILE = 30_000_000  # bytes of a PDF or Word file, most of which are pictures
HEAD_ENDING = ".yaml"  # of a head beside a file that can't hold one


@dataclass(frozen=True, slots=True)
class Kind:
    """How files of one ending are read; `package` is what changes its outcome with its version."""

    read: Callable[[bytes], Content] | None
    largest: int
    package: str = ""


def _page(content: bytes) -> Content:
    # What reads HTML takes a tenth of the time that the program needs to start.
    from bot.knowledge.sources.web_page import read_page

    return read_page(page_text(content))


KINDS = {
    ".md": Kind(read_markdown, LARGEST_TEXT),
    ".markdown": Kind(read_markdown, LARGEST_TEXT),
    ".html": Kind(_page, LARGEST_TEXT, "markdownify"),
    ".htm": Kind(_page, LARGEST_TEXT, "markdownify"),
    ".docx": Kind(partial(converter.read, ".docx"), LARGEST_FILE, "mammoth"),
    ".pdf": Kind(partial(converter.read, ".pdf"), LARGEST_FILE, "pypdf"),
    ".csv": Kind(None, LARGEST_TEXT),
}
RULES = 3  # version of our own part of the reading


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that may hold articles. `name` is its article's id, `source` its path in its folder.

    `state` changes with the file.
    """

    path: Path
    name: str
    source: str
    state: str

    @property
    def reader(self) -> str:
        """What reads it, in which version: the file is read anew where that changes."""
        return _reader(self.path.suffix.lower())


@cache
def _reader(ending: str) -> str:
    package = KINDS[ending].package
    return f"{ending}/{RULES}" + (f" {package}/{version(package)}" if package else "")


def read_file(file: File) -> Converted:
    """Return what a file holds; raises ArticlesError saying why it can't be read."""
    kind = KINDS[file.path.suffix.lower()]
    try:
        beside = _head_beside(file.path)
        content = _bytes(file.path, kind.largest)
    except OSError as err:
        raise ArticlesError(f"it can't be read ({err.strerror})") from err
    if kind.read is None:
        table = read_question_table(content, file.name, file.source, beside or Head())
        return replace(table, remarks=_remarks(beside or Head()))
    return _single(kind.read(content), file, beside)


def _single(content: Content, file: File, beside: Head | None) -> Converted:
    if not any(line.strip() and not line.startswith("#") for line in content.text.split("\n")):
        raise ArticlesError("it has no text")
    if len(content.text) > LARGEST_TEXT:
        raise ArticlesError(f"it has more than {LARGEST_TEXT:,} characters of text; split it")
    stem = file.path.stem
    title = stem.replace("-", " ").replace("_", " ").capitalize()
    head = beside or content.head or Head()
    made = document(file.name, file.source, content, head, title)
    return Converted(documents=(made,), remarks=_remarks(head))


def _remarks(head: Head) -> tuple[str, ...]:
    return tuple(
        f"its front matter has {name}, which is no field of an article and counts for nothing"
        for name in head.model_extra or ()
    )


def _bytes(path: Path, largest: int) -> bytes:
    with path.open("rb") as opened:
        content = opened.read(largest + 1)
    if len(content) > largest:
        raise ArticlesError(f"it is larger than {largest // 1_000_000} MB")
    return content


def _head_beside(path: Path) -> Head | None:
    beside = path.with_name(path.name + HEAD_ENDING)
    if not beside.is_file():
        return None
    try:
        return read_head(_bytes(beside, LARGEST_TEXT).decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ArticlesError(f"{beside.name} is not UTF-8 text; save it as UTF-8") from None
