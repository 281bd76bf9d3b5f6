"""Markdown as Telegram shows it: plain text, and entities that say what is bold, code or a link.

Entities, never `parse_mode`: no text can break them, so nothing that an article or a customer wrote
turns into markup.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pyromark
from telegram import MessageEntity
from telegramify_markdown import RenderConfig
from telegramify_markdown.converter import EventWalker

from adapters.rendering import Links, plain_text, split_text, utf16_length, well_formed

LIMIT = 4096  # UTF-16 units of one message
_LARGEST_ENTITIES = 100  # Telegram ignores those after the hundredth
_KINDS = {
    "bold": MessageEntity.BOLD,
    "italic": MessageEntity.ITALIC,
    "code": MessageEntity.CODE,
    "pre": MessageEntity.PRE,
    "text_link": MessageEntity.TEXT_LINK,
    "blockquote": MessageEntity.BLOCKQUOTE,
    "expandable_blockquote": MessageEntity.BLOCKQUOTE,
}
QUIET = frozenset({MessageEntity.CODE, MessageEntity.PRE})  # nothing in them becomes a link
_SETTLED = frozenset({*QUIET, MessageEntity.TEXT_LINK})
# A bare address is a link as a whole; a name elsewhere is one to that person.
_ADDRESS_OR_NAME = re.compile(r"https?://[\w./?#%&=+~:@-]+|(?<!\w)@(\w{3,32})(?!\w)", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Formatted:
    """One message: its text and its entities."""

    text: str
    entities: tuple[MessageEntity, ...] = ()


@dataclass(frozen=True, slots=True)
class _Span:
    """An entity that is counted in characters."""

    kind: str
    start: int
    end: int
    url: str | None = None
    language: str | None = None


def formatted(markdown: str, links: Links) -> list[Formatted]:
    """Return the messages that show safe Markdown, in order; none for a text without words."""
    source = _one_kind_of_line_end(well_formed(markdown))
    text, spans = _converted(source)
    if not text.strip():
        # Only marks: better shown than lost, though not with an address that is among them.
        text = plain_text(source)
        spans = [_Span(MessageEntity.CODE, 0, len(text))]
    spans = [span for span in spans if span.url is None or links.allows(span.url)]
    spans += _names(text, spans, links)
    return [_cut(text, spans, start, end) for start, end in _parts(text)]


def _one_kind_of_line_end(text: str) -> str:
    # Telegram drops control characters, and would count the entities' places without them.
    return _CONTROLS.sub("", re.sub(r"\r\n?|[\u2028\u2029]", "\n", text))


def _converted(markdown: str) -> tuple[str, list[_Span]]:
    events = pyromark.events_with_range(markdown, options=pyromark.Options.ENABLE_TABLES)
    walker = EventWalker(_plain_symbols(), markdown)
    text, entities, _ = walker.walk(tuple(_with_all_words(events)))
    offsets = _utf16_offsets(text)
    return text, [
        _Span(
            _KINDS[entity.type],
            bisect_left(offsets, entity.offset),
            bisect_left(offsets, entity.offset + entity.length),
            entity.url,
            entity.language,
        )
        for entity in entities
        if entity.type in _KINDS
    ]


def _names(text: str, spans: Sequence[_Span], links: Links) -> Iterator[_Span]:
    """Yield as code each "@name" that Telegram would make a link to a stranger."""
    settled = [span for span in spans if span.kind in _SETTLED]
    for match in _ADDRESS_OR_NAME.finditer(text):
        if not match[1] or links.allows(f"https://t.me/{match[1]}"):
            continue
        if not any(span.start < match.end() and match.start() < span.end for span in settled):
            yield _Span(MessageEntity.CODE, match.start(), match.end())


def _plain_symbols() -> RenderConfig:
    config = RenderConfig.isolated()
    symbols = config.markdown_symbol
    symbols.heading_level_1 = symbols.heading_level_2 = ""
    symbols.heading_level_3 = symbols.heading_level_4 = ""
    symbols.unordered_list_item = "•"
    return config


def _with_all_words(events: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """Show what the library would drop, HTML, and drop what it would add, signs for images."""
    for event, place in events:
        match event:
            case {"Html": str(text)} | {"InlineHtml": str(text)}:
                yield {"Text": text}, place
            case {"Start": "HtmlBlock"}:
                yield {"Start": "Paragraph"}, place
            case {"End": "HtmlBlock"}:
                yield {"End": "Paragraph"}, place
            case {"Start": {"Image": _}} | {"End": "Image"}:
                pass
            case _:
                yield event, place


def _utf16_offsets(text: str) -> list[int]:
    return list(accumulate((utf16_length(character) for character in text), initial=0))


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each message begins and ends; only white space lies between them."""
    end = 0
    for part in split_text(text, LIMIT, utf16_length):
        start = text.index(part, end)
        end = start + len(part)
        yield start, end


def _cut(text: str, spans: list[_Span], start: int, end: int) -> Formatted:
    part = text[start:end]
    offsets = _utf16_offsets(part)
    entities = []
    for span in spans:
        first, last = max(span.start, start), min(span.end, end)
        words = text[first:last]
        first += len(words) - len(words.lstrip())
        last -= len(words) - len(words.rstrip())
        if first >= last:
            continue
        offset = offsets[first - start]
        length = offsets[last - start] - offset
        entities.append(
            MessageEntity(span.kind, offset, length, url=span.url, language=span.language)
        )
    return Formatted(part, _few_enough(entities))


def _few_enough(entities: Sequence[MessageEntity]) -> tuple[MessageEntity, ...]:
    """Drop what is too much for Telegram, but no code: the addresses in it would become links."""
    if len(entities) <= _LARGEST_ENTITIES:
        return tuple(entities)
    quiet = [entity for entity in entities if entity.type in QUIET]
    quiet.sort(key=lambda entity: entity.offset)
    if len(quiet) > _LARGEST_ENTITIES:
        start = quiet[_LARGEST_ENTITIES - 1].offset
        end = max(entity.offset + entity.length for entity in quiet)
        rest = MessageEntity(MessageEntity.CODE, start, end - start)
        return (*quiet[: _LARGEST_ENTITIES - 1], rest)
    others = [entity for entity in entities if entity.type not in QUIET]
    return (*quiet, *others[: _LARGEST_ENTITIES - len(quiet)])
