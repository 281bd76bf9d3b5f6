"""Handing stored replies to their channels: once, again where that is safe, and never twice."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Literal, TypeVar

from sqlite_utils import Database

from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused, LogError
from bot.log import erasure, outbox
from bot.log.store import Store
from bot.messages import Outgoing
from bot.metrics import Metrics
from bot.ports import Channel

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
GIVE_UP_SECONDS = 24 * 3600.0  # of waiting between tries to send one reply

Pause = Callable[[float], Awaitable[None]]


class PatientWriter:
    """Writes to the log, again and again while the database refuses: the disk may get room."""

    def __init__(self, store: Store, pause: Pause = asyncio.sleep) -> None:
        self._store = store
        self._pause = pause

    async def write(self, work: Callable[[Database], T]) -> T:
        """Return what `work` returned, once it is stored. Raises LogError when closed."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._store.write(work)
            except LogError as err:
                if self._store.is_closed:
                    raise
                logger.error("Trying again in %.0f s: %s", pause, err)
            await self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def erase_requested(self, now: datetime) -> None:
        """Erase who asked for it and has been told, from the file and from the WAL beside it."""
        if await self.write(lambda db: erasure.erase_requested(db, now)):
            try:
                await self._store.empty_wal()
            except LogError as err:
                logger.warning("Erased texts are still in the database's WAL: %s", err)


class Sender:
    """Sends stored replies and stores what became of them."""

    def __init__(
        self,
        writer: PatientWriter,
        channels: Mapping[str, Channel],
        metrics: Metrics,
        now: Callable[[], datetime],
        pause: Pause,
    ) -> None:
        self._writer = writer
        self._channels = channels
        self._metrics = metrics
        self._now = now
        self._pause = pause

    async def send(self, outgoing: Outgoing) -> None:
        """Send a reply, again and again until it is settled or the program ends."""
        pause, waited = FIRST_PAUSE_SECONDS, 0.0
        while True:
            is_last = waited >= GIVE_UP_SECONDS
            error = await self._try_once(outgoing, is_last=is_last)
            if error is None:
                return
            wait = error.retry_after_seconds or pause
            await self._pause(wait)
            waited += wait
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _try_once(self, outgoing: Outgoing, *, is_last: bool) -> DeliveryError | None:
        """Send once; return the error when another try may help, else None."""
        leaving = await self._writer.write(lambda db: outbox.start_sending(db, outgoing))
        if leaving is None:
            return None
        try:
            posts = await self._channels[outgoing.channel].send(leaving)
        except DeliveryError as err:
            state = _state_after(err, is_last=is_last)
            error, left, now = str(err), err.posts, self._now()
            logger.warning("Reply %d was not delivered: %s", outgoing.id, error)
            await self._note(lambda db: outbox.not_sent(db, leaving, error, state, now, left))
            self._metrics.undelivered(outgoing.channel, state)
            if state == "ready":
                return err
        else:
            now = self._now()
            await self._note(lambda db: outbox.sent(db, outgoing, posts, now))
        return None

    async def _note(self, note: Callable[[Database], None]) -> None:
        """Store what became of a reply; erase its customer if they were waiting for that alone."""

        def noted(db: Database) -> bool:
            note(db)
            return erasure.is_requested(db)

        if await self._writer.write(noted):
            await self._writer.erase_requested(self._now())


def _state_after(error: DeliveryError, *, is_last: bool) -> Literal["ready", "failed", "in_doubt"]:
    if isinstance(error, DeliveryInDoubt):
        return "in_doubt"
    return "failed" if is_last or isinstance(error, DeliveryRefused) else "ready"
