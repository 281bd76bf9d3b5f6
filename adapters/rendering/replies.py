"""A reply with the line that names its sources: as Markdown, or as messages of plain text."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.rendering.links import Links, escaped, is_web_address, link
from adapters.rendering.markdown import open_fence, well_formed
from adapters.rendering.plain import plain_text
from adapters.rendering.safe_markdown import safe_markdown
from adapters.rendering.splitting import split_text
from bot.messages import Citation, Language, Outgoing
from prompts import Prompts

_SEPARATORS: dict[Language, str] = {"en": ", ", "zh": "、"}


def unchanged(text: str) -> str:
    """Return the text as it is: the escaping of a channel that knows no markup."""
    return text


def title_with_url(citation: Citation) -> str:
    """Name an article for a channel that turns bare addresses into links by itself."""
    title = _one_line(citation.title)
    return f"{title} ({citation.url})" if is_web_address(citation.url) else title


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a channel can show.

    `limit` is the longest message, counted by `length`, which must add up over characters.
    `escape` works on each character alone. `name` writes one cited article, escaping included.
    """

    limit: int
    length: Callable[[str], int] = len
    escape: Callable[[str], str] = unchanged
    name: Callable[[Citation], str] = title_with_url


def render(outgoing: Outgoing, prompts: Prompts, style: Style) -> list[str]:
    """Return the messages to post for a reply: its text, then the line that names its sources."""

    def escaped_length(text: str) -> int:
        return style.length(style.escape(text))

    text = plain_text(well_formed(outgoing.text))
    parts = [style.escape(part) for part in split_text(text, style.limit, escaped_length)]
    line = _source_line(outgoing, prompts, style.name)
    if line and style.length(line) > style.limit:
        titles = _source_line(outgoing, prompts, lambda citation: _one_line(citation.title))
        return parts + [style.escape(p) for p in split_text(titles, style.limit, escaped_length)]
    if not line:
        return parts
    if parts and style.length(f"{parts[-1]}\n\n{line}") <= style.limit:
        return [*parts[:-1], f"{parts[-1]}\n\n{line}"]
    return [*parts, line]


def compose(outgoing: Outgoing, prompts: Prompts, links: Links) -> str:
    """Return a reply as safe Markdown: its text, then the line that names its sources."""

    def name(citation: Citation) -> str:
        title = escaped(well_formed(citation.title))
        return (
            link(well_formed(citation.title), citation.url) if links.allows(citation.url) else title
        )

    text = safe_markdown(well_formed(outgoing.text), links).strip("\n")
    line = safe_markdown(_source_line(outgoing, prompts, name), links)
    if line and (fence := open_fence(text)):
        text = f"{text}\n{fence}"
    return "\n\n".join(part for part in (text, line) if part.strip())


def _source_line(outgoing: Outgoing, prompts: Prompts, name: Callable[[Citation], str]) -> str:
    cited = {(citation.article, citation.url): citation for citation in outgoing.citations}
    if not cited:
        return ""
    separator = _SEPARATORS[outgoing.language]
    titles = separator.join(name(citation) for citation in cited.values())
    return prompts.text("sources", outgoing.language, titles=titles)


def _one_line(text: str) -> str:
    return " ".join(well_formed(text).split())
