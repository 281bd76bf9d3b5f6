"""Replies reach customers whole and once, whatever happens on the way."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from adapters.telegram import TelegramChannel
from bot.errors import (
    AttachmentError,
    DeliveryError,
    DeliveryRefused,
    LogError,
)
from bot.messages import Attachment, Outgoing
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import reply as sample
from tests.adapters.telegram.channels import (
    ADA,
    GROUP,
    PLACEHOLDER,
    channel_for,
    deliver,
    place,
    running,
    sending,
)
from tests.fakes.telegram_api import FakeTelegram, Fault


def reply(**changes: Any) -> Outgoing:
    return sample(**{"channel": "telegram", "address": str(ADA), **changes})


async def test_that_a_reply_names_its_source(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)

    posts = await deliver(channel, reply(source="courtesy"))

    shown = await telegram.next_reply(ADA)
    assert shown["text"] == "You can return it within 30 days.\n\nSource: Returns"
    assert posts == (f"{ADA}:{shown['message_id']}",)
    (placeholder,), (sent,) = telegram.called("sendMessage"), telegram.called("editMessageText")
    assert placeholder["text"] == PLACEHOLDER
    assert sent["link_preview_options"] == {"is_disabled": True}
    assert sent["entities"] == [
        {"type": "text_link", "offset": 43, "length": 7, "url": "https://shop.example/returns"}
    ]
    assert "parse_mode" not in sent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("<b>bold</b> <script>alert(1)</script>", "bold alert(1)", id="html"),
        pytest.param('{"text": 1}', '{"text": 1}', id="json"),
        pytest.param("[x](tg://user?id=1)~+-=|{}.!", "x~+-=|{}.!", id="app-link"),
        pytest.param("Pay $5 or $7, US$ 9 ~ 10 ~", "Pay $5 or $7, US$ 9 ~ 10 ~", id="prices"),
    ],
)
async def test_that_hostile_text_is_no_markup(
    telegram: FakeTelegram, channel: TelegramChannel, text: str, shown: str
) -> None:
    telegram.add_chat(ADA)

    await deliver(channel, reply(text=text, citations=(), source="courtesy"))

    assert telegram.replies(ADA) == [shown]
    (sent,) = telegram.called("editMessageText")
    assert set(sent) == {"chat_id", "message_id", "text", "link_preview_options"}


@pytest.mark.parametrize("text", ["[a](https://shop.example/)", "[看](https://shop.example/看)"])
async def test_that_a_link_that_telegram_refuses_brings_no_other_address_to_life(
    telegram: FakeTelegram, channel: TelegramChannel, text: str
) -> None:
    telegram.add_chat(ADA)
    hostile = reply(text=f"{text} https://evil.example", citations=())
    old = await deliver(channel, reply(citations=()))
    refusal = Fault(400, "Bad Request: Wrong message entity")
    for changes in ({"id": 2, "replaces": old}, {"id": 3}):
        telegram.fail_next("editMessageText", refusal)
        await deliver(channel, replace(hostile, **changes))

    for post in telegram.posts(ADA):
        assert post["text"].endswith(" https://evil.example")
        assert [entity["type"] for entity in post["entities"]] == ["code"]


async def test_that_an_answer_that_never_ends_is_given_up(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    for method in ("sendMessage", "getFile"):
        telegram.fail_next(method, Fault.stalled())

    async with sending(telegram, inbox, timeout_seconds=0.05) as channel, asyncio.timeout(5):
        with pytest.raises(DeliveryError):
            await deliver(channel, reply())
        with pytest.raises(AttachmentError):
            await channel.fetch(Attachment(kind="photo", id="f1"))


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("You can send the parcel back within thirty days. ", id="english"),
        pytest.param("您可以在三十天之内把包裹寄回来。", id="chinese"),
        pytest.param("👩‍👩‍👧‍👦🇨🇳 done! ", id="emoji"),
    ],
)
async def test_that_a_long_reply_comes_in_whole_sentences(
    telegram: FakeTelegram, channel: TelegramChannel, sentence: str
) -> None:
    telegram.add_chat(ADA)
    count = 12_000 // len(sentence)

    await deliver(channel, reply(text=sentence * count))

    *parts, source = "\n\n".join(telegram.replies(ADA)).split("\n\n")
    assert len(parts) >= 2
    assert all(part.endswith(sentence.strip()) for part in parts)
    assert "".join("".join(parts).split()) == "".join((sentence * count).split())
    assert source.startswith("Source: Returns")


async def test_that_a_reply_without_words_is_refused(channel: TelegramChannel) -> None:
    with pytest.raises(DeliveryRefused):
        await deliver(channel, reply(text=" \n", citations=()))


async def test_that_a_flood_tells_how_long_to_wait(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessage", Fault.flood(7))

    with pytest.raises(DeliveryError) as caught:
        await deliver(channel, reply())

    assert type(caught.value) is DeliveryError
    assert caught.value.retry_after_seconds == 7


@pytest.mark.parametrize(
    ("fault", "strays"),
    [
        pytest.param(Fault.server_error(), 0, id="500"),
        pytest.param(Fault(502, "Bad Gateway"), 0, id="502"),
        pytest.param(Fault.dropped(), 0, id="cut"),
        pytest.param(Fault.answer_lost(), 1, id="answer-lost"),
        pytest.param(Fault.answer_garbled("<html>oops</html>"), 1, id="html"),
        pytest.param(Fault.answer_garbled("[]"), 1, id="list"),
        pytest.param(Fault.answer_garbled('{"ok": true}'), 1, id="no-result"),
        pytest.param(Fault.answer_garbled('{"ok": true, "result": 1}'), 1, id="no-message"),
    ],
)
async def test_that_a_post_without_a_readable_answer_leaves_a_placeholder_too_many_at_most(
    telegram: FakeTelegram, channel: TelegramChannel, fault: Fault, strays: int
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessage", fault)

    with pytest.raises(DeliveryError) as caught:
        await deliver(channel, reply(citations=()))
    await deliver(channel, reply(citations=()))

    assert type(caught.value) is DeliveryError
    assert telegram.replies(ADA) == [PLACEHOLDER] * strays + [reply().text]


async def test_that_a_post_whose_answer_comes_too_late_may_be_tried_again(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.add_chat(ADA)
    telegram.hold("sendMessage")

    async with sending(telegram, inbox, timeout_seconds=0.05) as channel:
        with pytest.raises(DeliveryError) as caught:
            await deliver(channel, reply())

    assert type(caught.value) is DeliveryError


async def test_that_a_post_that_never_left_may_be_tried_again(
    telegram: FakeTelegram, inbox: RecordingInbox, unused_tcp_port: int
) -> None:
    channel = channel_for(telegram, inbox, base_url=f"http://127.0.0.1:{unused_tcp_port}")

    with pytest.raises(DeliveryError) as caught:
        await deliver(channel, reply())

    assert type(caught.value) is DeliveryError
    await channel.close()


async def test_that_a_reply_nobody_can_get_is_refused(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "hello")
    telegram.blocks_the_bot(ADA)

    with pytest.raises(DeliveryRefused, match="blocked by the user"):
        await deliver(channel, reply())
    with pytest.raises(DeliveryRefused, match=r"[Cc]hat not found"):
        await deliver(channel, reply(address="7"))
    with pytest.raises(DeliveryRefused, match="not an address"):
        await deliver(channel, reply(address="D1:2:3:4"))


async def test_that_a_refused_token_at_sending_is_no_refusal_for_good(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.add_chat(ADA)
    channel = channel_for(telegram, inbox, token="123456789:wrong")

    with pytest.raises(DeliveryError, match="TELEGRAM_BOT_TOKEN") as caught:
        await deliver(channel, reply())

    assert type(caught.value) is DeliveryError
    await channel.close()


async def test_that_a_reply_in_a_group_points_at_the_question(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.member_writes(
        GROUP, ADA, "@frontdesk_bot hi", message_thread_id=8, is_topic_message=True
    )
    async with running(channel):
        await inbox.texts(1)

    asked = inbox.accepted[0]
    await deliver(channel, reply(address=asked.address, in_reply_to=asked.event_keys[0]))

    shown = await telegram.next_reply(GROUP)
    assert shown["reply_to_message"]["text"] == "@frontdesk_bot hi"
    assert shown["message_thread_id"] == 8


async def test_that_a_group_that_moved_gets_its_reply_and_keeps_its_conversations(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.group_becomes_supergroup(-5, GROUP)
    inbox.errors = [LogError("The disk is full.")]

    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            await deliver(channel, reply(address=f"-5:0:{ADA}"))
        assert type(caught.value) is DeliveryError
    await deliver(channel, reply(address=f"{GROUP}:0:{ADA}"))

    assert len(telegram.replies(GROUP)) == 1
    assert inbox.moves == [("telegram", "-5", str(GROUP))]


async def test_that_a_reply_is_sent_after_the_channel_stopped(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "hello")
    async with running(channel):
        await inbox.texts(1)

    await deliver(channel, reply())

    assert len(telegram.replies(ADA)) == 1


async def test_that_a_post_under_way_outlives_the_end_of_receiving(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "hello")
    telegram.hold("sendMessage")
    receiving = asyncio.create_task(channel.run())
    await inbox.texts(1)
    sending = asyncio.create_task(deliver(channel, reply()))
    await telegram.until(lambda: telegram.called("sendMessage"))

    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    telegram.release("sendMessage")
    await sending

    assert len(telegram.replies(ADA)) == 1


async def test_that_closing_ends_typing(telegram: FakeTelegram, channel: TelegramChannel) -> None:
    telegram.add_chat(ADA)
    await channel.show_progress(place(), "writing")

    await channel.close()

    assert typing_tasks() == []


# Typing.


async def test_that_typing_is_shown_until_the_reply(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)

    await channel.show_progress(place(), "searching")
    await channel.show_progress(place(), "writing")
    assert len(typing_tasks()) == 1
    await telegram.until(lambda: len(telegram.called("sendChatAction")) >= 3)
    await deliver(channel, reply())

    assert telegram.called("sendChatAction")[0] == {"chat_id": ADA, "action": "typing"}
    assert all(task.cancelling() for task in typing_tasks())


def typing_tasks() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if "Presence" in repr(task.get_coro())]


async def test_that_typing_ends_by_itself(telegram: FakeTelegram, inbox: RecordingInbox) -> None:
    telegram.add_chat(ADA)
    channel = channel_for(telegram, inbox, typing_limit_seconds=0.05)

    await channel.show_progress(place(), "writing")
    (typing,) = typing_tasks()
    async with asyncio.timeout(5):
        await typing

    assert telegram.called("sendChatAction")
    await channel.close()


async def test_that_refused_typing_is_no_error(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    await channel.show_progress(place(7), "writing")
    await telegram.until(lambda: telegram.called("sendChatAction"))

    telegram.add_chat(ADA)
    await deliver(channel, reply())

    assert len(telegram.replies(ADA)) == 1


async def test_that_an_unreadable_answer_to_typing_is_no_error(
    telegram: FakeTelegram, channel: TelegramChannel, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendChatAction", Fault.answer_garbled("[]"))

    await channel.show_progress(place(), "writing")
    (typing,) = typing_tasks()
    async with asyncio.timeout(5):
        await typing

    assert f"Typing in chat {ADA} not shown (TypeError)." in caplog.text
