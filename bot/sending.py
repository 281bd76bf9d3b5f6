"""Handing stored replies to their channels: once, again where that is safe, and never twice."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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
            is_more = await self.write(lambda db: erasure.sweep(db, now, is_first=True))
            while is_more:
                is_more = await self.write(lambda db: erasure.sweep(db, now, is_first=False))
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
        with self._metrics.sending(outgoing.channel):
            await self._send(outgoing)

    async def _send(self, outgoing: Outgoing) -> None:
        pause, waited = FIRST_PAUSE_SECONDS, 0.0
        while True:
            is_last = waited >= GIVE_UP_SECONDS
            error = await self._try_once(outgoing, is_last=is_last)
            if error is None:
                return
            self._metrics.sent_again(outgoing.channel)
            wait = error.retry_after_seconds or pause
            await self._pause(wait)
            waited += wait
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _try_once(self, outgoing: Outgoing, *, is_last: bool) -> DeliveryError | None:
        """Send once; return the error when another try may help, else None."""
        waiting = await self._writer.write(lambda db: outbox.waiting(db, outgoing))
        if waiting is None:
            return None
        trial = Trial(waiting.outgoing, is_doubtful=waiting.is_doubtful, is_last=is_last)
        try:
            posts = await self._carry_out(trial)
        except DeliveryError as err:
            return await self._note_failure(trial, err)
        except LogError:  # the program ends
            raise
        except Exception as err:  # a defect of the channel's: what it posted, nobody knows
            logger.exception("Reply %d could not be sent.", outgoing.id)
            kind = DeliveryInDoubt if trial.has_begun else DeliveryError
            return await self._note_failure(trial, kind(f"A defect ({type(err).__name__})."))
        now = self._now()
        await self._note(lambda db: outbox.sent(db, trial.outgoing, posts, now))
        self._metrics.delivered(outgoing.channel, (now - waiting.asked_at).total_seconds())
        return None

    async def _carry_out(self, trial: "Trial") -> tuple[str, ...]:
        """Make sending repeatable, store that it begins, and send."""
        channel, outgoing = self._channels[trial.outgoing.channel], trial.outgoing
        posts = outgoing.replaces
        if not outgoing.is_retraction:  # to delete is repeatable as it is
            posts = await channel.prepare(outgoing, is_doubtful=trial.is_doubtful)
        trial.outgoing = await self._writer.write(
            lambda db: outbox.start_sending(db, outgoing, posts)
        )
        trial.has_begun = True
        return await channel.send(trial.outgoing)

    async def _note_failure(self, trial: "Trial", err: DeliveryError) -> DeliveryError | None:
        """Store what went wrong; return the error when another try may help, else None."""
        state, now = trial.state_after(err), self._now()
        logger.warning("Reply %d was not delivered: %s", trial.outgoing.id, err)
        await self._note(
            lambda db: outbox.not_sent(
                db,
                trial.outgoing,
                str(err),
                state,
                now,
                err.posts,
                is_doubtful=trial.is_doubtful_after(err),
            )
        )
        self._metrics.undelivered(trial.outgoing.channel, state)
        return err if state == "ready" else None

    async def _note(self, note: Callable[[Database], None]) -> None:
        """Store what became of a reply; erase its customer if they were waiting for that alone."""

        def noted(db: Database) -> bool:
            note(db)
            return erasure.is_requested(db)

        if await self._writer.write(noted):
            await self._writer.erase_requested(self._now())


@dataclass(slots=True)
class Trial:
    """One try to send a reply. `has_begun`: something of it may have reached the platform."""

    outgoing: Outgoing
    is_doubtful: bool
    is_last: bool
    has_begun: bool = False

    def state_after(self, error: DeliveryError) -> Literal["ready", "failed", "in_doubt"]:
        """Return what becomes of a reply: what was lost on the way is looked for by the next try.

        Where looking for it finds nothing out, a person decides.
        """
        if isinstance(error, DeliveryRefused):
            return "failed"
        if isinstance(error, DeliveryInDoubt) and (self.is_last or not self.has_begun):
            return "in_doubt"
        return "failed" if self.is_last else "ready"

    def is_doubtful_after(self, error: DeliveryError) -> bool:
        """Return whether the next try must find out first what was posted."""
        return isinstance(error, DeliveryInDoubt) if self.has_begun else self.is_doubtful
