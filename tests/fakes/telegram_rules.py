"""What Telegram takes and what it refuses, of texts, entities and buttons."""

import json
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
MESSAGE_LIMIT = 4096
BUTTON_LIMIT = 64
ENTITIES = {"bold", "italic", "code", "pre", "text_link", "blockquote"}


class Refused(Exception):
    """An answer with `"ok": false`."""

    def __init__(self, status: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.body: Json = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.body["parameters"] = parameters
        self.status = status


def entities_of(text: str) -> list[Json]:
    """Return the mentions and commands in a text, with UTF-16 offsets as Telegram counts them."""
    found: list[Json] = []
    offset = 0
    for word in text.split(" "):
        length = utf16_units(word)
        kind = {"@": "mention", "/": "bot_command"}.get(word[:1])
        if kind and length > 1:
            found.append({"type": kind, "offset": offset, "length": length})
        offset += length + 1
    return found


def utf16_units(text: str) -> int:
    """Count as Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def checked_text(params: Json) -> str:
    """Return the text. Raises Refused for one that is empty or too long."""
    text = str(params.get("text", "")).strip()
    if not text:
        raise Refused(400, "Bad Request: message text is empty")
    if utf16_units(text) > MESSAGE_LIMIT:
        raise Refused(400, "Bad Request: message is too long")
    return text


def checked_entities(params: Json) -> list[Json]:
    """Refuse entities that Telegram would refuse, and those that it would silently leave out."""
    given, total = params.get("entities") or [], utf16_units(str(params.get("text", "")))
    for entity in given:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        if entity["type"] not in ENTITIES:
            raise Refused(400, f"Bad Request: can't parse MessageEntity: {entity['type']}")
        if start < 0 or entity["length"] <= 0 or end > total:
            raise Refused(400, "Bad Request: can't parse entities: wrong place")
        if {start, end} & _middles(str(params["text"])):
            raise Refused(400, "Bad Request: can't parse entities: cuts a character")
        if entity["type"] == "text_link" and not _is_web_address(entity["url"]):
            raise Refused(400, "Bad Request: Wrong message entity: wrong URL")
    return list(given)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port over 65535, say
        return False


def _middles(text: str) -> set[int]:
    """Return the offsets between the two units of one character."""
    offset, found = 0, set()
    for character in text:
        offset += utf16_units(character)
        if ord(character) > 0xFFFF:
            found.add(offset - 1)
    return found


def checked_markup(params: Json) -> Json | None:
    """Return the buttons. Raises Refused for one without words, or with too much behind it."""
    markup = params.get("reply_markup") or None
    for row in (markup or {}).get("inline_keyboard", []):
        for button in row:
            if not button.get("text"):
                raise Refused(400, "Bad Request: inline keyboard button text is empty")
            if not 1 <= len(button.get("callback_data", "").encode()) <= BUTTON_LIMIT:
                raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return markup if (markup or {}).get("inline_keyboard") else None


def shown(message: Json) -> Json:
    """Return a message without the fields that are empty, as Telegram shows it."""
    return {name: value for name, value in message.items() if value is not None}


def decoded(key: str, value: Any) -> Any:
    """Read what the client wrote as JSON; a text that happens to be JSON stays a text."""
    if key in ("text", "business_connection_id") or not isinstance(value, str):
        return value
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, (dict, list, bool, int)) else value
