"""Keeps customers from waiting for a model that fails again and again.

    closed  --5 failures within 10 s, or in a row-->  open  --a good probe-->  closed

While it is open nobody's question goes to the model: a probe of our own asks it each 5 s.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from bot.errors import ModelError
from bot.model_calls import Call, Outcome

logger = logging.getLogger(__name__)

FAILURES = 5
WINDOW_SECONDS = 10.0
PROBE_SECONDS = 5.0

_FAILED: frozenset[Outcome] = frozenset({"empty", "late", "unavailable", "broken", "missing"})

Probe = Callable[[], Awaitable[None]]
Pause = Callable[[float], Awaitable[None]]


class Breaker:
    """Counts failures of the model, and says when not to ask it. `clock` is in seconds."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, pause: Pause = asyncio.sleep
    ) -> None:
        self._clock = clock
        self._pause = pause
        self._failed_at: deque[float] = deque(maxlen=FAILURES)
        self._in_a_row = 0
        self._closed_at = float("-inf")
        self._opened = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether the model must not be asked now."""
        return self._opened.is_set()

    def trouble(self) -> str | None:
        """Say in one sentence why the model must not be asked now, or None when it may be."""
        if not self.is_open:
            return None
        return (
            f"The model failed {FAILURES} times; it is tried again each {PROBE_SECONDS:g} s, and "
            "the articles answer meanwhile."
        )

    def note(self, call: Call) -> None:
        """Take into account how a request ended; what began before the last change says nothing."""
        if self.is_open or call.started < self._closed_at:
            return
        if call.outcome in _FAILED:
            self._count(call.outcome)
        elif call.outcome == "answered" or call.first_token_seconds is not None:
            self._in_a_row = 0

    async def run(self, probe: Probe) -> None:
        """Ask for a probe each few seconds while it is open, until cancelled.

        `probe` raises ModelError when the model still fails.
        """
        while True:
            await self._opened.wait()
            await self._pause(PROBE_SECONDS)
            while not await self._is_well(probe):
                pass
            self._close()

    def _count(self, outcome: Outcome) -> None:
        now = self._clock()
        self._failed_at.append(now)
        self._in_a_row += 1
        is_quick = len(self._failed_at) == FAILURES and now - self._failed_at[0] <= WINDOW_SECONDS
        if is_quick or self._in_a_row >= FAILURES:
            logger.warning("The model is not asked for now; its last call was %s.", outcome)
            self._opened.set()

    async def _is_well(self, probe: Probe) -> bool:
        """Probe once; when it fails, wait until the next one is due."""
        due = self._clock() + PROBE_SECONDS
        try:
            await probe()
        except ModelError as err:
            logger.info("The model still fails: %s.", err)
        except Exception:  # else the model would not be asked again before the next start
            logger.exception("The model could not be probed.")
        else:
            return True
        await self._pause(max(due - self._clock(), 0.0))
        return False

    def _close(self) -> None:
        logger.warning("The model answers again.")
        self._failed_at.clear()
        self._in_a_row = 0
        self._closed_at = self._clock()
        self._opened.clear()
