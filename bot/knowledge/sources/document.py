"""What a file holds once it is read: documents in Markdown, whatever it was written in."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime

from bot.audiences import EVERYBODY, INTERNAL, Audience
from bot.knowledge.sources.head import Head
from bot.messages import Language
from bot.understanding import clean, language_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One article as its source says it. `id` is its path below the folder without the ending.

    A row of a question table has the table's id and a mark of its own behind "#". `source` says
    where it stands: the file below its folder, or the page's address. `text` is Markdown.
    """

    id: str
    source: str
    title: str
    language: Language
    url: str = ""
    audience: Audience = EVERYBODY
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    questions: tuple[str, ...] = ()
    text: str

    @property
    def is_internal(self) -> bool:
        """Whether customers never see it."""
        return INTERNAL in self.audience

    def is_for_customers(self, now: datetime) -> bool:
        """Whether customers may be answered from it at `now`, those of its audience.

        The one place that decides it.
        """
        has_begun = self.valid_from is None or self.valid_from <= now
        has_ended = self.valid_until is not None and self.valid_until <= now
        return not self.is_internal and has_begun and not has_ended

    @property
    def digest(self) -> str:
        """A hash of everything that it says."""
        plain = json.dumps(asdict(self), default=str, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What a file gave: its documents, what is wrong with parts of it, and what is odd in it."""

    documents: tuple[Document, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A converted file before its head is applied: what it says of itself, and its Markdown."""

    text: str
    title: str = ""
    language: Language | None = None
    url: str = ""
    head: Head | None = None


def document(name: str, source: str, content: Content, head: Head, fallback_title: str) -> Document:
    """Return the document of a file; what its author says in `head` counts first."""
    return Document(
        id=name,
        source=source,
        title=head.title or clean(content.title) or fallback_title,
        language=head.language or content.language or language_of(content.text),
        url=head.url or content.url,
        audience=head.audience,
        valid_from=head.valid_from,
        valid_until=head.valid_until,
        questions=tuple(text for question in head.questions if (text := clean(question))),
        text=content.text,
    )
