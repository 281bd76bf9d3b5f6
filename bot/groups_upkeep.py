"""The log's messages that no intent fits, grouped in the background once a day, or when asked."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot import grouped_log
from bot.console import Console
from bot.errors import FrontdeskError, IntentsError
from bot.intents.grouping import GroupTexts, Task
from bot.intents.naming import ModelNamer
from bot.log import group_runs
from bot.log.store import Store

logger = logging.getLogger(__name__)

EVERY = timedelta(days=1)
# First come the articles' vectors and the log's labels.
AFTER_START = timedelta(minutes=10)
CHECK_SECONDS = 60.0
MOST_HALVED = 1_000  # messages of a group that is split in two; the others stay


class GroupsUpkeep:
    """Groups the log's messages; `is_trained` says whether a classifier tells them now.

    `namer` puts key terms into better words, where a model can.
    """

    def __init__(
        self,
        store: Store,
        group: GroupTexts,
        console: Console,
        now: Callable[[], datetime],
        *,
        is_trained: Callable[[], bool],
        namer: ModelNamer | None = None,
    ) -> None:
        self._store = store
        self._group = group
        self._console = console
        self._now = now
        self._is_trained = is_trained
        self._namer = namer
        self._asked = asyncio.Event()
        self._is_running = False
        self._halving = asyncio.Lock()
        self._tried = now() - EVERY + AFTER_START
        self.has_failed = False

    @property
    def is_looking(self) -> bool:
        """Whether messages are being grouped, or soon will be."""
        return self._is_running or self._asked.is_set()

    def look(self) -> None:
        """Ask for a run now."""
        self._asked.set()

    async def run(self) -> None:
        """Group once a day, and when asked."""
        while True:
            await self.check()
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def check(self) -> None:
        """Group if somebody asked for it, or a day has gone since the last run or try."""
        if self._asked.is_set() or await self._is_due():
            await self.find()

    async def find(self) -> None:
        """Group what the log has, and store it; where that fails, what was there stays."""
        self._is_running, self.has_failed, self._tried = True, False, self._now()
        self._asked.clear()
        try:
            await self._find()
        except (FrontdeskError, sqlite3.Error) as err:
            self.has_failed = True
            self._console.warn(f"The log's messages can't be grouped now: {err}")
        finally:
            self._is_running = False

    async def halves(self, texts: Sequence[str]) -> list[int]:
        """Return the places of the texts that go best into a group of their own.

        They are the smaller part of two; an empty list where the texts don't differ, or can't be
        grouped.
        """
        different = list(dict.fromkeys(texts))[:MOST_HALVED]
        if len(different) < 2:
            return []
        try:
            async with self._halving:
                grouped = await self._group(Task(texts=different, number=2))
        except IntentsError as err:
            self._console.warn(str(err))
            return []
        smaller = {text for text, part in zip(different, grouped.groups, strict=True) if part}
        return [place for place, text in enumerate(texts) if text in smaller]

    async def _find(self) -> None:
        started, is_trained = self._now(), self._is_trained()
        known = await self._store.browse(
            lambda db: group_runs.known(db, started, is_trained=is_trained)
        )
        given = grouped_log.to_group(known)
        task = given.task()
        found = grouped_log.found_groups(given, await self._group(task)) if task else []
        if self._namer:
            found = await grouped_log.with_names(found, self._namer)
        now = self._now()
        await self._store.write(lambda db: grouped_log.keep(db, given, found, started, now))
        logger.info("%d messages were grouped: %d groups.", len(known.messages), len(found))

    async def _is_due(self) -> bool:
        now = self._now()
        if now - self._tried < EVERY:
            return False
        try:
            newest = await self._store.browse(group_runs.newest_run)
        except (FrontdeskError, sqlite3.Error):
            return True  # the run will tell what is wrong
        return newest is None or now - datetime.fromisoformat(newest.ended_at) >= EVERY
