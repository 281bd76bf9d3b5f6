"""Polling outlives what networks and servers do, and says what is wrong meanwhile."""

import asyncio
import logging

import pytest

from adapters.telegram import TelegramChannel
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import reply
from tests.adapters.telegram.channels import ADA, channel_for, deliver, running
from tests.fakes.telegram_api import FakeTelegram, Fault


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.dropped(), id="dropped"),
        pytest.param(Fault.answer_lost(), id="answer-lost"),
        pytest.param(Fault(502, "Bad Gateway"), id="502"),
        pytest.param(Fault(200, "not an answer"), id="nonsense"),
        pytest.param(Fault(409, "Conflict: terminated by other getUpdates request"), id="409"),
    ],
)
async def test_that_polling_heals_by_itself(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, fault: Fault
) -> None:
    telegram.fail_next("getMe", fault)
    telegram.fail_next("getUpdates", fault, fault)
    telegram.customer_writes(ADA, "still there?")

    async with running(channel):
        assert await inbox.texts(1) == ["still there?"]
        await telegram.until(lambda: not telegram.unconfirmed)

    assert inbox.duplicates == []


async def test_that_trouble_is_told_while_it_lasts(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    assert channel.trouble() == "Telegram has not been reached yet."
    telegram.fail_next("getMe", *[Fault.server_error()] * 3)

    async with running(channel):
        await telegram.until(lambda: len(telegram.called("getMe")) == 3)
        trouble = channel.trouble()
        await telegram.until(lambda: len(telegram.called("getUpdates")) == 2)
        healed = channel.trouble()

    assert trouble
    assert trouble.startswith(f"Telegram can't be reached at {telegram.base_url}")
    assert healed is None


async def test_that_a_flood_while_polling_is_waited_for(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.fail_next("getUpdates", Fault.flood(1))
    telegram.customer_writes(ADA, "hello")

    async with running(channel):
        await telegram.until(lambda: telegram.called("getUpdates"))
        started = asyncio.get_running_loop().time()
        await inbox.texts(1)

    assert asyncio.get_running_loop().time() - started >= 0.9


async def test_that_the_token_never_reaches_the_log(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    telegram.fail_next("getUpdates", Fault.dropped(), Fault(404, f"Not Found {telegram.token}"))
    telegram.customer_writes(ADA, "my secret")

    async with running(channel):
        await inbox.texts(1)
        await deliver(channel, reply(address=str(ADA)))

    assert caplog.records
    assert telegram.token not in caplog.text
    assert "my secret" not in caplog.text


@pytest.mark.parametrize("text", ["still there?", "还在吗？"])
async def test_that_a_poll_that_never_ends_is_noticed_and_asked_again(
    telegram: FakeTelegram, inbox: RecordingInbox, text: str
) -> None:
    channel = channel_for(telegram, inbox, timeout_seconds=0.2, stall_seconds=0.1)
    telegram.fail_next("getUpdates", Fault.stalled(), Fault.stalled())
    telegram.customer_writes(ADA, text)

    async with running(channel):
        await telegram.until(lambda: len(telegram.called("getUpdates")) == 2)
        trouble = channel.trouble()
        assert await inbox.texts(1) == [text]
        await telegram.until(lambda: not telegram.unconfirmed)
        connections = telegram.connections("getUpdates")

    assert trouble == "Telegram stopped answering; it is asked again."
    assert len(connections) >= 3
    assert inbox.duplicates == []


async def test_that_slow_answers_are_waited_for(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.hold("getUpdates")
    telegram.customer_writes(ADA, "hello")

    async with running(channel):
        await telegram.until(lambda: telegram.called("getUpdates"))
        telegram.release("getUpdates")
        assert await inbox.texts(1) == ["hello"]

    assert channel.trouble() is None
