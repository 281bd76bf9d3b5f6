"""Customers on all channels, and the platforms between them and the program, which outlive it.

Each message carries a number, so that it is known again in the log. What customers do is planned by
the seed; when it happens also depends on how fast they are answered.
"""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import httpx

from bot.messages import Language
from prompts import Prompts
from tests.fakes.slack_api import Event, FakeSlack
from tests.fakes.slack_blocks import shown
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import ARTICLES, write_articles

ROUND_TRIP_SECONDS = 0.1
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 30.0
REDELIVERY_SECONDS = 2.0
RETRY_SECONDS = 0.3
SHOP = "shop.example"  # stands in the source of each answer, and so only in whole ones
FIXED = ("handoff", "handoff_failure", "busy", "slow_down")  # whole answers without a source
QUESTIONS: dict[Language, Sequence[tuple[str, str]]] = {
    "en": (
        ("Can I return an item within 30 days?", ARTICLES["en/returns"][1]),
        ("How much does standard delivery cost?", ARTICLES["en/delivery"][1]),
        ("How do I reset my password?", ARTICLES["en/password"][1]),
    ),
    "zh": (
        ("商品送达后可以退货吗？", ARTICLES["zh/returns"][1]),
        ("标准配送运费是多少？", ARTICLES["zh/delivery"][1]),
        ("怎么重置密码？", ARTICLES["zh/password"][1]),
    ),
}


@dataclass(frozen=True, slots=True)
class Message:
    """What a customer wrote. Those of one `group` were sent at the same time."""

    number: int
    chat: str
    text: str
    group: int


@dataclass(frozen=True, slots=True)
class Post:
    """What a chat shows of the bot: the platform's id, and the text as it stands now."""

    id: str
    text: str
    is_whole: bool


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What one request of the page was answered with."""

    turn: str
    text: str


class Platform(Protocol):
    """One of the channels, from the customers' side."""

    name: str

    async def write(self, customer: int, message: Message) -> None:
        """Send a message."""
        ...

    def chat(self, customer: int) -> str:
        """Return the name of a customer's chat."""
        ...

    def answers(self, customer: int) -> int:
        """Return how many whole answers a customer's chat shows."""
        ...

    def posts(self, customer: int) -> list[Post]:
        """Return what a customer's chat shows of the bot, in order."""
        ...

    def has_brought(self, customer: int) -> bool:
        """Return whether nothing that a customer wrote is to come later than what follows it."""
        ...


class TelegramPeople:
    """Private chats with the bot."""

    name = "telegram"

    def __init__(self, fake: FakeTelegram, is_whole: Callable[[str], bool]) -> None:
        self.fake = fake
        self._is_whole = is_whole

    def chat(self, customer: int) -> str:
        """Return the chat."""
        return str(1000 + customer)

    async def write(self, customer: int, message: Message) -> None:
        """Send a message."""
        self.fake.customer_writes(1000 + customer, message.text)

    def answers(self, customer: int) -> int:
        """Return how many whole answers there are."""
        return sum(post.is_whole for post in self.posts(customer))

    def has_brought(self, customer: int) -> bool:
        """Return True: Telegram brings what is not confirmed again, in order."""
        return True

    def posts(self, customer: int) -> list[Post]:
        """Return what stands in the chat."""
        chat = self.chat(customer)
        return [
            Post(f"{chat}:{post['message_id']}", post.get("text", ""), self._is_final(post))
            for post in self.fake.posts(int(chat))
        ]

    def _is_final(self, post: dict[str, Any]) -> bool:
        links = "".join(str(entity.get("url", "")) for entity in post.get("entities") or ())
        return self._is_whole(post.get("text", "") + links)


class SlackPeople:
    """Direct messages to the app, one channel a customer; events that get lost come again."""

    name = "slack"

    def __init__(self, fake: FakeSlack, is_whole: Callable[[str], bool]) -> None:
        self.fake = fake
        self._is_whole = is_whole
        self._sent_at: dict[str, float] = {}

    def chat(self, customer: int) -> str:
        """Return the channel."""
        return f"D{1000 + customer}"

    async def write(self, customer: int, message: Message) -> None:
        """Send a message."""
        channel = self.chat(customer)
        self.fake._members.setdefault(channel, True)
        user = f"U{1000 + customer}"
        await self.fake.customer_writes(message.text, user=user, channel=channel)

    def answers(self, customer: int) -> int:
        """Return how many whole answers there are."""
        return sum(post.is_whole for post in self.posts(customer))

    def posts(self, customer: int) -> list[Post]:
        """Return what stands in the channel."""
        channel = self.chat(customer)
        return [
            Post(f"{channel}:{post['ts']}", shown(post), self._is_whole(shown(post)))
            for post in self.fake.sent(channel)
        ]

    def has_brought(self, customer: int) -> bool:
        """Return False while a message was not acknowledged: Slack brings it again, but later."""
        channel = self.chat(customer)
        return all(
            event.is_acknowledged or event.payload["event"]["channel"] != channel
            for event in self.fake.events
        )

    async def redeliver(self) -> None:
        """Send what was not acknowledged in time again, as Slack does, for ever."""
        while True:
            now = time.monotonic()
            events = self.fake.events
            events[:] = [event for event in events if not event.is_acknowledged]
            late = [event for event in events if self._is_late(event, now)]
            for event in late if self.fake.socket_count else ():
                self._sent_at[event.id] = now
                await self.fake.send_again(event)
            await asyncio.sleep(REDELIVERY_SECONDS / 4)

    def _is_late(self, event: Event, now: float) -> bool:
        return now - self._sent_at.setdefault(event.id, now) > REDELIVERY_SECONDS


