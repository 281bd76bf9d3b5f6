"""Whatever is lost, and whenever the program ends: one answer stands, and placeholders at most."""

import asyncio
import random
from dataclasses import replace

import pytest

from adapters.telegram import TelegramChannel
from bot.errors import DeliveryError
from bot.messages import Outgoing
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import reply
from tests.adapters.telegram.channels import ADA, GROUP, PLACEHOLDER, sending, settle
from tests.fakes.telegram_api import FakeTelegram, Fault

SHOP = "b1"
PLACES = {"private": str(ADA), "topic": f"{GROUP}:8:{ADA}", "business": f"b{SHOP}/{ADA}"}
TEXTS = {"en": "A sentence of some length. " * 400, "zh": "这是一个有些长度的句子。" * 900}
REQUESTS = [
    (method, number) for method in ("sendMessage", "editMessageText") for number in range(3)
]


def long_reply(place: str = "private", language: str = "en") -> Outgoing:
    """Return a reply in three parts."""
    return reply(address=PLACES[place], text=TEXTS[language], citations=())


def open_chats(telegram: FakeTelegram) -> None:
    telegram.add_chat(ADA)
    telegram.member_writes(GROUP, ADA, "hi", message_thread_id=8, is_topic_message=True)
    telegram.connects_business(SHOP, 77, can_reply=True, can_delete_sent_messages=True)
    telegram.writes_to_business(SHOP, ADA, "hi")


def check_that_it_stands_once(telegram: FakeTelegram, outgoing: Outgoing) -> int:
    """Fail unless the answer stands once and in order; return how many placeholders stand, too."""
    posts = telegram.replies(ADA) + telegram.replies(GROUP)
    parts = [text for text in posts if text not in telegram.placeholders]
    assert "".join("".join(parts).split()) == "".join(outgoing.text.split())
    return len(posts) - len(parts)


async def restarted(telegram: FakeTelegram, inbox: RecordingInbox, outgoing: Outgoing) -> None:
    async with sending(telegram, inbox) as channel:
        await settle(channel, outgoing)


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("place", PLACES)
async def test_that_a_kill_between_placeholder_and_answer_posts_nothing_twice(
    telegram: FakeTelegram, inbox: RecordingInbox, place: str, language: str
) -> None:
    open_chats(telegram)
    outgoing = long_reply(place, language)
    async with sending(telegram, inbox) as channel:
        posts = await channel.prepare(outgoing, is_doubtful=False)
    reserved = telegram.replies(ADA) + telegram.replies(GROUP)

    await restarted(telegram, inbox, replace(outgoing, replaces=posts))

    assert reserved == [PLACEHOLDER] * 3
    assert len(telegram.called("sendMessage")) == 3
    assert check_that_it_stands_once(telegram, outgoing) == 0


@pytest.mark.parametrize("filled", [1, 2, 3])
async def test_that_a_kill_between_two_parts_posts_nothing_twice(
    telegram: FakeTelegram, inbox: RecordingInbox, filled: int
) -> None:
    open_chats(telegram)
    async with sending(telegram, inbox) as channel:
        posts = await channel.prepare(long_reply(), is_doubtful=False)
        prepared = replace(long_reply(), replaces=posts)
        telegram.fail_next("editMessageText", *[None] * (filled - 1), Fault.answer_lost())
        with pytest.raises(DeliveryError):
            await channel.send(prepared)

    await restarted(telegram, inbox, prepared)

    assert len(telegram.called("sendMessage")) == 3
    assert check_that_it_stands_once(telegram, prepared) == 0


@pytest.mark.parametrize("posted", [1, 2, 3])
async def test_that_a_kill_while_placeholders_are_posted_leaves_those(
    telegram: FakeTelegram, inbox: RecordingInbox, posted: int
) -> None:
    open_chats(telegram)
    telegram.fail_next("sendMessage", *[None] * (posted - 1), Fault.answer_lost())
    async with sending(telegram, inbox) as channel:
        with pytest.raises(DeliveryError):
            await channel.prepare(long_reply(), is_doubtful=False)

    await restarted(telegram, inbox, long_reply())

    assert check_that_it_stands_once(telegram, long_reply()) == posted


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("method", "number"), REQUESTS)
async def test_that_a_lost_answer_leaves_one_reply_and_a_placeholder_for_a_lost_post(
    telegram: FakeTelegram, channel: TelegramChannel, place: str, method: str, number: int
) -> None:
    open_chats(telegram)
    telegram.fail_next(method, *[None] * number, Fault.answer_lost())

    posts = await settle(channel, long_reply(place))

    strays = check_that_it_stands_once(telegram, long_reply(place))
    assert strays == (method == "sendMessage")
    assert len(posts) == 3


async def test_that_a_flood_at_any_request_costs_its_wait_alone() -> None:
    async def flooded(method: str, number: int) -> None:
        async with FakeTelegram() as telegram, sending(telegram, RecordingInbox()) as channel:
            open_chats(telegram)
            telegram.fail_next(method, *[None] * number, Fault.flood(1))
            await settle(channel, long_reply())
            assert check_that_it_stands_once(telegram, long_reply()) == 0
            assert len(telegram.called("sendMessage")) == 3 + (method == "sendMessage")
            assert telegram.too_early == []

    async with asyncio.TaskGroup() as tasks:
        for request in REQUESTS:
            tasks.create_task(flooded(*request))


@pytest.mark.parametrize("seed", range(8))
async def test_that_with_faults_at_random_one_answer_stands(
    telegram: FakeTelegram, channel: TelegramChannel, seed: int
) -> None:
    open_chats(telegram)
    rng = random.Random(seed)
    faults = [None, Fault.answer_lost(), Fault.dropped(), Fault.server_error()]
    posts = rng.choices(faults, [3, 1, 1, 1], k=12)
    telegram.fail_next("sendMessage", *posts)
    telegram.fail_next("editMessageText", *rng.choices(faults, [3, 1, 1, 1], k=12))
    outgoing = long_reply(rng.choice(list(PLACES)), rng.choice(list(TEXTS)))

    await settle(channel, outgoing)

    used = posts[: len(telegram.called("sendMessage"))]
    lost = sum(fault is not None and fault.lose_answer for fault in used)
    assert check_that_it_stands_once(telegram, outgoing) == lost
