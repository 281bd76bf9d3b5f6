"""Telegram posts updates to us: nothing forged is read, nothing is taken that isn't stored."""

import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import astuple
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from adapters.telegram import TelegramChannel
from adapters.telegram.address import Address
from bot.errors import LogError, SettingsError
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import reply
from tests.adapters.telegram.channels import ADA, channel_for, deliver, running
from tests.adapters.web_server import serving
from tests.fakes.telegram_api import FakeTelegram, Fault

SECRET = "a-secret_of-16-letters-or-more"
PUBLIC = "https://shop.example/telegram/webhook"
HEADER = "X-Telegram-Bot-Api-Secret-Token"


def webhook_channel(
    telegram: FakeTelegram, inbox: RecordingInbox, **changes: Any
) -> TelegramChannel:
    given = {"webhook_url": PUBLIC, "webhook_secret": SECRET, "watch_seconds": 0.01, **changes}
    return channel_for(telegram, inbox, **given)


@asynccontextmanager
async def served(channel: TelegramChannel) -> AsyncIterator[str]:
    """Serve the channel's route; return its address."""
    async with serving(channel.routes()) as address:
        yield f"{address}/telegram/webhook"


@asynccontextmanager
async def receiving(
    telegram: FakeTelegram, inbox: RecordingInbox, **changes: Any
) -> AsyncIterator[tuple[TelegramChannel, str]]:
    channel = webhook_channel(telegram, inbox, **changes)
    async with running(channel), served(channel) as url:
        await telegram.until(lambda: telegram.webhook_url)
        yield channel, url


async def post(url: str, body: bytes, secret: str | None = SECRET) -> int:
    headers = {HEADER: secret} if secret is not None else {}
    async with httpx.AsyncClient() as client:
        return (await client.post(url, content=body, headers=headers)).status_code


@pytest.mark.parametrize("text", ["Where is my parcel?", "退货要多久？"])
async def test_that_a_posted_update_reaches_the_core_and_is_answered(
    telegram: FakeTelegram, inbox: RecordingInbox, text: str
) -> None:
    telegram.customer_writes(ADA, text)
    async with receiving(telegram, inbox) as (channel, url):
        assert await telegram.push(url) == [200]
        await deliver(channel, reply(address=str(ADA)))

    assert [incoming.text for incoming in inbox.accepted] == [text]
    assert len(telegram.replies(ADA)) == 1
    (call,) = telegram.called("setWebhook")
    assert (call["url"], call["secret_token"]) == (PUBLIC, SECRET)
    assert not call.get("drop_pending_updates")
    assert "deleted_business_messages" in call["allowed_updates"]
    assert telegram.called("getUpdates") == telegram.called("deleteWebhook") == []


async def test_that_an_update_that_is_not_stored_is_posted_again(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    inbox.errors = [LogError("The disk is full.")]
    telegram.customer_writes(ADA, "one")
    telegram.customer_writes(ADA, "two")
    async with receiving(telegram, inbox) as (_, url):
        statuses = await telegram.push(url)

    assert statuses == [503, 200, 200]
    assert [incoming.text for incoming in inbox.accepted] == ["one", "two"]


async def test_that_a_repeated_update_is_a_duplicate(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.customer_writes(ADA, "one")
    async with receiving(telegram, inbox) as (_, url):
        body = json.dumps(telegram.updates[0]).encode()
        assert [await post(url, body), await post(url, body)] == [200, 200]

    assert (len(inbox.accepted), len(inbox.duplicates)) == (1, 1)


@pytest.mark.parametrize(
    "secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "密"]
)
async def test_that_a_forged_update_is_not_read(
    telegram: FakeTelegram, inbox: RecordingInbox, secret: str | None
) -> None:
    telegram.customer_writes(ADA, "forged")
    async with receiving(telegram, inbox) as (_, url):
        body = json.dumps(telegram.updates[0]).encode()
        header = secret.encode() if secret is not None else None
        async with httpx.AsyncClient() as client:
            response = await client.post(
                url, content=body, headers={HEADER: header} if header is not None else {}
            )

    assert response.status_code == 403
    assert inbox.accepted == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"update_id": "1"}',
        b'{"update_id": true}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"update_id": 1, "x": "' + b"a" * 1_000_000 + b'"}',
    ],
    ids=range(10),
)
async def test_that_what_is_no_update_is_refused(
    telegram: FakeTelegram, inbox: RecordingInbox, body: bytes
) -> None:
    async with receiving(telegram, inbox) as (_, url):
        assert await post(url, body) == 400


