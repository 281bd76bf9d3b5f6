"""Which pages of a website are articles: from its sitemap, or from a file that lists them."""

import re
import zlib
from collections.abc import Awaitable, Callable, Iterable
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from bot.errors import ArticlesError

MOST_PAGES = 10_000
MOST_SITEMAPS = 50
LARGEST_SITEMAP = 50_000_000  # bytes unpacked, as sitemaps.org has it

# No XML reader: what a sitemap holds is flat, and an XML reader can be led astray.
_PLACE = re.compile(r"<loc>\s*(?:<!\[CDATA\[)?\s*([^<\]\s]+)")

Fetch = Callable[[str], Awaitable[bytes]]


def listed(path: Path) -> list[str]:
    """Return the addresses in a file, one a line; lines that begin with # are remarks.

    Raises ArticlesError when it can't be read or a line is no address.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as err:
        raise ArticlesError(
            f"FRONTDESK_WEBSITE is {str(path)!r}, which is neither an address that begins with "
            "http:// or https:// nor a file with one address a line."
        ) from err
    addresses = [text for line in lines if (text := line.strip()) and not text.startswith("#")]
    for address in addresses:
        if not is_address(address):
            raise ArticlesError(f"{path} has a line that is no http address: {address[:80]!r}.")
    return _unique(addresses)


def is_address(text: str) -> bool:
    """Whether a text is an http address of a page, without a name and password in it."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        )
    except ValueError:
        return False


async def from_sitemap(fetch: Fetch, sitemap: str) -> list[str]:
    """Return the pages of a sitemap and of those that it names, on its own host only.

    Raises ArticlesError when a sitemap can't be read, or there are more pages than MOST_PAGES.
    """
    waiting, seen, pages = [sitemap], {sitemap}, list[str]()
    while waiting:
        address = waiting.pop(0)
        text = _unpacked(await fetch(address), address).decode("utf-8", "replace")
        found = [urljoin(address, unescape(each)) for each in _PLACE.findall(text)]
        found = [each for each in found if is_address(each) and same_host(each, sitemap)]
        if "<sitemapindex" in text:
            new = [each for each in _unique(found) if each not in seen]
            waiting += new[: MOST_SITEMAPS - len(seen)]
            seen |= set(waiting)
        else:
            pages += found
        if len(pages) > MOST_PAGES:
            raise ArticlesError(f"The sitemap {sitemap} lists more than {MOST_PAGES:,} pages.")
    return _unique(pages)


def same_host(address: str, other: str) -> bool:
    """Whether two addresses are on one host; http and https on their own ports are one."""
    return _host(address) == _host(other)


def _host(address: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(address)
        return parts.hostname, None if parts.port in (80, 443) else parts.port
    except ValueError:
        return None, None


def _unpacked(content: bytes, address: str) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = unpacker.decompress(content, LARGEST_SITEMAP)
    except zlib.error as err:
        raise ArticlesError(f"The sitemap {address} can't be unpacked.") from err
    if unpacker.unconsumed_tail:
        raise ArticlesError(f"The sitemap {address} is larger than 50 MB.")
    return text


def _unique(addresses: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(urldefrag(address).url for address in addresses))


def file_name(address: str) -> str:
    """Return the path, below a folder, of an address's file: its host and its own path."""
    parts = urlsplit(address)
    port = f"-{parts.port}" if parts.port else ""
    path = re.sub(r"\.(html?|php|aspx?)$", "", unquote(parts.path).strip("/")) or "index"
    query = f"-{zlib.crc32(parts.query.encode()):08x}" if parts.query else ""
    names = [re.sub(r"[^\w.~-]+", "-", name).lstrip(".")[:80] or "-" for name in path.split("/")]
    if len(names) > 8:
        names = [*names[:7], f"{names[-1]}-{zlib.crc32(path.encode()):08x}"]
    return f"{parts.hostname}{port}/{'/'.join(names)}{query}.md"
