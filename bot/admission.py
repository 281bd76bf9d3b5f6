"""Who is answered now, who waits for it, and who is told that there is too much to do.

An answer is first found in the articles, which takes a processor; only so many do that at once,
first come, first served. Then it may wait for the model, which is asked only if that can be in
time. No customer has more than a few answers under way, so a flood waits behind itself.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal

from bot.limits import Clock, Limits, Share, Shares, ShedReason
from bot.metrics import Metrics

RESERVE_SECONDS = 1.5  # for storing and sending what was found, where nothing waits to be sent
PATIENCE_SECONDS = 60.0  # who waited longer, for a platform perhaps, gets a good answer at last
LEAST_WAIT_SECONDS = 1.0  # for a message that waited for the one before it
LEAST_MODEL_SECONDS = 1.0
LONGEST_MODEL_WAIT_SECONDS = 3.0  # better the article now than a draft much later
ENCODER_SECONDS = 1.5
CROWDED_SECONDS = 2.0  # of searches before the last who waits: from there words alone decide
LIKELY_CALL_SECONDS = 2.0  # until calls of the model have been timed
LIKELY_SEARCH_SECONDS = 0.2  # until searches have been
_WEIGHT_OF_NEWEST = 0.2

SkipReason = Literal["late", "model_calls_per_minute", "daily_tokens"]


class Overloaded(Exception):
    """A message can't be answered in time, which is said to the customer."""

    def __init__(self, reason: ShedReason) -> None:
        super().__init__(reason)
        self.reason: ShedReason = reason


class ModelQueue:
    """Lets so many calls of the model run at once, first come, first served."""

    def __init__(self, at_once: int, clock: Clock) -> None:
        self._at_once = at_once
        self._clock = clock
        self._free = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._typical_seconds = LIKELY_CALL_SECONDS

    @contextlib.asynccontextmanager
    async def call(self, end: float) -> AsyncIterator[float]:
        """Yield how many seconds a call may take, 0 where it could not be done by `end`."""
        if not await self._enter(end):
            yield 0.0
            return
        started = self._clock()
        try:
            yield end - started
        finally:
            self._free.release()
            took = self._clock() - started
            self._typical_seconds += _WEIGHT_OF_NEWEST * (took - self._typical_seconds)

    async def _enter(self, end: float) -> bool:
        left = min(end - self._clock() - LEAST_MODEL_SECONDS, LONGEST_MODEL_WAIT_SECONDS)
        if self._likely_wait() > left or left < 0:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(left):
                await self._free.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True

    def _likely_wait(self) -> float:
        if not self._free.locked():
            return 0.0
        return self._typical_seconds * (self._waiting + 1) / self._at_once


class Admitted:
    """What one answer may take (an Allowance). `end` is the clock's time when it should be seen."""

    def __init__(self, admission: "Admission", channel: str, share: Share, end: float) -> None:
        self._of = admission
        self._channel = channel
        self._share = share
        self._end = end
        self._has_begun = self._holds_slot = False
        self._begun_at = 0.0
        self.may_spend_tokens = True
        self.model_calls = 0

    @property
    def encoder_seconds(self) -> float:
        """How long the search may wait for the encoder before words alone decide."""
        if self._of.is_crowded:
            return 0.0
        return max(min(ENCODER_SECONDS, self._seconds_left()), 0.0)

    @contextlib.asynccontextmanager
    async def model_call(self) -> AsyncIterator[float]:
        """Yield how many seconds the model may take, 0 where it must not be asked."""
        self._free_slot()
        if reason := self._refusal():
            self._of.metrics.model_skipped(reason)
            yield 0.0
            return
        reserve = RESERVE_SECONDS + self._of.sending_seconds(self._channel)
        async with self._of.model_queue.call(self._end - reserve) as seconds:
            if seconds:
                self.model_calls += 1
                self._share.model_calls.add()
            else:
                self._of.metrics.model_skipped("late")
            yield seconds

    async def begin(self) -> None:
        """Wait for the answer's turn. Raises Overloaded when it does not come in time."""
        await self._of.begin(self._end)
        self._has_begun = self._holds_slot = True
        self._begun_at = self._of.clock()
        self._of.running += 1

    def leave(self) -> None:
        """Let others have what was taken."""
        self._free_slot()
        if self._has_begun:
            self._has_begun = False
            self._of.running -= 1

    def _free_slot(self) -> None:
        # The next answer can begin: what is left of this one takes no processor.
        if self._holds_slot:
            self._holds_slot = False
            self._of.note_search(self._of.clock() - self._begun_at)
            self._of.slots.release()

    def _refusal(self) -> SkipReason | None:
        if not self.may_spend_tokens:
            return "daily_tokens"
        return None if self._share.has_model_calls_left else "model_calls_per_minute"

    def _seconds_left(self) -> float:
        return self._end - RESERVE_SECONDS - self._of.clock()


@dataclass(frozen=True, slots=True)
class Entry:
    """A message at the door. Its time began `since` (the clock's seconds)."""

    channel: str
    customer: str
    since: float


class Admission:
    """The door to the answers.

    `sending_seconds` says how long a channel takes to send all that is under way there.
    """

    def __init__(
        self,
        limits: Limits,
        metrics: Metrics,
        sending_seconds: Callable[[str], float],
        clock: Clock = time.monotonic,
    ) -> None:
        self.limits = limits
        self.metrics = metrics
        self.sending_seconds = sending_seconds
        self.clock = clock
        self.shares = Shares(limits, clock)
        self.model_queue = ModelQueue(limits.model_calls_at_once, clock)
        self.slots = asyncio.Semaphore(limits.searches_at_once)
        self.waiting = 0
        self.running = 0
        self._typical_seconds = LIKELY_SEARCH_SECONDS

    @property
    def is_crowded(self) -> bool:
        """Whether so many wait that searches must be quick."""
        before_the_last = self.waiting / self.limits.searches_at_once * self._typical_seconds
        return before_the_last > CROWDED_SECONDS

    def note_search(self, seconds: float) -> None:
        """Learn how long a search takes."""
        self._typical_seconds += _WEIGHT_OF_NEWEST * (seconds - self._typical_seconds)

    @contextlib.asynccontextmanager
    async def enter(self, entry: Entry) -> AsyncIterator[Admitted]:
        """Yield what an answer may take, once only a few of the same customer are under way.

        Raises Overloaded when that is not in time.
        """
        share = self.shares.of(entry.channel, entry.customer)
        share.under_way += 1
        try:
            end = self._begin_of(entry) + self.limits.answer_seconds
            await self._acquire(share.slots, end, "own_answers")
            admitted = Admitted(self, entry.channel, share, end)
            try:
                yield admitted
            finally:
                admitted.leave()
                share.slots.release()
        finally:
            share.under_way -= 1

    def _begin_of(self, entry: Entry) -> float:
        now = self.clock()
        return now if now - entry.since > PATIENCE_SECONDS else entry.since

    async def begin(self, end: float) -> None:
        """Wait for one of the slots. Raises Overloaded when too many wait, or it takes too long."""
        if self.waiting >= self.limits.most_waiting:
            raise Overloaded("queue_full")
        self.waiting += 1
        try:
            await self._acquire(self.slots, end, "late")
        finally:
            self.waiting -= 1

    async def _acquire(self, slots: asyncio.Semaphore, end: float, reason: ShedReason) -> None:
        seconds = max(end - RESERVE_SECONDS - self.clock(), LEAST_WAIT_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                await slots.acquire()
        except TimeoutError:
            raise Overloaded(reason) from None
