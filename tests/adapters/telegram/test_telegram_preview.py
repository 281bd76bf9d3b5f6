"""The beginning of an answer is shown while it is written, and the answer always arrives."""

import pytest

from adapters.pacing import Pace
from adapters.telegram import TelegramChannel
from adapters.telegram.limits import Limits
from bot.errors import DeliveryError
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import reply
from tests.adapters.telegram.channels import (
    ADA,
    GROUP,
    PLACEHOLDER,
    begin,
    channel_for,
    deliver,
    place,
    settle,
)
from tests.fakes.telegram_api import FakeTelegram, Fault

IN_GROUP = f"{GROUP}:0:{ADA}"
ONE_AN_HOUR = (Pace(1, 3600),)


@pytest.mark.parametrize("texts", [("You", "You **can**"), ("您", "您**可以**")])
async def test_that_a_private_chat_sees_a_draft_grow(
    telegram: FakeTelegram, channel: TelegramChannel, texts: tuple[str, str]
) -> None:
    telegram.add_chat(ADA)

    assert await channel.reserve(place()) is None
    assert [await channel.preview(place(), text) for text in texts] == [None, None]
    await channel.preview(place(in_reply_to="message:42:2"), "another answer")

    drafts = telegram.drafts[ADA]
    assert [draft["text"] for draft in drafts[:2]] == [text.replace("**", "") for text in texts]
    assert drafts[1]["entities"][0]["type"] == "bold"
    assert drafts[0]["draft_id"] == drafts[1]["draft_id"] != 0
    assert drafts[2]["draft_id"] != drafts[0]["draft_id"]
    assert telegram.replies(ADA) == []


