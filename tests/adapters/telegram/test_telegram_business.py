"""The bot answers for a business account, as far as the account's owner lets it."""

import pytest

from adapters.telegram import TelegramChannel
from adapters.telegram.address import Address, Post, question_of
from bot.errors import DeliveryRefused
from bot.messages import Choice, Withdrawal
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import reply
from tests.adapters.telegram.channels import ADA, BOT_ID, deliver, place, running, settle
from tests.fakes.telegram_api import FakeTelegram, Fault

OLGA = 77  # the account's owner
SHOP = "AbC-1_x/:=="
KEY = f"bAbC-1_x%2F%3A%3D%3D/{ADA}"


@pytest.fixture
def business(telegram: FakeTelegram) -> FakeTelegram:
    telegram.connects_business(SHOP, OLGA, can_reply=True, can_delete_sent_messages=True)
    return telegram


@pytest.mark.parametrize("text", ["Where is my parcel?", "退货要多久？"])
async def test_that_a_customer_of_a_business_account_is_answered_there(
    business: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, text: str
) -> None:
    message = business.writes_to_business(SHOP, ADA, text)
    async with running(channel):
        assert await inbox.texts(1) == [text]
        asked = inbox.accepted[0]
        posts = await deliver(
            channel, reply(address=asked.address, choices=(Choice(label="a", command="/b"),))
        )

    assert (asked.address, asked.customer) == (KEY, str(ADA))
    assert asked.event_keys[0] == f"message:{BOT_ID}/{KEY}:{message}"
    for method in ("sendMessage", "editMessageText"):
        (sent,) = business.called(method)
        assert sent["business_connection_id"] == SHOP
        assert "reply_markup" not in sent
    assert posts == (f"{KEY}:{message + 1}",)


