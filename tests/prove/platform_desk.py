"""The small shop behind real channels, with the platforms' fakes at the other end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.slack import SlackChannel
from adapters.telegram import TelegramChannel
from bot.limits import Limits
from bot.log.dialogues import StoredDialogues
from tests.adapters.slack import channels as slack_channels
from tests.adapters.telegram import channels as telegram_channels
from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import NO_MODEL, RETURNS_EN, Desk, open_desk

DEADLINE_SECONDS = 240
# The proofs write more for one customer than any customer would, on a machine that is busy.
UNLIMITED = Limits(
    answer_seconds=120.0,
    messages_per_minute=0,
    model_calls_per_minute=100_000,
    daily_tokens=0,
    most_waiting=100_000,
    model_calls_at_once=1000,
)


async def eventually(is_true: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> bool:
    """Wait for something that takes long; return whether it came in time."""
    deadline = time.monotonic() + seconds
    while not (holds := is_true()) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    return bool(holds)


@dataclass(slots=True)
class Stopwatch:
    """How long something takes, in seconds."""

    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


@asynccontextmanager
async def writing_model() -> AsyncIterator[FakeVllm]:
    """A model that answers from the shop's article."""
    async with FakeVllm() as model:
        sentence = RETURNS_EN.split(". ")[0] + "."
        model.reply = lambda body: [sentence] * int(body.get("n") or 1)
        yield model


@asynccontextmanager
async def desk(folder: Path, model: FakeVllm | None = None) -> AsyncIterator[Desk]:
    """Open the shop's desk, with waiting that is real."""
    async with open_desk(
        folder,
        model_url=model.url if model else NO_MODEL,
        drafts=1,
        pause=asyncio.sleep,
        limits=UNLIMITED,
    ) as opened:
        yield opened


@asynccontextmanager
async def on_slack(at: Desk, slack: FakeSlack, **settings: Any) -> AsyncIterator[SlackChannel]:
    """Let the desk answer on Slack."""
    # The tests' own 50 ms would give a socket up while the machine is busy.
    settings = {"ping_seconds": 3.0, **settings}
    channel = slack_channels.channel_for(slack, at.delivery, StoredDialogues(at.store), **settings)
    at.delivery.add(channel)
    try:
        yield channel
        await at.settled()
    finally:
        await channel.close()


@asynccontextmanager
async def on_telegram(
    at: Desk, telegram: FakeTelegram, **settings: Any
) -> AsyncIterator[TelegramChannel]:
    """Let the desk answer on Telegram."""
    inbox: Any = at.delivery
    channel = telegram_channels.channel_for(telegram, inbox, **settings)
    at.delivery.add(channel)
    try:
        yield channel
        await at.settled()
    finally:
        await channel.close()


async def rows_of(at: Desk, sql: str) -> int:
    """Return what a query counts in the log."""
    return int(str((await at.rows(sql))[0][0]))
