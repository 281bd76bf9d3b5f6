"""The articles kept up to date: fetched, brought in, encoded, and followed while they change."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from bot.background import in_background
from bot.console import Console
from bot.errors import ArticlesError, LogError
from bot.knowledge.search import Knowledge, Synced
from bot.knowledge.watching import Watch, follow
from bot.log.accounts import utc_now
from bot.settings import Settings

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
        async with in_background(self._encode_what_is_new()):
            await follow(
                Watch(self._settings.article_folders),
                lambda: self.bring_in(may_be_empty=True),
                now=utc_now,
                warn=self._console.warn,
            )

    async def _encode_what_is_new(self) -> None:
        """Make the missing vectors; until they are there, words alone decide."""
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            try:
                await self._encode(self._console.encoding)
            except LogError as err:
                self._console.warn(f"The articles could not be encoded: {err}")


async def fetch_website(settings: Settings, console: Console) -> None:
    """Fetch the pages of FRONTDESK_WEBSITE that changed, and tell what was not to be had.

    Raises ArticlesError when the list of pages can't be had.
    """
    from bot.knowledge.sources.website import Website  # most have no website to fetch

    assert settings.frontdesk_website
    async with httpx.AsyncClient() as client:
        website = Website(settings.frontdesk_website, settings.website_pages, client)
        fetched = await website.fetch(console.fetching)
    console.say(
        f"Website: {fetched.pages} pages, {fetched.new} new or changed, {fetched.gone} gone."
    )
    for problem in fetched.problems:
        console.warn(f"{problem}.")
