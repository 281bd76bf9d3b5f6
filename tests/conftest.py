"""What many tests start from: an empty database, the texts, a seeded random generator."""

import importlib
import os
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings
from sqlite_utils import Database

from bot.log.migrations import migrations
from bot.log.store import Store
from prompts import Prompts
from tests.fakes.vllm_api import FakeVllm
from tests.serving.real_engine import engine
from tests.small_shop import write_articles

__all__ = ["engine"]

# A busy machine is no defect.
settings.register_profile("frontdesk", deadline=None)
settings.load_profile("frontdesk")

PLATFORM_SETTINGS = ("TELEGRAM_", "SLACK_")


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        is_ours = name.startswith("FRONTDESK_") and "_TEST_" not in name
        if is_ours or name.startswith(PLATFORM_SETTINGS):
            monkeypatch.delenv(name)


@pytest.fixture
def db() -> Iterator[Database]:
    """An empty database in memory, with the newest schema."""
    opened = Database(memory=True)
    opened.execute("PRAGMA foreign_keys = ON")
    migrations.apply(opened)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "frontdesk.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def prompts() -> Prompts:
    return Prompts.load()


@pytest.fixture
def rng() -> random.Random:
    return random.Random(7)


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    """A folder with the small shop's articles."""
    return write_articles(tmp_path / "articles")


@pytest_asyncio.fixture
async def vllm() -> AsyncIterator[FakeVllm]:
    # A program loads it at its start. Here the first request would, in its own time limit.
    importlib.import_module("bot.model_library")
    async with FakeVllm() as fake:
        yield fake
