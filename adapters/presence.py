""" "typing …" while an answer is being written, in the background: it never holds up the answer."""

import asyncio
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

Where = TypeVar("Where")


# A quick answer needs no sign, and the platform no request for one.
PATIENCE_SECONDS = 0.25


class Presence(ABC, Generic[Where]):
    """Shows the sign in any number of places, and takes it away when the answer is there."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._tasks: dict[Where, asyncio.Task[None]] = {}

    def start(self, where: Where) -> None:
        """Show the sign; a place that shows it already keeps it."""
        if where not in self._tasks:
            task = asyncio.create_task(self._show_after_a_while(where))
            self._tasks[where] = task
            task.add_done_callback(lambda _: self._forget(where, task))

    def stop(self, where: Where) -> None:
        """Take the sign away."""
        if task := self._tasks.pop(where, None):
            task.cancel()

    async def stop_all(self) -> None:
        """Take every sign away and wait until it is done."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _show_after_a_while(self, where: Where) -> None:
        await asyncio.sleep(self._patience_seconds)
        await self._show(where)

    @abstractmethod
    async def _show(self, where: Where) -> None:
        """Show the sign until cancelled; log what the platform refuses, since nobody misses it."""

    def _forget(self, where: Where, task: asyncio.Task[None]) -> None:
        if self._tasks.get(where) is task:
            del self._tasks[where]
