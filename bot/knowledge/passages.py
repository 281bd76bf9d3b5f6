"""Markdown cut into passages: at headings, then between blocks, and inside one only where it must.

A list, a table or a paragraph stays whole where it fits; a table that does not is continued under
its own first rows, so that no cell loses the name of its column.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from markdown_it.token import Token

VERSION = 2  # of the rules below: articles are cut anew where it changes
LONGEST_PASSAGE = 1200  # characters
LONGEST_HEADINGS = 300
DEEPEST_HEADING = 4
_TABLE_HEAD_ROWS = 2
_SPACE = re.compile(r"[^\S\n]")
_MARKS = re.compile(r"\*\*|__|`|\s*\{#[\w-]+\}$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one path of headings, as blocks of Markdown."""

    headings: tuple[str, ...]
    blocks: tuple[str, ...]


def split(body: str) -> Iterator[tuple[str, str]]:
    """Yield the headings (`A / B`) and the text of each passage, in order."""
    for section in sections(body):
        heading = " / ".join(section.headings)[:LONGEST_HEADINGS]
        for text in _packed(section.blocks):
            yield heading, text


def sections(body: str) -> Iterator[Section]:
    """Yield what stands under each heading; headings without a text of their own are left out."""
    # A no-break or wide space parts words as a plain one does.
    lines = _SPACE.sub(" ", body).split("\n")
    path: list[tuple[int, str]] = []
    blocks: list[str] = []
    for token in _blocks(lines):
        assert token.map
        text = "\n".join(line.rstrip() for line in lines[slice(*token.map)]).strip("\n")
        level = int(token.tag[1]) if token.type == "heading_open" else 0
        if not 0 < level <= DEEPEST_HEADING:
            blocks.append(text)
            continue
        if blocks:
            yield Section(tuple(name for _, name in path), tuple(blocks))
        blocks = []
        name = _plain(text)
        path = [(above, kept) for above, kept in path if above < level] + [(level, name)] * bool(
            name
        )
    if blocks:
        yield Section(tuple(name for _, name in path), tuple(blocks))


def _blocks(lines: list[str]) -> Iterator["Token"]:
    """Yield the outermost blocks but rules and link definitions, each with its lines."""
    # Four spaces before a line are an accident in an article far more often than code.
    reader = MarkdownIt("commonmark").enable("table").disable(["code", "html_block", "inline"])
    for token in reader.parse("\n".join(lines)):
        if token.level == 0 and token.nesting >= 0 and token.map and token.type != "hr":
            yield token


def _plain(heading: str) -> str:
    """Return a heading's words: without its marks, and the line under it."""
    text = re.sub(r"\n *[=-]+ *$", "", heading)
    text = re.sub(r"^ *#+ *| +#+ *$", "", text)
    return _MARKS.sub("", _LINK.sub(r"\1", text)).strip()


def _packed(blocks: Iterable[str]) -> Iterator[str]:
    """Yield passages of as many whole blocks as fit."""
    passage = ""
    for block in blocks:
        for piece in _fitting(block):
            joined = f"{passage}\n\n{piece}" if passage else piece
            if passage and len(joined) > LONGEST_PASSAGE:
                yield passage
                joined = piece
            passage = joined
    if passage.strip():
        yield passage


def _fitting(block: str) -> list[str]:
    if len(block) <= LONGEST_PASSAGE:
        return [block]
    lines = block.split("\n")
    is_table = len(lines) > _TABLE_HEAD_ROWS and re.fullmatch(r"[|:\- ]+", lines[1])
    head = "\n".join(lines[:_TABLE_HEAD_ROWS]) + "\n" if is_table else ""
    if len(head) > LONGEST_PASSAGE // 2:
        head = ""
    pieces = _splitter(LONGEST_PASSAGE - len(head)).split_text(block.removeprefix(head))
    return [head + piece.strip("\n") for piece in pieces if piece.strip()]


def _splitter(longest: int) -> "RecursiveCharacterTextSplitter":
    # Takes a third of the time that the program needs to start, and few blocks are too long.
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    return RecursiveCharacterTextSplitter(
        chunk_size=longest,
        chunk_overlap=0,
        separators=[
            "\n\n",
            r"\n(?=\S)",  # before an item or row, not inside one
            "\n",
            r"(?<=[。！？])",
            r"(?<=[.!?])\s+",
            r"(?<=[，；])",
            r"\s+",
            "",
        ],
        is_separator_regex=True,
        keep_separator="end",
    )
