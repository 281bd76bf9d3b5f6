"""The Telegram channel against a fake Telegram: what customers see, and what is confirmed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from adapters.telegram import TelegramChannel
from bot.errors import (
    ChannelUnreachable,
    DeliveryError,
    DeliveryInDoubt,
    DeliveryRefused,
    LogError,
    SettingsError,
)
from bot.messages import Citation, ConversationId, Incoming, Outgoing, TurnId
from prompts import Prompts
from tests.adapters.recording_inbox import RecordingInbox
from tests.fakes.telegram_api import FakeTelegram, Fault

ADA = 42
GROUP = -1001
RETURNS = Citation(article="returns", title="Returns", url="https://shop.example/returns")
REPLY = Outgoing(
    id=1,
    conversation=ConversationId("c1"),
    turn=TurnId("t1"),
    channel="telegram",
    address=str(ADA),
    in_reply_to="t0",
    text="You can return it within 30 days.",
    source="article",
    language="en",
    citations=(RETURNS,),
    candidates=1,
    handed_off=False,
)


@pytest_asyncio.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as fake:
        yield fake


@pytest.fixture
def inbox() -> RecordingInbox:
    return RecordingInbox()


def channel_for(telegram: FakeTelegram, inbox: RecordingInbox, **settings: Any) -> TelegramChannel:
    defaults = {
        "token": telegram.token,
        "base_url": telegram.base_url,
        "first_delay_seconds": 0.01,
        "longest_delay_seconds": 0.05,
        "typing_repeat_seconds": 0.01,
    }
    return TelegramChannel(inbox=inbox, prompts=Prompts.load(), **{**defaults, **settings})


@asynccontextmanager
async def running(channel: TelegramChannel) -> AsyncIterator[TelegramChannel]:
    task = asyncio.create_task(channel.run())
    try:
        yield channel
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channel.close()


@pytest_asyncio.fixture
async def channel(telegram: FakeTelegram, inbox: RecordingInbox) -> AsyncIterator[TelegramChannel]:
    """A channel that sends; tests of receiving run it."""
    channel = channel_for(telegram, inbox)
    yield channel
    await channel.close()


# Receiving.


async def test_that_a_private_message_reaches_the_core(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    update_id = telegram.customer_writes(ADA, "Where is my parcel?")

    async with running(channel):
        await inbox.texts(1)

    assert inbox.accepted == [
        Incoming(
            channel="telegram",
            event_keys=(f"message:{ADA}:1", f"update:{update_id}"),
            address=str(ADA),
            customer=str(ADA),
            text="Where is my parcel?",
            language=None,
        )
    ]


async def test_that_an_update_is_confirmed_once_it_is_stored(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "hello")

    async with running(channel):
        await telegram.until(lambda: inbox.accepted and not telegram.unconfirmed)


async def test_that_an_update_that_is_not_stored_is_not_confirmed(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    first = telegram.customer_writes(ADA, "one")
    second = telegram.customer_writes(ADA, "two")
    inbox.errors = [LogError("The disk is full.") for _ in range(3)]

    async with running(channel):
        await inbox.until(lambda: inbox.refusals == 3)
        assert telegram.unconfirmed == [first, second]
        assert channel.trouble() == "Messages from Telegram can't be stored at the moment."
        assert await inbox.texts(2) == ["one", "two"]
        await telegram.until(lambda: not telegram.unconfirmed)

    assert channel.trouble() is None


async def test_that_what_is_stored_before_a_failure_is_confirmed(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "one")

    async with running(channel):
        await inbox.texts(1)
        inbox.errors = [LogError("The disk is full.") for _ in range(3)]
        second = telegram.customer_writes(ADA, "two")
        await inbox.until(lambda: inbox.refusals == 2)
        assert telegram.unconfirmed == [second]
        assert await inbox.texts(2) == ["one", "two"]

    assert inbox.duplicates == []


async def test_that_a_defect_of_the_core_is_a_failure_to_store(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    telegram.customer_writes(ADA, "my secret")
    inbox.errors = [RuntimeError("a defect")]

    async with running(channel):
        assert await inbox.texts(1) == ["my secret"]

    assert "Update 7000 was not stored" in caplog.text
    assert "my secret" not in caplog.text


async def test_that_a_restart_brings_back_what_was_not_confirmed(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    update_id = telegram.customer_writes(ADA, "hello")
    # The message comes, but the call that would confirm it is lost, and so on until the end.
    telegram.fail_next("getUpdates", None, *[Fault.dropped()] * 1000)
    async with running(channel_for(telegram, inbox)):
        await inbox.texts(1)
    assert telegram.unconfirmed == [update_id]
    telegram.succeed_again()

    async with running(channel_for(telegram, inbox)):
        await inbox.until(lambda: inbox.duplicates)

    assert [incoming.text for incoming in inbox.accepted] == ["hello"]


async def test_that_pending_updates_survive_the_start(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "while you were away")
    telegram.webhook_url = "https://shop.example/old"

    async with running(channel):
        assert await inbox.texts(1) == ["while you were away"]

    assert telegram.called("deleteWebhook")[0].get("drop_pending_updates", False) is False


async def test_that_numbers_that_begin_anew_are_heard(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.customer_writes(ADA, "before")
    async with running(channel_for(telegram, inbox, poll_seconds=0)):
        await inbox.texts(1)
        await telegram.until(lambda: not telegram.unconfirmed)
        polls = len(telegram.called("getUpdates"))
        await telegram.until(lambda: len(telegram.called("getUpdates")) > polls + 1)
        telegram.pass_a_quiet_week(17)
        telegram.customer_writes(ADA, "after")

        assert await inbox.texts(2) == ["before", "after"]


async def test_that_an_unreadable_update_does_not_block_the_next(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    telegram.deliver({"message": {"message_id": "x", "chat": 5, "text": "my secret"}})
    telegram.deliver({"message": {}})
    telegram.customer_writes(ADA, "hello")

    async with running(channel):
        assert await inbox.texts(1) == ["hello"]
        await telegram.until(lambda: not telegram.unconfirmed)

    assert "Update 7000 can't be read" in caplog.text
    assert "my secret" not in caplog.text


@pytest.mark.parametrize(
    ("text", "fields", "expected"),
    [
        pytest.param("/start", {}, "/start", id="start"),
        pytest.param("/help", {}, "/help", id="help"),
        pytest.param("/help@frontdesk_bot", {}, "/help", id="addressed-command"),
        pytest.param("退货要多久？", {}, "退货要多久？", id="chinese"),
        pytest.param(None, {"photo": []}, "", id="photo"),
        pytest.param(None, {"caption": "Is this broken?"}, "Is this broken?", id="caption"),
        pytest.param("a\0b\ud800c", {}, "ab\ufffdc", id="what-can't-be-stored"),
        pytest.param("mail a@frontdesk_bots.example", {}, "mail a@frontdesk_bots.example", id="@"),
    ],
)
async def test_that_words_arrive_as_they_are(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    text: str | None,
    fields: dict[str, Any],
    expected: str,
) -> None:
    telegram.customer_writes(ADA, text, **fields)

    async with running(channel):
        assert await inbox.texts(1) == [expected]


async def test_that_an_album_without_words_is_one_message(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    for _ in range(3):
        telegram.customer_writes(ADA, None, photo=[], media_group_id="77")

    async with running(channel):
        await inbox.until(lambda: len(inbox.duplicates) == 2)

    assert [incoming.text for incoming in inbox.accepted] == [""]


@pytest.mark.parametrize("captioned", [0, 1, 2])
async def test_that_an_album_with_a_caption_is_one_message(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, captioned: int
) -> None:
    for number in range(3):
        words = {"caption": "Is this broken?"} if number == captioned else {}
        telegram.customer_writes(ADA, None, photo=[], media_group_id="77", **words)

    async with running(channel):
        await telegram.until(lambda: inbox.accepted and not telegram.unconfirmed)

    assert [incoming.text for incoming in inbox.accepted] == ["Is this broken?"]


async def test_that_a_picture_that_comes_after_its_albums_caption_is_no_message(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, None, photo=[], media_group_id="77", caption="Broken?")
    async with running(channel):
        await inbox.texts(1)
        telegram.customer_writes(ADA, None, photo=[], media_group_id="77")
        telegram.customer_writes(ADA, None, photo=[], media_group_id="78")
        await inbox.texts(2)

    assert [incoming.text for incoming in inbox.accepted] == ["Broken?", ""]
    assert inbox.accepted[1].event_keys[-1] == f"album:{ADA}:78"


async def test_that_a_picture_that_comes_before_its_albums_caption_does_not_swallow_it(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, None, photo=[], media_group_id="77")
    async with running(channel):
        await inbox.texts(1)
        telegram.customer_writes(ADA, None, photo=[], media_group_id="77", caption="Broken?")

        assert await inbox.texts(2) == ["", "Broken?"]


async def test_that_each_caption_in_an_album_is_a_message(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    for words in ("Is this broken?", "And this?"):
        telegram.customer_writes(ADA, None, photo=[], media_group_id="77", caption=words)

    async with running(channel):
        assert await inbox.texts(2) == ["Is this broken?", "And this?"]


async def test_that_what_is_no_message_to_us_is_confirmed_and_dropped(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, None, pinned_message=None, group_chat_created=True)
    telegram.member_writes(GROUP, ADA, "talk among people")
    telegram.member_writes(GROUP, ADA, "hello @another_bot and /help")
    telegram.deliver({"edited_message": {"message_id": 1, "text": "edited"}})
    bot = {"id": 9, "is_bot": True, "first_name": "Another bot"}
    telegram.customer_writes(ADA, "I am a bot", **{"from": bot})
    telegram.customer_writes(ADA, "the only one")

    async with running(channel):
        assert await inbox.texts(1) == ["the only one"]
        await telegram.until(lambda: not telegram.unconfirmed)

    assert len(inbox.accepted) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("@frontdesk_bot where is it?", "where is it?", id="in-front"),
        pytest.param("where is it? @Frontdesk_Bot", "where is it?", id="other-case"),
        pytest.param("😀 hey @frontdesk_bot where?", "😀 hey where?", id="after-emoji"),
        pytest.param("/help@frontdesk_bot", "/help", id="command"),
        pytest.param("@frontdesk_bot", "", id="alone"),
    ],
)
async def test_that_a_mention_in_a_group_is_heard_and_stripped(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    text: str,
    expected: str,
) -> None:
    telegram.member_writes(GROUP, ADA, text)

    async with running(channel):
        assert await inbox.texts(1) == [expected]

    assert inbox.accepted[0].address == f"{GROUP}:0:{ADA}"
    assert inbox.accepted[0].customer == str(ADA)


async def test_that_a_reply_to_the_bot_in_a_group_needs_no_mention(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    chat = {"id": GROUP, "type": "supergroup", "title": "Customers"}
    ours = {"message_id": 5, "date": 1, "chat": chat, "from": telegram.me, "text": "An answer"}
    telegram.member_writes(GROUP, ADA, "and then?", reply_to_message=ours)

    async with running(channel):
        assert await inbox.texts(1) == ["and then?"]


async def test_that_people_in_a_group_have_conversations_of_their_own(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.member_writes(GROUP, 1, "@frontdesk_bot hi")
    topic = {"message_thread_id": 8, "is_topic_message": True}
    telegram.member_writes(GROUP, 2, "@frontdesk_bot hi", **topic)

    async with running(channel):
        await inbox.texts(2)

    assert [m.address for m in inbox.accepted] == [f"{GROUP}:0:1", f"{GROUP}:8:2"]


# Trouble and healing.


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
        await channel.send(REPLY)

    assert caplog.records
    assert telegram.token not in caplog.text
    assert "my secret" not in caplog.text


# The token.


async def test_that_a_right_token_is_no_trouble(channel: TelegramChannel) -> None:
    await channel.check()


@pytest.mark.parametrize(
    ("token", "start"),
    [
        pytest.param("123456789:wrong", "Telegram refused TELEGRAM_BOT_TOKEN", id="wrong"),
        pytest.param("nonsense", "Telegram found no bot at http://127.0.0.1", id="malformed"),
        pytest.param("", "Telegram found no bot at http://127.0.0.1", id="empty"),
    ],
)
async def test_that_a_refused_token_is_told_from_silence(
    telegram: FakeTelegram, inbox: RecordingInbox, token: str, start: str
) -> None:
    with pytest.raises(SettingsError, match="TELEGRAM_BOT_TOKEN") as refusal:
        await channel_for(telegram, inbox, token=token).check()

    assert str(refusal.value).startswith(start)


async def test_that_an_unreachable_telegram_is_not_a_wrong_token(
    telegram: FakeTelegram, inbox: RecordingInbox, unused_tcp_port: int
) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}"

    with pytest.raises(ChannelUnreachable, match=f"can't be reached at {address}: check the net"):
        await channel_for(telegram, inbox, base_url=address).check()


async def test_that_a_token_with_space_around_it_works(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    settings = {"token": f" {telegram.token}\n", "base_url": f"{telegram.base_url}/"}
    await channel_for(telegram, inbox, **settings).check()


# Sending.


async def test_that_a_reply_is_plain_text_with_its_source(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)

    message_id = await channel.send(REPLY)

    reply = await telegram.next_reply(ADA)
    assert reply["text"] == (
        "You can return it within 30 days.\n\nSource: Returns (https://shop.example/returns)"
    )
    assert message_id == str(reply["message_id"])
    sent = telegram.called("sendMessage")[0]
    assert sent["link_preview_options"] == {"is_disabled": True}
    assert "parse_mode" not in sent


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<b>bold</b> &amp; <script>alert(1)</script>", id="html"),
        pytest.param("_*[x](tg://user?id=1)~`>#+-=|{}.!\\", id="markdown"),
        pytest.param('{"text": 1}', id="json"),
        pytest.param("\u202eright to left\u202c", id="direction"),
    ],
)
async def test_that_hostile_text_is_shown_as_it_is(
    telegram: FakeTelegram, channel: TelegramChannel, text: str
) -> None:
    telegram.add_chat(ADA)

    await channel.send(replace(REPLY, text=text, citations=()))

    assert telegram.replies(ADA) == [text]
    assert set(telegram.called("sendMessage")[0]) == {"chat_id", "text", "link_preview_options"}


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

    await channel.send(replace(REPLY, text=sentence * count))

    *parts, source = "\n\n".join(telegram.replies(ADA)).split("\n\n")
    assert len(parts) >= 2
    assert all(part.endswith(sentence.strip()) for part in parts)
    assert "".join("".join(parts).split()) == "".join((sentence * count).split())
    assert source.startswith("Source: Returns")


async def test_that_a_reply_without_words_is_refused(channel: TelegramChannel) -> None:
    with pytest.raises(DeliveryRefused):
        await channel.send(replace(REPLY, text=" \n", citations=()))


async def test_that_a_flood_tells_how_long_to_wait(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessage", Fault.flood(7))

    with pytest.raises(DeliveryError) as caught:
        await channel.send(REPLY)

    assert type(caught.value) is DeliveryError
    assert caught.value.retry_after_seconds == 7


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault(502, "Bad Gateway"), id="502"),
        pytest.param(Fault.dropped(), id="cut"),
        pytest.param(Fault.answer_lost(), id="answer-lost"),
        pytest.param(Fault.answer_garbled("<html>oops</html>"), id="html"),
        pytest.param(Fault.answer_garbled("[]"), id="list"),
        pytest.param(Fault.answer_garbled('{"ok": true}'), id="no-result"),
        pytest.param(Fault.answer_garbled('{"ok": true, "result": 1}'), id="no-message"),
    ],
)
async def test_that_a_post_without_a_readable_answer_is_in_doubt(
    telegram: FakeTelegram, channel: TelegramChannel, fault: Fault
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessage", fault)

    with pytest.raises(DeliveryInDoubt, match="may have arrived"):
        await channel.send(REPLY)


async def test_that_a_post_whose_answer_comes_too_late_is_in_doubt(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.add_chat(ADA)
    channel = channel_for(telegram, inbox, timeout_seconds=0.05)
    telegram.hold("sendMessage")

    with pytest.raises(DeliveryInDoubt):
        await channel.send(REPLY)

    await channel.close()


async def test_that_a_post_that_never_left_may_be_tried_again(
    telegram: FakeTelegram, inbox: RecordingInbox, unused_tcp_port: int
) -> None:
    channel = channel_for(telegram, inbox, base_url=f"http://127.0.0.1:{unused_tcp_port}")

    with pytest.raises(DeliveryError) as caught:
        await channel.send(REPLY)

    assert type(caught.value) is DeliveryError
    await channel.close()


async def test_that_a_later_part_in_doubt_leaves_the_reply_in_doubt(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessage", None, Fault.answer_lost())

    with pytest.raises(DeliveryInDoubt):
        await channel.send(replace(REPLY, text="A sentence of some length. " * 400))

    assert len(telegram.replies(ADA)) == 2


async def test_that_parts_that_were_posted_are_not_posted_again(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    reply = replace(REPLY, text="A sentence of some length. " * 400, citations=())
    telegram.fail_next("sendMessage", None, Fault.flood(1))

    with pytest.raises(DeliveryError):
        await channel.send(reply)
    first = telegram.replies(ADA)
    await channel.send(reply)

    assert len(first) == 1
    assert telegram.replies(ADA)[0] == first[0]
    assert "".join(" ".join(telegram.replies(ADA)).split()) == "".join(reply.text.split())


async def test_that_a_reply_nobody_can_get_is_refused(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "hello")
    telegram.blocks_the_bot(ADA)

    with pytest.raises(DeliveryRefused, match="blocked by the user"):
        await channel.send(REPLY)
    with pytest.raises(DeliveryRefused, match=r"[Cc]hat not found"):
        await channel.send(replace(REPLY, address="7"))
    with pytest.raises(DeliveryRefused, match="not an address"):
        await channel.send(replace(REPLY, address="D1:2:3:4"))


async def test_that_a_refused_token_at_sending_is_no_refusal_for_good(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.add_chat(ADA)
    channel = channel_for(telegram, inbox, token="123456789:wrong")

    with pytest.raises(DeliveryError, match="TELEGRAM_BOT_TOKEN") as caught:
        await channel.send(REPLY)

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
    await channel.send(replace(REPLY, address=asked.address, in_reply_to=asked.event_keys[0]))

    reply = await telegram.next_reply(GROUP)
    assert reply["reply_to_message"]["text"] == "@frontdesk_bot hi"
    assert reply["message_thread_id"] == 8


async def test_that_a_group_that_moved_still_gets_its_reply(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(GROUP)
    telegram.fail_next("sendMessage", Fault.migrated(GROUP))

    await channel.send(replace(REPLY, address=f"-5:0:{ADA}"))

    assert len(telegram.replies(GROUP)) == 1


async def test_that_a_reply_is_sent_after_the_channel_stopped(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "hello")
    async with running(channel):
        await inbox.texts(1)

    await channel.send(REPLY)

    assert len(telegram.replies(ADA)) == 1


async def test_that_a_post_under_way_outlives_the_end_of_receiving(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "hello")
    telegram.hold("sendMessage")
    receiving = asyncio.create_task(channel.run())
    await inbox.texts(1)
    sending = asyncio.create_task(channel.send(REPLY))
    await telegram.until(lambda: telegram.called("sendMessage"))

    receiving.cancel()
    await asyncio.gather(receiving, return_exceptions=True)
    telegram.release("sendMessage")
    await sending

    assert len(telegram.replies(ADA)) == 1


async def test_that_closing_ends_typing(telegram: FakeTelegram, channel: TelegramChannel) -> None:
    telegram.add_chat(ADA)
    await channel.show_progress(str(ADA), "writing")

    await channel.close()

    assert typing_tasks() == []


# Typing.


async def test_that_typing_is_shown_until_the_reply(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)

    await channel.show_progress(str(ADA), "searching")
    await channel.show_progress(str(ADA), "writing")
    assert len(typing_tasks()) == 1
    await telegram.until(lambda: len(telegram.called("sendChatAction")) >= 3)
    await channel.send(REPLY)

    assert telegram.called("sendChatAction")[0] == {"chat_id": ADA, "action": "typing"}
    assert all(task.cancelling() for task in typing_tasks())


def typing_tasks() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if "Presence" in repr(task.get_coro())]


async def test_that_typing_ends_by_itself(telegram: FakeTelegram, inbox: RecordingInbox) -> None:
    telegram.add_chat(ADA)
    channel = channel_for(telegram, inbox, typing_limit_seconds=0.05)

    await channel.show_progress(str(ADA), "writing")
    (typing,) = typing_tasks()
    async with asyncio.timeout(5):
        await typing

    assert telegram.called("sendChatAction")
    await channel.close()


async def test_that_refused_typing_is_no_error(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    await channel.show_progress("7", "writing")
    await telegram.until(lambda: telegram.called("sendChatAction"))

    telegram.add_chat(ADA)
    await channel.send(REPLY)

    assert len(telegram.replies(ADA)) == 1
