"""A small shop to answer for: a few articles, an encoder without weights, a channel, a desk."""

import asyncio
import hashlib
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from bot.actions.service import Actions
from bot.answering import Transcribe
from bot.candidates.approved import ApprovedAnswers
from bot.candidates.drafts import DraftWriter
from bot.checks.replies import NO_RULES, ReplyChecks
from bot.checks.rules import Rules
from bot.conversation import ConversationManager
from bot.delivery import Delivery
from bot.errors import DeliveryInDoubt
from bot.intents.in_force import IntentsInForce
from bot.knowledge.encoder import Vectors
from bot.knowledge.scoring import Hit
from bot.knowledge.search import Knowledge
from bot.knowledge.words import words
from bot.limits import Limits
from bot.log.store import Store
from bot.messages import (
    Attachment,
    Incoming,
    Language,
    Outgoing,
    Passage,
    PassageId,
    Place,
    Stage,
)
from bot.metrics import Metrics
from bot.model import ChatModel, Timeouts
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.policy import Policy
from prompts import Prompts

DEADLINE_SECONDS = 20.0
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

RETURNS_EN = "You can return an item within 30 days of delivery. Sale items cannot be returned."
RETURNS_ZH = "商品送达后30天内可以退货。特价商品不能退货。"
ARTICLES = {
    "en/returns": ("Return an item", RETURNS_EN),
    "en/delivery": ("Delivery costs", "Standard delivery costs 4.90 EUR and takes 3 working days."),
    "en/password": ("Reset your password", "Choose 'Forgotten password' on the login page."),
    "zh/returns": ("退货", RETURNS_ZH),
    "zh/delivery": ("运费", "标准配送运费为4.90欧元，需要3个工作日。"),
    "zh/password": ("重置密码", "在登录页面点击“忘记密码”。"),
}
QUESTION: dict[Language, str] = {
    "en": "Can I return an item within 30 days?",
    "zh": "商品送达后可以退货吗？",
}
UNANSWERABLE: dict[Language, str] = {
    "en": "Does your zeppelin sail to Patagonia?",
    "zh": "热气球旅行团多少人？",
}
NO_MODEL = "http://127.0.0.1:9/v1"


def write_articles(folder: Path) -> Path:
    """Write the shop's articles below `folder` and return it."""
    for name, (title, text) in ARTICLES.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = f"title: {title}\nlanguage: {name[:2]}\nurl: https://shop.example/{name}"
        path.write_text(f"---\n{head}\n---\n\n{text}\n", encoding="utf-8")
    return folder


def passage(
    text: str = RETURNS_EN, name: str = "returns", language: Language = "en", **changes: str
) -> Passage:
    """Return a passage of an article called `name`."""
    fields = {"title": name.capitalize(), "heading": "", "url": f"https://shop.example/{name}"}
    return Passage(
        id=PassageId(f"{name}-passage"),
        article=name,
        text=text,
        language=language,
        **{**fields, **changes},
    )


def hit(of: Passage, score: float = 0.9, closeness: float | None = None) -> Hit:
    """Return a hit found by its words alone."""
    near = score if closeness is None else closeness
    return Hit(passage=of, score=score, closeness=near, similarity=None, coverage=score)


class WordEncoder:
    """Texts as counts of their words, hashed into a short vector of length 1."""

    name = "words/1"

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def passages(self, texts: Sequence[str]) -> Vectors:
        self.encoded.extend(texts)
        return np.stack([self._vector(text) for text in texts])

    questions = passages

    def _vector(self, text: str) -> Vectors:
        vector = np.full(64, 1e-3, dtype=np.float32)
        for word in words(text):
            vector[hashlib.sha256(word.encode()).digest()[0] % 64] += 1
        length: np.float32 = np.linalg.norm(vector)
        return vector / length


