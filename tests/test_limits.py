"""Limits: what is counted, who waits for whom, and when the model is not worth asking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from bot.admission import (
    ENCODER_SECONDS,
    LEAST_MODEL_SECONDS,
    PATIENCE_SECONDS,
    RESERVE_SECONDS,
    Admission,
    Admitted,
    Entry,
    ModelQueue,
    Overloaded,
)
from bot.limits import MINUTE_SECONDS, Limits, Minute, Shares
from bot.metrics import Metrics

LIMITS = Limits(searches_at_once=2, model_calls_at_once=1, customer_answers_at_once=1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admission(clock: Clock, limits: Limits = LIMITS, *, sending_seconds: float = 0.0) -> Admission:
    return Admission(limits, Metrics(CollectorRegistry()), lambda _: sending_seconds, clock)


def entry(clock: Clock, customer: str = "ada", waited: float = 0.0) -> Entry:
    return Entry("test", customer, clock() - waited)


def skipped(of: Admission, reason: str) -> float | None:
    labels = {"reason": reason}
    return of.metrics.registry.get_sample_value("frontdesk_model_skipped_total", labels)


@asynccontextmanager
async def searching(of: Admission, who: Entry) -> AsyncIterator[Admitted]:
    async with of.enter(who) as admitted:
        await admitted.begin()
        yield admitted


@asynccontextmanager
async def asking(of: Admission, who: Entry) -> AsyncIterator[tuple[Admitted, float]]:
    async with searching(of, who) as admitted, admitted.model_call() as seconds:
        yield admitted, seconds


async def turns() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_that_a_minute_counts_what_was_within_it(clock: Clock) -> None:
    minute = Minute(clock)
    minute.add(3)
    clock.now += MINUTE_SECONDS - 1
    minute.add()

    assert minute.count == 4
    clock.now += 1
    assert minute.count == 1


def test_that_a_customer_has_so_many_messages_and_calls_a_minute(clock: Clock) -> None:
    share = Shares(Limits(messages_per_minute=2, model_calls_per_minute=1), clock).of("web", "ada")
    share.messages.add(2)
    share.model_calls.add()

    assert (share.has_messages_left, share.has_model_calls_left) == (False, False)
    clock.now += MINUTE_SECONDS
    assert (share.has_messages_left, share.has_model_calls_left) == (True, True)


def test_that_no_limit_is_no_limit(clock: Clock) -> None:
    share = Shares(Limits(messages_per_minute=0), clock).of("web", "ada")
    share.messages.add(1000)

    assert share.has_messages_left


def test_that_shares_are_forgotten_after_a_minute(clock: Clock) -> None:
    shares = Shares(Limits(), clock)
    for number in range(100):
        shares.of("web", f"c{number}").messages.add()
    busy = shares.of("web", "busy")
    busy.under_way += 1
    clock.now += MINUTE_SECONDS

    for number in range(100):
        shares.of("telegram", f"c{number}").messages.add()

    assert len(shares) == 101
    assert shares.of("web", "busy") is busy


async def test_that_one_customer_waits_for_themselves_and_nobody_else_does(clock: Clock) -> None:
    door = admission(clock)
    order: list[str] = []

    async def answer(customer: str, end: asyncio.Event) -> None:
        async with searching(door, entry(clock, customer)):
            order.append(customer)
            await end.wait()

    ended = [asyncio.Event() for _ in range(4)]
    names = ["flood", "flood", "flood", "bo"]
    tasks = [asyncio.create_task(answer(*pair)) for pair in zip(names, ended, strict=True)]
    await turns()

    assert order == ["flood", "bo"]
    for each in ended:
        each.set()
    await asyncio.gather(*tasks)
    assert order == ["flood", "bo", "flood", "flood"]
    assert (door.running, door.waiting) == (0, 0)


async def test_that_who_is_not_answered_in_time_is_told(clock: Clock) -> None:
    door = admission(clock, replace(LIMITS, answer_seconds=RESERVE_SECONDS + 0.05))
    async with AsyncExitStack() as stack:
        for name in "ab":
            await stack.enter_async_context(searching(door, entry(clock, name)))
        clock.now += 0.05  # what is left is the least wait
        late = [refusal(door, entry(clock, name, waited=9)) for name in "abc"]
        reasons = await asyncio.gather(*late)

    assert reasons == ["own_answers", "own_answers", "late"]
    async with asyncio.timeout(5), searching(door, entry(clock, "c")):
        pass  # nothing is left behind by those who were refused


async def refusal(door: Admission, who: Entry) -> str:
    with pytest.raises(Overloaded) as caught:
        async with searching(door, who):
            pass
    return caught.value.reason


async def test_that_the_queue_is_bounded(clock: Clock) -> None:
    door = admission(clock, replace(LIMITS, searches_at_once=1, most_waiting=1))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(searching(door, entry(clock, "a")))
        waiting = asyncio.create_task(stack.enter_async_context(searching(door, entry(clock, "b"))))
        await turns()

        assert door.waiting == 1
        assert await refusal(door, entry(clock, "c")) == "queue_full"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert (door.running, door.waiting) == (0, 0)


async def test_that_words_alone_decide_while_a_crowd_waits(clock: Clock) -> None:
    door = admission(clock, replace(LIMITS, searches_at_once=1))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(searching(door, entry(clock, "first")))
        alone = first.encoder_seconds
        crowd = [asyncio.create_task(ask(door, entry(clock, f"c{number}"))) for number in range(20)]
        await turns()
        crowded = first.encoder_seconds
    await asyncio.gather(*crowd)

    assert (alone, crowded) == (ENCODER_SECONDS, 0)


async def ask(door: Admission, who: Entry) -> None:
    async with searching(door, who):
        pass


async def test_that_waiting_for_the_model_keeps_nobody_from_the_articles(clock: Clock) -> None:
    door = admission(clock, replace(LIMITS, searches_at_once=1))
    async with AsyncExitStack() as stack:
        _, seconds = await stack.enter_async_context(asking(door, entry(clock, "a")))
        async with asyncio.timeout(5):
            await stack.enter_async_context(searching(door, entry(clock, "b")))

    assert seconds == LIMITS.answer_seconds - RESERVE_SECONDS


@pytest.mark.parametrize(
    ("waited", "is_asked"),
    [
        pytest.param(10 - RESERVE_SECONDS - LEAST_MODEL_SECONDS, True, id="just in time"),
        pytest.param(10 - RESERVE_SECONDS - LEAST_MODEL_SECONDS + 0.1, False, id="too late"),
        pytest.param(PATIENCE_SECONDS, False, id="long too late"),
        pytest.param(PATIENCE_SECONDS + 0.1, True, id="so late that it does not matter"),
    ],
)
async def test_that_the_model_is_not_asked_too_late(
    clock: Clock, waited: float, is_asked: bool
) -> None:
    door = admission(clock)

    async with asking(door, entry(clock, waited=waited)) as (admitted, seconds):
        assert bool(seconds) is is_asked
        assert admitted.model_calls == int(is_asked)
    assert skipped(door, "late") == (None if is_asked else 1)


async def test_that_what_waits_to_be_sent_is_taken_off_the_models_time(clock: Clock) -> None:
    door = admission(clock, sending_seconds=4.0)
    async with asking(door, entry(clock)) as (_, seconds):
        assert seconds == 10 - RESERVE_SECONDS - 4.0

    door = admission(clock, sending_seconds=8.0)
    async with asking(door, entry(clock)) as (_, seconds):
        assert not seconds


async def test_that_calls_of_the_model_are_counted_for_each_customer(clock: Clock) -> None:
    door = admission(clock, replace(LIMITS, model_calls_per_minute=2))
    asked = []
    for customer in ("flood", "flood", "flood", "bo"):
        async with asking(door, entry(clock, customer)) as (_, seconds):
            asked.append(bool(seconds))

    assert asked == [True, True, False, True]
    assert skipped(door, "model_calls_per_minute") == 1


async def test_that_a_spent_day_leaves_the_articles(clock: Clock) -> None:
    door = admission(clock)
    async with searching(door, entry(clock)) as admitted:
        admitted.may_spend_tokens = False
        async with admitted.model_call() as seconds:
            assert seconds == 0
    assert skipped(door, "daily_tokens") == 1


async def test_that_calls_are_made_first_come_first_served(clock: Clock) -> None:
    queue = ModelQueue(1, clock)
    for _ in range(30):  # each call takes no time
        async with queue.call(clock() + 60):
            pass
    order: list[int] = []

    async def call(number: int) -> None:
        async with queue.call(clock() + 60) as seconds:
            assert seconds
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*map(call, range(5)))

    assert order == [0, 1, 2, 3, 4]


async def test_that_a_queue_too_long_is_not_joined(clock: Clock) -> None:
    queue = ModelQueue(1, clock)
    for _ in range(30):  # each call takes two seconds
        async with queue.call(clock() + 60):
            clock.now += 2
    end, begun = asyncio.Event(), asyncio.Event()

    async def call() -> float:
        async with queue.call(clock() + 8.5) as seconds:
            begun.set()
            await end.wait()
            return seconds

    first, second = asyncio.create_task(call()), asyncio.create_task(call())
    await begun.wait()
    await turns()
    async with asyncio.timeout(5), queue.call(clock() + 8.5) as seconds:
        assert seconds == 0  # four seconds of others' calls are before it
    end.set()
    assert await asyncio.gather(first, second) == [8.5, 8.5]


async def test_that_the_wait_for_a_call_ends_in_time(clock: Clock) -> None:
    queue = ModelQueue(1, clock)
    for _ in range(30):  # each call takes no time
        async with queue.call(clock() + 60):
            pass
    async with (
        asyncio.timeout(5),
        queue.call(clock() + 60),
        queue.call(clock() + LEAST_MODEL_SECONDS + 0.05) as late,
    ):
        assert late == 0
