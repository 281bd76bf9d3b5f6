"""The Slack channel against a fake Slack: what people see, and what is acknowledged."""

import asyncio
import logging
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from adapters.slack import SlackChannel
from bot.errors import (
    ChannelUnreachable,
    DeliveryError,
    DeliveryInDoubt,
    DeliveryRefused,
    LogError,
    SettingsError,
)
from bot.messages import Citation, Incoming, Language, Place
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.slack.channels import (
    REPLY,
    answer_at,
    channel_for,
    connected,
    place_of_question,
    poll,
    running,
)
from tests.fakes.slack_api import FakeSlack, Fault
from tests.fakes.slack_blocks import labels, live, shown

PLACE = Place(
    address="C1:1790000000.1",
    customer="U1",
    in_reply_to="message:C1:1790000000.1:U1",
    language="en",
)


# Receiving.


async def test_that_a_direct_message_reaches_the_core(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        event = await slack.customer_writes("Where is my parcel?")
        await slack.until(lambda: event.is_acknowledged)

    ts = event.payload["event"]["ts"]
    assert inbox.accepted == [
        Incoming(
            channel="slack",
            event_keys=(f"message:D1:{ts}:U1", f"event:{event.id}"),
            address="D1",
            customer="U1",
            text="Where is my parcel?",
            language=None,
        )
    ]


async def test_that_a_message_is_acknowledged_only_when_it_is_stored(
    slack: FakeSlack,
    inbox: RecordingInbox,
    channel: SlackChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    inbox.errors = [LogError("The disk is full."), LogError("The disk is full.")]

    async with connected(slack, channel):
        event = await slack.customer_writes("hello")
        await inbox.until(lambda: inbox.refusals == 1)
        await slack.send_unacknowledged_again()
        await inbox.until(lambda: inbox.refusals == 2)
        later = await slack.customer_writes("and another thing")
        await slack.until(lambda: later.is_acknowledged)
        assert slack.unacknowledged == [event.id]

        await slack.send_unacknowledged_again()
        await slack.until(lambda: event.is_acknowledged)

    assert [incoming.text for incoming in inbox.accepted] == ["and another thing", "hello"]
    assert inbox.duplicates == []
    assert caplog.text.count("was not stored (The disk is full.)") == 2
    assert "Traceback" not in caplog.text  # hundreds at once would cost more than the answers


async def test_that_trouble_with_storing_is_told_and_passes(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    inbox.errors = [RuntimeError("a defect")]

    async with connected(slack, channel):
        event = await slack.customer_writes("hello")
        await inbox.until(lambda: inbox.refusals)
        await poll(lambda: channel.trouble() is not None)
        trouble = channel.trouble()
        await slack.send_unacknowledged_again()
        await slack.until(lambda: event.is_acknowledged)
        healed = channel.trouble()

    assert trouble == "Messages from Slack can't be stored at the moment."
    assert healed is None


async def test_that_an_event_that_comes_again_is_acknowledged_and_known(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        event = await slack.customer_writes("hello")
        await slack.until(lambda: event.is_acknowledged)
        event.is_acknowledged = False
        await slack.send_again(event)
        await slack.until(lambda: event.is_acknowledged)

    assert len(inbox.accepted) == len(inbox.duplicates) == 1


async def test_that_a_retry_that_is_the_only_copy_is_taken(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        # Two envelopes went to another socket, which died with them.
        event = await slack.customer_writes("first")
        await slack.until(lambda: event.is_acknowledged)
        lost = replace_event(event.payload, event_id="Ev77", ts="1790000001.000001")
        slack.events.append(type(event)(lost, envelopes=["lost-1", "lost-2"]))
        await slack.send_unacknowledged_again()

        assert await inbox.texts(2) == ["first", "first"]


def replace_event(payload: dict[str, Any], *, event_id: str, ts: str) -> dict[str, Any]:
    return {**payload, "event_id": event_id, "event": {**payload["event"], "ts": ts}}


async def test_that_one_post_that_comes_as_two_events_is_one_message(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        await slack.customer_mentions("<@U0BOT> hi", also_as_message=True)
        direct = await slack.customer_writes("<@U0BOT> hi")
        mention = {**direct.payload["event"], "type": "app_mention"}
        await slack.send_event(mention)
        await slack.until(lambda: not slack.unacknowledged)

    assert [incoming.text for incoming in inbox.accepted] == ["hi", "hi"]
    assert {incoming.address[0] for incoming in inbox.accepted} == {"C", "D"}


@pytest.mark.parametrize(
    ("channel_id", "thread", "address"),
    [
        pytest.param("D1", None, "D1", id="dm"),
        pytest.param("D1", "1790000000.5", "D1:1790000000.5", id="thread-in-a-dm"),
        pytest.param("C1", "1790000000.5", "C1:1790000000.5", id="thread-in-a-channel"),
    ],
)
async def test_that_a_thread_is_a_conversation(
    slack: FakeSlack,
    inbox: RecordingInbox,
    channel: SlackChannel,
    channel_id: str,
    thread: str | None,
    address: str,
) -> None:
    fields: dict[str, Any] = {"thread_ts": thread} if thread else {}
    write = slack.customer_writes if channel_id == "D1" else slack.customer_mentions

    async with connected(slack, channel):
        await write("hi", channel=channel_id, **fields)
        await inbox.texts(1)

    assert inbox.accepted[0].address == address


async def test_that_a_mention_in_a_channel_begins_a_thread(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        event = await slack.customer_mentions("<@U0BOT> where is it?")
        assert await inbox.texts(1) == ["where is it?"]

    assert inbox.accepted[0].address == f"C1:{event.payload['event']['ts']}"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"type": "message", "channel_type": "channel", "channel": "C1"}, id="channel"),
        pytest.param({"bot_id": "B7"}, id="bot"),
        pytest.param({"user": "U0BOT"}, id="ourselves"),
        pytest.param({"subtype": "message_changed", "message": {}}, id="edit"),
        pytest.param({"subtype": "message_deleted"}, id="deletion"),
        pytest.param({"subtype": "channel_join"}, id="joining"),
        pytest.param({"edited": {"user": "U1", "ts": "2"}}, id="edited"),
        pytest.param({"user": None}, id="nobody"),
        pytest.param({"type": "reaction_added"}, id="reaction"),
        pytest.param({"text": {"not": "a text"}}, id="malformed"),
        pytest.param({"channel": ["D1"]}, id="malformed-channel"),
    ],
)
async def test_that_what_is_no_message_to_us_is_acknowledged_and_dropped(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, event: dict[str, Any]
) -> None:
    direct = {
        "type": "message",
        "channel": "D1",
        "channel_type": "im",
        "user": "U1",
        "text": "hello",
        "ts": "1790000009.1",
    }
    async with connected(slack, channel):
        sent = await slack.send_event({**direct, **event})
        await slack.until(lambda: sent.is_acknowledged)

    assert inbox.accepted == []


async def test_that_the_bot_does_not_answer_itself(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        await channel.send(REPLY)
        await slack.until(lambda: slack.events and not slack.unacknowledged)

    assert inbox.accepted == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("<@U0BOT> where is it?", "where is it?", id="mention-in-front"),
        pytest.param("where is it <@U0BOT|frontdesk>", "where is it", id="mention-behind"),
        pytest.param("ask <@U7> or <@U8|grace>", "ask @U7 or @grace", id="people"),
        pytest.param(
            "see <#C7|help>, <!here> <!subteam^S1|@desk>", "see #help, @here @desk", id="#"
        ),
        pytest.param("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2", id="escaped"),
        pytest.param("&amp;lt;b&amp;gt;", "&lt;b&gt;", id="escaped-twice"),
        pytest.param("<https://a.example/x?a=1&amp;b=2>", "https://a.example/x?a=1&b=2", id="url"),
        pytest.param("<https://a.example|my order>", "my order (https://a.example)", id="link"),
        pytest.param("<mailto:a@b.example|a@b.example>", "a@b.example", id="mail"),
        pytest.param("退货要多久？", "退货要多久？", id="chinese"),
        pytest.param("a\0b\ud800c", "ab\ufffdc", id="what-can't-be-stored"),
        pytest.param("", "", id="file"),
    ],
)
async def test_that_words_arrive_as_people_read_them(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, text: str, expected: str
) -> None:
    async with connected(slack, channel):
        await slack.customer_writes(text, subtype="file_share")
        assert await inbox.texts(1) == [expected]


# The connection.


@pytest.mark.parametrize("verb", ["refresh_sockets", "drop_sockets", "close_sockets"])
async def test_that_the_socket_comes_back(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, verb: str
) -> None:
    async with connected(slack, channel):
        for number in range(3):
            await slack.customer_writes(f"before {number}")
            await slack.until(lambda: not slack.unacknowledged)
            await getattr(slack, verb)()
            await slack.customer_writes(f"after {number}")
            await inbox.texts(2 * number + 2)
        await slack.until(lambda: not slack.unacknowledged)

    assert len(inbox.accepted) == 6
    assert inbox.duplicates == []
    assert channel.trouble() == "The connection to Slack is lost; connecting again."


async def test_that_a_message_lost_with_its_socket_comes_again(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    inbox.errors = [LogError("The disk is full.")]
    async with connected(slack, channel):
        await slack.customer_writes("hello")
        await inbox.until(lambda: inbox.refusals)
        await slack.drop_sockets()
        await slack.until(lambda: slack.socket_count)
        await slack.send_unacknowledged_again()

        assert await inbox.texts(1) == ["hello"]


class HesitantInbox(RecordingInbox):
    """Takes its time over a message until `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def accept(self, incoming: Incoming) -> bool:
        self.is_asked.set()
        await self.go_on.wait()
        return await super().accept(incoming)


async def test_that_an_event_stored_while_its_socket_was_replaced_is_acknowledged_later(
    slack: FakeSlack,
) -> None:
    inbox = HesitantInbox()
    channel = channel_for(slack, inbox, patience_seconds=0.2)
    async with connected(slack, channel):
        event = await slack.customer_writes("hello")
        await inbox.is_asked.wait()
        sockets = len(slack.called("apps.connections.open"))
        slack.fail_next("link", *[Fault(403)] * 6)
        await slack.drop_sockets()
        await slack.until(lambda: slack.socket_count)
        assert len(slack.called("apps.connections.open")) > sockets
        inbox.go_on.set()
        await inbox.texts(1)
        assert not event.is_acknowledged

        await slack.send_unacknowledged_again()
        await slack.until(lambda: event.is_acknowledged)

    assert len(inbox.accepted) == 1


async def test_that_a_post_under_way_outlives_the_end_of_receiving(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.hold("chat.postMessage")
    async with connected(slack, channel):
        sending = asyncio.create_task(channel.send(REPLY))
        await slack.until(lambda: slack.called("chat.postMessage"))
    slack.release("chat.postMessage")
    await sending

    assert len(slack.replies("D1")) == 1


async def test_that_connecting_heals_by_itself(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    slack.fail_next(
        "apps.connections.open",
        Fault.dropped(),
        Fault.server_error(),
        Fault.refused("internal_error"),
        Fault.answer_lost(),
        Fault.nonsense(),
    )
    assert channel.trouble() == "Slack has not been reached yet."

    async with running(channel):
        await slack.until(lambda: len(slack.called("apps.connections.open")) == 5)
        trouble = channel.trouble()
        await slack.customer_writes("still there?")
        assert await inbox.texts(1) == ["still there?"]
        assert channel.trouble() is None

    assert trouble
    assert "Slack" in trouble


async def test_that_a_stale_socket_address_is_thrown_away(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    # The SDK alone would try the refused address for ever.
    channel = channel_for(slack, inbox, patience_seconds=0.2)
    slack.fail_next("link", Fault(403))

    async with connected(slack, channel):
        await slack.customer_writes("hello")
        assert await inbox.texts(1) == ["hello"]


async def test_that_a_socket_that_stays_away_is_given_up(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    channel = channel_for(slack, inbox, patience_seconds=0.3)
    async with connected(slack, channel):
        slack.fail_next("link", *[Fault(403)] * 4)
        await slack.drop_sockets()
        await slack.until(lambda: slack.socket_count)
        await slack.customer_writes("hello")

        assert await inbox.texts(1) == ["hello"]


async def test_that_a_flood_while_connecting_is_waited_for(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.fail_next("apps.connections.open", Fault.flood(1))
    started = asyncio.get_running_loop().time()

    async with connected(slack, channel):
        assert asyncio.get_running_loop().time() - started >= 0.9


async def test_that_no_token_reaches_the_log(
    slack: FakeSlack,
    inbox: RecordingInbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = channel_for(slack, inbox, patience_seconds=0.2)
    slack.fail_next("link", Fault(403))
    inbox.errors = [LogError("The disk is full.")]

    async with connected(slack, channel):
        await slack.customer_writes("my secret")
        await inbox.until(lambda: inbox.refusals)
        await slack.send_unacknowledged_again()
        await inbox.texts(1)
        await channel.send(REPLY)

    assert caplog.records
    for secret in (slack.bot_token, slack.app_token, "ticket-", "my secret"):
        assert secret not in caplog.text


# The tokens.


async def test_that_right_tokens_are_no_trouble(channel: SlackChannel) -> None:
    await channel.check()


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        pytest.param(
            {"bot_token": "xoxb-wrong"},
            "Slack refused SLACK_BOT_TOKEN (invalid_auth): set it to the Bot User OAuth Token",
            id="bot-token",
        ),
        pytest.param(
            {"app_token": "xapp-wrong"},
            "Slack refused SLACK_APP_TOKEN (invalid_auth): set it to an app-level token",
            id="app-token",
        ),
        pytest.param(
            {"bot_token": FakeSlack.app_token, "app_token": FakeSlack.bot_token},
            "Slack refused SLACK_BOT_TOKEN (not_allowed_token_type)",
            id="swapped",
        ),
    ],
)
async def test_that_a_refused_token_is_named(
    slack: FakeSlack, inbox: RecordingInbox, settings: dict[str, Any], start: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        await channel_for(slack, inbox, **settings).check()

    assert str(refusal.value).startswith(start)


async def test_that_an_unreachable_slack_is_not_a_wrong_token(
    slack: FakeSlack, inbox: RecordingInbox, unused_tcp_port: int
) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}/api/"

    with pytest.raises(ChannelUnreachable, match=f"can't be reached at {address}: check the net"):
        await channel_for(slack, inbox, base_url=address).check()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(Fault.refused("missing_scope"), "lacks a scope", id="scope"),
        pytest.param(Fault.server_error(), "does not answer at the moment", id="500"),
        pytest.param(Fault.flood(3), "does not answer at the moment", id="429"),
        pytest.param(Fault.refused("org_login_required"), "org_login_required", id="other"),
    ],
)
async def test_that_other_answers_are_told_apart(
    slack: FakeSlack, channel: SlackChannel, fault: Fault, words: str
) -> None:
    slack.fail_next("auth.test", fault)

    with pytest.raises((SettingsError, ChannelUnreachable), match=words):
        await channel.check()


async def test_that_a_refused_app_token_is_trouble_while_running(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    channel = channel_for(slack, inbox, app_token="xapp-wrong")

    async with running(channel):
        await slack.until(lambda: len(slack.called("apps.connections.open")) == 2)

    assert "SLACK_APP_TOKEN" in str(channel.trouble())


# Sending.


async def test_that_a_reply_names_its_source_as_a_link(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    posts = await channel.send(REPLY)

    reply = await slack.next_reply("D1")
    assert shown(reply) == (
        "You can return it within 30 days.\n\nSource: [Returns](https://shop.example/returns)"
    )
    assert reply["text"] == (
        "You can return it within 30 days.\n\nSource: Returns (https://shop.example/returns)"
    )
    assert posts == (f"D1:{reply['ts']}",)
    assert reply["thread_ts"] == "1790000000.5"
    sent = slack.called("chat.postMessage")[0]
    assert (sent["unfurl_links"], sent["unfurl_media"]) == (False, False)
    assert sent["metadata"] == {
        "event_type": "frontdesk_reply",
        "event_payload": {"reply_id": REPLY.turn},
    }


async def test_that_a_reply_in_a_thread_stays_there(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        event = await slack.customer_mentions("<@U0BOT> hi")
        await inbox.texts(1)
    await channel.send(replace(REPLY, address=inbox.accepted[0].address))

    assert (await slack.next_reply("C1"))["thread_ts"] == event.payload["event"]["ts"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<!channel> <!here|now> <!everyone>", id="broadcast"),
        pytest.param("@channel @here @everyone", id="plain-broadcast"),
        pytest.param("_@channel_ **@here_ @everyone_", id="underscored-broadcast"),
        pytest.param("`<!channel>`\n\n```\n<!here> <@U7>\n```", id="code"),
        pytest.param("<@U7> and <#C1> and <!subteam^S1|desk>", id="mention"),
        pytest.param("<https://evil.example|our shop>", id="link"),
        pytest.param("&lt;!channel&gt; &amp;lt;!here&amp;gt;", id="escaped-already"),
        pytest.param("[our shop](https://evil.example)", id="markdown"),
        pytest.param("[our shop][1]\n\n[1]: https://evil.example", id="reference"),
        pytest.param("![](https://evil.example/a.png) <https://evil.example>", id="image"),
        pytest.param("see https://evil.example/x and javascript:alert(1)", id="bare"),
        pytest.param("a\n>quoted\n<", id="quote"),
        pytest.param("<b onclick=x>hi</b><!-- <!channel> -->", id="html"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_hostile_text_is_never_live(
    slack: FakeSlack, channel: SlackChannel, text: str, language: Language
) -> None:
    hostile = Citation(article="a", title=text, url="javascript:alert(1)")

    await channel.send(replace(REPLY, text=text, citations=(hostile,), language=language))

    assert live(await slack.next_reply("D1")) == []


@pytest.mark.parametrize(
    ("title", "url", "expected"),
    [
        pytest.param("A <b> & c", "https://shop.example/x", "A \\<b\\> & c", id="title"),
        pytest.param("a](b", "https://shop.example/x", "a\\](b", id="brackets"),
        pytest.param("two\nlines", "https://shop.example/x", "two lines", id="lines"),
    ],
)
async def test_that_a_link_is_one_link(
    slack: FakeSlack, channel: SlackChannel, title: str, url: str, expected: str
) -> None:
    await channel.send(replace(REPLY, citations=(Citation(article="a", title=title, url=url),)))

    reply = await slack.next_reply("D1")
    assert live(reply) == [url]
    assert shown(reply).split("Source: ")[1] == f"[{expected}]({url})"


async def test_that_a_link_elsewhere_is_no_link(slack: FakeSlack, channel: SlackChannel) -> None:
    elsewhere = Citation(article="a", title="Returns", url="https://evil.example/x")

    await channel.send(replace(REPLY, citations=(elsewhere,)))

    assert live(await slack.next_reply("D1")) == []


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("You can send the parcel back within thirty days. ", id="english"),
        pytest.param("您可以在三十天之内把包裹寄回来。", id="chinese"),
        pytest.param("Fish & chips <3 is what we serve. ", id="escaped"),
    ],
)
async def test_that_a_long_reply_comes_in_whole_sentences(
    slack: FakeSlack, channel: SlackChannel, sentence: str
) -> None:
    count = 9000 // len(sentence)

    posts = await channel.send(replace(REPLY, text=sentence * count, citations=()))

    parts = slack.replies("D1")
    assert len(posts) == len(parts) >= 3
    assert all(len(part) <= 4000 for part in parts)
    assert "".join("".join(parts).split()) == "".join((sentence * count).split())
    assert all(part.endswith(sentence.strip()[-1]) for part in parts)
    assert [len(labels(await slack.next_reply("D1"))) for _ in parts] == [0] * (len(parts) - 1) + [
        3
    ]


async def test_that_nothing_comes_to_life_where_a_reply_is_cut(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    address = "https://evil.example/" + "a" * 3000
    text = f"{'word ' * 300} {address}，{address} `<!here> https://evil.example {'b ' * 2000}`"

    posts = await channel.send(replace(REPLY, text=text, citations=()))

    assert len(posts) > 2
    assert [live(await slack.next_reply("D1")) for _ in posts] == [[]] * len(posts)


async def test_that_code_that_is_cut_stays_code(slack: FakeSlack, channel: SlackChannel) -> None:
    await channel.send(replace(REPLY, text="```\n" + "x = 1\n" * 1000 + "```", citations=()))

    assert len(slack.replies("D1")) == 2
    assert all(part.startswith("```") and part.endswith("```") for part in slack.replies("D1"))


async def test_that_a_flood_tells_how_long_to_wait(slack: FakeSlack, channel: SlackChannel) -> None:
    slack.fail_next("chat.postMessage", Fault.flood(7))

    with pytest.raises(DeliveryError) as caught:
        await channel.send(REPLY)

    assert type(caught.value) is DeliveryError
    assert caught.value.retry_after_seconds == 7


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.refused("invalid_auth"), id="token"),
        pytest.param(Fault(403), id="403"),
    ],
)
async def test_that_a_broken_send_may_be_tried_again(
    slack: FakeSlack, channel: SlackChannel, fault: Fault
) -> None:
    slack.fail_next("chat.postMessage", fault)

    with pytest.raises(DeliveryError) as caught:
        await channel.send(REPLY)
    await channel.send(REPLY)

    assert type(caught.value) is DeliveryError
    assert len(slack.replies("D1")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault(503, "internal_error"), id="503"),
        pytest.param(Fault.refused("fatal_error"), id="fatal"),
        pytest.param(Fault.refused("internal_error"), id="internal"),
        pytest.param(Fault.dropped(), id="dropped"),
        pytest.param(Fault.nonsense(), id="no-ts"),
    ],
)
async def test_that_a_post_without_a_readable_answer_is_in_doubt(
    slack: FakeSlack, channel: SlackChannel, fault: Fault
) -> None:
    slack.fail_next("chat.postMessage", fault)

    with pytest.raises(DeliveryInDoubt, match="may have arrived"):
        await channel.send(REPLY)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.answer_lost(), id="lost"),
        pytest.param(Fault.answer_garbled("oops"), id="text"),
        pytest.param(Fault.answer_garbled("{", "application/json"), id="cut-off"),
        pytest.param(Fault.answer_garbled("[]", "application/json"), id="list"),
        pytest.param(Fault.answer_garbled("<html>oops</html>", "text/html"), id="html"),
    ],
)
async def test_that_a_lost_answer_is_in_doubt_and_not_posted_again_by_the_library(
    slack: FakeSlack, channel: SlackChannel, fault: Fault
) -> None:
    slack.fail_next("chat.postMessage", fault)

    with pytest.raises(DeliveryInDoubt):
        await channel.send(REPLY)

    assert len(slack.replies("D1")) == 1


async def test_that_a_post_whose_answer_comes_too_late_is_in_doubt(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    slack.hold("chat.postMessage")

    with pytest.raises(DeliveryInDoubt):
        await channel_for(slack, inbox, timeout_seconds=0.05).send(REPLY)


async def test_that_a_post_that_never_left_may_be_tried_again(
    slack: FakeSlack, inbox: RecordingInbox, unused_tcp_port: int
) -> None:
    channel = channel_for(slack, inbox, base_url=f"http://127.0.0.1:{unused_tcp_port}/api/")

    with pytest.raises(DeliveryError) as caught:
        await channel.send(REPLY)

    assert type(caught.value) is DeliveryError


async def test_that_a_connection_that_is_never_answered_may_be_tried_again(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    with socket.socket() as silent, ExitStack() as others:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(4):
            # Nobody accepts, so these fill the queue, and the next one hears nothing.
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(silent.getsockname())
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/api/"

        with pytest.raises(DeliveryError) as caught:
            await channel_for(slack, inbox, base_url=address, timeout_seconds=0.1).send(REPLY)

    assert type(caught.value) is DeliveryError


async def test_that_a_later_part_in_doubt_leaves_the_reply_in_doubt(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.fail_next("chat.postMessage", None, Fault.answer_lost())

    with pytest.raises(DeliveryInDoubt):
        await channel.send(replace(REPLY, text="A sentence of some length. " * 400))

    assert len(slack.replies("D1")) == 2


async def test_that_parts_that_were_posted_are_not_posted_again(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    reply = replace(REPLY, text="A sentence of some length. " * 400, citations=())
    slack.fail_next("chat.postMessage", None, Fault.flood(1))

    with pytest.raises(DeliveryError) as caught:
        await channel.send(reply)
    first = slack.replies("D1")
    await channel.send(replace(reply, replaces=caught.value.posts or ()))

    assert len(first) == 1
    assert " ".join(slack.replies("D1")).split() == reply.text.split()


@pytest.mark.parametrize(
    ("address", "error"),
    [
        pytest.param("C9", "channel_not_found", id="unknown"),
        pytest.param("C2", "not_in_channel", id="not-in-it"),
        pytest.param("C3:1.0", "is_archived", id="archived"),
    ],
)
async def test_that_a_reply_nobody_can_get_is_refused(
    channel: SlackChannel, address: str, error: str
) -> None:
    with pytest.raises(DeliveryRefused, match=error):
        await channel.send(replace(REPLY, address=address))


@pytest.mark.parametrize(
    "error", ["account_inactive", "invalid_blocks", "msg_blocks_too_long", "user_not_found"]
)
async def test_that_what_slack_will_never_take_is_a_refusal(
    slack: FakeSlack, channel: SlackChannel, error: str
) -> None:
    slack.fail_next("chat.postMessage", Fault.refused(error))

    with pytest.raises(DeliveryRefused, match=error):
        await channel.send(REPLY)


async def test_that_a_reply_without_words_is_refused(channel: SlackChannel) -> None:
    with pytest.raises(DeliveryRefused):
        await channel.send(replace(REPLY, text=" \n", citations=()))


# The status under a question.


@pytest.mark.parametrize(
    ("language", "status"),
    [
        pytest.param("en", "is writing an answer …", id="english"),
        pytest.param("zh", "正在写回答……", id="chinese"),
    ],
)
@pytest.mark.parametrize("where", ["C1", "D1"])
async def test_that_a_status_is_shown_under_the_question_until_the_reply(
    slack: FakeSlack, channel: SlackChannel, language: Language, status: str, where: str
) -> None:
    place = replace(await place_of_question(slack, channel=where), language=language)
    ts = place.in_reply_to.split(":")[2]

    await channel.show_progress(place, "writing")
    await slack.until(lambda: slack.status(where, ts) == status)
    await channel.send(answer_at(place))

    assert slack.status(where, ts) == ""
    assert len(slack.called("assistant.threads.setStatus")[0]["loading_messages"]) == 2


async def test_that_the_status_goes_where_an_edit_brings_the_answer(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack)
    ts = place.in_reply_to.split(":")[2]
    posts = await channel.send(answer_at(place))
    edited = replace(place, in_reply_to=f"edit:D1:{ts}:1790000500.1")

    await channel.show_progress(edited, "writing")
    await slack.until(lambda: slack.status("D1", ts))
    await channel.send(answer_at(edited, id=2, text="New.", replaces=posts))

    await slack.until(lambda: not slack.status("D1", ts))


async def test_that_one_answer_to_several_questions_ends_the_status_of_each(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    first, last = [await place_of_question(slack) for _ in range(2)]
    for place in (first, last):
        await channel.show_progress(place, "writing")
        await slack.until(lambda: slack.status("D1", place.in_reply_to.split(":")[2]))  # noqa: B023

    await channel.send(answer_at(last, also_answers=(first.in_reply_to,)))

    for place in (first, last):
        await slack.until(lambda: not slack.status("D1", place.in_reply_to.split(":")[2]))  # noqa: B023


async def test_that_a_status_that_comes_after_the_answer_does_not_stay(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack)
    ts = place.in_reply_to.split(":")[2]
    slack.hold("assistant.threads.setStatus")
    await channel.show_progress(place, "writing")
    await slack.until(lambda: slack.called("assistant.threads.setStatus"))

    await channel.send(answer_at(place))
    slack.release("assistant.threads.setStatus")

    await slack.until(lambda: len(slack.called("assistant.threads.setStatus")) == 2)
    await slack.until(lambda: not slack.status("D1", ts))


async def test_that_a_slow_status_holds_up_no_answer(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.hold("assistant.threads.setStatus")
    async with asyncio.timeout(2):
        await channel.show_progress(PLACE, "searching")
        await slack.until(lambda: slack.called("assistant.threads.setStatus"))
        await channel.show_progress(PLACE, "writing")
        assert len(status_tasks()) == 1
        await channel.send(answer_at(PLACE))

    assert all(task.cancelling() for task in status_tasks())
    assert len(slack.called("assistant.threads.setStatus")) == 1


async def test_that_closing_ends_a_status_under_way(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.hold("assistant.threads.setStatus")
    await channel.show_progress(PLACE, "searching")
    await slack.until(lambda: slack.called("assistant.threads.setStatus"))

    await channel.close()

    assert status_tasks() == []


def status_tasks() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if "Presence" in repr(task.get_coro())]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.refused("not_allowed"), id="refused"),
        pytest.param(Fault.dropped(), id="dropped"),
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.answer_garbled("oops"), id="unreadable"),
    ],
)
async def test_that_a_refused_status_is_no_error(
    slack: FakeSlack, channel: SlackChannel, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    slack.fail_next("assistant.threads.setStatus", fault)

    await channel.show_progress(PLACE, "searching")
    await poll(lambda: "Status in C1 not shown" in caplog.text)

    assert len(slack.called("assistant.threads.setStatus")) == 1
