"""A Telegram channel for tests: quick where the real one is patient."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from adapters.rendering import Links
from adapters.telegram import TelegramChannel
from adapters.telegram.limits import Limits
from bot.errors import DeliveryError, DeliveryRefused
from bot.messages import Outgoing, Place
from prompts import Prompts
from tests.adapters.recording_inbox import RecordingInbox
from tests.fakes.telegram_api import FakeTelegram

ADA = 42
GROUP = -1001
BOT_ID = FakeTelegram.me["id"]
LINKS = Links(frozenset({"shop.example"}))
NO_LIMITS = Limits(everywhere=(), each=(), group=())
PLACEHOLDER = "One moment …"


def channel_for(telegram: FakeTelegram, inbox: RecordingInbox, **settings: Any) -> TelegramChannel:
    defaults = {
        "token": telegram.token,
        "base_url": telegram.base_url,
        "links": LINKS,
        "limits": NO_LIMITS,
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


@asynccontextmanager
async def sending(
    telegram: FakeTelegram, inbox: RecordingInbox, **settings: Any
) -> AsyncIterator[TelegramChannel]:
    """A channel that only sends, closed in the end."""
    channel = channel_for(telegram, inbox, **settings)
    try:
        yield channel
    finally:
        await channel.close()


async def deliver(channel: TelegramChannel, outgoing: Outgoing) -> tuple[str, ...]:
    """Send a reply as the core does: its posts first, then what stands in them."""
    posts = outgoing.replaces
    if not outgoing.is_retraction:
        posts = await channel.prepare(outgoing, is_doubtful=False)
    return await channel.send(replace(outgoing, replaces=posts))


async def begin(channel: TelegramChannel, where: Place, text: str) -> str | None:
    """Show the beginning of an answer as the core does: its post first, if it needs one."""
    post = await channel.reserve(where)
    return await channel.preview(where, text) or post


async def settle(channel: TelegramChannel, outgoing: Outgoing) -> tuple[str, ...]:
    """Send a reply, again and again in the place of what an error leaves, as the core does."""
    while True:
        try:
            if not outgoing.is_retraction:
                posts = await channel.prepare(outgoing, is_doubtful=False)
                outgoing = replace(outgoing, replaces=posts)
            return await channel.send(outgoing)
        except DeliveryRefused:
            raise
        except DeliveryError as err:
            if err.posts is not None:
                outgoing = replace(outgoing, replaces=err.posts)


def place(address: object = ADA, **changes: Any) -> Place:
    known: dict[str, Any] = {"customer": str(ADA), "in_reply_to": "message:42:1", "language": "en"}
    return Place(address=str(address), **{**known, **changes})
