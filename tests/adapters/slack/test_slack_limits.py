"""Slack's limits are kept, and what is not Slack's does no harm."""

import asyncio
import random
import time
from dataclasses import replace
from typing import Any

import pytest

from adapters.pacing import Pace
from adapters.slack import SlackChannel, SlackLimits
from bot.errors import AttachmentError, DeliveryError, SettingsError
from bot.messages import Attachment
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.slack.channels import QUICK, channel_for, connected, every_kind_of_event, reply
from tests.adapters.spoiling import spoilt_object
from tests.fakes.slack_api import FakeSlack, Fault

TIGHT = SlackLimits(post=Pace(2, 0.3), update=Pace(5, 0.2), stream=Pace(5, 0.2))


async def test_that_one_channel_gets_no_more_than_slack_takes(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    slack.paces = {"chat.postMessage": (2, 0.1)}
    channel = channel_for(slack, inbox, limits=TIGHT)

    busy = [
        asyncio.create_task(
            channel.send(reply(id=number, address="C1:1.1", in_reply_to="message:C1:1.1:U1"))
        )
        for number in range(12)
    ]
    started = time.monotonic()
    await channel.send(reply(id=99))
    waited = time.monotonic() - started
    await asyncio.gather(*busy)

    assert (len(slack.replies("C1")), slack.too_fast) == (12, [])
    assert waited < 1.5


async def test_that_a_flood_in_one_channel_holds_only_that_one(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.fail_next("chat.postMessage", Fault.flood(1))
    there = reply(address="C1:1.1", in_reply_to="message:C1:1.1:U1")
    with pytest.raises(DeliveryError):
        await channel.send(there)
    flooded = time.monotonic()

    await channel.send(reply(id=2))
    elsewhere = time.monotonic() - flooded
    await channel.send(there)

    assert elsewhere < 0.5
    assert time.monotonic() - flooded >= 1


async def test_that_a_slow_post_does_not_bring_the_next_one_too_close(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    channel = channel_for(slack, inbox, limits=replace(QUICK, post=Pace(1, 0.4)))
    slack.paces["chat.postMessage"] = (1, 0.35)
    slack.hold("chat.postMessage")
    first = asyncio.create_task(channel.send(reply()))
    await slack.until(lambda: slack.called("chat.postMessage"))
    await asyncio.sleep(0.3)  # what Slack needs for the first

    slack.release("chat.postMessage")
    await first
    await channel.send(reply(id=2))

    assert slack.too_fast == []


async def test_that_a_flood_of_edits_holds_the_edits_of_the_workspace(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    here = await channel.send(reply())
    there = await channel.send(reply(id=2, address="C1:1.1", in_reply_to="message:C1:1.1:U1"))
    slack.fail_next("chat.update", Fault.flood(1))
    with pytest.raises(DeliveryError):
        await channel.send(reply(id=3, text="New.", replaces=here))
    flooded = time.monotonic()

    await channel.send(reply(id=4, address="C1:1.1", text="New.", replaces=there))

    # Slack counts edits by workspace.
    assert time.monotonic() - flooded >= 0.9


# Files.


async def test_that_a_file_is_fetched(slack: FakeSlack, channel: SlackChannel) -> None:
    content = bytes(range(256)) * 1000
    file = slack.add_file(content, mimetype="image/png")

    assert await channel.fetch(Attachment(kind="photo", id=file["id"])) == content


async def test_that_a_file_is_fetched_through_a_proxy(
    slack: FakeSlack, inbox: RecordingInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", slack.base_url.removesuffix("/api/"))
    slack.base_url = "http://slack.test/api/"
    file = slack.add_file(b"content")

    content = await channel_for(slack, inbox).fetch(Attachment(kind="photo", id=file["id"]))

    assert content == b"content"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"size": 21 * 1024 * 1024}, "larger than 20 MB", id="large"),
        pytest.param({"url_private_download": "https://evil.example/f"}, "no address", id="host"),
        pytest.param(
            {"url_private_download": "https://evil.example/.slack.com"}, "no address", id="path"
        ),
        pytest.param({"url_private_download": "http://files.slack.com/f"}, "no address", id="http"),
        pytest.param({"url_private_download": "file:///etc/passwd"}, "no address", id="file"),
        pytest.param({"url_private_download": ""}, "no address", id="none"),
    ],
)
async def test_that_a_file_that_may_not_be_fetched_is_not(
    slack: FakeSlack, channel: SlackChannel, fields: dict[str, Any], words: str
) -> None:
    file = slack.add_file(b"content", **fields)

    with pytest.raises(AttachmentError, match=words):
        await channel.fetch(Attachment(kind="photo", id=file["id"]))


async def test_that_a_file_larger_than_it_says_is_not_kept(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    file = slack.add_file(bytes(21 * 1024 * 1024), size=5)

    with pytest.raises(AttachmentError, match="larger than 20 MB"):
        await channel.fetch(Attachment(kind="document", id=file["id"]))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(Fault.refused("file_not_found"), "file_not_found", id="gone"),
        pytest.param(Fault.server_error(), "500", id="500"),
        pytest.param(Fault.dropped(), "can't be reached", id="dropped"),
        pytest.param(Fault.flood(1), "ratelimited", id="429"),
    ],
)
async def test_that_a_file_that_slack_does_not_give_is_an_error(
    slack: FakeSlack, channel: SlackChannel, fault: Fault, words: str
) -> None:
    file = slack.add_file(b"content")
    # A GET may be asked again at once by aiohttp, where a connection was dropped.
    slack.fail_next("files.info", fault, fault)

    with pytest.raises(AttachmentError, match=words):
        await channel.fetch(Attachment(kind="photo", id=file["id"]))


# Scopes.


async def test_that_missing_scopes_are_named(slack: FakeSlack, channel: SlackChannel) -> None:
    slack.scopes -= {"files:read", "reactions:read"}

    with pytest.raises(SettingsError, match=r"lacks the scopes files:read, reactions:read: add"):
        await channel.check()


async def test_that_the_check_says_who_it_is(channel: SlackChannel) -> None:
    assert await channel.check() == "Slack answers as frontdesk in Example, over Socket Mode."


# Anything at all.


async def test_that_two_thousand_spoilt_payloads_end_nothing(
    slack: FakeSlack,
    inbox: RecordingInbox,
    channel: SlackChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    samples = await every_kind_of_event(slack, channel)
    async with connected(slack, channel):
        await slack.until(lambda: not slack.unacknowledged)
        good = 0
        for number in range(2000):
            kind = samples[number % len(samples)].kind
            payload = samples[number % len(samples)].payload
            await slack.send_payload(spoilt_object(payload, rng), kind)
            if number % 100 == 0:
                good += 1
                await slack.customer_writes(f"good {number}")
        await slack.until(lambda: not slack.unacknowledged)

    texts = [incoming.text for incoming in inbox.accepted]
    assert len([text for text in texts if text.startswith("good ")]) == good, seed
    assert channel.trouble() == "The connection to Slack is lost; connecting again.", seed
    assert "Traceback" not in caplog.text, seed
