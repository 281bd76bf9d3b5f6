"""The client's connections: none is lost when nobody waits for an answer any more."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from adapters.telegram.client import TelegramClient
from tests.fakes.telegram_api import FakeTelegram


@pytest_asyncio.fixture
async def client(telegram: FakeTelegram) -> AsyncIterator[TelegramClient]:
    client = TelegramClient(telegram.token, telegram.base_url, 10.0)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


async def test_that_a_cancelled_call_gives_its_connection_back(
    telegram: FakeTelegram, client: TelegramClient
) -> None:
    telegram.customer_writes(7, "Hello")
    for number in range(1, 6):
        telegram.hold("sendChatAction")
        typing = asyncio.create_task(client.bot.send_chat_action(7, "typing"))
        await telegram.until(lambda: len(telegram.called("sendChatAction")) == number)  # noqa: B023
        typing.cancel()
        await asyncio.sleep(0)  # it has begun to clean up
        typing.cancel()
        await asyncio.gather(typing, return_exceptions=True)
        telegram.release("sendChatAction")
        await client.bot.get_me()  # after it, on the same connection or a second one

    assert len(telegram.connections("sendChatAction") | telegram.connections("getMe")) <= 2
    assert telegram.open_connections <= 2