class WebPeople:
    """The page: ids made in the browser, and sent again until there is an answer."""

    name = "web"

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=70.0)
        self._tokens: dict[int, str] = {}
        self.answered: dict[int, list[WebAnswer]] = {}
        self._shown: dict[int, int] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def chat(self, customer: int) -> str:
        """Return the conversation's address, once it is known."""
        return self._tokens.get(customer, "")

    async def enter(self, customer: int) -> None:
        """Open the page: get an address."""
        self._tokens[customer] = (await self._until_done(self._begin))["conversation"]

    async def write(self, customer: int, message: Message) -> None:
        """Send a message; go on sending it in the background."""
        sending = asyncio.create_task(self._send(customer, message))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _send(self, customer: int, message: Message) -> None:
        body = {
            "text": message.text,
            "conversation": self._tokens[customer],
            "id": f"m{message.number}",
        }
        answer = await self._until_done(lambda: self._ask(body))
        reply = WebAnswer(answer["turn"], answer["reply"]["text"])
        self.answered.setdefault(message.number, []).append(reply)
        self._shown[customer] = self._shown.get(customer, 0) + 1

    async def ask_again(self, messages: Sequence[Message], customers: dict[str, int]) -> None:
        """Send answered messages once more, as a page that is opened a second time might."""
        for message in messages:
            await self._send(customers[message.chat], message)

    async def _begin(self) -> dict[str, Any]:
        response = await self._http.post("/api/v1/conversations")
        response.raise_for_status()
        return dict(response.json())

    async def _ask(self, body: dict[str, str]) -> dict[str, Any]:
        asking = {"Accept": "text/event-stream"}
        async with self._http.stream("POST", "/api/v1/messages", json=body, headers=asking) as got:
            got.raise_for_status()
            kind = ""
            async for line in got.aiter_lines():
                name, _, rest = line.partition(": ")
                kind = rest if name == "event" else kind
                if name == "data" and kind == "done":
                    return dict(json.loads(rest))
        raise httpx.RemoteProtocolError("The answer ended early.")

    async def _until_done(self, request: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                return await request()
            await asyncio.sleep(RETRY_SECONDS)

    def answers(self, customer: int) -> int:
        """Return how many messages are answered."""
        return self._shown.get(customer, 0)

    def has_brought(self, customer: int) -> bool:
        """Return True: the page sends until each is answered."""
        return True

    def posts(self, customer: int) -> list[Post]:
        """Return nothing: the page keeps no posts, it reads the log."""
        return []

    @property
    def waiting(self) -> int:
        """How many messages are still without an answer."""
        return len(self._sending)

    async def close(self) -> None:
        """Close the pages."""
        for sending in list(self._sending):
            sending.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._http.aclose()


@dataclass
class Person:
    """One customer. `pairs` is how often they send two messages at once."""

    platform: Platform
    customer: int
    language: Language
    rng: random.Random
    pairs: float
    messages: list[Message] = field(default_factory=list)
    is_patient: bool = True


class Town:
    """The customers, the platforms, the model. Use `open_town` to make one."""

    def __init__(
        self,
        rng: random.Random,
        folder: Path,
        telegram: FakeTelegram,
        slack: FakeSlack,
        model: FakeVllm,
        port: int,
    ) -> None:
        self.telegram, self.slack, self.model = telegram, slack, model
        is_whole = _whole_answers()
        self.web = WebPeople(f"http://127.0.0.1:{port}")
        self.slack_people = SlackPeople(slack, is_whole)
        self.platforms: list[Platform] = [
            TelegramPeople(telegram, is_whole),
            self.slack_people,
            self.web,
        ]
        self.people: list[Person] = []
        self.seen = 0
        self._rng = rng
        self._numbers, self._groups = count(1), count(1)
        self._has_seen = asyncio.Event()
        self._is_over = asyncio.Event()
        self.settings = {
            "FRONTDESK_ARTICLES": str(write_articles(folder / "articles")),
            "FRONTDESK_PORT": str(port),
            "FRONTDESK_BURST_SECONDS": "0",
            # How much one may ask is another proof.
            "FRONTDESK_CUSTOMER_MESSAGES_PER_MINUTE": "0",
            "FRONTDESK_CUSTOMER_TOKENS_PER_DAY": "0",
            "FRONTDESK_MODEL_URL": model.url,
            "FRONTDESK_MODEL": model.model,
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_BASE_URL": telegram.base_url,
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_BASE_URL": slack.base_url,
        }

    def settle_people(self, count: int) -> None:
        """Let so many people live here, a third on each platform, half of them Chinese."""
        for customer in range(count):
            rng = random.Random(self._rng.random())
            language: Language = "zh" if (customer // 3) % 2 else "en"
            pairs = 0.3 if rng.random() < 0.25 else 0.0
            platform = self.platforms[customer % 3]
            self.people.append(Person(platform, customer, language, rng, pairs))

    @property
    def messages(self) -> list[Message]:
        """Everything that was written, in order."""
        written = [message for person in self.people for message in person.messages]
        return sorted(written, key=lambda message: message.number)

    async def live(self, pause_seconds: float) -> None:
        """Let everybody write and wait for answers until `calm`, with pauses of about so long."""
        await asyncio.gather(*(self._live(person, pause_seconds) for person in self.people))

    def calm(self) -> None:
        """Let nobody write anything new."""
        self._is_over.set()

    async def next_answer(self) -> None:
        """Wait until somebody sees a new answer."""
        await self._has_seen.wait()

    def forget_answers(self) -> None:
        """Let `next_answer` wait for one that comes from now on."""
        self._has_seen.clear()

    async def _live(self, person: Person, pause_seconds: float) -> None:
        if isinstance(person.platform, WebPeople):
            await person.platform.enter(person.customer)
        while not self._is_over.is_set():
            await self._think(person.rng.uniform(0, 2 * pause_seconds))
            if self._is_over.is_set():
                return
            await self._ask(person, 2 if person.rng.random() < person.pairs else 1)

    async def _think(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_over.wait()

    async def _ask(self, person: Person, how_many: int) -> None:
        platform, group = person.platform, next(self._groups)
        before = platform.answers(person.customer)
        for _ in range(how_many):
            message = self._new_message(person, group)
            person.messages.append(message)
            await platform.write(person.customer, message)
        expected = before + (how_many if platform is self.web else 1)
        await self._see_answer(person, expected)

    async def _see_answer(self, person: Person, expected: int) -> None:
        patience = time.monotonic() + PATIENCE_SECONDS
        platform, customer = person.platform, person.customer
        while platform.answers(customer) < expected or not platform.has_brought(customer):
            if time.monotonic() > patience:
                person.is_patient = False
                return
            await asyncio.sleep(LOOK_SECONDS)
        self.seen += 1
        self._has_seen.set()

    def _new_message(self, person: Person, group: int) -> Message:
        number = next(self._numbers)
        question = QUESTIONS[person.language][len(person.messages) % 3][0]
        mark = f"Q{number}: " if person.language == "en" else f"Q{number}："
        return Message(number, person.platform.chat(person.customer), mark + question, group)


@contextlib.asynccontextmanager
async def open_town(
    rng: random.Random, folder: Path, port: int, people: int
) -> AsyncIterator[Town]:
    """Open a town whose web page is at a port."""
    async with FakeTelegram() as telegram, FakeSlack() as slack, FakeVllm() as model:
        telegram.round_trip_seconds = slack.round_trip_seconds = ROUND_TRIP_SECONDS
        model.first_token_seconds, model.token_seconds = 0.05, 0.004
        model.reply = answer
        town = Town(rng, folder, telegram, slack, model, port)
        town.settle_people(people)
        redelivering = asyncio.create_task(town.slack_people.redeliver())
        try:
            yield town
        finally:
            redelivering.cancel()
            await asyncio.gather(redelivering, return_exceptions=True)
            await town.web.close()


def answer(body: dict[str, Any]) -> list[str]:
    """Answer as a good model does: with what the article says of all that is asked."""
    asked = str(body["messages"][-1]["content"])
    known = [text for each in QUESTIONS.values() for question, text in each if question in asked]
    return [" ".join(known) or "NO ANSWER"] * (body.get("n") or 1)


def _whole_answers() -> Callable[[str], bool]:
    prompts = Prompts.load()
    languages: Sequence[Language] = ("en", "zh")
    fixed = [prompts.text(name, language) for name in FIXED for language in languages]
    return lambda text: SHOP in text or any(each in text for each in fixed)
