"""What customers write reaches the core, and is confirmed to Telegram only then."""

from typing import Any

import pytest

from adapters.telegram import TelegramChannel
from bot.errors import LogError
from bot.messages import Incoming
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.telegram.channels import ADA, BOT_ID, GROUP, channel_for, running
from tests.fakes.telegram_api import FakeTelegram, Fault


async def test_that_a_private_message_reaches_the_core(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    update_id = telegram.customer_writes(ADA, "Where is my parcel?")

    async with running(channel):
        await inbox.texts(1)

    assert inbox.accepted == [
        Incoming(
            channel="telegram",
            event_keys=(
                f"message:{BOT_ID}/{ADA}:1",
                f"update:{BOT_ID}:{update_id}:1790000001",
            ),
            address=str(ADA),
            customer=str(ADA),
            text="Where is my parcel?",
            language="en",
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


async def test_that_a_full_disk_is_told_in_one_line(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    telegram.customer_writes(ADA, "hello")
    inbox.errors = [LogError("The disk is full")]

    async with running(channel):
        assert await inbox.texts(1) == ["hello"]

    assert "Update 7000 was not stored (The disk is full)" in caplog.text
    assert "Traceback" not in caplog.text


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


@pytest.mark.parametrize("text", ["Where is it?", "在哪里？"])
async def test_that_another_bots_messages_are_others(
    telegram: FakeTelegram, inbox: RecordingInbox, text: str
) -> None:
    for bot in (123456789, 987654321):
        telegram.me = {**telegram.me, "id": bot}
        # Each bot numbers its updates and its private messages from the start.
        telegram.deliver_again(7, written(text))
        async with running(channel_for(telegram, inbox)):
            await telegram.until(lambda: telegram.called("getUpdates") and not telegram.unconfirmed)

    assert [incoming.text for incoming in inbox.accepted] == [text, text]


async def test_that_a_number_that_comes_a_second_time_hides_no_message(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    async with running(channel):
        for number in (1, 2):
            telegram.deliver_again(7, written(str(number), message_id=number, date=number))
            await inbox.texts(number)
            await telegram.until(lambda: not telegram.unconfirmed)

    assert inbox.duplicates == []


def written(text: str, **changes: Any) -> dict[str, Any]:
    chat = {"id": ADA, "type": "private", "first_name": "Ada"}
    person = {"id": ADA, "is_bot": False, "first_name": "Ada"}
    message = {"message_id": 1, "date": 1, "chat": chat, "from": person, "text": text, **changes}
    return {"message": message}


async def test_that_a_channels_post_in_its_group_is_nobodys_question(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    shop = {"id": -1009, "type": "channel", "title": "Shop"}
    service = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
    news = {"sender_chat": shop, "is_automatic_forward": True, "from": service}
    telegram.member_writes(GROUP, 777000, "Ask @frontdesk_bot", **news)
    telegram.member_writes(GROUP, ADA, "@frontdesk_bot where is it?")

    async with running(channel):
        assert await inbox.texts(1) == ["where is it?"]


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
        pytest.param("/start shop-7", {}, "/start shop-7", id="payload"),
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


async def test_that_the_pictures_of_an_album_are_named_as_such(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, None, photo=[], media_group_id="77")
    telegram.customer_writes(ADA, None, photo=[], media_group_id="77", caption="坏了吗？")
    telegram.customer_writes(ADA, None, photo=[])

    async with running(channel):
        assert await inbox.texts(3) == ["", "坏了吗？", ""]

    assert [each.album for each in inbox.accepted] == [f"album:{ADA}:77"] * 2 + [None]


async def test_that_what_is_no_message_to_us_is_confirmed_and_dropped(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, None, pinned_message=None, group_chat_created=True)
    telegram.member_writes(GROUP, ADA, "talk among people")
    telegram.member_writes(GROUP, ADA, "hello @another_bot and /help")
    telegram.member_writes(GROUP, ADA, "/weather for another bot")
    telegram.member_writes(GROUP, ADA, "/help@another_bot")
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
        pytest.param("/help", "/help", id="command-for-anybody"),
        pytest.param("/start@frontdesk_bot shop-7", "/start shop-7", id="payload"),
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
