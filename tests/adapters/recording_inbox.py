"""Where channels under test put what they receive."""

import asyncio
from collections.abc import Callable

from bot.messages import Incoming


class RecordingInbox:
    """Keeps new messages, knows old ones, and fails as often as it is told."""

    def __init__(self) -> None:
        self.accepted: list[Incoming] = []
        self.duplicates: list[Incoming] = []
        self.errors: list[Exception] = []
        self.refusals = 0
        self._keys: set[str] = set()
        self._changed = asyncio.Event()

    async def accept(self, incoming: Incoming) -> bool:
        try:
            if self.errors:
                self.refusals += 1
                raise self.errors.pop()
            is_new = self._keys.isdisjoint(incoming.event_keys)
            (self.accepted if is_new else self.duplicates).append(incoming)
            self._keys.update(incoming.event_keys)
            return is_new
        finally:
            self._changed.set()
            self._changed = asyncio.Event()

    async def until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not is_true():
                await self._changed.wait()

    async def texts(self, count: int) -> list[str]:
        await self.until(lambda: len(self.accepted) >= count)
        return [incoming.text for incoming in self.accepted]
