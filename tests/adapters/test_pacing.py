"""How fast requests go to a platform, in a time that passes only when all wait."""

import asyncio
import itertools
import selectors
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.pacing import Pace, Pacer


class Instant(selectors.SelectSelector):
    """Instead of waiting, moves the time to where the next timer rings."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "all wait for each other"
        self.now += max(timeout, 0.0)
        return super().select(0)


class InstantLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._instant = Instant()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.now


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=InstantLoop) as runner:
        runner.run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


def pacer(everywhere: list[Pace], *each: Pace) -> Pacer:
    return Pacer(everywhere, lambda _: each, clock=now)


async def times_of(waits: list[Coroutine[Any, Any, None]]) -> list[float]:
    """Return when each was let go."""

    async def timed(wait: Coroutine[Any, Any, None]) -> float:
        await wait
        return now()

    return [round(at, 6) for at in await asyncio.gather(*map(timed, waits))]


paces = st.lists(
    st.builds(Pace, st.integers(1, 4), st.sampled_from([0.1, 0.7, 1.0, 3.0])), max_size=2
)


@given(paces, paces, st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 4)), max_size=30))
def test_that_no_window_holds_more_than_its_count_and_each_place_keeps_its_order(
    everywhere: list[Pace], each: list[Pace], arrivals: list[tuple[str, float]]
) -> None:
    gone: list[tuple[str, int, float]] = []

    async def send(pace: Pacer, number: int, place: str, at: float) -> None:
        await asyncio.sleep(at)
        arrived[place].append(number)
        await pace.wait(place)
        gone.append((place, number, now()))

    async def main() -> None:
        pace = pacer(everywhere, *each)
        await asyncio.gather(*(send(pace, n, *arrival) for n, arrival in enumerate(arrivals)))

    arrived: dict[str, list[int]] = defaultdict(list)
    run(main())

    assert_kept(everywhere, [at for _, _, at in gone])
    for place, numbers in arrived.items():
        assert [number for where, number, _ in gone if where == place] == numbers
        assert_kept(each, [at for where, _, at in gone if where == place])


def assert_kept(kept: list[Pace], times: list[float]) -> None:
    for pace in kept:
        for first, last in zip(times, times[pace.count :], strict=False):
            assert last - first >= pace.seconds - 1e-9


def test_that_no_limit_is_no_wait() -> None:
    async def main() -> None:
        pace = pacer([])
        assert await times_of([pace.wait("a") for _ in range(100)]) == [0.0] * 100

    run(main())


def test_that_one_places_wait_delays_no_other() -> None:
    async def main() -> None:
        pace = pacer([Pace(30, 1.0)], Pace(1, 1.0))
        waits = [pace.wait("busy") for _ in range(5)] + [pace.wait(f"{n}") for n in range(20)]
        assert await times_of(waits) == [0, 1, 2, 3, 4] + [0] * 20

    run(main())


def test_that_a_held_place_waits_and_others_do_not() -> None:
    async def main() -> None:
        pace = pacer([Pace(1, 0.5)])
        pace.hold("a", 30)
        pace.hold("a", 5)  # a shorter one does not end the longer
        waits = [pace.wait("a"), pace.wait("a"), pace.wait("b"), pace.wait("c")]
        assert await times_of(waits) == [30, 30.5, 0, 0.5]

    run(main())


def test_that_a_hold_reaches_those_who_wait_already() -> None:
    async def main() -> None:
        pace = pacer([Pace(1, 1.0)], Pace(2, 10.0))
        waits = asyncio.ensure_future(
            times_of([pace.wait("b"), *(pace.wait(place) for place in "aab")])
        )
        await asyncio.sleep(0.5)
        pace.hold("a", 7)
        assert await waits == [0, 7.5, 8.5, 1.0]

    run(main())


def test_that_a_request_that_ends_late_counts_from_its_end() -> None:
    async def main() -> None:
        paced = pacer([], Pace(2, 1.0))
        await paced.wait("a")
        await paced.wait("a")
        await asyncio.sleep(0.4)
        paced.done("a")

        assert await times_of([paced.wait("a"), paced.wait("a"), paced.wait("b")]) == [
            1.0,
            1.4,
            0.4,
        ]

    run(main())


def test_that_a_hold_of_all_stops_every_place() -> None:
    async def main() -> None:
        pace = pacer([], Pace(1, 1.0))
        pace.hold_all(4)
        assert not pace.take("c")
        assert await times_of([pace.wait("a"), pace.wait("b"), pace.wait("a")]) == [4, 4, 5]

    run(main())


def test_that_taking_never_waits_and_overtakes_nobody() -> None:
    async def main() -> None:
        pace = pacer([], Pace(1, 1.0))
        assert pace.take("a")
        assert not pace.take("a")
        assert pace.take("b")
        waiting = asyncio.ensure_future(times_of([pace.wait("a"), pace.wait("a")]))
        await asyncio.sleep(1.5)
        assert not pace.take("a")
        assert await waiting == [1, 2]
        assert not pace.take("a")
        await asyncio.sleep(1)
        assert pace.take("a")

    run(main())


def test_that_taking_is_refused_while_others_wait_for_the_pace_of_all() -> None:
    async def main() -> None:
        pace = pacer([Pace(1, 1.0)])
        assert pace.take("a")
        waiting = asyncio.ensure_future(times_of([pace.wait("b")]))
        await asyncio.sleep(0.5)
        assert not pace.take("c")
        assert await waiting == [1]

    run(main())


@pytest.mark.parametrize("given_up", list(itertools.combinations(range(4), 2)))
def test_that_who_gives_up_takes_no_place_in_the_order(given_up: tuple[int, ...]) -> None:
    async def main() -> None:
        pace = pacer([Pace(5, 1.0)], Pace(1, 1.0))
        await pace.wait("a")
        waits = [asyncio.create_task(pace.wait("a")) for _ in range(4)]
        await asyncio.sleep(0.5)
        for number in given_up:
            waits[number].cancel()
        for number in set(range(4)) - set(given_up):
            await waits[number]
        assert round(now(), 6) == 2
        assert [wait.cancelled() for wait in waits] == [n in given_up for n in range(4)]

    run(main())


def test_that_quiet_places_are_forgotten() -> None:
    async def main() -> None:
        asked: list[str] = []

        def each(place: str) -> list[Pace]:
            asked.append(place)
            return [Pace(1, 1.0)]

        pace = Pacer([], each, clock=now)
        pace.hold("held", 1e6)
        for number in range(2000):
            await pace.wait(f"chat {number}")
            await asyncio.sleep(0.1)
        assert len(pace._places) < 200
        assert not pace.take("held")
        assert asked.count("held") == 1

    run(main())


@pytest.mark.parametrize(("count", "seconds"), [(0, 1.0), (1, 0.0), (-1, 1.0)])
def test_that_a_pace_of_nothing_is_refused(count: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pace(count, seconds)