async def test_that_chats_with_the_bot_and_with_the_business_are_apart(
    business: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    business.customer_writes(ADA, "to the bot")
    business.writes_to_business(SHOP, ADA, "to the shop")

    async with running(channel):
        await inbox.texts(2)

    assert [incoming.address for incoming in inbox.accepted] == [str(ADA), KEY]


async def test_that_the_owner_and_bots_are_not_answered(
    business: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    owner = {"id": OLGA, "is_bot": False, "first_name": "Olga"}
    business.writes_to_business(SHOP, ADA, "I'll look into it", **{"from": owner})
    business.writes_to_business(
        SHOP, ADA, "An answer", sender_business_bot=business.me, **{"from": owner}
    )
    business.writes_to_business(SHOP, ADA, "Thanks")

    async with running(channel):
        assert await inbox.texts(1) == ["Thanks"]


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(
    ("is_enabled", "rights"),
    [(False, {"can_reply": True}), (True, {}), (True, {"can_reply": False})],
)
async def test_that_without_the_right_to_reply_nothing_is_answered(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    is_known: bool,
    is_enabled: bool,
    rights: dict[str, bool],
) -> None:
    telegram.connects_business(SHOP, OLGA, is_enabled=is_enabled, **rights)
    if not is_known:
        telegram.forget_updates()
    telegram.writes_to_business(SHOP, ADA, "hello?")
    telegram.customer_writes(ADA, "the only one")

    async with running(channel):
        assert await inbox.texts(1) == ["the only one"]
        await telegram.until(lambda: not telegram.unconfirmed)

    assert len(telegram.called("getBusinessConnection")) == (0 if is_known else 1)


async def test_that_a_connection_that_is_gone_is_not_answered(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.writes_to_business("gone", ADA, "hello?")

    async with running(channel):
        await telegram.until(lambda: telegram.called("getUpdates") and not telegram.unconfirmed)

    assert inbox.accepted == []


async def test_that_rights_that_can_not_be_asked_for_now_are_asked_for_again(
    business: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    business.forget_updates()
    business.fail_next(
        "getBusinessConnection", Fault.server_error(), Fault.dropped(), Fault.flood(1)
    )
    business.writes_to_business(SHOP, ADA, "hello?")

    async with running(channel):
        assert await inbox.texts(1) == ["hello?"]

    assert inbox.duplicates == []


async def test_that_edits_and_deletions_in_a_business_chat_are_passed_on(
    business: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    message = business.writes_to_business(SHOP, ADA, "Where is it?")
    business.edits_message(ADA, message, "Where is my parcel?")
    business.deletes_in_business(SHOP, ADA, message, 99)

    async with running(channel):
        await inbox.until(lambda: len(inbox.withdrawn) == 2)

    key = f"message:{BOT_ID}/{KEY}:{message}"
    assert [(m.text, m.edits) for m in inbox.accepted] == [
        ("Where is it?", None),
        ("Where is my parcel?", key),
    ]
    assert inbox.withdrawn[0] == Withdrawal(channel="telegram", event_key=key)


async def test_that_a_preview_in_a_business_chat_is_a_post(
    business: FakeTelegram, channel: TelegramChannel
) -> None:
    business.writes_to_business(SHOP, ADA, "hi")

    post = await channel.reserve(place(KEY))
    assert await channel.preview(place(KEY), "You") == post
    assert await channel.preview(place(KEY), "You can") == post
    assert await deliver(channel, reply(address=KEY, replaces=(str(post),))) == (post,)

    assert business.called("sendMessageDraft") == []
    assert len(business.replies(ADA)) == 1
    await channel.show_progress(place(KEY), "writing")
    await business.until(lambda: business.called("sendChatAction"))
    assert business.called("sendChatAction")[0]["business_connection_id"] == SHOP


@pytest.mark.parametrize("may_delete", [True, False])
async def test_that_a_retraction_needs_the_right_to_delete(
    telegram: FakeTelegram, channel: TelegramChannel, may_delete: bool
) -> None:
    telegram.connects_business(SHOP, OLGA, can_reply=True, can_delete_sent_messages=may_delete)
    telegram.writes_to_business(SHOP, ADA, "hi")
    posts = await deliver(channel, reply(address=KEY))

    retraction = reply(id=2, address=KEY, text="", is_retraction=True, replaces=posts)
    assert await deliver(channel, retraction) == ()

    assert len(telegram.replies(ADA)) == (0 if may_delete else 1)
    assert len(telegram.called("deleteBusinessMessages")) == may_delete


async def test_that_without_the_right_to_delete_a_reply_still_takes_the_place_of_a_lost_post(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    telegram.connects_business(SHOP, OLGA, can_reply=True)
    telegram.writes_to_business(SHOP, ADA, "hi")
    posts = await channel.prepare(reply(address=KEY, citations=()), is_doubtful=False)
    telegram.loses(ADA, int(posts[0].rpartition(":")[2]))

    await settle(channel, reply(address=KEY, citations=(), replaces=posts))

    assert telegram.replies(ADA) == [reply().text]
    assert telegram.called("deleteBusinessMessages") == []


async def test_that_a_reply_after_the_right_was_taken_is_refused(
    business: FakeTelegram, channel: TelegramChannel
) -> None:
    business.writes_to_business(SHOP, ADA, "hi")
    business.connects_business(SHOP, OLGA, can_reply=False)

    with pytest.raises(DeliveryRefused):
        await deliver(channel, reply(address=KEY))


@pytest.mark.parametrize(
    "address",
    [
        Address(5),
        Address(-5, 8),
        Address(-5, 0, 7),
        Address(-5, 8, 7),
        Address(5, connection="x"),
        Address(5, connection=SHOP),
    ],
)
def test_that_an_address_is_read_as_it_was_written(address: Address) -> None:
    assert Address.parse(str(address)) == address
    assert Post.parse(str(Post(Address(address.chat), 9))) == Post(Address(address.chat), 9)
    assert question_of(f"message:7/{address.key}:9") == 9


@pytest.mark.parametrize("text", ["", "x", "5:6:7:8", "b/5", "b5", "5:x", "bx/y", "D1:2"])
def test_that_other_texts_are_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Address.parse(text)
