"""A reply that goes in the place of posts, and one that takes them away."""

from typing import Any

import pytest

from adapters.telegram import TelegramChannel
from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused
from bot.messages import Document, Language, Outgoing
from prompts import Prompts
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import reply as sample
from tests.adapters.telegram.channels import (
    ADA,
    GROUP,
    PLACEHOLDER,
    channel_for,
    deliver,
    settle,
)
from tests.fakes.telegram_api import FakeTelegram, Fault

LONG = "A sentence of some length. " * 400


def reply(**changes: Any) -> Outgoing:
    defaults = {"address": str(ADA), "citations": (), "source": "courtesy"}
    return sample(**{**defaults, **changes})


@pytest.mark.parametrize(
    "texts", [("Within 30 days.", "Within 14 days."), ("三十天。", "十四天。")]
)
async def test_that_a_new_version_goes_in_the_place_of_the_old(
    telegram: FakeTelegram, channel: TelegramChannel, texts: tuple[str, str]
) -> None:
    telegram.add_chat(ADA)
    old = await deliver(channel, reply(text=texts[0]))

    new = await deliver(channel, reply(id=2, text=texts[1], replaces=old))

    assert new == old
    assert telegram.replies(ADA) == [texts[1]]


async def test_that_surplus_posts_go_and_missing_ones_come(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    two = await deliver(channel, reply(text=LONG))
    one = await deliver(channel, reply(id=2, text="Short.", replaces=two))
    shown = telegram.replies(ADA)
    three = await deliver(channel, reply(id=3, text=LONG + LONG, replaces=one))

    assert (len(two), one, shown) == (3, two[:1], ["Short."])
    assert three[0] == one[0]
    assert "".join("".join(telegram.replies(ADA)).split()) == "".join((LONG + LONG).split())


@pytest.mark.parametrize("fault", [Fault.flood(1), Fault.answer_lost()])
async def test_that_an_error_names_the_parts_that_stand_so_that_others_go_on_there(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, fault: Fault
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessage", None, fault)
    with pytest.raises(DeliveryError) as failed:
        await deliver(channel, reply(text=LONG))
    stands = failed.value.posts
    assert stands is not None
    assert len(stands) == 1

    restarted = channel_for(telegram, inbox)
    posts = await deliver(restarted, reply(text=LONG, replaces=stands))
    await restarted.close()

    assert posts[0] == stands[0]
    assert len(posts) == 3


async def test_that_the_same_text_again_is_no_error(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    old = await deliver(channel, reply())

    assert await deliver(channel, reply(id=2, replaces=old)) == old


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.dropped(), id="dropped"),
        pytest.param(Fault.answer_lost(), id="answer-lost"),
        pytest.param(Fault.answer_garbled("<html>"), id="html"),
    ],
)
@pytest.mark.parametrize("method", ["editMessageText", "deleteMessages"])
async def test_that_a_lost_edit_may_be_repeated(
    telegram: FakeTelegram, channel: TelegramChannel, method: str, fault: Fault
) -> None:
    telegram.add_chat(ADA)
    old = await deliver(channel, reply(text=LONG))
    telegram.fail_next(method, fault)
    new = reply(id=2, text="Short.", replaces=old)

    with pytest.raises(DeliveryError) as caught:
        await deliver(channel, new)
    posts = await deliver(channel, new)

    assert not isinstance(caught.value, DeliveryInDoubt)
    assert posts == old[:1]
    assert telegram.replies(ADA) == ["Short."]


