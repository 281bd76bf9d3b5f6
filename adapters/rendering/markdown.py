"""Markdown as a list of nodes that know where in the source they stand.

Texts are changed at the nodes' places and stay otherwise as their author wrote them. Places are
offsets into the UTF-8 source, as the parser gives them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import pyromark
from pyromark import Options

PLAIN = Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH | Options.ENABLE_TASKLISTS
WITH_MATH = PLAIN | Options.ENABLE_MATH  # as telegramify-markdown reads it

SPANS = frozenset({"Emphasis", "Strong", "Strikethrough", "Link", "Image"})
_LEAVES = frozenset({"Text", "Code", "Html", "InlineHtml", "InlineMath", "DisplayMath"})

_BACKSLASH = 0x5C


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A piece of text, or one edge of what holds pieces.

    `text` is what a reader sees of a leaf. `url` and `form` belong to links and images: "Inline",
    "Autolink", "Email", or one of the kinds that name a definition elsewhere. A fenced block's
    form is "Fenced".
    """

    kind: str
    edge: Literal["start", "end", "leaf"]
    start: int
    end: int
    text: str = ""
    url: str = ""
    form: str = ""


class Edit(NamedTuple):
    """What stands between two places of the source from now on."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The line that says where a link by name leads."""

    url: str
    start: int
    end: int


def well_formed(text: str) -> str:
    """Return the text without NUL and with lone surrogates replaced, so that it can be stored.

    Platforms send JSON, and JSON can spell both; SQLite and UTF-8 can't.
    """
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\0", "")


def parse(markdown: str, options: Options = PLAIN) -> list[Node]:
    """Return the nodes of a text without lone surrogates, in order."""
    source = markdown.encode()
    return list(_with_backslashes(source, _nodes(markdown, options)))


def definitions(markdown: str, options: Options = PLAIN) -> list[Definition]:
    """Return where links by name lead."""
    found = pyromark.reference_definitions(markdown, options=options).values()
    return [
        Definition(url=each["dest"], start=each["span"]["start"], end=each["span"]["end"])
        for each in found
    ]


def edited(markdown: str, edits: Iterable[Edit]) -> str:
    """Return the text with the edits made; of two that overlap, the one that begins first."""
    source, position, pieces = markdown.encode(), 0, []
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= position:
            pieces += [source[position : edit.start], edit.text.encode()]
            position = edit.end
    return b"".join([*pieces, source[position:]]).decode()


def open_fence(markdown: str) -> str:
    """Return the fence that would end a code block which the text leaves open, or nothing."""
    probe = f"{markdown}\n\nx"
    nodes = parse(probe)
    if not nodes or nodes[-1].kind != "CodeBlock" or nodes[-1].form == "Indented":
        return ""
    start = max(node.start for node in nodes if node.kind == "CodeBlock" and node.edge == "start")
    opening = probe.encode()[start:].lstrip()
    return (opening[:1] * (len(opening) - len(opening.lstrip(opening[:1])))).decode()


def _nodes(markdown: str, options: Options) -> Iterator[Node]:
    for event, place in pyromark.events_with_range(markdown, options=options):
        yield _node(cast("Any", event), place["start"], place["end"])


def _node(event: Any, start: int, end: int) -> Node:
    if isinstance(event, str):  # a break or a rule
        return Node(kind=event, edge="leaf", start=start, end=end, text="\n")
    kind, content = next(iter(event.items()))
    if kind in ("Start", "End"):
        edge: Literal["start", "end"] = "start" if kind == "Start" else "end"
        return _edge(edge, content, start, end)
    text = content if kind in _LEAVES else ""
    return Node(kind=kind, edge="leaf", start=start, end=end, text=text)


def _edge(edge: Literal["start", "end"], content: Any, start: int, end: int) -> Node:
    kind, data = (content, None) if isinstance(content, str) else next(iter(content.items()))
    if kind in ("Link", "Image") and data:
        url, form = data["dest_url"], data["link_type"]
        return Node(kind=kind, edge=edge, start=start, end=end, url=url, form=form)
    form = "Indented" if data == "Indented" else "Fenced" if kind == "CodeBlock" else ""
    return Node(kind=kind, edge=edge, start=start, end=end, form=form)


def _with_backslashes(source: bytes, nodes: Iterable[Node]) -> Iterator[Node]:
    """Let an escaped character's node begin at its backslash, which the parser leaves out."""
    covered = 0
    for node in nodes:
        begins_escaped = node.start > covered and source[node.start - 1] == _BACKSLASH
        if node.kind == "Text" and begins_escaped:
            yield Node(kind="Text", edge="leaf", start=node.start - 1, end=node.end, text=node.text)
        else:
            yield node
        if node.edge == "leaf":
            covered = max(covered, node.end)


def words(nodes: Sequence[Node]) -> str:
    """Return what a reader sees of these nodes."""
    return "".join(node.text for node in nodes if node.edge == "leaf")
