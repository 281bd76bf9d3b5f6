"""The articles kept up to date: fetched, brought in, encoded, and followed while they change."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from bot.background import in_background
from bot.console import Console
from bot.errors import ArticlesError, LogError
from bot.knowledge.search import Knowledge, Synced
from bot.knowledge.sources.conversion import converter
from bot.knowledge.watching import Watch, follow
from bot.log.accounts import utc_now
from bot.settings import Settings

MOST_GONE = 0.5  # of a website's pages, at once and without an operator who looks
RETRY_HOURS = 1.0  # after a visit that failed

Encode = Callable[[Callable[[int, int], None]], Awaitable[None]]


class Upkeep:
    """Keeps what the bot knows in step with the articles' folders."""

    def __init__(
        self, settings: Settings, knowledge: Knowledge, encode: Encode, console: Console
    ) -> None:
        """`encode` makes the vectors that are missing, calling `progress(done, total)`."""
        self._settings = settings
        self._knowledge = knowledge
        self._encode = encode
        self._console = console
        self._is_new = asyncio.Event()

    async def bring_in(self, *, may_be_empty: bool = False) -> Synced:
        """Sync and tell what changed.

        Raises ArticlesError when there is nothing to answer from, unless `may_be_empty`.
        """
        folder, *others = self._settings.article_folders
        if folder == self._settings.website_pages and not folder.is_dir():
            raise ArticlesError(
                "Nothing of FRONTDESK_WEBSITE has been fetched yet; run `frontdesk articles sync`."
            )
        synced = await self._knowledge.sync(
            folder,
            utc_now(),
            pages=others[0] if others else None,
            progress=self._console.syncing,
            may_be_empty=may_be_empty,
        )
        self._console.articles(synced)
        if synced.changes.any:
            self._is_new.set()
        return synced

    async def run(self) -> None:
        """Follow the folders; encode what is new beside it, so that nothing gone waits for it."""
        self._is_new.set()
        try:
            visits = WebsiteVisits(self._settings, self._console)
            async with in_background(self._encode_what_is_new(), visits.run()):
                await follow(
                    Watch(self._settings.article_folders),
                    lambda: self.bring_in(may_be_empty=True),
                    now=utc_now,
                    warn=self._console.warn,
                )
        finally:
            converter.close()  # the program's end waits for no file

    async def _encode_what_is_new(self) -> None:
        """Make the missing vectors; until they are there, words alone decide."""
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            try:
                await self._encode(self._console.encoding)
            except LogError as err:
                self._console.warn(f"The articles could not be encoded: {err}")


class WebsiteVisits:
    """Fetches the website again and again, as often as the settings say."""

    def __init__(
        self,
        settings: Settings,
        console: Console,
        now: Callable[[], datetime] = utc_now,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._console = console
        self._now = now
        self._pause = pause

    async def run(self) -> None:
        """Visit it whenever the last visit, also an operator's, is long enough ago; else return.

        What fails is told, and tried again; the pages stay as they are meanwhile.
        """
        if self._settings.frontdesk_website is None or not self._settings.frontdesk_website_hours:
            return
        hours = timedelta(hours=self._settings.frontdesk_website_hours)
        while True:
            await self._pause(max((self._last() + hours - self._now()).total_seconds(), 0.0))
            if self._last() + hours > self._now():  # somebody else did meanwhile
                continue
            try:
                await fetch_website(self._settings, self._console, most_gone=MOST_GONE)
            except (ArticlesError, OSError) as err:
                self._console.warn(f"The website stays as it was fetched last: {err}")
                await self._pause(min(hours.total_seconds(), RETRY_HOURS * 3600))

    def _last(self) -> datetime:
        """Return when the last visit ended."""
        try:
            seconds = _visited(self._settings).stat().st_mtime
        except FileNotFoundError:
            seconds = 0.0
        return datetime.fromtimestamp(seconds, UTC)


def _visited(settings: Settings) -> Path:
    return settings.website_pages / ".visited"


async def fetch_website(settings: Settings, console: Console, *, most_gone: float = 1.0) -> None:
    """Fetch the pages of FRONTDESK_WEBSITE that changed, and tell what was not to be had.

    Where more than `most_gone` of the pages would go, a share, they stay. Raises ArticlesError when
    the list of pages can't be had.
    """
    from bot.knowledge.sources.website import Website  # most have no website to fetch

    assert settings.frontdesk_website
    async with httpx.AsyncClient() as client:
        pages = settings.website_pages
        website = Website(settings.frontdesk_website, pages, client, most_gone=most_gone)
        fetched = await website.fetch(console.fetching)
    await asyncio.to_thread(_visited(settings).touch)
    console.say(
        f"Website: {fetched.pages} pages, {fetched.new} new or changed, {fetched.gone} gone."
    )
    for problem in fetched.problems:
        console.warn(f"{problem}.")
