"""A desk without a model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.small_shop import Desk, open_desk


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened
