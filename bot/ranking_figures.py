"""How customers are served under the policies, worked out beside the requests that show it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.log.decisions import decisions
from bot.log.store import Store
from bot.ranking.fairness import Served, served
from bot.ranking.rewards import Signal
from bot.ranking.usage import PolicyUse, used

logger = logging.getLogger(__name__)

FRESH = timedelta(minutes=10)
PATIENCE_SECONDS = 0.1  # a small log is read in less, and nobody then has to look twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How customers were served in a period, and by which policies, told at `made_at`."""

    made_at: datetime
    served: Sequence[Served]
    used: Sequence[PolicyUse]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The newest figures of a period, None before the first.

    `is_being_made`: newer ones come; `has_failed`: they could not be made the last time.
    """

    figures: Figures | None
    is_being_made: bool
    has_failed: bool


class RankingFigures:
    """Keeps the figures of each period for some minutes, and makes one after the other.

    A log of 100,000 replies takes many seconds to read, which no request waits for.
    """

    def __init__(
        self, store: Store, worth: Mapping[Signal, float], now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._worth = worth
        self._now = now
        self._made: dict[int, Figures] = {}
        self._making: dict[int, asyncio.Task[None]] = {}
        self._failed: set[int] = set()
        self._one_at_a_time = asyncio.Lock()

    async def latest(self, days: int) -> Latest:
        """Return what is known of the last so many days; begin to make it anew where it is old."""
        if self._is_old(days) and days not in self._making:
            self._making[days] = asyncio.create_task(self._make(days))
            await asyncio.wait({self._making[days]}, timeout=PATIENCE_SECONDS)
        return Latest(
            figures=self._made.get(days),
            is_being_made=days in self._making,
            has_failed=days in self._failed,
        )

    def _is_old(self, days: int) -> bool:
        made = self._made.get(days)
        return made is None or self._now() - made.made_at >= FRESH

    async def _make(self, days: int) -> None:
        try:
            async with self._one_at_a_time:
                self._made[days] = await self._store.browse(
                    lambda db: _figures(db, days, self._now(), self._worth)
                )
            self._failed.discard(days)
        except Exception:  # nobody waits for this task; the page says that it failed
            if not self._store.is_closed:
                logger.exception("The figures of the last %d days could not be made", days)
            self._failed.add(days)
        finally:
            del self._making[days]


def _figures(db: Database, days: int, now: datetime, worth: Mapping[Signal, float]) -> Figures:
    since = now - timedelta(days=days)
    found = list(decisions(db, now, since=since, with_features=False))
    return Figures(made_at=now, served=served(found, worth), used=used(found))
