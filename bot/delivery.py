"""Between channels and conversations: nothing is lost on the way, nothing is answered twice.

A message is stored under its platform's keys before the platform is told that it arrived; its
answer is stored, with all that led to it, before it is sent; that it was sent is stored after.
Conversations run side by side, one conversation's messages one after the other. docs/delivery.md
says what happens when the program ends at each of these steps.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from sqlite_utils import Database

from bot.conversation import Answer, ConversationManager
from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused, LogError
from bot.log import record
from bot.log.record import Received
from bot.log.store import Store
from bot.messages import Incoming, Outgoing, Stage
from bot.metrics import Metrics
from bot.ports import Channel
from bot.privacy import mask
from bot.understanding import clean

logger = logging.getLogger(__name__)

T = TypeVar("T")

HISTORY_TURNS = 12
ANSWERED_AT_ONCE = 64
LARGEST_ATTEMPTS = 3  # a message that ended the program this often is handed to a person
LONGEST_KEPT = 10_000  # characters of a message; more than is read as a question
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
GIVE_UP_SECONDS = 24 * 3600.0  # of waiting between tries to send one reply

Task = Received | Outgoing


class Delivery:
    """Takes messages from channels, has them answered, and sends the answers."""

    def __init__(
        self,
        store: Store,
        conversations: ConversationManager,
        metrics: Metrics,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._conversations = conversations
        self._metrics = metrics
        self._now = now
        self._pause = pause
        self._channels: dict[str, Channel] = {}
        self._waiting: dict[tuple[str, str], deque[Task]] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._slots = asyncio.Semaphore(ANSWERED_AT_ONCE)

    def add(self, channel: Channel) -> None:
        """Let a channel receive replies."""
        self._channels[channel.name] = channel

    async def accept(self, incoming: Incoming) -> bool:
        """Store a message and have it answered; return False for one that came before.

        Raises LogError when it could not be stored.
        """
        # Shielded: the writer commits it even if whoever waits for it goes away meanwhile, and
        # what is stored must be answered.
        accepting = asyncio.create_task(self._accept(incoming))
        self._running.add(accepting)
        accepting.add_done_callback(self._running.discard)
        return await asyncio.shield(accepting)

    async def _accept(self, incoming: Incoming) -> bool:
        text = await asyncio.to_thread(_without_private_data, incoming.text)
        masked, now = replace(incoming, text=text), self._now()
        receipt = await self._store.write(lambda db: record.receive(db, masked, now))
        self._metrics.received(incoming.channel, is_new=receipt.is_new)
        if receipt.waiting:  # a redelivery helps a message along that lost its place in the queue
            self._enqueue((receipt.waiting.channel, receipt.waiting.address), receipt.waiting)
        return receipt.is_new

    async def resume(self) -> None:
        """Go on with what an earlier run of the program left unfinished."""
        now = self._now()
        doubtful = await self._store.write(lambda db: record.doubt_interrupted(db, now))
        if doubtful:
            logger.warning("%d replies were interrupted while being sent; see the log.", doubtful)
        tasks: Iterable[Task] = [
            *await self._store.read(record.unsent),
            *await self._store.read(record.unanswered),
        ]
        for task in tasks:
            if task.channel in self._channels:
                self._enqueue((task.channel, task.address), task)

    async def finish(self, seconds: float) -> None:
        """Wait for running answers; what is left after `seconds` goes on at the next start."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _enqueue(self, conversation: tuple[str, str], task: Task) -> None:
        if conversation in self._waiting:
            self._waiting[conversation].append(task)
            return
        self._waiting[conversation] = deque([task])
        running = asyncio.create_task(self._run(conversation))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _run(self, conversation: tuple[str, str]) -> None:
        """Work off one conversation's messages in order."""
        waiting = self._waiting[conversation]
        try:
            while waiting:
                await self._handle(waiting.popleft())
        finally:
            del self._waiting[conversation]

    async def _handle(self, task: Task) -> None:
        try:
            if isinstance(task, Outgoing):
                await self._send(task)
                return
            async with self._slots:
                outgoing = await self._answer(task)
            if outgoing:
                await self._send(outgoing)
        except Exception:  # the conversation's next message must not wait for the next start too
            logger.exception("Message or reply %d could not be finished.", task.id)

    async def _answer(self, received: Received) -> Outgoing | None:
        """Return the stored reply to a message, or None when it was answered before."""
        if not await self._write(lambda db: record.start_attempt(db, received)):
            return None
        context = await self._store.read(
            lambda db: record.context(db, received.channel, received.address, HISTORY_TURNS)
        )
        answer = await self._find_answer(received, context)
        now = self._now()
        outgoing = await self._write(lambda db: record.exchange(db, received, answer, now))
        self._metrics.answered(received.channel, answer)
        return outgoing

    async def _write(self, work: Callable[[Database], T]) -> T:
        """Write, again and again while the database refuses: the disk may get room."""
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

    async def _find_answer(self, received: Received, context: record.Context) -> Answer:
        # The channel may know the language of a customer who has not written yet.
        language = context.language or received.language
        if received.attempts >= LARGEST_ATTEMPTS:
            logger.error("Message %d ended the program before; handed off.", received.id)
            return self._conversations.failure(received.text, language)

        async def progress(stage: Stage) -> None:
            await self._channels[received.channel].show_progress(received.address, stage)

        try:
            return await self._conversations.answer(
                received.text, context.history, language, progress
            )
        except Exception:  # the edge of one message: the customer still gets an answer
            logger.exception("Message %d could not be answered.", received.id)
            return self._conversations.failure(received.text, language)

    async def _send(self, outgoing: Outgoing) -> None:
        """Send a reply, again and again until it is settled or the program ends."""
        pause, waited = FIRST_PAUSE_SECONDS, 0.0
        while True:
            is_last = waited >= GIVE_UP_SECONDS
            error = await self._try_to_send(outgoing, is_last=is_last)
            if error is None:
                return
            wait = error.retry_after_seconds or pause
            await self._pause(wait)
            waited += wait
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _try_to_send(self, outgoing: Outgoing, *, is_last: bool) -> DeliveryError | None:
        """Send once; return the error when another try may help, else None."""
        if not await self._write(lambda db: record.start_sending(db, outgoing)):
            return None
        try:
            platform_id = await self._channels[outgoing.channel].send(outgoing)
        except DeliveryError as err:
            state = _state_after(err, is_last=is_last)
            error, now = str(err), self._now()
            logger.warning("Reply %d was not delivered: %s", outgoing.id, error)
            await self._write(lambda db: record.not_sent(db, outgoing, error, state, now))
            self._metrics.undelivered(outgoing.channel, state)
            return err if state == "ready" else None
        now = self._now()
        await self._write(lambda db: record.sent(db, outgoing, platform_id, now))
        return None


def _state_after(error: DeliveryError, *, is_last: bool) -> Literal["ready", "failed", "in_doubt"]:
    if isinstance(error, DeliveryInDoubt):
        return "in_doubt"
    return "failed" if is_last or isinstance(error, DeliveryRefused) else "ready"


def _without_private_data(text: str) -> str:
    kept = mask(clean(text[:LONGEST_KEPT]))
    if len(text) <= LONGEST_KEPT:
        return kept
    # A message this long is no question, and masking takes time for each character.
    return f"{kept} [… {len(text):,}]"
