"""Figures that take long to make: made beside the requests that show them, and kept for a while."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlite_utils import Database

from bot.log.store import Store

logger = logging.getLogger(__name__)

FRESH = timedelta(minutes=10)
PATIENCE_SECONDS = 0.1  # a small log is read in less, and nobody then has to look twice
MOST_KEPT = 12  # periods

Key = TypeVar("Key")
Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest(Generic[Figures]):
    """The newest figures of a period, None before the first.

    `is_being_made`: newer ones come; `has_failed`: they could not be made the last time.
    """

    figures: Figures | None
    is_being_made: bool
    has_failed: bool


class KeptFigures(Generic[Key, Figures]):
    """Keeps the figures of each period for some minutes, and makes one after the other.

    A large log takes many seconds to read, which no request waits for. `make` gets the database,
    the period and the time.
    """

    def __init__(
        self,
        store: Store,
        make: Callable[[Database, Key, datetime], Figures],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._make_figures = make
        self._now = now
        self._made: dict[Key, tuple[datetime, Figures]] = {}
        self._making: dict[Key, asyncio.Task[None]] = {}
        self._failed: set[Key] = set()

    async def latest(self, period: Key) -> Latest[Figures]:
        """Return what is known of a period; begin to make it anew where it is old."""
        if self._is_old(period) and period not in self._making:
            self._making[period] = asyncio.create_task(self._make(period))
            await asyncio.wait({self._making[period]}, timeout=PATIENCE_SECONDS)
        made = self._made.get(period)
        return Latest(
            figures=made[1] if made else None,
            is_being_made=period in self._making,
            has_failed=period in self._failed,
        )

    def _is_old(self, period: Key) -> bool:
        made = self._made.get(period)
        return made is None or self._now() - made[0] >= FRESH

    async def _make(self, period: Key) -> None:
        try:
            made = await self._store.study(lambda db: self._make_now(db, period))
            self._made.pop(period, None)  # the newest comes last
            self._made[period] = made
            for oldest in [*self._made][:-MOST_KEPT]:
                del self._made[oldest]
            self._failed.discard(period)
        except Exception:  # nobody waits for this task; the page says that it failed
            if not self._store.is_closed:
                logger.exception("The figures of %s could not be made", period)
            self._failed.add(period)
        finally:
            del self._making[period]

    def _make_now(self, db: Database, period: Key) -> tuple[datetime, Figures]:
        now = self._now()
        return now, self._make_figures(db, period, now)
