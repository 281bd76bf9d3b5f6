"""How customers are served: worked out beside the requests, and kept for some minutes."""

import asyncio
import logging
import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlite_utils import Database

from bot.kept_figures import FRESH, Latest
from bot.log.store import Store
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.rewards import WORTH
from bot.ranking_figures import Figures, RankingFigures
from tests.adapters.web.dialogues import Clock
from tests.ranking.shop_log import write_visits

VISITS = 40
DAYS = 30

T = TypeVar("T")


class WatchedStore(Store):
    """A store that counts how often, and how many at once, read a large part of the log."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.times = self.at_once = self.most_at_once = 0

    async def study(self, work: Callable[[Database], T]) -> T:
        def watched(db: Database) -> T:
            self.times += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                return work(db)
            finally:
                self.at_once -= 1

        return await super().study(watched)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "frontdesk.db") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def write(store: Store, clock: Clock, name: str, days: float) -> None:
    """Let customers come, so many days ago."""
    began = clock() - timedelta(days=days)
    rng = random.Random(7)
    await store.write(lambda db: write_visits(db, FixedOrder(), rng, VISITS, began, name))


async def made(figures: RankingFigures, days: int = DAYS) -> Figures:
    """Return the figures once none are being made."""
    async with asyncio.timeout(30):
        while (latest := await figures.latest(days)).is_being_made:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
    assert latest.figures
    return latest.figures


async def test_that_a_period_has_its_own_replies(store: Store, clock: Clock) -> None:
    await write(store, clock, "lately", 2)
    await write(store, clock, "before", 20)
    figures = RankingFigures(store, WORTH, clock)

    week, month = await made(figures, 7), await made(figures, 30)

    assert 0 < week.served[0].replies < month.served[0].replies
    [use] = month.used
    assert (use.policy, use.tried) == (FixedOrder.version, 0)
    assert sum(use.by_source.values()) == use.replies == month.served[0].replies


async def test_that_nobody_waits_while_figures_are_being_made(store: Store, clock: Clock) -> None:
    await write(store, clock, "lately", 2)
    figures = RankingFigures(store, WORTH, clock)
    held = threading.Event()
    waiting = [asyncio.create_task(store.study(lambda _: held.wait())) for _ in range(2)]
    await asyncio.sleep(0)

    first = [await figures.latest(days) for days in (7, 30, 7)]
    nothing = Latest(figures=None, is_being_made=True, has_failed=False)
    assert first == [nothing] * 3
    held.set()
    await asyncio.gather(*waiting)

    assert (await made(figures, 7)).made_at == clock()
    assert (await made(figures, 30)).made_at == clock()


async def test_that_one_is_made_after_the_other(tmp_path: Path, clock: Clock) -> None:
    with WatchedStore(tmp_path / "frontdesk.db") as store:
        await write(store, clock, "lately", 2)
        figures = RankingFigures(store, WORTH, clock)

        await asyncio.gather(*(made(figures, days) for days in (7, 30, 90, 7, 30, 90)))

        assert (store.most_at_once, store.times) == (1, 3)


async def test_that_old_figures_stand_until_newer_ones_are_made(store: Store, clock: Clock) -> None:
    await write(store, clock, "lately", 2)
    figures = RankingFigures(store, WORTH, clock)
    first = await made(figures)
    await write(store, clock, "later", 1)

    clock.forward(seconds=FRESH.total_seconds() - 1)
    assert await made(figures) is first
    clock.forward(seconds=1)
    second = await made(figures)

    assert second.made_at == clock()
    assert second.served[0].replies > first.served[0].replies


async def test_that_a_failure_is_told_and_tried_again(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await write(store, clock, "lately", 2)
    figures = RankingFigures(store, WORTH, clock)
    await store.write(lambda db: db.execute("ALTER TABLE feedback RENAME TO away"))

    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(30):
            while not (latest := await figures.latest(DAYS)).has_failed:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
    assert latest.figures is None
    assert "could not be made" in caplog.text

    await store.write(lambda db: db.execute("ALTER TABLE away RENAME TO feedback"))
    assert (await made(figures)).served
    assert not (await figures.latest(DAYS)).has_failed
