"""Who writes faster than is answered: what they write meanwhile waits, in the inbox alone."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from bot.log.inbox import Received


class Author(NamedTuple):
    """One customer in one conversation."""

    channel: str
    address: str
    customer: str

    @classmethod
    def of(cls, message: Received) -> "Author":
        """Return who wrote a message, and where."""
        return cls(message.channel, message.address, message.customer)


class Holds:
    """Lets authors wait for `seconds`, and then calls `release` with each."""

    def __init__(self, seconds: float, release: Callable[[Author], None]) -> None:
        self._seconds = seconds
        self._release = release
        self._timers: dict[Author, asyncio.TimerHandle] = {}

    def has(self, message: Received) -> bool:
        """Return whether a message has to wait."""
        return Author.of(message) in self._timers

    def begin(self, author: Author) -> None:
        """Let everything wait that somebody writes from now on."""
        if author not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[author] = loop.call_later(self._seconds, self._end, author)

    def close(self) -> None:
        """Release nobody any more: the program ends, and what waits is answered after its start."""
        for timer in self._timers.values():
            timer.cancel()

    def _end(self, author: Author) -> None:
        del self._timers[author]
        self._release(author)
