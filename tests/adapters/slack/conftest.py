"""A fake Slack and a channel that talks to it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.slack import SlackChannel
from tests.adapters.recording_inbox import KnownDialogues, RecordingInbox
from tests.adapters.slack.channels import channel_for
from tests.fakes.slack_api import FakeSlack


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake


@pytest.fixture
def inbox() -> RecordingInbox:
    return RecordingInbox()


@pytest.fixture
def dialogues() -> KnownDialogues:
    return KnownDialogues()


@pytest_asyncio.fixture
async def channel(
    slack: FakeSlack, inbox: RecordingInbox, dialogues: KnownDialogues
) -> AsyncIterator[SlackChannel]:
    """A channel that sends; tests of receiving run it."""
    channel = channel_for(slack, inbox, dialogues)
    yield channel
    await channel.close()