async def test_that_a_post_that_is_gone_is_posted_anew_with_all_that_follow(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    old = await deliver(channel, reply(text=LONG))
    telegram.loses(ADA, telegram.posts(ADA)[0]["message_id"])

    new = await settle(channel, reply(id=2, text="B" + LONG, replaces=old))

    assert not set(new) & set(old)
    assert "".join("".join(telegram.replies(ADA)).split()) == "".join(f"B{LONG}".split())


async def test_that_a_post_that_is_always_deleted_leaves_no_placeholders_behind(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    gone = Fault(400, "Bad Request: message to edit not found")
    telegram.fail_next("editMessageText", *[gone] * 4)

    await settle(channel, reply(text=LONG))

    assert len(telegram.called("sendMessage")) > 3
    assert PLACEHOLDER not in telegram.replies(ADA)
    assert "".join("".join(telegram.replies(ADA)).split()) == "".join(LONG.split())


async def test_that_no_part_goes_into_a_post_of_another_chat(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    telegram.add_chat(GROUP)
    elsewhere = await deliver(channel, reply(text=LONG))

    await settle(channel, reply(id=2, address=f"{GROUP}:0:{ADA}", text=LONG, replaces=elsewhere))

    assert telegram.replies(ADA) == []
    assert "".join("".join(telegram.replies(GROUP)).split()) == "".join(LONG.split())


async def test_that_a_customer_who_blocks_the_bot_before_the_answer_is_not_tried_again(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    posts = await channel.prepare(reply(), is_doubtful=False)
    telegram.blocks_the_bot(ADA)

    with pytest.raises(DeliveryRefused, match="blocked by the user"):
        await channel.send(reply(replaces=posts))


@pytest.mark.parametrize("filled", [0, 1])
async def test_that_a_refused_part_leaves_no_placeholder_that_nothing_fills(
    telegram: FakeTelegram, channel: TelegramChannel, filled: int
) -> None:
    telegram.add_chat(ADA)
    refusal = Fault(400, "Bad Request: MESSAGE_TOO_LONG")
    telegram.fail_next("editMessageText", *[None] * filled, refusal)

    with pytest.raises(DeliveryRefused) as caught:
        await deliver(channel, reply(text=LONG))

    assert len(telegram.replies(ADA)) == filled
    assert PLACEHOLDER not in telegram.replies(ADA)
    assert caught.value.posts == tuple(f"{ADA}:{m['message_id']}" for m in telegram.posts(ADA))


async def test_that_posts_of_a_group_that_moved_are_posted_anew(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(-5)
    old = await deliver(channel, reply(address=f"-5:0:{ADA}"))
    telegram.group_becomes_supergroup(-5, GROUP)

    new = await settle(channel, reply(id=2, address=f"{GROUP}:0:{ADA}", replaces=old))

    assert new[0].startswith(f"{GROUP}:")
    assert len(telegram.replies(GROUP)) == 1


async def test_that_post_ids_of_an_earlier_version_do_no_harm(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)

    await deliver(channel, reply(replaces=("17", "D1:2")))

    assert len(telegram.replies(ADA)) == 1


async def test_that_a_retraction_takes_the_posts_away(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    old = await deliver(channel, reply(text=LONG))
    telegram.loses(ADA, telegram.posts(ADA)[1]["message_id"])
    retraction = reply(id=2, text="", is_retraction=True, replaces=old)

    assert await deliver(channel, retraction) == ()
    assert await deliver(channel, retraction) == ()
    assert telegram.replies(ADA) == []


async def test_that_a_retraction_of_what_telegram_keeps_is_settled(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    old = await deliver(channel, reply())
    telegram.fail_next("deleteMessages", Fault(400, "Bad Request: message can't be deleted"))

    assert await deliver(channel, reply(id=2, text="", is_retraction=True, replaces=old)) == ()


@pytest.mark.parametrize("words", ["My data", "我的数据"])
async def test_that_a_document_follows_the_text(
    telegram: FakeTelegram, channel: TelegramChannel, words: str
) -> None:
    telegram.add_chat(ADA)
    export = reply(text=words, document=Document(name="data.json", text='{"问": "退货？"}'))
    telegram.fail_next("editMessageMedia", Fault.answer_lost(), Fault.flood(1))

    posts = await settle(channel, export)

    text, document = telegram.posts(ADA)
    assert text["text"] == words
    assert document["document"]["file_name"] == "data.json"
    assert telegram.content_of(document["document"]["file_id"]) == '{"问": "退货？"}'.encode()
    assert posts == tuple(f"{ADA}:{post['message_id']}" for post in (text, document))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_that_a_document_is_never_posted_where_others_read_along(
    telegram: FakeTelegram, channel: TelegramChannel, language: Language, is_known: bool
) -> None:
    telegram.member_writes(GROUP, ADA, "/export")
    if is_known:
        telegram.add_chat(ADA)
    document = Document(name="data.json", text="{}")

    await deliver(
        channel,
        reply(address=f"{GROUP}:0:{ADA}", text="Data", language=language, document=document),
    )

    private = Prompts.load().labels("telegram", language)["only_in_private"]
    assert telegram.replies(GROUP) == (["Data"] if is_known else ["Data", private])
    assert [post["document"]["file_name"] for post in telegram.posts(ADA)] == (
        ["data.json"] if is_known else []
    )


async def test_that_a_document_is_never_put_into_a_post_that_others_read(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    address = f"{GROUP}:0:{ADA}"
    telegram.add_chat(GROUP)
    old = await deliver(channel, reply(address=address, text=LONG))
    document = Document(name="data.json", text="{}")

    await deliver(channel, reply(address=address, text="Data", document=document, replaces=old))

    assert telegram.called("editMessageMedia") == []
    private = Prompts.load().labels("telegram", "en")["only_in_private"]
    assert telegram.replies(GROUP) == ["Data", private]


async def test_that_refused_entities_leave_the_text(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.add_chat(ADA)
    refusal = Fault(400, "Bad Request: can't parse entities: unsupported")
    telegram.fail_next("editMessageText", refusal)

    await deliver(channel, reply(text="**Yes**"))

    assert telegram.replies(ADA) == ["Yes"]
    assert "entities" not in telegram.called("editMessageText")[1]
