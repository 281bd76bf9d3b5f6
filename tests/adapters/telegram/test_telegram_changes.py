"""Edits, groups that move, and files: what else comes with messages."""

from typing import Any

import pytest

from adapters.telegram import TelegramChannel
from bot.errors import AttachmentError, LogError
from bot.messages import Attachment
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.telegram.channels import ADA, BOT_ID, GROUP, channel_for, running, sending
from tests.fakes.telegram_api import FakeTelegram, Fault

FILE = {"file_id": "f1", "file_unique_id": "u1", "file_size": 9}
PICTURE = {**FILE, "width": 90, "height": 60}
SMALL = {**PICTURE, "file_id": "f0", "width": 9, "height": 6}
LENGTH = {"duration": 3}
BOT = {"id": 9, "is_bot": True, "first_name": "Another bot"}


async def all_of(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> list[tuple[str, str | None]]:
    """Receive what waits; return the texts, each with what it is a new version of."""
    async with running(channel):
        await telegram.until(lambda: telegram.called("getUpdates") and not telegram.unconfirmed)
    return [(incoming.text, incoming.edits) for incoming in inbox.accepted]


# Edits.


@pytest.mark.parametrize("texts", [("Were is it?", "Where is it?"), ("退货?", "退货要多久？")])
async def test_that_an_edit_names_the_message_it_changes(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, texts: tuple[str, str]
) -> None:
    telegram.customer_writes(ADA, texts[0])
    edit = telegram.edits_message(ADA, 1, texts[1])

    received = await all_of(telegram, inbox, channel)

    first, second = inbox.accepted
    assert received == [(texts[0], None), (texts[1], first.event_keys[0])]
    assert second.event_keys[0].startswith(f"edit:{ADA}:1:")
    assert second.event_keys[1].startswith(f"update:{BOT_ID}:{edit}:")
    assert (second.address, second.customer) == (first.address, first.customer)


async def test_that_the_same_edit_twice_is_a_duplicate_and_the_next_is_not(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "one")
    telegram.edits_message(ADA, 1, "two")
    again = telegram.updates[-1]
    telegram.edits_message(ADA, 1, "three")
    telegram.deliver({"edited_message": again["edited_message"]})

    received = await all_of(telegram, inbox, channel)

    assert [text for text, _ in received] == ["one", "two", "three"]
    assert len(inbox.duplicates) == 1


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"location": {"latitude": 1.0, "longitude": 2.0}}, id="live-location"),
        pytest.param({"photo": [PICTURE]}, id="picture-without-words"),
        pytest.param({"caption": "x", "from": BOT}, id="bot"),
    ],
)
async def test_that_an_edit_without_new_words_is_nothing(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, fields: dict[str, Any]
) -> None:
    telegram.customer_writes(ADA, None, **fields)
    telegram.edits_message(ADA, 1)

    received = await all_of(telegram, inbox, channel)

    assert [edits for _, edits in received if edits] == []


