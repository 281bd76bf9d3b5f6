"""A shop with a model that fails on purpose, and its customers, on Telegram and on the page."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx

from bot.log.store import open_read_only
from bot.messages import Language
from prompts import Prompts
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.vllm_api import FakeVllm
from tests.prove.program import Interpreter, Program
from tests.prove.proof import Setup
from tests.serving.support import free_port
from tests.small_shop import QUESTION, write_articles

DRAFT: dict[Language, str] = {
    "en": "You can return an item within 30 days of delivery.",
    "zh": "商品送达后30天内可以退货。",
}
ONLY_IN_ARTICLE: dict[Language, str] = {
    "en": "Sale items cannot be returned.",
    "zh": "特价商品不能退货。",
}
MODEL = "small-model"
REPLIES = (
    "SELECT text FROM turns JOIN conversations ON conversations.id = conversation"
    " WHERE role = 'assistant' AND address = '{address}' ORDER BY turns.id"
)
UNSENT = "SELECT count(*) FROM outbox WHERE state <> 'sent'"
PATIENCE_SECONDS = 60.0
TOKEN_SECONDS = 0.02
POLL_SECONDS = 0.05
# Over a minute, no more questions than a customer has model calls.
PAUSE_SECONDS = {"short": (1.5, 3.0), "long": (3.2, 5.0)}

Change = Callable[[FakeVllm], Awaitable[None]]


def make_well(model: FakeVllm) -> None:
    model.mends()
    model.first_token_seconds = model.token_seconds = TOKEN_SECONDS
    model.reply = lambda body: [DRAFT[_asked_in(body)]] * (body.get("n") or 1)


def both_sentences(body: dict[str, Any]) -> str:
    """Return all that the article says on what was asked."""
    language = _asked_in(body)
    return DRAFT[language] + (" " if language == "en" else "") + ONLY_IN_ARTICLE[language]


def _asked_in(body: dict[str, Any]) -> Language:
    return "en" if body["messages"][-1]["content"].isascii() else "zh"


@dataclass(slots=True, kw_only=True)
class Question:
    """A question, and when something useful was there; times of `time.monotonic`."""

    chat: int
    language: Language
    asked_at: float
    useful_at: float | None = None
    text: str = ""

    @property
    def useful_after(self) -> float:
        return float("inf") if self.useful_at is None else self.useful_at - self.asked_at

    @property
    def is_draft(self) -> bool:
        return DRAFT[self.language] in self.text and ONLY_IN_ARTICLE[self.language] not in self.text


class Shop:
    """What a proof asks of the running program."""

    def __init__(
        self, program: Program, model: FakeVllm, telegram: FakeTelegram, http: httpx.AsyncClient
    ) -> None:
        self.program = program
        self.model = model
        self.telegram = telegram
        self.asked: list[Question] = []
        self._http = http
        self._is_closing = asyncio.Event()
        self._customers: list[asyncio.Task[None]] = []
        self._pause = (0.0, 0.0)
        prompts = Prompts.load()
        self._placeholders = [
            prompts.labels("telegram", language)["placeholder"] for language in DRAFT
        ]

    # One customer on the page.

    async def ask(self) -> str:
        """Ask on the page and return the reply."""
        self._http.cookies.clear()  # another customer each time
        answer = await self._http.post("/api/v1/messages", json={"text": QUESTION["en"]})
        return str(answer.raise_for_status().json()["reply"]["text"])

    async def until_draft(self) -> None:
        """Wait until the program is there, and the model writes."""
        assert await self.ask_until_draft(PATIENCE_SECONDS) is not None, self.program.output()

    async def ask_until_draft(self, seconds: float) -> float | None:
        """Ask again and again; return after how many seconds the model wrote, None for never."""
        started = time.monotonic()
        while (now := time.monotonic() - started) < seconds:
            with contextlib.suppress(httpx.TransportError):
                if ONLY_IN_ARTICLE["en"] not in await self.ask():
                    return now
            await asyncio.sleep(POLL_SECONDS)
        return None

    async def until_said(self, words: str, since: float | None = None) -> float:
        """Wait until the program says something; return the seconds since its start."""
        since = self.program.started_at if since is None else since
        await self._until(lambda: words in " ".join(self.program.output().split()))
        said_at = time.monotonic()
        await self.until_open()
        return said_at - since

    async def until_open(self) -> None:
        """Wait until the page is there."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    await self._http.get("/healthz")
                    return
                await asyncio.sleep(POLL_SECONDS)

    # Many on Telegram.

    def open_doors(self, customers: int, setup: Setup) -> None:
        """Let customers write, each with the next question after the answer to the last."""
        self._pause = PAUSE_SECONDS[setup.scale]
        for number in range(customers):
            rng = random.Random(f"{setup.seed} {number}")
            self._customers.append(asyncio.create_task(self._customer(4000 + number, rng)))

    async def settle(self) -> None:
        """Let nobody write any more, and wait until all is answered and noted."""
        self._is_closing.set()
        await asyncio.gather(*self._customers)
        await self._until(lambda: not self.count(UNSENT))

    async def until_normal(self) -> float:
        """Wait for an answer that the model wrote now; return how many seconds that took."""
        started = time.monotonic()
        await self._until(
            lambda: any(each.is_draft and each.asked_at >= started for each in self.asked[-100:])
        )
        return time.monotonic() - started

    async def answered(self, questions: Sequence[Question]) -> None:
        """Wait until something useful is there for each question."""
        await self._until(lambda: all(each.useful_at for each in questions))

    def by_chat(self) -> dict[int, list[Question]]:
        """Return the questions of each chat."""
        chats = {each.chat for each in self.asked}
        return {chat: [each for each in self.asked if each.chat == chat] for chat in chats}

    def left_open(self, chat: int) -> int:
        """Return how many posts of a chat do not show the whole reply that the log has."""
        logged = [str(text) for (text,) in self.rows(REPLIES.format(address=chat))]
        shown = self.telegram.replies(chat)
        return sum(
            not "".join(post.split()).startswith("".join(text.split()))
            for post, text in zip_longest(shown, logged, fillvalue="nothing")
        )

    def count(self, sql: str) -> int:
        """Return a number from the log."""
        [[number]] = self.rows(sql)
        return int(number)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return rows of the log."""
        db = open_read_only(self.program.database)
        rows = db.execute(sql).fetchall()
        db.close()
        return rows

    async def close(self) -> None:
        """Send the customers home."""
        for customer in self._customers:
            customer.cancel()
        await asyncio.gather(*self._customers, return_exceptions=True)

    async def _customer(self, chat: int, rng: random.Random) -> None:
        while not self._is_closing.is_set():
            language: Language = rng.choice(("en", "zh"))
            before = len(self.telegram.posts(chat))
            question = Question(chat=chat, language=language, asked_at=time.monotonic())
            self.asked.append(question)
            self.telegram.customer_writes(chat, QUESTION[language])
            await self._until(lambda: self._useful(chat, before))  # noqa: B023
            question.text, question.useful_at = self._useful(chat, before)[0], time.monotonic()
            await asyncio.sleep(rng.uniform(*self._pause))

    async def _until(self, is_true: Callable[[], object]) -> None:
        """Wait until something is so; fail with what the program said if it isn't."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_true():
            assert time.monotonic() < end, self.program.output()[-4000:]
            await asyncio.sleep(POLL_SECONDS)

    def _useful(self, chat: int, before: int) -> list[str]:
        texts = self.telegram.replies(chat)[before:]
        return [text for text in texts if text.strip() not in self._placeholders]


