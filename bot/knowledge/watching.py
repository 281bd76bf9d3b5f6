"""Watching the articles' folders while the program runs, so that what changes is answered from.

It looks at the files' sizes and times instead of asking the system for events: that also works on
network drives and in containers. What is gone goes at once; what is new or has changed is read
when it stayed the same from one look to the next, since it may still be being written.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

from bot.errors import FrontdeskError
from bot.knowledge.search import Synced
from bot.knowledge.sources.folder import scan

SHORTEST_PAUSE_SECONDS = 1.0
MOST_TIME = 0.05  # share of the time spent looking

Look = dict[tuple[str, str], str]


class Watch:
    """Tells whether files have changed since they were last read."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._read: Look = {}
        self._last: Look = {}

    def look(self) -> bool:
        """Return whether something is gone, or has changed and settled since.

        Raises ArticlesError when the first folder is missing.
        """
        last, self._last = self._last, self._look()
        changed = {key for key, state in self._last.items() if self._read.get(key) != state}
        return bool(
            self._read.keys() - self._last.keys()
            or any(last.get(key) == self._last[key] for key in changed)
        )

    def read(self) -> None:
        """Take what was last seen for read."""
        self._read = self._last

    def _look(self) -> Look:
        first, *others = self._folders
        return {
            (str(folder), file.source): file.state
            for folder in (first, *(each for each in others if each.is_dir()))
            for file in scan(folder).files
        }


async def follow(
    watch: Watch,
    sync: Callable[[], Awaitable[Synced]],
    *,
    now: Callable[[], datetime],
    warn: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Sync whenever files change, and when an article's period begins or ends; never returns.

    The first sync comes at the second look, and catches what changed during the start. What fails
    is told by `warn`, once as long as it lasts, and tried again; the articles stay as they are
    meanwhile.
    """
    seconds, told = SHORTEST_PAUSE_SECONDS, ""
    next_change: datetime | None = None
    while True:
        await pause(seconds)
        started = time.perf_counter()
        try:
            has_changed = await asyncio.to_thread(watch.look)
            seconds = max(SHORTEST_PAUSE_SECONDS, (time.perf_counter() - started) / MOST_TIME)
            if has_changed or (next_change and now() >= next_change):
                next_change = (await sync()).next_change
                watch.read()
            told = ""
        except FrontdeskError as err:
            if str(err) != told:
                told = str(err)
                warn(told)