async def test_that_an_edit_in_a_group_counts_when_it_is_for_us(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.member_writes(GROUP, ADA, "where is it?")
    telegram.edits_message(GROUP, 1, "where is it, friends?")
    telegram.edits_message(GROUP, 1, "@frontdesk_bot where is it?")

    received = await all_of(telegram, inbox, channel)

    assert received == [("where is it?", f"message:{BOT_ID}/{GROUP}:1")]
    assert inbox.accepted[0].address == f"{GROUP}:0:{ADA}"


# Groups that move.


@pytest.mark.parametrize(
    ("chat", "field", "other"),
    [(-5, "migrate_to_chat_id", GROUP), (GROUP, "migrate_from_chat_id", -5)],
)
async def test_that_a_group_that_becomes_a_supergroup_takes_its_conversations_along(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    chat: int,
    field: str,
    other: int,
) -> None:
    telegram.member_writes(chat, ADA, None, **{field: other})
    inbox.errors = [LogError("The disk is full.")]

    async with running(channel):
        await telegram.until(lambda: inbox.moves and not telegram.unconfirmed)

    assert inbox.moves == [("telegram", "-5", str(GROUP))]
    assert inbox.accepted == []


async def test_that_being_blocked_is_logged_quietly(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    person = {"id": ADA, "is_bot": False, "first_name": "Ada"}
    change = {"chat": {"id": ADA, "type": "private"}, "from": person, "date": 1}
    change["old_chat_member"] = {"status": "member", "user": telegram.me}
    change["new_chat_member"] = {"status": "kicked", "user": telegram.me, "until_date": 0}
    telegram.deliver({"my_chat_member": change})

    await all_of(telegram, inbox, channel)

    assert f"In chat {ADA} the bot is now: kicked" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# Files.


@pytest.mark.parametrize(
    ("fields", "kind", "name", "media_type"),
    [
        pytest.param({"photo": [SMALL, PICTURE]}, "photo", "", "image/jpeg", id="photo"),
        pytest.param(
            {"document": {**FILE, "file_name": "发票.pdf", "mime_type": "application/pdf"}},
            "document",
            "发票.pdf",
            "application/pdf",
            id="document",
        ),
        pytest.param(
            {"voice": {**FILE, **LENGTH, "mime_type": "audio/ogg"}},
            "voice",
            "",
            "audio/ogg",
            id="voice",
        ),
        pytest.param(
            {"audio": {**FILE, **LENGTH, "file_name": "a.mp3"}}, "audio", "a.mp3", "", id="audio"
        ),
        pytest.param({"video": {**PICTURE, **LENGTH}}, "video", "", "", id="video"),
        pytest.param({"video_note": {**FILE, **LENGTH, "length": 9}}, "video", "", "", id="round"),
        pytest.param(
            {"animation": {**PICTURE, **LENGTH, "file_name": "a.gif"}, "document": FILE},
            "video",
            "a.gif",
            "",
            id="animation",
        ),
        pytest.param(
            {"sticker": {**PICTURE, "type": "regular", "is_animated": False, "is_video": False}},
            "other",
            "",
            "",
            id="sticker",
        ),
    ],
)
async def test_that_a_file_comes_along(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    fields: dict[str, Any],
    kind: Any,
    name: str,
    media_type: str,
) -> None:
    telegram.customer_writes(ADA, None, **fields)

    await all_of(telegram, inbox, channel)

    assert inbox.accepted[0].attachments == (
        Attachment(kind=kind, id="f1", name=name, media_type=media_type, size=9),
    )


async def test_that_a_file_is_fetched(telegram: FakeTelegram, channel: TelegramChannel) -> None:
    telegram.keeps_file("f1", b"\x00\xffcontent")

    assert await channel.fetch(Attachment(kind="photo", id="f1")) == b"\x00\xffcontent"


@pytest.mark.parametrize("size", [None, 20_000_001])
async def test_that_a_file_of_more_than_20_mb_is_refused(
    telegram: FakeTelegram, channel: TelegramChannel, size: int | None
) -> None:
    telegram.keeps_file("f1", b"a" * 20_000_001)

    with pytest.raises(AttachmentError, match=r"too big|larger than the 20 MB"):
        await channel.fetch(Attachment(kind="video", id="f1", size=size))


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        pytest.param("getFile", Fault.server_error(), id="500"),
        pytest.param("getFile", Fault.flood(3), id="429"),
        pytest.param("getFile", Fault.dropped(), id="dropped"),
        pytest.param("getFile", Fault.answer_garbled("<html>"), id="html"),
        pytest.param("getFile", Fault.answer_garbled('{"ok": true, "result": 1}'), id="no-file"),
        pytest.param("file", Fault.dropped(), id="download-dropped"),
        pytest.param("file", Fault(404), id="download-refused"),
    ],
)
async def test_that_a_file_that_can_not_be_had_is_one_sentence(
    telegram: FakeTelegram, channel: TelegramChannel, method: str, fault: Fault
) -> None:
    telegram.keeps_file("f1", b"content")
    telegram.fail_next(method, fault)

    with pytest.raises(AttachmentError) as caught:
        await channel.fetch(Attachment(kind="photo", id="f1"))

    assert telegram.token not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert await channel.fetch(Attachment(kind="photo", id="f1")) == b"content"


async def test_that_an_unknown_file_and_a_refused_token_are_no_crash(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    for settings in ({}, {"token": "123456789:wrong"}):
        async with sending(telegram, inbox, **settings) as channel:
            with pytest.raises(AttachmentError):
                await channel.fetch(Attachment(kind="photo", id="nothing"))


async def test_that_an_apps_language_is_a_hint(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    for code in ("zh-hans", "zh_TW", "en-GB", "fr", None):
        person = {"id": ADA, "is_bot": False, "first_name": "Ada", "language_code": code}
        telegram.customer_writes(ADA, "hi", **{"from": person})

    await all_of(telegram, inbox, channel_for(telegram, inbox))

    assert [m.language for m in inbox.accepted] == ["zh", "zh", "en", None, None]
