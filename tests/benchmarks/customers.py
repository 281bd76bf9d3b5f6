"""Customers who ask and wait: what they see of the answers, and when."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tests.benchmarks.programs import Program
from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram

FIRST_CHAT = 1000
# Where a request has what people read, in whichever form.
TEXT_FIELDS = ("text", "markdown_text", "chunks", "rich_message", "blocks")


class Call(Protocol):
    """A request of the program to its platform."""

    @property
    def method(self) -> str: ...

    @property
    def params(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What one customer saw of one answer: seconds from the question to it, and its end's text."""

    question: str
    first_seconds: float
    final_seconds: float
    text: str


@dataclass(slots=True)
class _Waiting:
    started: float
    final: asyncio.Future[str]
    first_seconds: float | None = None


class Calls(list[Any]):
    """Stands where a fake writes down its calls: hands each on, and keeps only the last."""

    def __init__(self, hand_on: Callable[[Call], None]) -> None:
        super().__init__()
        self._hand_on = hand_on

    def append(self, call: Call) -> None:
        self._hand_on(call)
        self[:] = [call]


class Telegram:
    """Private chats with the bot, one a customer."""

    name = "Telegram"
    shows = frozenset(
        "sendMessage sendMessageDraft editMessageText sendRichMessage sendRichMessageDraft".split()
    )
    passing = frozenset({"sendMessageDraft", "sendRichMessageDraft"})

    def __init__(self, fake: FakeTelegram) -> None:
        self.fake = fake
        self.placeholders = fake.placeholders
        self.settings = {
            "TELEGRAM_BOT_TOKEN": fake.token,
            "TELEGRAM_API_BASE_URL": fake.base_url,
        }

    def chat(self, customer: int) -> str:
        """Return the customer's chat, as requests name it."""
        return str(FIRST_CHAT + customer)

    def chat_of(self, params: dict[str, Any]) -> str:
        """Return the chat that a request is for."""
        return str(params.get("chat_id"))

    async def write(self, customer: int, text: str) -> None:
        """Let a customer write."""
        self.fake.customer_writes(FIRST_CHAT + customer, text)


class Slack:
    """Direct messages to the app, one channel a customer."""

    name = "Slack"
    shows = frozenset(
        {"chat.postMessage", "chat.update", "chat.startStream"}
        | {"chat.appendStream", "chat.stopStream"}
    )
    passing = frozenset({"chat.startStream", "chat.appendStream"})
    placeholders: frozenset[str] = frozenset()

    def __init__(self, fake: FakeSlack) -> None:
        self.fake = fake
        self.settings = {
            "SLACK_BOT_TOKEN": fake.bot_token,
            "SLACK_APP_TOKEN": fake.app_token,
            "SLACK_API_BASE_URL": fake.base_url,
        }

    def chat(self, customer: int) -> str:
        """Return the customer's channel."""
        return f"D{FIRST_CHAT + customer}"

    def chat_of(self, params: dict[str, Any]) -> str:
        """Return the channel that a request is for."""
        return str(params.get("channel"))

    async def write(self, customer: int, text: str) -> None:
        """Let a customer write."""
        channel = self.chat(customer)
        self.fake._members.setdefault(channel, True)
        await self.fake.customer_writes(text, user=f"U{FIRST_CHAT + customer}", channel=channel)
        # What was acknowledged is done with; the fake would search it for ever.
        self.fake.events[:] = [event for event in self.fake.events if not event.is_acknowledged]


class Crowd:
    """Customers on one platform.

    What ends an answer has one of the `marks`: the link to its source, or a hand-off's words.
    """

    def __init__(
        self, platform: Telegram | Slack, marks: Sequence[str], patience_seconds: float = 60.0
    ) -> None:
        self.platform = platform
        self.unasked = 0
        self.unanswered = 0
        self._marks = marks
        self._patience_seconds = patience_seconds
        self._waiting: dict[str, _Waiting] = {}
        platform.fake.calls = Calls(self._see)

    async def ask(self, program: Program, customers: int, questions: Sequence[str]) -> list[Seen]:
        """Let each customer ask the questions one after the other, each from another one on."""
        asking = [
            self._ask_all(program, customer, _from(questions, customer * 7))
            for customer in range(customers)
        ]
        return [seen for found in await asyncio.gather(*asking) for seen in found]

    async def _ask_all(
        self, program: Program, customer: int, questions: Iterable[str]
    ) -> list[Seen]:
        found = []
        for question in questions:
            try:
                found.append(await self._ask(customer, question))
            except TimeoutError:
                program.check()
                self.unanswered += 1
        return found

    async def _ask(self, customer: int, question: str) -> Seen:
        chat = self.platform.chat(customer)
        waiting = _Waiting(time.perf_counter(), asyncio.get_running_loop().create_future())
        self._waiting[chat] = waiting
        try:
            await self.platform.write(customer, question)
            async with asyncio.timeout(self._patience_seconds):
                text = await waiting.final
        finally:
            del self._waiting[chat]
        final_seconds = time.perf_counter() - waiting.started
        return Seen(question, waiting.first_seconds or final_seconds, final_seconds, text)

    def _see(self, call: Call) -> None:
        if call.method not in self.platform.shows:
            return
        if not any(call.params.get(name) for name in TEXT_FIELDS):
            return
        if call.params.get("text") in self.platform.placeholders:  # says nothing of the answer
            return
        shown = json.dumps(call.params, ensure_ascii=False, default=str)
        is_whole = any(mark in shown for mark in self._marks)
        is_final = is_whole and call.method not in self.platform.passing
        waiting = self._waiting.get(self.platform.chat_of(call.params))
        if waiting is None or waiting.final.done():
            self.unasked += is_final
            return
        if waiting.first_seconds is None:
            waiting.first_seconds = time.perf_counter() - waiting.started
        if is_final:
            waiting.final.set_result(shown)


def _from(questions: Sequence[str], start: int) -> Sequence[str]:
    turn = start % len(questions)
    return [*questions[turn:], *questions[:turn]]
