"""Markdown files: front matter, then text. What a reader of the page would not see goes."""

import re

from frontmatter.default_handlers import YAMLHandler

from bot.errors import ArticlesError
from bot.knowledge.sources.decoding import text_of
from bot.knowledge.sources.document import Content
from bot.knowledge.sources.head import Head, read_head
from bot.understanding import clean

# A fenced block is code and stays as it is; what is opened and never closed runs to the end.
_HIDDEN = re.compile(
    r"(?P<code>^(?P<fence>```|~~~).*?(?:^(?P=fence)|\Z))"
    r"|<!--.*?(?:-->|\Z)"
    r"|<(?P<tag>script|style|template|noscript)\b.*?(?:</(?P=tag)\s*>|\Z)"
    r"|<(?P<element>\w+)\b[^<>]{0,500}?"
    r"(?:\shidden\b|display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0)[^<>]{0,500}>"
    r".*?(?:</(?P=element)\s*>|\Z)",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
_ONE_TITLE = re.compile(r"\A\s*# +(?P<title>[^\n]+?) *#* *(?:\n|\Z)")
_TITLE = re.compile(r"^# ", re.MULTILINE)


def read_markdown(content: bytes) -> Content:
    """Return a Markdown file's head, title and text; raises ArticlesError when it can't be read."""
    head, text = _parts(text_of(content).replace("\r\n", "\n"))
    return titled(clean(_HIDDEN.sub(_visible, text)), head)


def titled(text: str, head: Head | None = None) -> Content:
    """Return Markdown whose one top-level heading, if it begins with that, is its title."""
    found = _ONE_TITLE.match(text)
    if found is None or len(_TITLE.findall(text)) > 1 or (head and head.title):
        return Content(text=text, head=head)
    return Content(text=text[found.end() :].strip(), title=found["title"], head=head)


def _parts(text: str) -> tuple[Head, str]:
    handler = YAMLHandler()
    if not handler.detect(text):
        return Head(), text
    try:
        head, body = handler.split(text)
    except ValueError:
        raise ArticlesError("its front matter has no end; close it with a line ---") from None
    return read_head(head), body


def _visible(found: re.Match[str]) -> str:
    return found["code"] or ""
