"""The web as a channel: a question is stored, then whoever asked waits for its reply.

The one who waits is a request in this process. If the connection drops, nothing is lost: the
question and its reply are in the log, and sending the same question again, with the same id, gets
the same reply. The inbox is told when nobody waits any more, so that no model writes on for nobody.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass

from adapters.web.errors import ApiError
from bot.errors import LogError
from bot.log import dialogues
from bot.log.store import Store
from bot.messages import Incoming, Outgoing, Place, Stage
from bot.ports import Inbox

NAME = "web"
KEEP_ALIVE_SECONDS = 15.0
MOST_WAITING = 2000
GRACE_SECONDS = 0.5  # in which who went may come back, as on a reload of the page


@dataclass(frozen=True, slots=True)
class Beginning:
    """All that is written so far of an answer."""

    text: str


Event = Stage | Beginning | Outgoing


class Question:
    """A stored message whose sender waits for the reply. `close` it when nobody waits any more."""

    def __init__(self, web: "WebChannel", incoming: Incoming) -> None:
        self._web = web
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.is_answered = False
        self.address = incoming.address
        self.event_key = incoming.event_keys[0]

    def tell(self, event: Event) -> None:
        """Hand over what happened to the one who waits."""
        self.is_answered |= isinstance(event, Outgoing)
        self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[Event | None]:
        """Yield stages and beginnings, None when it is time for a sign of life, last the reply.

        Raises ApiError when there is no reply in time.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._web.answer_timeout_seconds
        while (now := clock()) < deadline:
            try:
                async with asyncio.timeout_at(min(deadline, now + self._web.keep_alive_seconds)):
                    event = await self._events.get()
            except TimeoutError:
                yield None
                continue
            yield event
            if isinstance(event, Outgoing):
                return
        yield await self._reply_from_log()

    async def reply(self) -> Outgoing:
        """Return the reply alone. Raises ApiError when there is none in time."""
        async for event in self.events():
            if isinstance(event, Outgoing):
                return event
        raise AssertionError("events() ends with a reply or an error")

    def close(self) -> None:
        """Stop waiting."""
        self._web.forget(self)

    async def _reply_from_log(self) -> Outgoing:
        reply = await self._web.stored_reply(self.event_key)
        if reply is None:
            raise ApiError("answer_late")
        return reply


class WebChannel:
    """The customer page and the HTTP API as a Channel.

    `inbox` is where questions go; `store` is read for replies that were given before.
    """

    def __init__(
        self,
        inbox: Inbox,
        store: Store,
        *,
        answer_timeout_seconds: float = 60.0,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
        most_waiting: int = MOST_WAITING,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._inbox = inbox
        self._store = store
        self._most_waiting = most_waiting
        self._grace_seconds = grace_seconds
        self._waiting: dict[str, list[Question]] = {}
        self._count = 0
        self.answer_timeout_seconds = answer_timeout_seconds
        self.keep_alive_seconds = keep_alive_seconds

    @property
    def name(self) -> str:
        """The channel's name in messages and in the log."""
        return NAME

    @property
    def answers_a_second(self) -> float:
        """Return that nothing limits it."""
        return math.inf

    @property
    def waiting(self) -> int:
        """How many requests wait for a reply."""
        return self._count

    async def run(self) -> None:
        """Wait until cancelled: the web server brings the messages."""
        await asyncio.Event().wait()

    async def reserve(self, place: Place) -> str | None:
        """Return None: a beginning on the page stays nowhere."""
        return None

    async def prepare(self, outgoing: Outgoing, *, is_doubtful: bool) -> tuple[str, ...]:
        """Return what the reply replaces: to hear it twice does a page no harm, by its id."""
        return outgoing.replaces

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Hand a reply to whoever waits for it; the page finds it in the log if nobody does."""
        if outgoing.is_retraction:
            return ()
        for key in (outgoing.in_reply_to, *outgoing.also_answers):
            self._tell(outgoing.address, key, outgoing)
        return (outgoing.turn,)

    async def show_progress(self, place: Place, stage: Stage) -> None:
        """Tell those who wait in this conversation how far the answer is."""
        for question in self._waiting.get(place.address, ()):
            question.tell(stage)

    async def preview(self, place: Place, text: str) -> str | None:
        """Tell those who wait for this answer how it begins; the reply itself follows."""
        self._tell(place.address, place.in_reply_to, Beginning(text))
        return None

    def trouble(self) -> str | None:
        """Return None: while this process answers at all, the page is reachable."""
        return None

    async def ask(self, incoming: Incoming) -> Question:
        """Store a question and return a handle to wait with.

        Raises ApiError when it could not be stored, or when too many wait already; in both cases
        nothing was stored and it can be sent again.
        """
        if self._count >= self._most_waiting:
            raise ApiError("busy")
        question = Question(self, incoming)
        # Before the question is stored: its reply may come before accept() returns.
        self._remember(question)
        try:
            await self._store_or_look_up(incoming, question)
        except BaseException:
            question.close()
            raise
        return question

    def forget(self, question: Question) -> None:
        """Drop a question that one waits for no more; tell the inbox when nobody else does."""
        waiting = self._waiting.get(question.address, [])
        if question not in waiting:
            return
        waiting.remove(question)
        self._count -= 1
        if not waiting:
            self._waiting.pop(question.address, None)
        if not question.is_answered:
            asyncio.get_running_loop().call_later(self._grace_seconds, self._leave, question)

    async def stored_reply(self, event_key: str) -> Outgoing | None:
        """Return the reply that the log holds for a question, or None."""
        return await self._store.read(lambda db: dialogues.reply_to(db, NAME, event_key))

    async def dialogue(self, address: str) -> dialogues.Dialogue | None:
        """Return what a conversation holds so far, or None when there is no such conversation."""
        return await self._store.read(lambda db: dialogues.dialogue(db, NAME, address))

    def _tell(self, address: str, event_key: str, event: Event) -> None:
        for question in self._waiting.get(address, ()):
            if question.event_key == event_key:
                question.tell(event)

    def _leave(self, left: Question) -> None:
        waiting = self._waiting.get(left.address, ())
        if all(question.event_key != left.event_key for question in waiting):
            self._inbox.leave(NAME, left.event_key, left.address)

    def _remember(self, question: Question) -> None:
        self._waiting.setdefault(question.address, []).append(question)
        self._count += 1

    async def _store_or_look_up(self, incoming: Incoming, question: Question) -> None:
        try:
            is_new = await self._inbox.accept(incoming)
        except LogError as err:
            raise ApiError("not_stored") from err
        if not is_new and (reply := await self.stored_reply(question.event_key)):
            question.tell(reply)
