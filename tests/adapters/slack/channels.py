"""Slack channels under test, and the replies they send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from adapters.pacing import Pace
from adapters.rendering import Links
from adapters.slack import SlackChannel, SlackLimits
from bot.messages import Outgoing, Place
from bot.ports import Dialogues, Inbox
from prompts import Prompts
from tests.adapters import samples
from tests.adapters.recording_inbox import KnownDialogues
from tests.adapters.web_server import serving
from tests.fakes.slack_api import Event, FakeSlack

LINKS = Links(frozenset({"shop.example"}))
_FAST = Pace(1000, 1.0)
QUICK = SlackLimits(post=_FAST, update=_FAST, stream=_FAST, read=_FAST)
PROMPTS = Prompts.load()
REPLY = samples.reply(
    channel="slack", address="D1", customer="U1", in_reply_to="message:D1:1790000000.5:U1"
)


def reply(**changes: Any) -> Outgoing:
    """Return the sample reply with other values in some fields."""
    defaults = {"channel": "slack", "address": "D1", "customer": "U1"}
    return samples.reply(**{**defaults, "in_reply_to": REPLY.in_reply_to, **changes})


def channel_for(
    slack: FakeSlack,
    inbox: Inbox,
    dialogues: Dialogues | None = None,
    **settings: Any,
) -> SlackChannel:
    """Return a channel that talks to the fake, over a socket unless told otherwise."""
    defaults = {
        "bot_token": slack.bot_token,
        "app_token": slack.app_token,
        "signing_secret": None,
        "oauth": None,
        "base_url": slack.base_url,
        "links": LINKS,
        "limits": QUICK,
        "settling_seconds": 0.0,
        "ping_seconds": 0.05,
        "first_delay_seconds": 0.01,
        "longest_delay_seconds": 0.05,
    }
    return SlackChannel(
        inbox=inbox,
        dialogues=dialogues or KnownDialogues(),
        prompts=PROMPTS,
        **{**defaults, **settings},
    )


@asynccontextmanager
async def running(channel: SlackChannel) -> AsyncIterator[SlackChannel]:
    """Let a channel receive."""
    task = asyncio.create_task(channel.run())
    try:
        yield channel
    finally:
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)


@asynccontextmanager
async def connected(slack: FakeSlack, channel: SlackChannel) -> AsyncIterator[SlackChannel]:
    """Let a channel receive over its socket."""
    async with running(channel):
        await slack.until(lambda: slack.socket_count)
        yield channel


@asynccontextmanager
async def served(slack: FakeSlack, channel: SlackChannel) -> AsyncIterator[str]:
    """Serve a channel's routes over HTTP and let the fake post there."""
    async with serving(channel.routes()) as address:
        slack.events_url = f"{address}/slack/events"
        try:
            yield address
        finally:
            slack.events_url = ""


async def poll(is_true: Callable[[], object]) -> None:
    """Wait for something that only the library knows."""
    async with asyncio.timeout(5):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def place_of_question(
    slack: FakeSlack, text: str = "Where is my parcel?", *, channel: str = "D1", **fields: Any
) -> Place:
    """Let a customer ask where nobody listens yet; return where the answer goes."""
    write = slack.customer_writes if channel.startswith("D") else slack.customer_mentions
    event = await write(text, channel=channel, **fields)
    address = channel if channel.startswith("D") else f"{channel}:{event.ts}"
    return Place(
        address=address,
        customer="U1",
        in_reply_to=f"message:{channel}:{event.ts}:U1",
        language="en",
    )


def answer_at(place: Place, **changes: Any) -> Outgoing:
    """Return the sample reply for a place."""
    where = {"address": place.address, "in_reply_to": place.in_reply_to}
    return reply(**{**where, "customer": place.customer, "language": place.language, **changes})


async def every_kind_of_event(slack: FakeSlack, channel: SlackChannel) -> list[Event]:
    """Let people do all that there is; return what Slack tells of it."""
    question = await slack.customer_writes("hello", files=[{"id": "F1"}])
    await slack.customer_edits(question, "hello?")
    await slack.customer_reacts(f"D1:{question.ts}", "+1")
    await slack.customer_commands("hello")
    await slack.customer_asks_about(question)
    await slack.customer_submits({"id": "V1", "callback_id": "c"}, reason="wrong", comment="x")
    (post,) = await channel.send(reply())
    await slack.customer_presses(slack.message(post), "Helpful")
    await slack.customer_deletes(question)
    return list(slack.events)
