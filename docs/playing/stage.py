"""The real program, running between fakes of Telegram, Slack and the model."""

import asyncio
import contextlib
import itertools
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bot.grounding import sentences
from bot.knowledge.articles import read_articles
from bot.messages import LANGUAGES, Language
from bot.settings import EXAMPLE_ARTICLES
from docs.playing.dialogue import Dialogue
from docs.playing.slack import PRIVATE_CHANNEL, SlackChat
from docs.playing.telegram import TelegramChat
from prompts import Prompts
from tests.benchmarks.programs import Program, started
from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.vllm_api import Break, FakeVllm
from tests.fakes.vllm_replies import tokens_of

FIRST_CUSTOMER = 4711
FIRST_GROUP = -100
TOPIC = 7
READY_SECONDS = 180


@dataclass
class Stage:
    """The running program's surroundings, and the dialogues that were played."""

    telegram: FakeTelegram
    slack: FakeSlack
    model: FakeVllm
    prompts: Prompts
    port: int
    dialogues: list[Dialogue] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_CUSTOMER))

    def telegram_chat(self, title: str, language: Language) -> TelegramChat:
        """Begin a dialogue in a private chat of Telegram."""
        dialogue = self._begin(Dialogue("telegram", language, title))
        return TelegramChat(self.telegram, dialogue, next(self._numbers))

    def telegram_topic(self, title: str, language: Language) -> TelegramChat:
        """Begin a dialogue in a topic of a group."""
        dialogue = self._begin(Dialogue("telegram", language, title))
        dialogue.note("topic")
        return TelegramChat(self.telegram, dialogue, FIRST_GROUP * next(self._numbers), TOPIC)

    def slack_chat(
        self, title: str, language: Language, channel: str | None = None, person: str = ""
    ) -> SlackChat:
        """Begin a dialogue in a DM with the app, or in a channel."""
        dialogue = self._begin(Dialogue("slack", language, title))
        return SlackChat(self.slack, dialogue, person or f"U{next(self._numbers)}", channel)

    def label(self, name: str, language: Language, labels: str = "feedback") -> str:
        """Return what stands on a button."""
        return self.prompts.labels(labels, language)[name]

    def labels(self, name: str, language: Language) -> list[str]:
        """Return what stands on the button of a choice, then what stands there in other languages.

        Who has written nothing in Slack yet is spoken to in English.
        """
        others = [other for other in LANGUAGES if other != language]
        return [self.label(name, each, "choices") for each in (language, *others)]

    def write_slowly(self, language: Language) -> None:
        """Let the model stop after the first sentence of its next answer until `go_on`."""
        words = two_sentences(_passages(language, "return-an-item")[0])
        first = len(tokens_of(sentences(words)[0]))
        self.model.says(words, broken=Break.stalls(first + 2))

    def _begin(self, dialogue: Dialogue) -> Dialogue:
        self.dialogues.append(dialogue)
        return dialogue


@contextlib.asynccontextmanager
async def stage_for(
    articles: Path, kept: Path | None, models: Path | None = None, password: str = ""
) -> AsyncIterator[Stage]:
    """Run the program with its fakes while the body runs.

    With `models`, where prepared models are kept, the program runs its own engine and not the fake.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        await _encode(articles, kept or data)
        if kept:
            shutil.copytree(kept, data)
        async with FakeTelegram() as telegram, FakeSlack() as slack, FakeVllm() as model:
            known = {language: _passages(language) for language in LANGUAGES}
            model.reply = lambda body: [_answer(body, known)] * (body.get("n") or 1)
            stage = Stage(telegram, slack, model, Prompts.load(), _free_port())
            settings = _settings(data, articles, stage) | {"FRONTDESK_ADMIN_PASSWORD": password}
            if models is None:
                settings |= {"FRONTDESK_MODEL_URL": model.url, "FRONTDESK_MODEL": model.model}
            else:
                (data / "models").symlink_to(models)
            async with started("bot", "run", folder=Path(folder), settings=settings) as program:
                await _until_ready(program, stage.port)
                yield stage


async def _encode(articles: Path, data: Path) -> None:
    """Make every vector before anybody asks, so that the same article is found each time."""
    settings = {"FRONTDESK_DATA": str(data), "FRONTDESK_ARTICLES": str(articles)}
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "questions.json"
        asked.write_text("[]")
        words = ("prepare", str(asked), str(Path(folder) / "found.json"))
        async with started(
            "tests.benchmarks.launcher", *words, folder=Path(folder), settings=settings
        ) as program:
            await program.finish()


def _settings(data: Path, articles: Path, stage: Stage) -> dict[str, str]:
    return {
        "FRONTDESK_DATA": str(data),
        "FRONTDESK_ARTICLES": str(articles),
        "FRONTDESK_PORT": str(stage.port),
        "FRONTDESK_EXPLORATION": "0",  # the same reply each time
        "TELEGRAM_BOT_TOKEN": stage.telegram.token,
        "TELEGRAM_API_BASE_URL": stage.telegram.base_url,
        "SLACK_BOT_TOKEN": stage.slack.bot_token,
        "SLACK_APP_TOKEN": stage.slack.app_token,
        "SLACK_API_BASE_URL": stage.slack.base_url,
        "SLACK_PRIVATE_CHANNELS": f'["{PRIVATE_CHANNEL}"]',
    }


async def _until_ready(program: Program, port: int) -> None:
    address = f"http://127.0.0.1:{port}/readyz"
    async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as http:
        while True:
            program.check()
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(address)).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def _passages(language: Language, name: str | None = None) -> list[str]:
    articles, _ = read_articles(EXAMPLE_ARTICLES)
    return [
        passage.text
        for article in articles
        for passage in article.passages
        if passage.language == language and name in (None, passage.article.partition("/")[2])
    ]


def _answer(body: Mapping[str, Any], known: Mapping[Language, Sequence[str]]) -> str:
    """Return two sentences of the first passage in a prompt."""
    system = body["messages"][0]["content"]
    places = [(system.find(text), text) for texts in known.values() for text in texts]
    _, first = min(((at, text) for at, text in places if at >= 0), default=(0, "NO ANSWER"))
    return two_sentences(first)


def two_sentences(text: str) -> str:
    """Return the first two sentences of a text."""
    first = sentences(text)[:2]
    return text[: text.index(first[-1]) + len(first[-1])]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