class ScriptedChannel:
    """A channel that keeps what it is given and fails as it is told."""

    def __init__(self, name: str = "test") -> None:
        self.name = name
        self.answers_a_second = math.inf
        self.sent: list[Outgoing] = []
        self.tries: list[Outgoing] = []
        self.progress: list[tuple[str, Stage]] = []
        self.previews: list[str] = []
        self.keeps_previews = False
        self.errors: deque[BaseException] = deque()
        self.preview_errors: deque[BaseException] = deque()
        self.preparing_errors: deque[BaseException] = deque()
        self.doubts: list[bool] = []
        # What it finds of a doubtful reply; None: it can't find anything out.
        self.found: tuple[str, ...] | None = None
        self.free = asyncio.Event()
        self.free.set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def reserve(self, place: Place) -> str | None:
        return None

    async def prepare(self, outgoing: Outgoing, *, is_doubtful: bool) -> tuple[str, ...]:
        self.doubts.append(is_doubtful)
        if self.preparing_errors:
            raise self.preparing_errors.popleft()
        if is_doubtful and self.found is None and not outgoing.replaces:
            raise DeliveryInDoubt("nobody knows")
        return (self.found if is_doubtful else None) or outgoing.replaces

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        self.tries.append(outgoing)
        self._notify()
        await self.free.wait()
        if self.errors:
            raise self.errors.popleft()
        self.sent.append(outgoing)
        self._notify()
        if outgoing.is_retraction:
            return ()
        return outgoing.replaces or (f"platform-{len(self.sent)}",)

    async def show_progress(self, place: Place, stage: Stage) -> None:
        self.progress.append((place.address, stage))
        self._notify()

    async def preview(self, place: Place, text: str) -> str | None:
        self.previews.append(text)
        self._notify()
        if self.preview_errors:
            raise self.preview_errors.popleft()
        return f"preview-{place.address}" if self.keeps_previews else None

    def trouble(self) -> str | None:
        return None

    async def until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_true():
                await self._changed.wait()

    async def replies(self, number: int) -> list[Outgoing]:
        """Wait for so many delivered replies and return them."""
        await self.until(lambda: len(self.sent) >= number)
        return self.sent

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def eventually(is_true: Callable[[], object]) -> None:
    """Wait until something is so of which nothing tells."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@dataclass
class Pauses:
    """Stands for waiting: keeps how long, and goes on at once."""

    seconds: list[float] = field(default_factory=list)
    then: Callable[[], Awaitable[object]] | None = None

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self.then:
            then, self.then = self.then, None
            await then()


_numbers = count(1)


def incoming(
    text: str = QUESTION["en"],
    *,
    key: str | None = None,
    address: str = "ada",
    channel: str = "test",
    language: Language | None = None,
    edits: str | None = None,
    attachments: tuple[Attachment, ...] = (),
    customer: str | None = None,
) -> Incoming:
    """Return a message as a channel hands it over; every call is a new event."""
    return Incoming(
        channel=channel,
        event_keys=(key or f"event-{next(_numbers)}",),
        address=address,
        customer=customer or f"customer-{address}",
        text=text,
        language=language,
        edits=edits,
        attachments=attachments,
    )


@dataclass
class Desk:
    """Everything between one channel and the database."""

    store: Store
    knowledge: Knowledge
    approved: ApprovedAnswers
    conversations: Any
    delivery: Delivery
    channel: ScriptedChannel
    pauses: Pauses
    registry: CollectorRegistry
    actions: Any = None

    async def ask(
        self,
        text: str,
        address: str = "ada",
        key: str | None = None,
        language: Language | None = None,
    ) -> Outgoing:
        """Let a customer write and return the reply that reaches them."""
        number = len(self.channel.sent)
        message = incoming(text, address=address, key=key, language=language)
        assert await self.delivery.accept(message)
        return (await self.channel.replies(number + 1))[number]

    async def settled(self) -> None:
        """Wait until every message is answered and its delivery noted."""
        await self.delivery.finish(DEADLINE_SECONDS)

    async def rows(self, sql: str) -> list[tuple[object, ...]]:
        return await self.store.read(lambda db: db.execute(sql).fetchall())


@asynccontextmanager
async def open_desk(
    folder: Path,
    *,
    model_url: str = NO_MODEL,
    model: str = "small-model",
    drafts: int = 2,
    channel: ScriptedChannel | None = None,
    pause: Callable[[float], Awaitable[None]] | None = None,
    around: Callable[[ConversationManager], Any] = lambda conversations: conversations,
    streams: bool = False,
    burst_seconds: float = 0.0,
    transcribe: Transcribe | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
    between_tokens_seconds: float = 5.0,
    policy: Policy | None = None,
    limits: Limits | None = None,
    actions: Callable[[Store, ChatModel], Actions] | None = None,
    intents: IntentsInForce | None = None,
    rules: Rules = NO_RULES,
) -> AsyncIterator[Desk]:
    """Open the desk of the small shop in `folder`; without `model_url` no model answers.

    `around` may put something around the manager that finds the answers. `streams` lets answers
    appear while they are written. `actions` makes the tools. `intents` tells what questions want.
    """
    prompts = Prompts.load()
    channel = channel or ScriptedChannel()
    pauses, registry = Pauses(), CollectorRegistry()
    timeouts = Timeouts(visible=deadline_seconds, between_tokens=between_tokens_seconds)
    chat_model = ChatModel(url=model_url, name=model, timeouts=timeouts)
    with Store(folder / "frontdesk.db") as store:
        knowledge = Knowledge(store, WordEncoder())
        await knowledge.sync(write_articles(folder / "articles"), NOW)
        approved = ApprovedAnswers(store, knowledge.meaning, lambda: NOW)
        writer = DraftWriter(
            chat_model,
            prompts,
            drafts=0 if model_url == NO_MODEL else drafts,
            longest_tokens=160,
            languages=("en", "zh"),
        )
        tools = actions(store, chat_model) if actions else None
        if tools:
            await tools.confirmations.resume()
        conversations = around(
            ConversationManager(
                knowledge=knowledge,
                approved=approved,
                drafts=writer,
                prompts=prompts,
                policy=policy or FixedOrder(),
                rng=random.Random(7),
                actions=tools,
                intents=intents,
                checks=ReplyChecks(rules=rules),
            )
        )
        delivery = Delivery(
            store,
            conversations,
            Metrics(registry),
            streams=frozenset({channel.name} if streams else ()),
            burst_seconds=burst_seconds,
            transcribe=transcribe,
            limits=limits or Limits(),
            pause=pause or pauses,
        )
        delivery.add(channel)
        if tools:
            tools.confirmations.send_through(delivery.pass_on)
        try:
            parts = (store, knowledge, approved, conversations, delivery)
            yield Desk(*parts, channel, pauses, registry, tools)
        finally:
            await delivery.finish(DEADLINE_SECONDS)
            if tools:
                await tools.close()
            await chat_model.close()
            knowledge.close()
