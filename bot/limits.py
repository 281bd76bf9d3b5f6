"""What answers may take in time and at once, and each customer's share of it.

Counts of a minute live in memory: a restart forgives them. Those of a day are in the log
(bot/log/usage.py).
"""

import asyncio
import contextlib
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

ANSWER_SECONDS = 10.0
MINUTE_SECONDS = 60.0
IDLE_SHARES_LOOKED_AT = 4  # each time one is asked for, so that no sweep is needed

Clock = Callable[[], float]
ShedReason = Literal["queue_full", "late", "own_answers", "messages_per_minute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What all answers, and those for one customer, may take; 0 messages or tokens: no limit.

    Within `answer_seconds` of its arrival something should be seen of the answer to a message.
    Who writes more than `messages_per_minute` is told so, and waits for a minute of
    `minute_seconds`.
    """

    answer_seconds: float = ANSWER_SECONDS
    searches_at_once: int = 8
    most_waiting: int = 1000
    model_calls_at_once: int = 32
    customer_answers_at_once: int = 3
    messages_per_minute: int = 20
    model_calls_per_minute: int = 20
    daily_tokens: int = 200_000
    minute_seconds: float = MINUTE_SECONDS


class Allowance(Protocol):
    """What finding one answer may take."""

    @property
    def encoder_seconds(self) -> float:
        """How long the search may wait for the encoder before words alone decide."""
        ...

    def model_call(self) -> AbstractAsyncContextManager[float]:
        """Wait for leave to ask the model; give how many seconds it may take, 0 without leave."""
        ...


class Unlimited:
    """The allowance of answers that no customer waits for, as in an evaluation."""

    encoder_seconds = math.inf

    @contextlib.asynccontextmanager
    async def model_call(self) -> AsyncIterator[float]:
        """Yield that the model may take for ever."""
        yield math.inf


class Minute:
    """Counts what happened within the last minute, which has so many `seconds`."""

    def __init__(self, clock: Clock, seconds: float = MINUTE_SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._times: deque[float] = deque()

    @property
    def count(self) -> int:
        """How often it happened."""
        begin = self._clock() - self._seconds
        while self._times and self._times[0] <= begin:
            self._times.popleft()
        return len(self._times)

    def add(self, number: int = 1) -> None:
        """Count something that happens now."""
        self._times.extend([self._clock()] * number)


class Share:
    """What one customer has taken of late, over all of their conversations."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self.messages = Minute(clock, limits.minute_seconds)
        self.model_calls = Minute(clock, limits.minute_seconds)
        self.slots = asyncio.Semaphore(limits.customer_answers_at_once)
        self.under_way = 0  # answers that are found, or wait for their turn

    @property
    def has_messages_left(self) -> bool:
        """Whether another message may be answered in this minute."""
        limit = self._limits.messages_per_minute
        return not limit or self.messages.count < limit

    @property
    def has_model_calls_left(self) -> bool:
        """Whether the model may be asked once more in this minute."""
        return self.model_calls.count < self._limits.model_calls_per_minute

    @property
    def is_idle(self) -> bool:
        """Whether forgetting it changes nothing."""
        return not (self.under_way or self.messages.count or self.model_calls.count)


class Shares:
    """The shares of those who wrote in the last minute, by channel and customer."""

    def __init__(self, limits: Limits, clock: Clock = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._shares: OrderedDict[tuple[str, str], Share] = OrderedDict()

    def __len__(self) -> int:
        return len(self._shares)

    def of(self, channel: str, customer: str) -> Share:
        """Return a customer's share."""
        self._forget_idle()
        share = self._shares.setdefault((channel, customer), Share(self._limits, self._clock))
        self._shares.move_to_end((channel, customer))
        return share

    def _forget_idle(self) -> None:
        for key in list(self._oldest()):
            if self._shares[key].is_idle:
                del self._shares[key]

    def _oldest(self) -> list[tuple[str, str]]:
        keys = iter(self._shares)
        return [key for key, _ in zip(keys, range(IDLE_SHARES_LOOKED_AT), strict=False)]
