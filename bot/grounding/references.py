"""Links, mail addresses and telephone numbers of a text."""

import re
from collections.abc import Iterator

# With or without their scheme; ASCII, since Chinese is written without spaces around them.
_REFERENCE = re.compile(
    r"https?://[\w.~:/?#@!$&*+,;=%-]*"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?:[A-Za-z0-9-]+\.)+[a-z]{2,}(?:/[\w.~:/?#@!$&*+,;=%-]*)?"
    r"|\+?\d[\d ()-]{7,}\d",
    re.ASCII,
)
# What a Markdown link leads to, whatever it is: "/returns" is a page of the site that shows it.
_LINK_TARGET = re.compile(r"\]\(\s*([^)\s]*)")


def references(text: str) -> Iterator[str]:
    """Yield what a text refers to, a telephone number without its spaces."""
    yield from _LINK_TARGET.findall(text)
    for match in _REFERENCE.finditer(text):
        name = match[0].rstrip(".,;:!?").removeprefix("https://").removeprefix("http://")
        is_phone = re.fullmatch(r"[+\d ()-]+", name)
        yield re.sub(r"[ ()-]", "", name) if is_phone else name.rstrip("/")
