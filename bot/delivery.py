"""Between channels and conversations: nothing is lost on the way, nothing is answered twice.

A message is stored under its platform's keys before the platform is told that it arrived; its
answer is stored, with all that led to it, before it is sent; that it was sent is stored after.
Conversations run side by side, one conversation's messages one after the other. docs/delivery.md
says what happens when the program ends at each of these steps.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from bot.admission import Admission
from bot.answering import Answerer, Transcribe
from bot.conversation import Answer, ConversationManager
from bot.holds import Author, Holds
from bot.limits import Limits, Share
from bot.lines import Line, Removal, Task
from bot.log import feedback, inbox, outbox, record
from bot.log.inbox import Received
from bot.log.store import Store
from bot.messages import Feedback, Incoming, Outgoing, Withdrawal
from bot.metrics import Metrics
from bot.ports import Channel
from bot.privacy import mask
from bot.sending import PatientWriter, Pause, Sender
from bot.understanding import clean

logger = logging.getLogger(__name__)

T = TypeVar("T")

QUICKLY_MASKED = 500  # characters: about a millisecond
LONGEST_KEPT = 10_000  # characters of a message; more than is read as a question


class Delivery:
    """Takes messages from channels, has them answered, and sends the answers.

    `streams` are the names of the channels where answers appear while they are written.
    """

    def __init__(
        self,
        store: Store,
        conversations: ConversationManager,
        metrics: Metrics,
        *,
        streams: frozenset[str] = frozenset(),
        burst_seconds: float = 0.0,
        transcribe: Transcribe | None = None,
        limits: Limits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._store = store
        self._writer = PatientWriter(store, pause)
        self._metrics = metrics
        self._now = now
        self._channels: dict[str, Channel] = {}
        limits = limits or Limits()
        self._admission = Admission(limits, metrics, self._sending_seconds)
        self._holds = Holds(limits.minute_seconds, self._release)
        self._since: dict[int, float] = {}  # when each message that waits began to
        self._answerer = Answerer(
            store,
            self._writer,
            conversations,
            self._channels,
            self._admission,
            streams=streams,
            burst_seconds=burst_seconds,
            transcribe=transcribe,
            now=now,
            pause=pause,
        )
        self._sender = Sender(self._writer, self._channels, metrics, now, pause)
        self._lines: dict[tuple[str, str], Line] = {}
        self._lines_at: Counter[str] = Counter()  # by channel
        self._doors: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._running: set[asyncio.Task[Any]] = set()
        metrics.watch_answers(
            waiting=lambda: self._admission.waiting,
            running=lambda: self._admission.running,
            oldest_seconds=self._oldest_seconds,
        )

    def add(self, channel: Channel) -> None:
        """Let a channel receive replies."""
        self._channels[channel.name] = channel

    # What channels bring.

    async def accept(self, incoming: Incoming) -> bool:
        """Store a message and have it answered; return False for one that came before.

        Raises LogError when it could not be stored.
        """
        return await self._shielded(self._accept(incoming))

    async def withdraw(self, withdrawal: Withdrawal) -> bool:
        """Store that a message was deleted, and take its answer back; False if it is unknown.

        Raises LogError when it could not be stored.
        """
        return await self._shielded(self._withdraw(withdrawal))

    async def rate(self, rating: Feedback) -> bool:
        """Store what a customer thinks of a reply; False if there is no such reply.

        Raises LogError when it could not be stored.
        """
        masked, now = replace(rating, comment=mask(clean(rating.comment))), self._now()
        return await self._store.write(lambda db: feedback.rate(db, masked, now))

    async def move(self, channel: str, old: str, new: str) -> None:
        """Let conversations go on at another address. Raises LogError when it can't be stored."""
        await self._store.write(lambda db: record.move(db, channel, old, new))

    def pass_on(self, outgoing: Outgoing) -> None:
        """Have a stored message sent that answers nothing new, behind what is under way there."""
        if outgoing.channel in self._channels:
            self._enqueue(_place(outgoing), outgoing)

    def leave(self, channel: str, event_key: str, address: str) -> None:
        """Let the model stop: nobody waits any more for the answer to a message.

        It is answered all the same, from the articles, and stored for when they come back.
        """
        if line := self._lines.get((channel, address)):
            line.leave(event_key)

    async def _accept(self, incoming: Incoming) -> bool:
        # One after the other: a long message takes longer to mask than the short one behind it.
        place = (incoming.channel, incoming.address)
        async with self._doors.setdefault(place, asyncio.Lock()):
            text = await _without_private_data(incoming.text)
            masked, now = replace(incoming, text=text), self._now()
            receipt = await self._store.write(lambda db: inbox.receive(db, masked, now))
        self._metrics.received(incoming.channel, is_new=receipt.is_new)
        if receipt.waiting:  # a redelivery helps a message along that lost its place in the queue
            self._enqueue(_place(receipt.waiting), receipt.waiting)
        return receipt.is_new

    async def _withdraw(self, withdrawal: Withdrawal) -> bool:
        now = self._now()
        withdrawn = await self._store.write(lambda db: inbox.withdraw(db, withdrawal, now))
        if withdrawn is None:
            return False
        removal = Removal(withdrawn)
        self._enqueue(_place(removal), removal)
        return True

    async def _shielded(self, work: Coroutine[Any, Any, T]) -> T:
        # The writer commits it even if whoever waits for it goes away meanwhile, and what is
        # stored must be answered.
        return await asyncio.shield(self._start(work))

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    # Going on, and ending.

    async def resume(self) -> None:
        """Go on with what an earlier run of the program left unfinished."""
        now = self._now()
        if doubtful := await self._store.write(outbox.doubt_interrupted):
            logger.warning("The sending of %d replies was interrupted; it goes on.", doubtful)
        await self._writer.erase_requested(now)
        left: list[Task] = [
            *await self._store.read(outbox.unsent),
            *map(Removal, await self._store.read(inbox.withdrawn)),
            *await self._store.read(inbox.unanswered),
        ]
        for task in left:
            place = _place(task)
            if place[0] in self._channels:
                self._enqueue(place, task)

    async def finish(self, seconds: float) -> None:
        """Wait for running answers; what is left after `seconds` goes on at the next start."""
        self._holds.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        # Again and again: a message that is being stored begins to be answered meanwhile.
        while self._running and (left := end - loop.time()) > 0:
            await asyncio.wait(self._running, timeout=left)
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    # One conversation.

    def _enqueue(self, place: tuple[str, str], task: Task) -> None:
        if isinstance(task, Received):
            if self._holds.has(task):
                return
            self._since.setdefault(task.id, time.monotonic())
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = Line()
            self._lines_at[place[0]] += 1
            self._start(self._work_off(place, line))
        line.add(task)

    async def _work_off(self, place: tuple[str, str], line: Line) -> None:
        """Work off one conversation's tasks in order."""
        try:
            while task := line.next():
                await self._handle(line, task)
        finally:
            del self._lines[place]
            self._lines_at[place[0]] -= 1

    async def _handle(self, line: Line, task: Task) -> None:
        try:
            if outgoing := await self._outgoing(line, task):
                await self._sender.send(outgoing)
        except Exception:  # the conversation's next message must not wait for the next start too
            logger.exception("A task of a conversation could not be finished.")

    async def _outgoing(self, line: Line, task: Task) -> Outgoing | None:
        """Return what is to be sent for a task, stored; None when there is nothing to send."""
        if isinstance(task, Outgoing):
            return task
        if isinstance(task, Removal):
            withdrawn, now = task.message, self._now()
            return await self._writer.write(lambda db: record.retraction(db, withdrawn, now))
        counted: set[int] = set()
        try:
            if self._holds.has(task):  # it came before its author was asked to wait
                counted.add(task.id)
                return None
            return await self._answer(line, counted)
        except Exception:  # the edge of one message: nobody waits in silence for the next start
            if self._store.is_closed:
                raise
            logger.exception("Message %d could not be answered.", task.id)
            return await self._hand_off(line, counted)
        finally:
            line.answering = []
            for message in counted:
                self._since.pop(message, None)

    async def _answer(self, line: Line, counted: set[int]) -> Outgoing | None:
        """Return the stored reply to what the customer wrote, or None when nothing waits for one.

        Begins anew whenever the customer adds to it, changes it or takes some of it back.
        """
        model_calls = 0
        while True:
            line.absorb()
            if self._must_wait(line, counted):
                return None
            batch = await self._begin_attempt(line, counted)
            if not batch:
                return None
            if not self._share_of(batch).has_messages_left:
                return await self._ask_to_slow_down(batch)
            since = min(self._since.get(each.id, time.monotonic()) for each in batch)
            attempt = self._answerer.attempt(batch, since, has_stopped=line.has_stopped)
            answer = await line.until_interrupted(attempt)
            model_calls += attempt.model_calls
            if answer:
                answer = replace(answer, model_calls=model_calls)
                if outgoing := await self._store_answer(attempt.batch, answer):
                    return outgoing

    async def _hand_off(self, line: Line, counted: set[int]) -> Outgoing | None:
        """Return the stored hand-off of what could not be answered, if it still waits."""
        batch = await self._begin_attempt(line, counted)
        return await self._store_answer(batch, self._answerer.failure(batch)) if batch else None

    def _must_wait(self, line: Line, counted: set[int]) -> bool:
        """Hold a new version of somebody who writes too fast: the old one's answer stands."""
        if not line.answering or self._share_of(line.answering).has_messages_left:
            return False
        last = line.answering[-1]
        if last.edits is None:
            return False
        self._holds.begin(Author.of(last))
        counted.add(last.id)
        return True

    async def _ask_to_slow_down(self, batch: Sequence[Received]) -> Outgoing | None:
        """Return the stored request to wait, said once."""
        self._holds.begin(Author.of(batch[-1]))
        answer = await self._answerer.shed(batch, "messages_per_minute")
        return await self._store_answer(batch, answer)

    def _release(self, author: Author) -> None:
        self._start(self._take_up(author))

    async def _take_up(self, author: Author) -> None:
        """Have everything answered that somebody wrote while they were asked to wait."""
        try:
            left = await self._store.read(inbox.unanswered)
        except Exception:
            logger.exception("What waits in the inbox can't be read; it is tried again.")
            self._holds.begin(author)
            return
        for message in left:  # wherever they wrote: the conversation may have moved
            if (message.channel, message.customer) == (author.channel, author.customer):
                self._enqueue(_place(message), message)

    def _oldest_seconds(self) -> float:
        now = time.monotonic()
        return now - min(self._since.values(), default=now)

    def _sending_seconds(self, channel: str) -> float:
        """Return how long a channel takes to send the answers that are under way there."""
        return self._lines_at[channel] / self._channels[channel].answers_a_second

    def _share_of(self, batch: Sequence[Received]) -> Share:
        return self._admission.shares.of(batch[-1].channel, batch[-1].customer)

    async def _begin_attempt(self, line: Line, counted: set[int]) -> list[Received]:
        """Return the messages that still wait, as they read now; each is counted once."""
        ids = [message.id for message in line.answering]
        fresh = set(ids) - counted
        counted |= fresh
        line.answering = await self._writer.write(lambda db: inbox.start_attempt(db, ids, fresh))
        return line.answering

    async def _store_answer(self, batch: Sequence[Received], answer: Answer) -> Outgoing | None:
        now = self._now()
        outgoing = await self._writer.write(lambda db: record.exchange(db, batch, answer, now))
        if outgoing is None:
            return None
        self._metrics.answered(outgoing.channel, answer)
        if outgoing.source == "busy":
            self._metrics.shed(answer.decision.policy.removeprefix("overload/"))
        else:
            self._share_of(batch).messages.add(len(batch))
        return outgoing


def _place(task: Task) -> tuple[str, str]:
    told = task.message if isinstance(task, Removal) else task
    return told.channel, told.address


async def _without_private_data(text: str) -> str:
    if len(text) <= QUICKLY_MASKED:
        return _masked(text)
    return await asyncio.to_thread(_masked, text)


def _masked(text: str) -> str:
    kept = mask(clean(text[:LONGEST_KEPT]))
    if len(text) <= LONGEST_KEPT:
        return kept
    # A message this long is no question, and masking takes time for each character.
    return f"{kept} [… {len(text):,}]"
