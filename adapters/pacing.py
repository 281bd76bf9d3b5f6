"""How fast requests may go to a platform: in one place, and everywhere together.

A `Pacer` counts requests in sliding windows. Those who wait for one place go in the order in which
they came, and one place's wait never holds up another. Only the pace for everywhere, and
`hold_all`, concern all places.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

_SWEEP_FROM = 64  # places; below it nothing is worth forgetting


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `count` requests in any `seconds`. Raises ValueError unless both are positive."""

    count: int
    seconds: float

    def __post_init__(self) -> None:
        if self.count < 1 or self.seconds <= 0:
            raise ValueError(f"A pace needs a count and a time above 0, not {self!r}.")


class _Gate:
    """Some paces and a hold, with the requests that count towards them."""

    def __init__(self, paces: Iterable[Pace]) -> None:
        self._windows = [(pace.seconds, deque[float](maxlen=pace.count)) for pace in paces]
        self._held_until = float("-inf")
        self.turn = asyncio.Lock()  # first come, first served
        self.waiting = 0

    def opens_at(self) -> float:
        """Return from when on one more request may go."""
        full = [times[0] + s for s, times in self._windows if len(times) == times.maxlen]
        return max([self._held_until, *full])

    def record(self, now: float) -> None:
        for _, times in self._windows:
            times.append(now)

    def redate_newest(self, now: float) -> None:
        for _, times in self._windows:
            if times:
                times[-1] = now

    def hold(self, until: float) -> None:
        self._held_until = max(self._held_until, until)

    def is_idle(self, now: float) -> bool:
        """Return whether a new gate would behave the same."""
        last = (times[-1] + seconds for seconds, times in self._windows if times)
        return not self.waiting and max(last, default=now) <= now and self._held_until <= now


class Pacer:
    """Lets requests to one platform go as fast as its limits allow.

    `everywhere` limits all places together, `each(place)` one of them; a place's limits are asked
    for again after it has been quiet. `clock` and `sleep` must agree about time.
    """

    def __init__(
        self,
        everywhere: Sequence[Pace],
        each: Callable[[str], Sequence[Pace]],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._all = _Gate(everywhere)
        self._each = each
        self._clock = clock
        self._sleep = sleep
        self._places: dict[str, _Gate] = {}
        self._sweep_at = _SWEEP_FROM

    async def wait(self, place: str) -> None:
        """Return when one more request may go to this place; it counts from then on."""
        gate = self._gate(place)
        gate.waiting += 1
        try:
            async with gate.turn:
                await self._pass(gate)
        finally:
            gate.waiting -= 1

    def take(self, place: str) -> bool:
        """Return whether a request may go at once, ahead of nobody; if so, it counts."""
        gate, now = self._gate(place), self._clock()
        if gate.waiting or self._all.turn.locked():
            return False
        if max(gate.opens_at(), self._all.opens_at()) > now:
            return False
        self._record(gate, now)
        return True

    def done(self, place: str) -> None:
        """Count the newest request to a place from now: it may have arrived long after it left."""
        self._gate(place).redate_newest(self._clock())

    def hold(self, place: str, seconds: float) -> None:
        """Let nothing go to this place for so long: its platform asked for that."""
        self._gate(place).hold(self._clock() + seconds)

    def hold_all(self, seconds: float) -> None:
        """Let nothing go anywhere for so long."""
        self._all.hold(self._clock() + seconds)

    async def _pass(self, gate: _Gate) -> None:
        while True:
            await self._until_open(gate)
            async with self._all.turn:
                await self._until_open(self._all)
                now = self._clock()
                # The place may have been held meanwhile, and others must not wait for that here.
                if gate.opens_at() <= now:
                    self._record(gate, now)
                    return

    async def _until_open(self, gate: _Gate) -> None:
        while (seconds := gate.opens_at() - self._clock()) > 0:
            await self._sleep(seconds)

    def _record(self, gate: _Gate, now: float) -> None:
        gate.record(now)
        self._all.record(now)

    def _gate(self, place: str) -> _Gate:
        if (gate := self._places.get(place)) is None:
            if len(self._places) >= self._sweep_at:
                self._forget_idle_places()
            gate = self._places[place] = _Gate(self._each(place))
        return gate

    def _forget_idle_places(self) -> None:
        now = self._clock()
        self._places = {p: gate for p, gate in self._places.items() if not gate.is_idle(now)}
        # Twice what is left, so that sweeping costs each new place the same little time.
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self._places))
