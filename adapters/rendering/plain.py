"""Markdown as plain text, for the terminal and other places without formatting."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from adapters.rendering.links import is_web_address
from adapters.rendering.markdown import Edit, Node, edited, parse, well_formed, words

_MARKED = frozenset({"Emphasis", "Strong", "Strikethrough", "Heading", "Image"})


def plain_text(markdown: str) -> str:
    """Return Markdown as it reads best without formatting.

    Marks of headings, emphasis and code go, links become `words (address)`, images their words,
    and a table's rows lines with bars between the cells. Everything else stays as written.
    """
    markdown = well_formed(markdown)
    source, edits, starts = markdown.encode(), list[Edit](), list[int]()
    nodes = parse(markdown)
    for index, node in enumerate(nodes):
        if node.edge == "leaf":
            edits += _leaf(node, source)
        elif node.edge == "start":
            starts.append(index)
        else:
            edits += _container(nodes[starts.pop() : index + 1], source)
    return edited(markdown, edits)


def _leaf(node: Node, source: bytes) -> Iterator[Edit]:
    if node.kind in ("Text", "Code") and source[node.start : node.end] != node.text.encode():
        yield Edit(node.start, node.end, node.text)
    elif node.kind == "HardBreak":
        yield Edit(node.start, node.end, "\n")


def _container(nodes: Sequence[Node], source: bytes) -> Iterator[Edit]:
    node, inside = nodes[0], nodes[1:-1]
    if not inside:
        return
    start, end = inside[0].start, inside[-1].end
    if node.kind in _MARKED:
        yield Edit(node.start, start, "")
        yield Edit(end, node.end, _line_end(source[end : node.end]))
    elif node.kind == "Link":
        yield Edit(node.start, start, "")
        yield Edit(end, node.end, _address_after(words(inside), node.url))
    elif node.form == "Fenced":
        yield Edit(node.start, start, "")
        yield Edit(end - 1 if source[end - 1 : end] == b"\n" else end, node.end, "")
    elif node.kind in ("TableHead", "TableRow"):
        yield from _row(node, inside, source)
    elif node.kind == "Table":
        yield from _line_under_head(inside)


def _line_end(written: bytes) -> str:
    return "\n" if written.endswith(b"\n") else ""


def _address_after(shown: str, url: str) -> str:
    address = url.removeprefix("mailto:")
    is_address = is_web_address(url) or address != url
    return f" ({address})" if is_address and shown not in (url, address) else ""


def _row(row: Node, inside: Sequence[Node], source: bytes) -> Iterator[Edit]:
    cells, content = list[tuple[int, int]](), list[Node]()
    for node in inside:
        if node.kind != "TableCell":
            content.append(node)
        elif node.edge == "end":
            place = (content[0].start, content[-1].end) if content else (node.start, node.start)
            cells.append(place)
            content.clear()
    yield Edit(row.start, cells[0][0], "")
    for (_, end), (start, _) in pairwise(cells):
        yield Edit(end, start, " | ")
    yield Edit(cells[-1][1], row.end, _line_end(source[cells[-1][1] : row.end]))


def _line_under_head(inside: Sequence[Node]) -> Iterator[Edit]:
    head = next(node for node in inside if node.kind == "TableHead" and node.edge == "end")
    rows = [node for node in inside if node.kind == "TableRow" and node.edge == "start"]
    if rows:
        yield Edit(head.end, rows[0].start, "")