async def test_that_other_methods_are_refused(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    async with receiving(telegram, inbox) as (_, url), httpx.AsyncClient() as client:
        assert (await client.get(url, headers={HEADER: SECRET})).status_code == 405


async def test_that_updates_wait_until_we_know_who_we_are(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    channel = webhook_channel(telegram, inbox)
    async with served(channel) as url:
        assert await post(url, b'{"update_id": 1}') == 503
    await channel.close()


@pytest.mark.parametrize("secret", [None, "", "short", "sixteen letters!", "密" * 16, "a" * 257])
def test_that_a_webhook_without_a_good_secret_is_a_wrong_setting(
    inbox: RecordingInbox, secret: str | None
) -> None:
    with pytest.raises(SettingsError, match="TELEGRAM_WEBHOOK_SECRET"):
        webhook_channel(FakeTelegram(), inbox, webhook_secret=secret)


async def test_that_polling_serves_no_webhook(channel: TelegramChannel) -> None:
    assert channel.routes() == []


async def test_that_a_webhook_that_telegram_does_not_reach_is_trouble(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    telegram.customer_writes(ADA, "hello")
    async with receiving(telegram, inbox) as (channel, url):
        await telegram.push(url.replace("webhook", "elsewhere"), tries=1)
        await telegram.until(
            lambda: "Wrong response from the webhook: 404" in (channel.trouble() or "")
        )
        trouble = channel.trouble()
        await telegram.push(url)
        await telegram.until(lambda: channel.trouble() is None)

    assert str(trouble).startswith("Telegram can't post to TELEGRAM_WEBHOOK_URL")
    assert "1 updates wait" in str(trouble)


async def test_that_an_address_that_telegram_refuses_is_named(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    refusal = Fault(400, "Bad Request: bad webhook: Failed to resolve host: Name not known")
    telegram.fail_next("setWebhook", *[refusal] * 1000)
    channel = webhook_channel(telegram, inbox)
    async with running(channel):
        await telegram.until(lambda: len(telegram.called("setWebhook")) > 1)
        trouble = str(channel.trouble())

    assert trouble.startswith("Telegram refuses TELEGRAM_WEBHOOK_URL (")
    assert "failed to resolve host" in trouble


async def test_that_an_old_error_is_no_trouble_when_an_update_waits(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    async with receiving(telegram, inbox) as (channel, _):
        telegram.customer_writes(ADA, "hello")
        telegram.webhook_error = "Connection timed out"
        telegram.webhook_error_at = int(time.time()) - 3600
        seen = len(telegram.called("getWebhookInfo"))
        await telegram.until(lambda: len(telegram.called("getWebhookInfo")) > seen + 2)

        assert channel.trouble() is None


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.dropped(), id="dropped"),
        pytest.param(Fault.flood(1), id="429"),
        pytest.param(Fault.answer_garbled("<html>"), id="html"),
        pytest.param(Fault.answer_garbled('{"ok": true, "result": []}'), id="list"),
    ],
)
@pytest.mark.parametrize("method", ["getMe", "setWebhook", "getWebhookInfo"])
async def test_that_setting_the_webhook_heals_by_itself(
    telegram: FakeTelegram, inbox: RecordingInbox, method: str, fault: Fault
) -> None:
    telegram.fail_next(method, fault)
    async with receiving(telegram, inbox) as (channel, _):
        await telegram.until(lambda: channel.trouble() is None)

    assert telegram.webhook_url == PUBLIC


async def test_that_a_webhook_that_somebody_moved_is_set_again(
    telegram: FakeTelegram, inbox: RecordingInbox
) -> None:
    async with receiving(telegram, inbox):
        telegram.webhook_url = "https://elsewhere.example/hook"
        await telegram.until(lambda: telegram.webhook_url == PUBLIC)


CHAT = {"id": ADA, "type": "private", "first_name": "Ada"}
GROUP_CHAT = {"id": -5, "type": "supergroup", "title": "Customers"}
PERSON = {"id": ADA, "is_bot": False, "first_name": "Ada", "language_code": "zh-hans"}
MENTION = {"type": "mention", "offset": 0, "length": 14}
WRITTEN = {"message_id": 9, "date": 1, "chat": CHAT, "from": PERSON}
FILE = {"file_id": "f", "file_unique_id": "f", "file_size": 9, "width": 1, "height": 1}
COMMAND = {"type": "bot_command", "offset": 0, "length": 5}
DELETED = {"business_connection_id": "b", "chat": CHAT, "message_ids": [1]}
REACTION = {"type": "emoji", "emoji": "👍"}
REACTED: dict[str, Any] = {"chat": CHAT, "message_id": 1, "user": PERSON, "date": 1}
REACTED |= {"old_reaction": [], "new_reaction": [REACTION]}
KEYBOARD = {"inline_keyboard": [[{"text": "x", "callback_data": "c:0:/human"}]]}
PRESS: dict[str, Any] = {"id": "1", "from": PERSON, "chat_instance": "1"}
PRESS |= {"message": {**WRITTEN, "text": "x", "reply_markup": KEYBOARD}}
SAMPLES: list[dict[str, Any]] = [
    {"message": {**WRITTEN, "text": "@frontdesk_bot 在哪里？", "entities": [MENTION]}},
    {"message": {**WRITTEN, "text": "/help", "chat": GROUP_CHAT, "entities": [COMMAND]}},
    {"message": {**WRITTEN, "photo": [FILE], "caption": "这个坏了", "media_group_id": "7"}},
    {"message": {**WRITTEN, "document": {**FILE, "file_name": "a", "mime_type": "b"}}},
    {"message": {**WRITTEN, "reply_to_message": {**WRITTEN, "text": "x"}, "text": "y"}},
    {"message": {**WRITTEN, "migrate_to_chat_id": -100}},
    {"edited_message": {**WRITTEN, "text": "new", "edit_date": 2}},
    {"business_message": {**WRITTEN, "text": "hi", "business_connection_id": "b"}},
    {"deleted_business_messages": DELETED},
    {"callback_query": {**PRESS, "data": "f:up:en:t"}},
    {"callback_query": {**PRESS, "data": "c:0:/human"}},
    {"message_reaction": REACTED},
]
JUNK: list[Any] = [None, True, -1, 2**70, 1e300, "", "\0", "\ud800", "a" * 5000, [], [[]], {}]


def mangled(value: Any, rng: random.Random) -> Any:
    """Return a copy with junk in the place of one of its parts."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.15:
        return rng.choice(JUNK)
    if isinstance(value, list):
        return [mangled(value[0], rng), *value[1:]]
    field = rng.choice(list(value))
    return {**value, field: mangled(value[field], rng)}


@pytest.mark.parametrize("seed", range(8))
async def test_that_no_update_breaks_the_webhook_or_hides_a_good_one(
    telegram: FakeTelegram, inbox: RecordingInbox, seed: int
) -> None:
    rng = random.Random(seed)
    channel = webhook_channel(telegram, inbox, watch_seconds=0.1)
    transport = httpx.ASGITransport(Starlette(routes=channel.routes()))
    async with running(channel), httpx.AsyncClient(transport=transport) as client:
        await telegram.until(lambda: channel.trouble() is None)
        for number in range(250):
            ((kind, content),) = rng.choice(SAMPLES).items()
            bad = {"update_id": 2 * number, kind: mangled(content, rng)}
            good = {"update_id": 2 * number + 1}
            good["message"] = {**WRITTEN, "message_id": 1000 + number, "text": f"good {number}"}
            for update in (bad, good):
                response = await client.post(
                    "http://here/telegram/webhook",
                    content=json.dumps(update),
                    headers={HEADER: SECRET},
                )
                assert response.status_code == 200, update

    texts = [incoming.text for incoming in inbox.accepted if incoming.text.startswith("good")]
    assert texts == [f"good {number}" for number in range(250)]
    for stored in (*inbox.accepted, *inbox.ratings, *inbox.withdrawn, *inbox.moves):
        assert is_storable(stored)
    for incoming in inbox.accepted:
        Address.parse(incoming.address)


def is_storable(stored: Any) -> bool:
    """Whether a database takes it: what it refuses would be redelivered for ever."""
    match stored:
        case str():
            return bool(stored.encode() or True)
        case int():
            return -(2**63) <= stored < 2**63
        case list() | tuple():
            return all(map(is_storable, stored))
        case None:
            return True
    return all(map(is_storable, astuple(stored)))
