"""Which links a reply may hold, and how links and addresses are written in Markdown.

A reply is written by a model from texts that others wrote. A link in it could carry a customer's
words to a stranger's server, and some apps open links by themselves to show a preview. So only
links to the operator's own hosts stay links. Addresses elsewhere are shown as code, because apps
make bare addresses clickable, though not inside code.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

# Chinese, Japanese and Korean letters, for the inside of a pattern's brackets.
CJK = "\u2e80-\u2fdf\u3040-\u30ff\u3105-\u312f\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"


def _none() -> frozenset[str]:
    return frozenset()


class Links:
    """The hosts to which links may lead, each named in full: no host stands for those below it.

    `of_articles` gives those of the articles, in small letters, which may change at any time.
    """

    def __init__(
        self, hosts: frozenset[str], of_articles: Callable[[], frozenset[str]] = _none
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._of_articles = of_articles

    def allows(self, url: str) -> bool:
        """Return whether this is an http or https address on one of the hosts."""
        if not is_web_address(url) or "\\" in url or not url.isprintable():
            return False
        parts = urlsplit(url)
        is_plain = (
            "@" not in parts.netloc and not parts.netloc.endswith(":") and _has_good_port(url)
        )
        host = parts.hostname or ""
        return is_plain and (host in self._hosts or host in self._of_articles())


def _has_good_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:  # more than 65535, or no number
        return False


def is_web_address(url: str) -> bool:
    """Return whether a customer can open this address: http or https, with a host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not re.search(r"\s", url)


def code(text: str) -> str:
    """Return an address as code that stays whole in tables too."""
    return "`" + text.replace("`", "%60").replace("|", "%7C") + "`"


def link(label: str, url: str) -> str:
    """Return a Markdown link that shows the label as it is, on one line."""
    return f"[{escaped(label)}]({destination(url)})"


def destination(url: str) -> str:
    """Return an address as a Markdown link can hold it."""
    return url.replace("(", "%28").replace(")", "%29").replace("<", "%3C").replace("|", "%7C")


def escaped(text: str) -> str:
    """Return a text as Markdown that shows just this text, on one line."""
    return re.sub(r"([\\`*_\[\]<>|~$]|&(?=#?\w+;))", r"\\\1", " ".join(text.split()))


def address_after(shown: str, url: str) -> str:
    """Return what follows a former link's words, so that a reader still learns the address."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() in ("mailto", "tel"):
        address = rest.partition("?")[0]
        address = escaped(address) if re.fullmatch(r"[\w.+@-]+", address) else ""
    else:
        address = code(url) if is_web_address(url) else ""
    if not address or shown.strip() in (url, rest, rest.strip("/")):
        return ""
    if not shown.strip():
        return address
    return f"（{address}）" if re.search(rf"[{CJK}]", shown) else f" ({address})"