async def _as_it_is(model: FakeVllm) -> None:
    pass


@contextlib.asynccontextmanager
async def open_shop(
    setup: Setup, name: str, *, customers: int, begin: Change = _as_it_is
) -> AsyncIterator[Shop]:
    """Open a shop in a folder of its own, with the model as `begin` leaves it."""
    folder = setup.folder / name
    articles = write_articles(folder / "articles")
    async with FakeVllm() as model, FakeTelegram() as telegram:
        make_well(model)
        await begin(model)
        port = free_port()
        program = Program(Interpreter(), folder, _settings(articles, port, model, telegram))
        address = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as http:
            shop = Shop(program, model, telegram, http)
            await program.start()
            shop.open_doors(customers, setup)
            try:
                yield shop
            finally:
                await shop.close()
                await program.close()


def _settings(articles: Path, port: int, model: FakeVllm, telegram: FakeTelegram) -> dict[str, str]:
    return {
        "FRONTDESK_ARTICLES": str(articles),
        "FRONTDESK_PORT": str(port),
        "FRONTDESK_MODEL_URL": model.url,
        "FRONTDESK_MODEL": MODEL,
        "FRONTDESK_CUSTOMER_MESSAGES_PER_MINUTE": "0",
        "TELEGRAM_BOT_TOKEN": telegram.token,
        "TELEGRAM_API_BASE_URL": telegram.base_url,
    }
