"""What every test of the Telegram channel starts from."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.telegram import TelegramChannel
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.telegram.channels import channel_for
from tests.fakes.telegram_api import FakeTelegram


@pytest_asyncio.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as fake:
        yield fake


@pytest.fixture
def inbox() -> RecordingInbox:
    return RecordingInbox()


@pytest_asyncio.fixture
async def channel(telegram: FakeTelegram, inbox: RecordingInbox) -> AsyncIterator[TelegramChannel]:
    """A channel that sends; tests of receiving run it."""
    channel = channel_for(telegram, inbox)
    yield channel
    await channel.close()
