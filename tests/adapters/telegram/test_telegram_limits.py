"""Telegram's limits are kept, and one chat that must wait holds up nobody else."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from adapters.pacing import Pace
from adapters.telegram import TelegramChannel
from adapters.telegram.limits import TELEGRAM_LIMITS, Limits
from bot.errors import DeliveryError
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import reply
from tests.adapters.telegram.channels import (
    ADA,
    GROUP,
    PLACEHOLDER,
    begin,
    deliver,
    place,
    sending,
    settle,
)
from tests.fakes.telegram_api import FakeTelegram, Fault

# In less time than the real ones, and far slower than what the fake enforces: on a busy machine a
# request needs a moment to get there.
QUICK = Limits(everywhere=(Pace(30, 0.3),), each=(Pace(1, 0.4),), group=(Pace(4, 1.2),))


def test_that_the_limits_are_telegrams() -> None:
    assert TELEGRAM_LIMITS.everywhere == (Pace(30, 1.1),)
    assert TELEGRAM_LIMITS.each == (Pace(1, 1),)
    assert TELEGRAM_LIMITS.group == (Pace(20, 61),)


async def test_that_limits_are_kept_and_nothing_is_lost_or_out_of_order(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.limit((1, 0.05), everywhere=(30, 0.05))
    chats = list(range(1, 9))
    for chat in chats:
        telegram.add_chat(chat)

    async with (
        sending(telegram, inbox, limits=QUICK, typing_repeat_seconds=60) as channel,
        asyncio.TaskGroup() as tasks,
    ):
        for chat in chats:
            tasks.create_task(chat_away(channel, chat))

    for chat in chats:
        assert telegram.replies(chat) == [f"{chat} {number}" for number in range(3)]
    assert telegram.too_early == []
    assert len(telegram.refusals) <= 1  # a machine may stop for a moment between two requests


async def chat_away(channel: TelegramChannel, chat: int) -> None:
    """Answer three questions as the core does, trying again after a flood."""
    for number in range(3):
        text = f"{chat} {number}"
        where = place(chat, in_reply_to=f"message:{chat}:{number}")
        await channel.show_progress(where, "writing")
        with suppress(DeliveryError):
            await begin(channel, where, text)
        answer = reply(id=3 * chat + number, address=str(chat), text=text, citations=())
        await settle(channel, answer)


async def test_that_a_group_has_a_limit_of_its_own(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.limit((2, 0.05), group=(4, 0.6))
    telegram.add_chat(GROUP)

    async with sending(telegram, inbox, limits=QUICK) as channel:
        await deliver(channel, reply(address=f"{GROUP}:0:{ADA}", text="这是一个句子。" * 2000))

    assert len(telegram.replies(GROUP)) == 4
    assert PLACEHOLDER not in telegram.replies(GROUP)
    assert telegram.refusals == []


async def test_that_beginnings_leave_a_group_slots_for_its_answers(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.add_chat(GROUP)
    limits = Limits(everywhere=(), each=(), group=(Pace(4, 3600),), beginnings=(Pace(1, 3600),))
    where = place(f"{GROUP}:0:{ADA}")

    async with sending(telegram, inbox, limits=limits) as channel, asyncio.timeout(5):
        post = await channel.reserve(where)
        for number in range(20):
            await channel.preview(where, "word " * (number + 1))
        answer = reply(address=where.address, in_reply_to=where.in_reply_to)
        await deliver(channel, replace(answer, replaces=(str(post),)))

    assert len(telegram.called("editMessageText")) == 2
    assert telegram.replies(GROUP)[0].startswith("You can return it")


async def test_that_a_group_counts_once_towards_what_goes_everywhere(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.add_chat(GROUP)
    limits = Limits(everywhere=(Pace(2, 3600),), each=(), group=(Pace(20, 60),))

    async with sending(telegram, inbox, limits=limits) as channel, asyncio.timeout(5):
        await deliver(channel, reply(address=f"{GROUP}:0:{ADA}"))

    assert len(telegram.replies(GROUP)) == 1


async def test_that_a_flood_holds_up_its_own_chat_alone(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    telegram.add_chat(7)
    telegram.fail_next("sendMessage", Fault.flood(1))
    clock = asyncio.get_running_loop().time
    with pytest.raises(DeliveryError) as caught:
        await deliver(channel, reply(id=1, address=str(ADA)))
    started = clock()

    held = asyncio.create_task(deliver(channel, reply(id=1, address=str(ADA))))
    after = asyncio.create_task(deliver(channel, reply(id=2, address=str(ADA), text="second")))
    await channel.show_progress(place(ADA), "writing")
    await begin(channel, place(ADA), "You")
    await deliver(channel, reply(id=3, address="7"))
    waited_elsewhere = clock() - started
    await asyncio.gather(held, after)

    assert caught.value.retry_after_seconds == 1
    assert waited_elsewhere < 0.5 < 0.9 < clock() - started
    assert telegram.too_early == []
    assert [text.split()[0] for text in telegram.replies(ADA)] == ["You", "second"]


async def test_that_an_answer_does_not_wait_for_its_typing_sign(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.add_chat(ADA)
    limits = Limits(everywhere=(), each=(Pace(1, 3600),), group=())

    async with sending(telegram, inbox, limits=limits) as channel, asyncio.timeout(5):
        await channel.show_progress(place(ADA), "writing")
        await telegram.until(lambda: telegram.called("sendChatAction"))
        await deliver(channel, reply(address=str(ADA)))

    assert len(telegram.replies(ADA)) == 1
    assert len(telegram.called("sendChatAction")) == 1
