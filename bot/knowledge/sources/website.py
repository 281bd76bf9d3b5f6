"""A website's pages as Markdown files in a folder, which is then read as any other.

Polite: robots.txt is obeyed, one request at a time with a pause between, pages are asked for only
if they changed. Careful: only http and https, only the hosts that the operator named, also after a
redirect; sizes and times are limited; scripts never run.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import frontmatter
import httpx
import yaml

from bot.errors import ArticlesError
from bot.knowledge.sources import reading
from bot.knowledge.sources.addresses import (
    LARGEST_SITEMAP,
    file_name,
    from_sitemap,
    is_address,
    listed,
    same_host,
)
from bot.knowledge.sources.decoding import page_text
from bot.knowledge.sources.web_page import read_page

AGENT = "Frontdesk"
PAGE_SECONDS = 30.0
PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
MOST_REDIRECTS = 5
_GONE = (404, 410)
_HTML = ("text/html", "application/xhtml+xml")
_READER = str(reading.RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a visit to a website did, in pages; `problems` name an address and what was wrong."""

    pages: int = 0
    new: int = 0
    gone: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(slots=True)
class _Tally:
    new: int = 0
    kept: set[Path] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


class Website:
    """The pages of a site, kept in a folder."""

    def __init__(
        self,
        place: str,
        folder: Path,
        client: httpx.AsyncClient,
        *,
        most_gone: float = 1.0,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`place` is the address of a sitemap or a site, or the path of a file of addresses.

        Where more than `most_gone` of the pages would go at once, a share, they all stay.
        """
        self._place = place
        self._folder = folder
        self._client = client
        self._most_gone = most_gone
        self._pause = pause
        self._robots: dict[str, RobotFileParser] = {}

    async def fetch(self, progress: Callable[[int, int], None]) -> Fetched:
        """Bring the folder up to date; a page that can't be had now stays as it was.

        Calls `progress(done, total)` after each page. Raises ArticlesError when the list of pages
        can't be had or is empty; nothing is changed then.
        """
        addresses = await self._addresses()
        if not addresses:
            raise ArticlesError(f"FRONTDESK_WEBSITE is {self._place!r}, which lists no pages.")
        tally = _Tally()
        for done, address in enumerate(addresses, start=1):
            await self._visit(address, tally)
            progress(done, len(addresses))
        gone = self._remove_others(tally)
        return Fetched(
            pages=len(tally.kept), new=tally.new, gone=gone, problems=tuple(tally.problems)
        )

    async def _addresses(self) -> list[str]:
        if not is_address(self._place):
            return await asyncio.to_thread(listed, Path(self._place))
        if urlsplit(self._place).path.endswith((".xml", ".xml.gz")):
            return await from_sitemap(self._sitemap, self._place)
        try:
            robots = await self._rules(self._place)
        except ArticlesError as err:
            raise ArticlesError(f"FRONTDESK_WEBSITE is {self._place!r}: {err}.") from err
        maps = robots.site_maps() or [urljoin(self._place, "/sitemap.xml")]
        own = [each for each in maps if is_address(each) and same_host(each, self._place)]
        pages = [page for each in own for page in await from_sitemap(self._sitemap, each)]
        beginning = urlsplit(self._place).path.rstrip("/")
        return [page for page in pages if urlsplit(page).path.startswith(beginning)]

    async def _sitemap(self, address: str) -> bytes:
        try:
            reply = await self._get(address, {}, LARGEST_SITEMAP)
        except ArticlesError as err:
            raise ArticlesError(f"The sitemap {address} can't be fetched: {err}.") from err
        if reply.status != httpx.codes.OK:
            raise ArticlesError(
                f"The sitemap {address} can't be fetched (status {reply.status}); set "
                "FRONTDESK_WEBSITE to the site's sitemap.xml, or to a file with its addresses."
            )
        return reply.content

    async def _visit(self, address: str, tally: _Tally) -> None:
        path = self._folder / file_name(address)
        if path in tally.kept:
            tally.problems.append(f"{address}: another page has the same name")
            return
        try:
            is_there = await self._refresh(address, path, tally)
        except ArticlesError as err:
            tally.problems.append(f"{address}: {err}")
            is_there = path.exists()
        if is_there:
            tally.kept.add(path)

    async def _refresh(self, address: str, path: Path, tally: _Tally) -> bool:
        """Bring one page up to date; return whether there is one."""
        robots = await self._rules(address)
        if not robots.can_fetch(AGENT, address):
            tally.problems.append(f"{address}: the site's robots.txt forbids it")
            return False
        delay = robots.crawl_delay(AGENT)
        await self._pause(min(float(delay or PAUSE_SECONDS), LONGEST_PAUSE_SECONDS))
        reply = await self._get(address, _condition(path), reading.LARGEST_TEXT)
        if reply.status == httpx.codes.NOT_MODIFIED:
            return True
        if reply.status in _GONE:
            tally.problems.append(f"{address}: there is no such page (status {reply.status})")
            return False
        if reply.status != httpx.codes.OK:
            raise ArticlesError(f"it can't be fetched (status {reply.status})")
        text = await asyncio.to_thread(_as_markdown, address, reply)
        tally.new += await asyncio.to_thread(_write, path, text)
        return True

    async def _rules(self, address: str) -> RobotFileParser:
        """Return what robots.txt allows; where it can't be had for now, nothing (RFC 9309)."""
        parts = urlsplit(address)
        site = f"{parts.scheme}://{parts.netloc}"
        if site not in self._robots:
            rules = RobotFileParser()
            try:
                reply = await self._get(f"{site}/robots.txt", {}, reading.LARGEST_TEXT)
            except ArticlesError as err:
                raise ArticlesError(f"the site's robots.txt can't be fetched: {err}") from err
            if reply.status >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise ArticlesError(f"the site's robots.txt can't be had (status {reply.status})")
            is_there = reply.status == httpx.codes.OK
            rules.parse(reply.content.decode("utf-8", "replace").splitlines() if is_there else [])
            self._robots[site] = rules
        return self._robots[site]

    async def _get(self, address: str, headers: Mapping[str, str], largest: int) -> _Reply:
        """Fetch an address, following redirects on its host. Raises ArticlesError."""
        place = address
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                for _ in range(MOST_REDIRECTS):
                    reply = await self._get_once(place, headers, largest)
                    if "location" not in reply.headers or not 300 < reply.status < 400:
                        return reply
                    place = urljoin(place, reply.headers["location"])
                    if not is_address(place) or not same_host(place, address):
                        raise ArticlesError(f"it leads to another host ({place[:200]})")
        except TimeoutError:
            raise ArticlesError(f"it took longer than {PAGE_SECONDS:.0f} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as err:
            raise ArticlesError(f"it can't be fetched ({type(err).__name__})") from err
        raise ArticlesError(f"it was redirected {MOST_REDIRECTS} times")

    async def _get_once(self, address: str, headers: Mapping[str, str], largest: int) -> _Reply:
        given = {"User-Agent": AGENT, **headers}
        async with self._client.stream(
            "GET", address, headers=given, follow_redirects=False
        ) as reply:
            content = bytearray()
            if reply.status_code == httpx.codes.OK:
                async for chunk in reply.aiter_bytes():
                    content += chunk
                    if len(content) > largest:
                        raise ArticlesError(f"it is larger than {largest // 1_000_000} MB")
            return _Reply(reply.status_code, dict(reply.headers), bytes(content))

    def _remove_others(self, tally: _Tally) -> int:
        """Delete the files of pages that are not there any more, unless these are too many."""
        there = list(self._folder.rglob("*.md"))
        others = [path for path in there if path not in tally.kept]
        if len(others) > self._most_gone * len(there):
            tally.problems.append(
                f"{self._place}: {len(others)} of {len(there)} pages would go at once, so they "
                "stay; if they are to go, run `frontdesk articles sync`"
            )
            return 0
        for path in others:
            path.unlink()
        return len(others)


def _condition(path: Path) -> dict[str, str]:
    """Return the headers that ask for a page only if it differs from its file."""
    head = _head(path)
    if head.get("reader") != _READER:
        return {}
    names = {"If-None-Match": "etag", "If-Modified-Since": "last_modified"}
    return {name: str(head[key]) for name, key in names.items() if head.get(key)}


def _head(path: Path) -> dict[str, Any]:
    try:
        return dict(frontmatter.loads(path.read_text(encoding="utf-8")).metadata)
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def _as_markdown(address: str, reply: _Reply) -> str:
    """Return a page as a Markdown file with a head. Raises ArticlesError when it has no text."""
    kind, _, rest = reply.headers.get("content-type", "").partition(";")
    if kind.strip().lower() not in _HTML:
        raise ArticlesError(f"it is no HTML page ({kind.strip() or 'of no kind'})")
    charset = rest.partition("charset=")[2].strip(" \"'") or None
    content = read_page(page_text(reply.content, charset), address)
    if not content.text:
        raise ArticlesError("it has no text; does it need scripts to show any?")
    last = unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2])
    head = {
        "title": content.title or last or address,
        "language": content.language,
        "url": content.url if same_host(content.url, address) else address,
        "etag": reply.headers.get("etag"),
        "last_modified": reply.headers.get("last-modified"),
        "reader": _READER,
    }
    known = {name: value for name, value in head.items() if value}
    return (
        f"---\n{yaml.safe_dump(known, allow_unicode=True, sort_keys=False)}---\n\n{content.text}\n"
    )


def _write(path: Path, text: str) -> bool:
    """Write a page's file, whole or not at all; return whether it differs from before."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
    return True
