"""Runs the programs one after the other, each with its customers, and measures them."""

import asyncio
import contextlib
import hashlib
import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from tests.benchmarks.customers import Crowd, Slack, Telegram
from tests.benchmarks.measurement import Measurement, p50_p95
from tests.benchmarks.programs import ROOT, Program, ProgramError, Usage, started
from tests.benchmarks.shop import ARTICLES, QUESTIONS, TOKENS, Shop, english_questions, in_tokens
from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.vllm_api import FakeVllm

FIRST_TOKEN_SECONDS = 0.05
TOKEN_SECONDS = 0.005
MODEL_SECONDS = FIRST_TOKEN_SECONDS + (TOKENS - 1) * TOKEN_SECONDS
MOST_OF_ONE_CUSTOMER = 100
FEWEST_OF_ONE_CUSTOMER = 3
LAUNCHER = "tests.benchmarks.launcher"
ENCODERS = "tests.benchmarks.encoders"
BARE_LOOP = "tests.benchmarks.bare_loop"
SOURCE_LINK = "https://help."
# Where the encoder has no time left, words alone decide, and may find nothing.
HANDED_OFF = "couldn't find an answer"

Subject = Literal["telegram", "slack", "bare"]
NAMES: dict[Subject, str] = {
    "telegram": "Frontdesk, Telegram",
    "slack": "Frontdesk, Slack",
    "bare": "bare loop, Telegram",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: which programs, with how many customers, and about how many messages."""

    subjects: Sequence[Subject]
    customers: Sequence[int]
    messages: int
    articles: Path = ARTICLES
    questions: Sequence[str] = ()
    sentences: int = 1
    mark: str = SOURCE_LINK
    patience_seconds: float = 60.0
    profile: Path | None = None


class Bench:
    """Runs a plan in a folder of its own."""

    def __init__(
        self, plan: Plan, folder: Path, cache: Path, progress: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._cache = cache
        self._progress = progress
        self._encoders_megabytes = 0.0

    async def measure(self) -> list[Measurement]:
        """Measure each program with each number of customers.

        Raises ProgramError when one of the programs fails.
        """
        self._encoders_megabytes = await self._weigh_encoders()
        shop = await self._prepare()
        found = []
        for subject in self._plan.subjects:
            for customers in self._plan.customers:
                self._progress(f"{NAMES[subject]}: {customers} at once")
                found.append(await self._measure(subject, customers, shop))
                self._progress(f"  {found[-1].summary()}")
        return found

    async def _weigh_encoders(self) -> float:
        folder = self._folder / "encoders"
        folder.mkdir()
        async with started(ENCODERS, folder=folder, settings={}) as program:
            while "ready" not in program.output():
                program.check()
                await asyncio.sleep(0.05)
            return program.usage().peak_megabytes

    async def _prepare(self) -> Shop:
        """Encode the articles once; keep the questions that one of them answers.

        What an earlier run prepared is used again while nothing of it has changed.
        """
        questions = list(self._plan.questions) or english_questions(QUESTIONS)
        folder = self._cache / self._digest(questions)
        answered = folder / "answered.json"
        if not answered.exists():
            self._progress("Encoding the articles (half a minute, the first time) ...")
            await self._encode(folder, questions, answered)
        found = json.loads(answered.read_text())
        self._progress(f"{len(found)} of {len(questions)} questions are answered by an article")
        self._prepared = folder / "data"
        return Shop(self._plan.articles, found, self._plan.sentences)

    async def _encode(self, folder: Path, questions: Sequence[str], answered: Path) -> None:
        asked = _fresh(folder) / "questions.json"
        asked.write_text(json.dumps(questions))
        settings = self._settings(folder / "data", "http://127.0.0.1:9/v1")
        words = ["prepare", str(asked), str(answered)]
        async with started(LAUNCHER, *words, folder=folder, settings=settings) as program:
            await program.finish()

    def _digest(self, questions: Sequence[str]) -> str:
        """Return a name for what decides about vectors and answers."""
        digest = hashlib.sha256(json.dumps(questions).encode())
        for path in sorted(_files_that_decide(self._plan.articles)):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def _settings(self, data: Path, model_url: str) -> dict[str, str]:
        return {
            "FRONTDESK_DATA": str(data),
            "FRONTDESK_ARTICLES": str(self._plan.articles),
            "FRONTDESK_PORT": str(_free_port()),
            "FRONTDESK_EXPLORATION": "0",  # the same reply each time
            "FRONTDESK_CUSTOMER_MESSAGES_PER_MINUTE": "0",
            "FRONTDESK_CUSTOMER_TOKENS_PER_DAY": "0",
            "FRONTDESK_MODEL_URL": model_url,
            "FRONTDESK_MODEL": "small-model",
        }

    async def _measure(self, subject: Subject, customers: int, shop: Shop) -> Measurement:
        async with AsyncExitStack() as stack:
            vllm = await stack.enter_async_context(FakeVllm())
            vllm.reply, vllm.tokens = shop.reply, in_tokens
            vllm.first_token_seconds, vllm.token_seconds = FIRST_TOKEN_SECONDS, TOKEN_SECONDS
            platform: Telegram | Slack
            if subject == "slack":
                platform = Slack(await stack.enter_async_context(FakeSlack()))
            else:
                platform = Telegram(await stack.enter_async_context(FakeTelegram()))
            marks = [""] if subject == "bare" else [self._plan.mark, HANDED_OFF]
            crowd = Crowd(platform, marks, self._plan.patience_seconds)
            folder = self._folder / f"{subject}-{customers}"
            folder.mkdir()
            if subject == "bare":
                words = self._bare_words(platform, vllm, shop, folder)
                program = await stack.enter_async_context(
                    started(BARE_LOOP, *words, folder=folder, settings={})
                )
            else:
                settings = self._bot_settings(platform.settings, vllm, folder)
                program = await stack.enter_async_context(
                    started(LAUNCHER, "run", folder=folder, settings=settings)
                )
                await _until_ready(program, settings["FRONTDESK_PORT"])
            await self._warm_up(crowd, program, shop)
            return await self._measure_crowd(NAMES[subject], customers, crowd, program, shop)

    async def _warm_up(self, crowd: Crowd, program: Program, shop: Shop) -> None:
        """Let the program open its connections, and see that it answers at all."""
        await crowd.ask(program, 1, shop.questions[:2])
        if crowd.unanswered:
            raise ProgramError(f"A program does not answer. {program.output()}")

    def _bare_words(
        self, platform: Telegram | Slack, vllm: FakeVllm, shop: Shop, folder: Path
    ) -> list[str]:
        assert isinstance(platform, Telegram)
        prompt = folder / "prompt.txt"
        prompt.write_text(shop.prompt(), encoding="utf-8")
        fake = platform.fake
        return [fake.base_url, fake.token, vllm.url, vllm.model, str(prompt)]

    def _bot_settings(
        self, platform: Mapping[str, str], vllm: FakeVllm, folder: Path
    ) -> dict[str, str]:
        data = folder / "data"
        shutil.copytree(self._prepared, data)
        settings = {**self._settings(data, vllm.url), **platform}
        if self._plan.profile:
            settings["FRONTDESK_TEST_PROFILE"] = str(self._plan.profile.absolute())
        return settings

    async def _measure_crowd(
        self, name: str, customers: int, crowd: Crowd, program: Program, shop: Shop
    ) -> Measurement:
        each = self._plan.messages // customers
        each = max(FEWEST_OF_ONE_CUSTOMER, min(each, MOST_OF_ONE_CUSTOMER))
        questions = [shop.questions[i % len(shop.questions)] for i in range(each)]
        before, began, own = program.usage(), time.perf_counter(), time.process_time()
        seen = await crowd.ask(program, customers, questions)
        seconds, own = time.perf_counter() - began, time.process_time() - own
        after = program.usage()
        return Measurement(
            program=name,
            customers=customers,
            asked=each * customers,
            answered=len(seen),
            unasked=crowd.unasked,
            drafted=sum(_says(one.text, shop.said.get(one.question, "")) for one in seen),
            handed_off=sum(HANDED_OFF in one.text for one in seen),
            first_ms=p50_p95([one.first_seconds for one in seen], FIRST_TOKEN_SECONDS),
            final_ms=p50_p95([one.final_seconds for one in seen], MODEL_SECONDS),
            messages_per_second=len(seen) / seconds,
            cpu_seconds_per_1000=_cpu(before, after) / max(len(seen), 1) * 1000,
            peak_megabytes=after.peak_megabytes,
            beside_encoders_megabytes=(
                None
                if name == NAMES["bare"]  # it has no encoder
                else after.peak_megabytes - self._encoders_megabytes
            ),
            fakes_share=own / seconds,
        )


def _files_that_decide(articles: Path) -> Iterator[Path]:
    yield from articles.rglob("*.md")
    yield from (ROOT / "bot" / "knowledge").glob("*.py")
    yield from (ROOT / "bot" / "log").glob("*.py")


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _cpu(before: Usage, after: Usage) -> float:
    return after.cpu_seconds - before.cpu_seconds


def _says(shown: str, answer: str) -> bool:
    """Whether the words of an answer stand in a message, whatever marks are between them."""
    letters = "".join(filter(str.isalnum, answer))
    return bool(letters) and letters in "".join(filter(str.isalnum, shown))


async def _until_ready(program: Program, port: str) -> None:
    """Wait until the program can ask its model."""
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            program.check()
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
