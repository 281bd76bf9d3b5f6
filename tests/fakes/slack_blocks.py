"""What Slack's messages are made of, what people see of it, and what Slack refuses."""

import json
import re
from typing import Any

Json = dict[str, Any]
MESSAGE_LIMIT = 40_000
MARKDOWN_LIMIT = 12_000
BLOCKS_LIMIT = 13_200


class Refused(Exception):
    """An answer with `"ok": false`, and what else is in it."""

    def __init__(self, error: str, **details: str) -> None:
        super().__init__(error)
        self.details = details


def shown(message: Json) -> str:
    """Return what people read of a message: its Markdown, else its text."""
    blocks = message.get("blocks") or ()
    markdown = [block["text"] for block in blocks if block["type"] == "markdown"]
    return "\n".join(markdown) if markdown else str(message["text"])


_MARKS = re.compile(
    r"<[!@#][^<>]*>|<[a-z][a-z0-9+.-]*:[^<>]*>|@(?:channel|here|everyone)(?![^\W_])", re.I
)
_LINKS = re.compile(r"(?<!\\)\]\(\s*<?([^\s()<>]+)|(?<![`\w/(])(https?://[^\s<>()`]+)", re.I)


def live(message: Json) -> list[str]:
    """Return what Slack would make of a message's words: calls, mentions, and links' addresses."""
    texts = [shown(message), str(message["text"])]
    marks = [mark for text in texts for mark in _MARKS.findall(text)]
    outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", texts[0], flags=re.DOTALL)
    return [*marks, *(first or second for first, second in _LINKS.findall(outside_code))]


def labels(message: Json) -> list[str]:
    """Return the labels of a message's buttons."""
    return [
        str(button["text"]["text"])
        for block in message.get("blocks") or ()
        for element in block.get("elements", ())
        for button in _parts(element)
    ]


def _parts(element: Json) -> list[Json]:
    if element["type"] == "feedback_buttons":
        return [element["positive_button"], element["negative_button"]]
    return [element]


def find_button(blocks: list[Json], label: str) -> tuple[Json, Json, str]:
    """Return the block, the element and the value of the button with this label."""
    for block in blocks:
        for element in block.get("elements", ()):
            for part in _parts(element):
                if part.get("text", {}).get("text") == label:
                    return block, element, str(part["value"])
    raise AssertionError(f"There is no button {label!r}.")


def checked_content(params: Json) -> Json:
    """Return a message's text and blocks. Raises Refused for what Slack does not take."""
    text, blocks = str(params.get("text", "")), parsed(params.get("blocks")) or []
    if not text.strip() and not blocks:
        raise Refused("no_text")
    if len(text) > MESSAGE_LIMIT:
        raise Refused("msg_too_long")
    check_blocks(blocks)
    return {"text": text, **({"blocks": blocks} if blocks else {})}


def check_blocks(blocks: list[Json]) -> None:
    """Raise Refused for blocks that Slack does not take."""
    if len(blocks) > 50:
        raise Refused("invalid_blocks")
    markdown = [block["text"] for block in blocks if block["type"] == "markdown"]
    if sum(map(len, markdown)) > MARKDOWN_LIMIT or not all(markdown):
        raise Refused("invalid_blocks")
    if sum(len(json.dumps(block, ensure_ascii=False)) for block in blocks) > BLOCKS_LIMIT:
        raise Refused("msg_blocks_too_long")
    names = [block["block_id"] for block in blocks if "block_id" in block]
    if len(names) != len(set(names)):
        raise Refused("invalid_blocks")
    for block in blocks:
        _check_elements(block)


def _check_elements(block: Json) -> None:
    for element in block.get("elements", ()):
        for part in _parts(element):
            if len(part["text"]["text"]) > 75 or len(part.get("value", "")) > 2000:
                raise Refused("invalid_blocks")


def streamed_text(params: Json) -> str:
    """Return the text of one piece of a stream. Raises Refused where it is too long."""
    chunks = parsed(params.get("chunks")) or []
    text = str(params.get("markdown_text") or "")
    text += "".join(chunk["text"] for chunk in chunks if chunk["type"] == "markdown_text")
    if len(text) > MARKDOWN_LIMIT:
        raise Refused("msg_too_long")
    return text


def parsed(value: Any) -> Any:
    """Return a parameter that the library may have sent as JSON text."""
    return json.loads(value) if isinstance(value, str) else value
