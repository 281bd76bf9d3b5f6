"""A website with help pages, robots.txt and a sitemap, that the real HTTP client talks to.

It keeps to what such sites keep to: entity tags, dates and 304 for what has not changed, 404 for
what is not there. What it is asked for is in `requests`, with how many were asked at once.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Self

from aiohttp import web

MODIFIED = "Sun, 01 Mar 2026 09:30:00 GMT"


def page(title: str, text: str, lang: str = "en") -> str:
    """Return a help page as sites make them."""
    return (
        f'<html lang="{lang}"><head><title>{title} | Shop</title></head><body><nav>Home</nav>'
        f"<main><h1>{title}</h1><p>{text}</p></main><footer>Imprint</footer></body></html>"
    )


class HelpSite:
    """One site. Use as an async context manager; `url` has no slash at its end."""

    def __init__(self, *, has_tags: bool = True) -> None:
        self.pages: dict[str, str | bytes] = {}
        self.types: dict[str, str] = {}
        self.redirects: dict[str, str] = {}
        self.failing: dict[str, int] = {}
        self.requests: list[str] = []
        self.not_modified = 0
        self.most_at_once = 0
        self._has_tags = has_tags
        self._now = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def lists(self, *addresses: str) -> None:
        """Give the site a sitemap of these paths and addresses."""
        self.pages["/sitemap.xml"] = self.sitemap(addresses)

    def sitemap(self, addresses: Iterable[str], kind: str = "urlset") -> str:
        """Return a sitemap, or an index of several (`sitemapindex`)."""
        entry = "sitemap" if kind == "sitemapindex" else "url"
        found = (each if "://" in each else self.url + each for each in addresses)
        entries = "".join(f"<{entry}><loc>{each}</loc></{entry}>" for each in found)
        return f'<?xml version="1.0"?><{kind} xmlns="http://www.sitemaps.org/">{entries}</{kind}>'

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(0)
            return self._reply(request)
        finally:
            self._now -= 1

    def _reply(self, request: web.Request) -> web.StreamResponse:
        path = request.path_qs
        if path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[path]})
        if path in self.failing:
            return web.Response(status=self.failing[path])
        if path not in self.pages:
            return web.Response(status=404, text="Not found")
        return self._page(request, path)

    def _page(self, request: web.Request, path: str) -> web.Response:
        text = self.pages[path]
        content = text if isinstance(text, bytes) else text.encode()
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"ETag": tag} if self._has_tags else {"Last-Modified": MODIFIED}
        seen = request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")
        if seen in ((tag, None), (None, MODIFIED)):
            self.not_modified += 1
            return web.Response(status=304, headers=headers)
        kind = self.types.get(path, "application/xml" if ".xml" in path else "text/html")
        return web.Response(body=content, headers={"Content-Type": kind, **headers})
