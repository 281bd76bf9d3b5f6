"""Replies in which nothing leads astray: no foreign link, no image, no HTML, no call to everybody.

The text is parsed, and changed only where it must be, again and again until nothing is left to
change: what becomes text can bring the next thing to light.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.rendering.addresses import mended, quiet_code, quiet_words, without_signs
from adapters.rendering.links import (
    Links,
    address_after,
    code,
    destination,
    escaped,
    is_web_address,
    link,
)
from adapters.rendering.markdown import (
    PLAIN,
    SPANS,
    WITH_MATH,
    Edit,
    Node,
    definitions,
    edited,
    parse,
    well_formed,
    words,
)
from adapters.rendering.tags import html_as_text

_PASSES = 12


def safe_markdown(text: str, links: Links) -> str:
    """Return the text with no link but to allowed hosts, no image, no HTML and no call to all.

    Links that stay have the form `[words](address)`, or are bare addresses.
    """
    text = well_formed(text)
    for _ in range(_PASSES):
        edits = _Reading(text, links).edits or _Reading(text, links, with_math=True).edits
        if not edits:
            return without_signs(text)
        text = edited(text, edits)
    return _as_code(text)


def _as_code(text: str) -> str:
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{quiet_code(text)}\n{fence}"


@dataclass(slots=True)
class _Run:
    """Text as a reader sees it, across marks, with the place of each character in the source."""

    text: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def add(self, node: Node, source: bytes) -> None:
        """Take a text over; what the source writes as an entity has one place for all of it."""
        written = source[node.start : node.end]
        is_escaped = written != (text := node.text.encode()) and written[1:] == text
        if written != text and not is_escaped:
            self._append(node.text, [(node.start, node.end)] * len(node.text))
            return
        position, places = node.start, []
        for index, character in enumerate(node.text):
            length = len(character.encode()) + (is_escaped and index == 0)
            places.append((position, position + length))
            position += length
        self._append(node.text, places)

    def interrupt(self, node: Node) -> None:
        self._append("\n", [(node.start, node.end)])

    def _append(self, text: str, places: list[tuple[int, int]]) -> None:
        self.text.extend(text)
        self.places.extend(places)


class _Reading:
    """One pass over a text: finds what has to change."""

    def __init__(self, text: str, links: Links, *, with_math: bool = False) -> None:
        self.edits: list[Edit] = []
        self._links = links
        self._source = text.encode()
        self._run = _Run()
        self._open: list[tuple[Node, int]] = []  # links and images, with the index of their start
        self._is_kept_link = self._is_code = self._is_table = False
        self._cell_end = 0
        options = WITH_MATH if with_math else PLAIN
        self._nodes = parse(text, options)
        for index, node in enumerate(self._nodes):
            self._read(index, node)
        self._end_run()
        self._read_definitions(text, with_math=with_math)

    def _read(self, index: int, node: Node) -> None:
        if node.edge == "leaf":
            self._read_leaf(node)
        elif node.kind in ("Link", "Image"):
            self._read_link(index, node)
        elif node.kind not in SPANS:
            self._end_run()
            self._read_block(node)

    def _read_leaf(self, node: Node) -> None:
        if node.kind == "Code" or self._is_code:
            self._replace(node, quiet_code(self._source_of(node)))
        elif node.kind == "InlineHtml":
            self._replace(node, html_as_text(node.text, line_break=" " if self._is_table else "\n"))
        if node.kind == "Text" and not self._is_kept_link and not self._is_code:
            self._run.add(node, self._source)
        else:
            self._run.interrupt(node)

    def _read_block(self, node: Node) -> None:
        if node.kind == "TableCell":
            self._cell_end = node.end
        elif node.kind == "CodeBlock":
            self._is_code = node.edge == "start"
        elif node.kind == "Table":
            self._is_table = node.edge == "start"
        elif node.kind == "TableRow" and node.edge == "end":
            self._cut_row(node)
        elif node.kind == "HtmlBlock" and node.edge == "start":
            self._replace(node, html_as_text(self._source_of(node)))

    def _cut_row(self, row: Node) -> None:
        """Drop the cells that the head has no column for: this parser does not read them."""
        beyond = self._source[self._cell_end : row.end]
        if beyond.strip(b"| \t\r\n"):
            tail = " |\n" if beyond.endswith(b"\n") else " |"
            self.edits.append(Edit(self._cell_end, row.end, tail))

    def _read_link(self, index: int, node: Node) -> None:
        if node.edge == "start":
            self._open.append((node, index))
            self._is_kept_link |= node.kind == "Link" and self._links.allows(node.url)
            self._run_edge(node)
            return
        opening, first = self._open.pop()
        self._run_edge(node)
        inside = self._nodes[first + 1 : index]
        if node.kind == "Link":
            self._is_kept_link = False
            self._end_link(opening, inside)
        else:
            self._unwrap(opening, inside, marks=2, tail="")

    def _run_edge(self, node: Node) -> None:
        # What stands around a link that stays is no part of its words.
        if self._is_kept_link:
            self._run.interrupt(node)

    def _end_link(self, node: Node, inside: Sequence[Node]) -> None:
        if node.form in ("Autolink", "Email"):
            self._end_autolink(node)
        elif self._links.allows(node.url):
            if (shown := words(inside)) != (quiet := quiet_words(shown)):
                self._replace(node, link(quiet, node.url))
            elif node.form != "Inline" or self._has_title_or_brackets(node, inside):
                self._unwrap(node, inside, marks=0, tail=f"]({destination(node.url)})")
        elif node.form == "Inline" or is_web_address(node.url):
            self._unwrap(node, inside, marks=1, tail=address_after(words(inside), node.url))

    def _has_title_or_brackets(self, node: Node, inside: Sequence[Node]) -> bool:
        tail = self._source[inside[-1].end if inside else node.start : node.end]
        return re.search(rb"\s|\(<", tail) is not None

    def _end_autolink(self, node: Node) -> None:
        url, bar, label = node.url.partition("|")  # Slack's form of a link with words
        if node.form == "Email":
            self._replace(node, url)
        elif self._links.allows(url):
            self._replace(node, link(label or url, url))
        else:
            self._replace(node, escaped(label) + address_after(label, url) if bar else code(url))

    def _unwrap(self, node: Node, inside: Sequence[Node], *, marks: int, tail: str) -> None:
        """Drop so many marks at the start, and put the tail in place of what ends it."""
        end = inside[-1].end if inside else min(node.start + max(marks, 1), node.end)
        if marks:
            self.edits.append(Edit(node.start, node.start + marks, ""))
        self.edits.append(Edit(end, node.end, tail))

    def _read_definitions(self, text: str, *, with_math: bool) -> None:
        for each in definitions(text, WITH_MATH if with_math else PLAIN):
            if is_web_address(each.url):
                self.edits.append(Edit(each.start, each.end, ""))
            else:  # "[Note]: bring a pen" was hardly meant as one
                bracket = self._source.index(b"[", each.start)
                self.edits.append(Edit(bracket, bracket, "\\"))

    def _end_run(self) -> None:
        run, self._run = self._run, _Run()
        for start, end, replacement in mended("".join(run.text), self._links):
            self.edits.append(Edit(run.places[start][0], run.places[end - 1][1], replacement))

    def _source_of(self, node: Node) -> str:
        return self._source[node.start : node.end].decode()

    def _replace(self, node: Node, text: str) -> None:
        if text != self._source_of(node):
            self.edits.append(Edit(node.start, node.end, text))