async def test_that_a_draft_in_a_topic_stays_there(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.customer_writes(ADA, "hi", message_thread_id=8, is_topic_message=True)

    await channel.preview(place(f"{ADA}:8"), "You can")

    assert telegram.drafts[ADA][0]["message_thread_id"] == 8


async def test_that_a_group_sees_one_post_grow_into_the_answer(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(GROUP)
    where = place(IN_GROUP)

    post = await channel.reserve(where)
    reserved = telegram.replies(GROUP)
    posts = {await channel.preview(where, text) for text in ("You", "You can", "You can")}
    shown = telegram.replies(GROUP)
    sent = await deliver(
        channel, reply(address=IN_GROUP, in_reply_to=where.in_reply_to, replaces=(str(post),))
    )

    assert (reserved, shown) == ([PLACEHOLDER], ["You can"])
    assert posts == {post}
    assert sent == (post,)
    assert telegram.replies(GROUP) == ["You can return it within 30 days.\n\nSource: Returns"]
    assert len(telegram.called("sendMessage")) == 1
    assert len(telegram.buttons(GROUP, int(sent[0].rpartition(":")[2]))) == 1


async def test_that_the_next_answer_has_a_post_of_its_own(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(GROUP)
    first = await begin(channel, place(IN_GROUP), "One")
    await deliver(
        channel, reply(address=IN_GROUP, in_reply_to="message:42:1", replaces=(str(first),))
    )

    assert await begin(channel, place(IN_GROUP), "Two") not in (None, first)


async def test_that_a_refused_draft_is_not_tried_again(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessageDraft", Fault(400, "Bad Request: TEXTDRAFT_PEER_INVALID"))

    assert await channel.reserve(place()) is None
    assert [await channel.preview(place(), text) for text in ("You", "You can")] == [None, None]
    following = place(in_reply_to="message:42:2")
    post = await channel.reserve(following)

    assert await channel.preview(following, "You can") == post
    assert len(telegram.called("sendMessageDraft")) == 1
    assert telegram.replies(ADA) == ["You can"]


@pytest.mark.parametrize("address", [str(ADA), IN_GROUP])
async def test_that_a_preview_without_a_free_slot_is_skipped(
    telegram: FakeTelegram, inbox: RecordingInbox, address: str
) -> None:
    telegram.add_chat(ADA)
    telegram.add_chat(GROUP)
    limits = Limits(everywhere=(), each=ONE_AN_HOUR, group=(Pace(20, 3600),))
    channel = channel_for(telegram, inbox, limits=limits)

    post = await channel.reserve(place(address))
    shown = [await channel.preview(place(address), text) for text in ("You", "You can")]

    assert len(telegram.called("sendMessageDraft") + telegram.called("editMessageText")) == 1
    assert shown == [post, post]
    await channel.close()


async def test_that_without_a_free_slot_no_post_is_reserved(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.add_chat(GROUP)
    limits = Limits(everywhere=(), each=ONE_AN_HOUR, group=())
    channel = channel_for(telegram, inbox, limits=limits)
    await channel.reserve(place(IN_GROUP))

    with pytest.raises(DeliveryError):
        await channel.reserve(place(IN_GROUP, in_reply_to="message:42:2"))

    assert telegram.replies(GROUP) == [PLACEHOLDER]
    await channel.close()


@pytest.mark.parametrize(
    ("address", "method"), [(str(ADA), "sendMessageDraft"), (IN_GROUP, "sendMessage")]
)
async def test_that_a_flood_ends_previews_until_it_is_over(
    telegram: FakeTelegram, channel: TelegramChannel, address: str, method: str
) -> None:
    telegram.add_chat(ADA)
    telegram.add_chat(GROUP)
    telegram.fail_next(method, Fault.flood(1))

    with pytest.raises(DeliveryError) as caught:
        await begin(channel, place(address), "You")
    assert await channel.preview(place(address), "You can") is None
    await deliver(channel, reply(address=address))

    assert caught.value.retry_after_seconds == 1
    assert telegram.too_early == []
    assert len(telegram.replies(GROUP) + telegram.replies(ADA)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.dropped(), id="dropped"),
        pytest.param(Fault.answer_lost(), id="answer-lost"),
        pytest.param(Fault.answer_garbled("<html>"), id="html"),
    ],
)
@pytest.mark.parametrize("address", [str(ADA), IN_GROUP])
async def test_that_a_preview_that_fails_says_so_and_the_answer_follows(
    telegram: FakeTelegram, channel: TelegramChannel, fault: Fault, address: str
) -> None:
    telegram.add_chat(ADA)
    telegram.add_chat(GROUP)
    first = await begin(channel, place(address), "You")
    telegram.fail_next("sendMessageDraft", fault)
    if first:
        telegram.fail_next("editMessageText", fault)

    with pytest.raises(DeliveryError):
        await channel.preview(place(address), "You can")
    await deliver(channel, reply(address=address, replaces=(first,) if first else ()))

    assert len(telegram.replies(GROUP) + telegram.replies(ADA)) == 1


async def test_that_a_reserved_post_whose_answer_is_lost_is_a_placeholder_too_many(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(GROUP)
    telegram.fail_next("sendMessage", Fault.answer_lost())

    with pytest.raises(DeliveryError):
        await channel.reserve(place(IN_GROUP))
    assert await channel.preview(place(IN_GROUP), "You can") is None
    await deliver(channel, reply(address=IN_GROUP, citations=()))

    assert telegram.replies(GROUP) == [PLACEHOLDER, "You can return it within 30 days."]


async def test_that_a_preview_post_that_was_deleted_is_posted_anew_in_the_end(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(GROUP)
    first = await begin(channel, place(IN_GROUP), "You")
    telegram.loses(GROUP, telegram.posts(GROUP)[0]["message_id"])

    with pytest.raises(DeliveryError):
        await channel.preview(place(IN_GROUP), "You can")
    await settle(channel, reply(address=IN_GROUP, replaces=(str(first),)))

    assert len(telegram.replies(GROUP)) == 1
    assert telegram.replies(GROUP)[0].startswith("You can return it")


async def test_that_words_that_are_not_there_yet_show_nothing(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    assert await channel.preview(place(), " \n") is None
    assert await channel.preview(place(IN_GROUP), "") is None

    assert telegram.calls == []


async def test_that_a_long_beginning_fits_what_telegram_takes(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    telegram.add_chat(GROUP)

    await channel.preview(place(), "这是一个句子。" * 1000)
    await begin(channel, place(IN_GROUP), "这是一个句子。" * 1000)

    assert telegram.drafts[ADA][0]["text"].endswith("。")
    assert len(telegram.replies(GROUP)[0]) <= 4096
