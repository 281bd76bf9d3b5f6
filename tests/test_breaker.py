"""The breaker: when the model is not asked, who asks it meanwhile, and when all is well again."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bot.breaker import FAILURES, PROBE_SECONDS, Breaker
from bot.errors import ModelError, ModelUnavailable
from bot.model_calls import Call, Outcome
from tests.small_shop import DEADLINE_SECONDS


@dataclass
class Clock:
    """A time that passes only by waiting for it; the waits are kept."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Probes:
    """Probes that fail as scripted and then succeed; when each came is kept."""

    clock: Clock
    errors: deque[Exception] = field(default_factory=deque)
    takes: float = 0.0
    at: list[float] = field(default_factory=list)

    async def __call__(self) -> None:
        self.at.append(self.clock.now)
        self.clock.now += self.takes
        if self.errors:
            raise self.errors.popleft()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock=clock, pause=clock.pause)


def call(clock: Clock, outcome: Outcome, **fields: float) -> Call:
    return Call(outcome=outcome, started=clock.now, **fields)  # type: ignore[arg-type]


def fail(breaker: Breaker, clock: Clock, times: int, every: float = 0.0) -> None:
    for _ in range(times):
        breaker.note(call(clock, "unavailable"))
        clock.now += every


@asynccontextmanager
async def probing(breaker: Breaker, probes: Probes) -> AsyncIterator[None]:
    running = asyncio.create_task(breaker.run(probes))
    try:
        yield
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def until_closed(breaker: Breaker) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while breaker.is_open:  # noqa: ASYNC110 - the clock of these tests stands still
            await asyncio.sleep(0)


@pytest.mark.parametrize("outcome", ["empty", "late", "unavailable", "broken", "missing"])
def test_that_five_failures_open_it(breaker: Breaker, clock: Clock, outcome: Outcome) -> None:
    for _ in range(FAILURES - 1):
        breaker.note(call(clock, outcome))
    assert breaker.trouble() is None

    breaker.note(call(clock, outcome))

    assert breaker.is_open
    assert "articles answer" in (breaker.trouble() or "")


@pytest.mark.parametrize("outcome", ["refused", "left", "answered"])
def test_that_what_is_not_the_models_fault_does_not_open_it(
    breaker: Breaker, clock: Clock, outcome: Outcome
) -> None:
    for _ in range(100):
        breaker.note(call(clock, outcome))

    assert not breaker.is_open


def test_that_failures_among_answers_open_it_only_when_they_come_quickly(
    breaker: Breaker, clock: Clock
) -> None:
    for _ in range(40):
        fail(breaker, clock, 1, every=3.0)
        breaker.note(call(clock, "answered"))
    assert not breaker.is_open

    for _ in range(FAILURES):
        fail(breaker, clock, 1, every=2.0)
        breaker.note(call(clock, "answered"))

    assert breaker.is_open


def test_that_failures_in_a_row_open_it_however_slowly_they_come(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, clock, FAILURES, every=600.0)

    assert breaker.is_open


def test_that_a_draft_that_was_left_in_its_middle_shows_that_the_model_writes(
    breaker: Breaker, clock: Clock
) -> None:
    for _ in range(3):
        fail(breaker, clock, FAILURES - 1, every=60.0)
        breaker.note(call(clock, "left", first_token_seconds=0.2))

    assert not breaker.is_open


async def test_that_nothing_is_probed_while_it_is_closed(breaker: Breaker, clock: Clock) -> None:
    probes = Probes(clock)
    async with probing(breaker, probes):
        fail(breaker, clock, FAILURES - 1)
        for _ in range(20):
            await asyncio.sleep(0)

    assert (probes.at, clock.waits) == ([], [])


async def test_that_one_good_probe_closes_it(breaker: Breaker, clock: Clock) -> None:
    probes = Probes(clock)
    async with probing(breaker, probes):
        fail(breaker, clock, FAILURES)
        await until_closed(breaker)

    assert breaker.trouble() is None
    assert clock.waits == [PROBE_SECONDS]
    assert len(probes.at) == 1


@pytest.mark.parametrize("takes", [0.0, 4.0])
async def test_that_probes_come_each_five_seconds_however_long_they_take(
    breaker: Breaker, clock: Clock, takes: float
) -> None:
    errors = [ModelUnavailable("gone"), ModelError("garbage"), ModelUnavailable("gone")]
    probes = Probes(clock, deque(errors), takes)
    opened_at = clock.now
    async with probing(breaker, probes):
        fail(breaker, clock, FAILURES)
        await until_closed(breaker)

    assert [at - opened_at for at in probes.at] == [5.0, 10.0, 15.0, 20.0]


async def test_that_a_defect_in_a_probe_does_not_end_the_probing(
    breaker: Breaker, clock: Clock
) -> None:
    probes = Probes(clock, deque([RuntimeError("defect")]))
    fail(breaker, clock, FAILURES)

    async with probing(breaker, probes):
        await until_closed(breaker)

    assert len(probes.at) == 2


async def test_that_what_began_before_it_closed_says_nothing_after(
    breaker: Breaker, clock: Clock
) -> None:
    hanging = [call(clock, "late") for _ in range(50)]
    async with probing(breaker, Probes(clock)):
        fail(breaker, clock, FAILURES)
        breaker.note(hanging.pop())
        await until_closed(breaker)

        for each in hanging:
            breaker.note(each)

        assert not breaker.is_open


async def test_that_it_opens_and_closes_again_and_again(breaker: Breaker, clock: Clock) -> None:
    probes = Probes(clock)
    async with probing(breaker, probes):
        for _ in range(3):
            fail(breaker, clock, FAILURES)
            assert breaker.is_open
            await until_closed(breaker)

    assert len(probes.at) == 3
