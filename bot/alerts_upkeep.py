"""Tells the team when an intent, hand-offs or complaints rise beyond chance."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.console import Console
from bot.errors import LogError
from bot.intents.report import Rise, rises, spikes
from bot.intents.report_page import told
from bot.log import alerts
from bot.log.alerts import Alert
from bot.log.analysis import Message, labelled_intents, messages, outdated
from bot.log.store import Store

LOOK_SECONDS = 15 * 60.0
PERIOD = timedelta(days=28)
# Of looks every quarter of an hour some are wrong by chance: docs/analysis.md has how many.
BY_CHANCE = 0.01
_DAYS = {1: "the last 24 hours", 7: "the last seven days"}


class AlertsUpkeep:
    """Looks for rises every quarter of an hour, and tells each once, also over a restart."""

    def __init__(
        self,
        store: Store,
        console: Console,
        now: Callable[[], datetime],
        note: Callable[[str], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`note` counts what is told, by what rose."""
        self._store = store
        self._console = console
        self._now = now
        self._note = note
        self._pause = pause

    async def run(self) -> None:
        """Look again and again; not at once, since a start has other things to read."""
        while True:
            await self._pause(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Tell what rose and was not told yet; the names of intents and counts alone."""
        now = self._now()
        try:
            found = await self._store.study(lambda db: _risen(db, now))
            if not found:
                return
            new = await self._store.write(lambda db: alerts.tell(db, found, now))
        except (LogError, sqlite3.Error) as err:
            self._console.warn(f"The log can't be looked through for rises now: {err}")
            return
        for alert in new:
            self._note(alert.of)
            self._console.warn(sentence(alert))


def sentence(alert: Alert) -> str:
    """Return what an operator reads."""
    return (
        f"Rose: {told(alert.of, alert.intent)}, {alert.number} in {_DAYS[alert.days]}, where "
        f"{alert.expected:.1f} were to be expected. See /admin/analysis."
    )


def risen(found: Sequence[Message], now: datetime, by_chance: float = BY_CHANCE) -> list[Rise]:
    """Return what rose in the last day, which is news first, and in the last seven."""
    return [*spikes(found, now, by_chance), *rises(found, now, by_chance)]


def _risen(db: Database, now: datetime) -> Sequence[Rise]:
    since = now - PERIOD
    found = messages(db, since, now, labelled_intents(db, since), outdated(db, since))
    return risen(found, now)
