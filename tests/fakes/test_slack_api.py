"""The fake Slack keeps and refuses what Slack keeps and refuses."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.fakes.slack_api import FakeSlack, Fault
from tests.fakes.slack_blocks import labels, live

Json = dict[str, Any]


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake


class App:
    """A client without opinions: posts JSON, reads the socket, acknowledges when told."""

    def __init__(self, slack: FakeSlack) -> None:
        self.slack = slack
        self.token = slack.bot_token

    async def call(self, method: str, token: str | None = None, **params: Any) -> Json:
        token = self.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.slack.base_url + method, json=params, headers=headers) as response,
        ):
            retry_after = response.headers.get("Retry-After")
            return {"status": response.status, "retry_after": retry_after, **await response.json()}

    async def post(self, text: str, channel: str = "C1", **params: Any) -> Json:
        return await self.call("chat.postMessage", channel=channel, text=text, **params)

    async def socket_address(self) -> str:
        answer = await self.call("apps.connections.open", token=self.slack.app_token)
        return str(answer["url"])

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        address = await self.socket_address()
        async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
            assert (await receive(socket))["type"] == "hello"
            yield socket


async def receive(socket: aiohttp.ClientWebSocketResponse) -> Json:
    async with asyncio.timeout(5):
        return dict(await socket.receive_json())


@pytest.fixture
def app(slack: FakeSlack) -> App:
    return App(slack)


# The socket.


async def test_that_a_message_comes_in_an_envelope(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        event = await slack.customer_writes("hello")
        envelope = await receive(socket)

    assert envelope["type"] == "events_api"
    assert envelope["retry_attempt"] == 0
    assert envelope["payload"]["event_id"] == event.id
    assert envelope["payload"]["event"]["text"] == "hello"
    assert envelope["payload"]["event"]["channel_type"] == "im"


async def test_that_an_event_counts_when_it_is_acknowledged(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        event = await slack.customer_writes("hello")
        envelope = await receive(socket)
        assert slack.unacknowledged == [event.id]

        await socket.send_json({"envelope_id": envelope["envelope_id"]})
        await slack.until(lambda: event.is_acknowledged)

    assert slack.unacknowledged == []


async def test_that_an_unacknowledged_event_comes_in_a_new_envelope(
    slack: FakeSlack, app: App
) -> None:
    async with app.socket() as socket:
        await slack.customer_writes("hello")
        first = await receive(socket)

        await slack.send_unacknowledged_again()
        second = await receive(socket)

    assert first["envelope_id"] != second["envelope_id"]
    assert first["payload"] == second["payload"]
    assert (second["retry_attempt"], second["retry_reason"]) == (1, "timeout")


async def test_that_one_envelope_can_come_twice(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        event = await slack.customer_writes("hi")
        await slack.send_again(event, in_same_envelope=True)
        first, second = await receive(socket), await receive(socket)

    assert first["envelope_id"] == second["envelope_id"]
    assert len(event.envelopes) == 1


async def test_that_an_acknowledged_event_does_not_come_again(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        event = await slack.customer_writes("hello")
        await socket.send_json({"envelope_id": (await receive(socket))["envelope_id"]})
        await slack.until(lambda: event.is_acknowledged)

        await slack.send_unacknowledged_again()

    assert len(event.envelopes) == 1


async def test_that_an_acknowledgement_of_nothing_is_kept_apart(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        await socket.send_json({"envelope_id": "nonsense"})
        await slack.until(lambda: slack.unknown_acknowledgements == ["nonsense"])


async def test_that_an_event_waits_for_a_socket(slack: FakeSlack, app: App) -> None:
    await slack.customer_writes("hello")

    async with app.socket() as socket:
        assert (await receive(socket))["payload"]["event"]["text"] == "hello"


async def test_that_a_refresh_is_announced(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        await slack.refresh_sockets()

        assert await receive(socket) == {"type": "disconnect", "reason": "refresh_requested"}
        assert slack.socket_count == 0


@pytest.mark.parametrize("verb", ["drop_sockets", "close_sockets"])
async def test_that_a_socket_can_end_without_a_word(slack: FakeSlack, app: App, verb: str) -> None:
    async with app.socket() as socket:
        end = asyncio.create_task(getattr(slack, verb)())
        async with asyncio.timeout(5):
            message = await socket.receive()
            await end

    assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_that_a_socket_address_works_once(slack: FakeSlack, app: App) -> None:
    address = await app.socket_address()
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(address):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(address)


async def test_that_a_mention_can_come_twice(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        await slack.customer_mentions("<@U0BOT> hi", also_as_message=True)
        events = [(await receive(socket))["payload"] for _ in range(2)]

    assert [event["event"]["type"] for event in events] == ["message", "app_mention"]
    assert events[0]["event"]["ts"] == events[1]["event"]["ts"]
    assert events[0]["event_id"] != events[1]["event_id"]


# The Web API.


@pytest.mark.parametrize(
    ("method", "token", "error"),
    [
        pytest.param("auth.test", "", "not_authed", id="none"),
        pytest.param("auth.test", "xoxb-wrong", "invalid_auth", id="wrong"),
        pytest.param("auth.test", FakeSlack.app_token, "not_allowed_token_type", id="app-token"),
        pytest.param("apps.connections.open", "xapp-wrong", "invalid_auth", id="wrong-app-token"),
        pytest.param(
            "apps.connections.open", FakeSlack.bot_token, "not_allowed_token_type", id="bot-token"
        ),
        pytest.param("auth.toast", FakeSlack.bot_token, "unknown_method", id="method"),
    ],
)
async def test_that_a_wrong_token_is_refused(app: App, method: str, token: str, error: str) -> None:
    assert (await app.call(method, token=token))["error"] == error


@pytest.mark.parametrize(
    ("params", "error"),
    [
        pytest.param({"channel": "C9"}, "channel_not_found", id="unknown"),
        pytest.param({"channel": "C2"}, "not_in_channel", id="not-in-it"),
        pytest.param({"channel": "C3"}, "is_archived", id="archived"),
        pytest.param({"text": ""}, "no_text", id="empty"),
        pytest.param({"text": "a" * 40_001}, "msg_too_long", id="long"),
    ],
)
async def test_that_a_message_slack_refuses_is_refused(
    slack: FakeSlack, app: App, params: Json, error: str
) -> None:
    answer = await app.call("chat.postMessage", **{"channel": "C1", "text": "hi", **params})

    assert answer["error"] == error
    assert slack.replies("C1") == []


async def test_that_a_deleted_message_with_replies_leaves_a_tombstone_until_they_go(
    slack: FakeSlack, app: App
) -> None:
    theirs = await slack.customer_mentions("<@U0BOT> hi")
    alone = await slack.customer_mentions("<@U0BOT> ho")
    ts = (await app.post("hello", thread_ts=theirs.ts))["ts"]

    plain = (await slack.customer_deletes(alone)).payload["event"]
    buried = (await slack.customer_deletes(theirs)).payload["event"]
    await app.call("chat.delete", channel="C1", ts=ts)
    last = slack.events[-1].payload["event"]

    assert plain["subtype"] == "message_deleted"
    assert (buried["subtype"], buried["message"]["subtype"]) == ("message_changed", "tombstone")
    assert buried["previous_message"]["user"] == "U1"
    assert (last["subtype"], last["previous_message"]["subtype"]) == (
        "message_deleted",
        "tombstone",
    )
    assert not slack.exists(f"C1:{theirs.ts}")


async def test_that_a_long_thread_is_read_in_pieces_from_a_time(app: App) -> None:
    root = (await app.post("root"))["ts"]
    times = [(await app.post(str(n), thread_ts=root))["ts"] for n in range(20)]

    whole = await app.call("conversations.replies", channel="C1", ts=root, limit=1000)
    rest = await app.call("conversations.replies", channel="C1", ts=root, oldest=times[-2])

    assert (len(whole["messages"]), whole["has_more"]) == (15, True)
    assert [message["text"] for message in rest["messages"]] == ["root", "19"]
    assert rest["has_more"] is False


async def test_that_a_long_thread_has_pages(app: App) -> None:
    root = (await app.post("root"))["ts"]
    for number in range(20):
        await app.post(str(number), thread_ts=root)

    first = await app.call("conversations.replies", channel="C1", ts=root)
    cursor = first["response_metadata"]["next_cursor"]
    second = await app.call("conversations.replies", channel="C1", ts=root, cursor=cursor)

    assert len(first["messages"]) + len(second["messages"]) == 21
    assert second["messages"][-1]["text"] == "19"
    assert "response_metadata" not in second


async def test_that_a_channels_history_begins_with_the_newest_and_has_no_replies(app: App) -> None:
    times = [(await app.post(str(number)))["ts"] for number in range(3)]
    await app.post("below", thread_ts=times[0])

    whole = await app.call("conversations.history", channel="C1")
    later = await app.call("conversations.history", channel="C1", oldest=times[1])

    assert [message["text"] for message in whole["messages"]] == ["2", "1", "0"]
    assert [message["text"] for message in later["messages"]] == ["2"]


@pytest.mark.parametrize(("channel", "scope"), [("D1", "im:history"), ("C1", "channels:history")])
async def test_that_reading_needs_the_scope_of_the_kind_of_channel(
    slack: FakeSlack, app: App, channel: str, scope: str
) -> None:
    slack.scopes.discard(scope)

    answer = await app.call("conversations.history", channel=channel)

    assert (answer["error"], answer["needed"]) == ("missing_scope", scope)


async def test_that_a_streamed_message_is_listed_with_its_state(app: App) -> None:
    root = (await app.post("root", channel="D1"))["ts"]
    ts = (await app.call("chat.startStream", channel="D1", thread_ts=root, markdown_text="a"))["ts"]

    async def state() -> Json:
        listed = await app.call("conversations.replies", channel="D1", ts=root)
        return dict(listed["messages"][-1])

    growing = await state()
    await app.call("chat.stopStream", channel="D1", ts=ts)
    ended = await state()

    assert (growing["streaming_state"], ended["streaming_state"]) == ("in_progress", "completed")
    assert growing["bot_id"] == FakeSlack.bot_id


async def test_that_an_edit_keeps_the_metadata_that_it_does_not_name(app: App) -> None:
    metadata = {"event_type": "frontdesk_reply", "event_payload": {"reply_id": "t1"}}
    ts = (await app.post("hi", metadata=metadata))["ts"]
    await app.call("chat.update", channel="C1", ts=ts, text="ho")

    listed = await app.call("conversations.history", channel="C1", include_all_metadata=True)

    assert listed["messages"][0]["metadata"] == metadata


async def test_that_a_post_may_be_listed_late(slack: FakeSlack, app: App) -> None:
    slack.listing_seconds = 60
    await app.post("hi")

    assert (await app.call("conversations.history", channel="C1"))["messages"] == []


async def test_that_it_notes_who_does_not_wait(slack: FakeSlack, app: App) -> None:
    slack.fail_next("chat.postMessage", Fault.flood(30))
    await app.post("hi")
    await app.post("hi", channel="D1")
    before = list(slack.too_early)
    await app.post("hi")

    assert (before, slack.too_early) == ([], ["chat.postMessage"])


async def test_that_a_posted_message_is_read_back_with_its_metadata(app: App) -> None:
    metadata = {"event_type": "frontdesk_reply", "event_payload": {"reply_id": "t1"}}
    ts = (await app.post("hi", metadata=metadata))["ts"]
    await app.post("and more", thread_ts=ts)

    plain = await app.call("conversations.replies", channel="C1", ts=ts)
    full = await app.call("conversations.replies", channel="C1", ts=ts, include_all_metadata=True)

    assert [message["text"] for message in plain["messages"]] == ["hi", "and more"]
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata
    missing = await app.call("conversations.replies", channel="C1", ts="1.0")
    assert missing["error"] == "thread_not_found"


async def test_that_an_update_changes_what_the_customer_reads(slack: FakeSlack, app: App) -> None:
    ts = (await app.post("One moment"))["ts"]
    theirs = await slack.customer_mentions("<@U0BOT> hi")

    await app.call("chat.update", channel="C1", ts=ts, text="The answer")
    refused = await app.call(
        "chat.update", channel="C1", ts=theirs.payload["event"]["ts"], text="yours"
    )
    missing = await app.call("chat.update", channel="C1", ts="1.0", text="nothing")

    assert slack.replies("C1") == ["The answer"]
    assert refused["error"] == "cant_update_message"
    assert missing["error"] == "message_not_found"


async def test_that_a_status_goes_with_the_reply(slack: FakeSlack, app: App) -> None:
    event = await slack.customer_mentions("<@U0BOT> hi")
    ts = event.payload["event"]["ts"]
    where = {"channel_id": "C1", "thread_ts": ts}

    await app.call("assistant.threads.setStatus", **where, status="is typing…")
    assert slack.status("C1", ts) == "is typing…"
    await app.post("hello", thread_ts=ts)

    assert slack.status("C1", ts) == ""
    nowhere = {"channel_id": "C1", "thread_ts": "1.0"}
    refused = await app.call("assistant.threads.setStatus", **nowhere, status="…")
    assert refused["error"] == "invalid_thread_ts"


async def test_that_a_flood_is_told_with_the_seconds(slack: FakeSlack, app: App) -> None:
    slack.fail_next("chat.postMessage", Fault.flood(7), Fault.refused("fatal_error"), None)

    flooded, broken, posted = [await app.post("hi") for _ in range(3)]

    assert (flooded["status"], flooded["error"]) == (429, "ratelimited")
    assert flooded["retry_after"] == "7"
    assert (broken["error"], posted["ok"]) == ("fatal_error", True)
    assert slack.replies("C1") == ["hi"]


@pytest.mark.parametrize(
    ("fault", "posted"),
    [
        pytest.param(Fault.dropped(), [], id="dropped"),
        pytest.param(Fault.answer_lost(), ["hi"], id="answer-lost"),
        pytest.param(Fault.server_error(), [], id="500"),
    ],
)
async def test_that_a_broken_answer_is_one(
    slack: FakeSlack, app: App, fault: Fault, posted: list[str]
) -> None:
    slack.fail_next("chat.postMessage", fault)

    with pytest.raises(aiohttp.ClientError):
        await app.post("hi")

    assert slack.replies("C1") == posted


async def test_that_the_app_hears_its_own_messages_in_a_dm(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        await app.post("hi", channel="D1")
        event = (await receive(socket))["payload"]["event"]

    assert (event["user"], event["bot_id"]) == (slack.bot_user, slack.bot_id)


# Scopes, paces and blocks.


async def test_that_a_method_needs_its_scope(slack: FakeSlack, app: App) -> None:
    slack.scopes.discard("files:read")

    assert (await app.call("files.info", file="F1"))["error"] == "missing_scope"
    assert (await app.post("hi"))["ok"]


async def test_that_too_much_at_once_is_a_flood(slack: FakeSlack, app: App) -> None:
    slack.paces = {"chat.postMessage": (1, 60)}

    answers = [await app.post("hi"), await app.post("hi"), await app.post("hi", channel="D1")]

    assert [answer["status"] for answer in answers] == [200, 429, 200]
    assert slack.too_fast == ["chat.postMessage"]


BUTTON = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "Press"}}


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        pytest.param([{"type": "markdown", "text": "a" * 12_001}], "invalid_blocks", id="long"),
        pytest.param([{"type": "markdown", "text": ""}], "invalid_blocks", id="empty"),
        pytest.param([{"type": "divider"}] * 51, "invalid_blocks", id="many"),
        pytest.param([{"type": "divider", "block_id": "b"}] * 2, "invalid_blocks", id="same-id"),
        pytest.param(
            [
                {"type": "markdown", "text": "a" * 12_000},
                {"type": "section", "text": {"type": "plain_text", "text": "b" * 1500}},
            ],
            "msg_blocks_too_long",
            id="total",
        ),
        pytest.param(
            [{"type": "actions", "elements": [{**BUTTON, "value": "v" * 2001}]}],
            "invalid_blocks",
            id="value",
        ),
    ],
)
async def test_that_blocks_have_limits(app: App, blocks: list[Json], error: str) -> None:
    assert (await app.post("hi", blocks=blocks))["error"] == error


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<!here> and <@U7>", ["<!here>", "<@U7>"]),
        ("&lt;!here&gt; `https://evil.example`", []),
        ("[x](https://evil.example)", ["https://evil.example"]),
        ("\\[x\\](y) @ here", []),
        ("see https://evil.example/x", ["https://evil.example/x"]),
        ("@channel", ["@channel"]),
    ],
)
async def test_that_it_sees_what_is_live(
    slack: FakeSlack, app: App, text: str, found: list[str]
) -> None:
    blocks = [{"type": "markdown", "text": text}]
    ts = (await app.post("plain", blocks=blocks))["ts"]

    assert live(slack.message(f"C1:{ts}")) == found


# Streams.


async def test_that_a_stream_grows_until_it_is_stopped(slack: FakeSlack, app: App) -> None:
    where = {"channel": "D1"}
    chunks = [{"type": "markdown_text", "text": "Hel"}]
    ts = (await app.call("chat.startStream", **where, thread_ts="1.1", chunks=chunks))["ts"]
    await app.call("chat.appendStream", **where, ts=ts, markdown_text="lo")
    conflict = await app.call("chat.update", **where, ts=ts, text="no")
    blocks = [{"type": "actions", "elements": [BUTTON]}]
    await app.call("chat.stopStream", **where, ts=ts, blocks=blocks)
    late = [
        await app.call(method, **where, ts=ts, markdown_text="!")
        for method in ("chat.appendStream", "chat.stopStream")
    ]

    assert slack.replies("D1") == ["Hello"]
    assert labels(slack.message(f"D1:{ts}")) == ["Press"]
    assert conflict["error"] == "streaming_state_conflict"
    assert {answer["error"] for answer in late} == {"message_not_in_streaming_state"}


@pytest.mark.parametrize(
    ("params", "error"),
    [
        pytest.param({"channel": "D1"}, "invalid_thread_ts", id="thread"),
        pytest.param({"channel": "C1", "thread_ts": "1.1"}, "missing_recipient_user_id", id="who"),
        pytest.param(
            {"channel": "D1", "thread_ts": "1.1", "markdown_text": "a" * 12_001},
            "msg_too_long",
            id="long",
        ),
    ],
)
async def test_that_a_stream_slack_refuses_is_refused(app: App, params: Json, error: str) -> None:
    assert (await app.call("chat.startStream", **params))["error"] == error


async def test_that_a_stream_expires(slack: FakeSlack, app: App) -> None:
    ts = (await app.call("chat.startStream", channel="D1", thread_ts="1.1"))["ts"]

    slack.expire_streams()

    answer = await app.call("chat.appendStream", channel="D1", ts=ts, markdown_text="x")
    assert answer["error"] == "message_not_in_streaming_state"
    assert (await app.call("chat.update", channel="D1", ts=ts, text="x"))["ok"]


# Messages for one, deletions, views.


async def test_that_a_message_for_one_is_in_no_channel(slack: FakeSlack, app: App) -> None:
    await app.call("chat.postEphemeral", channel="C1", user="U1", text="psst")
    refused = await app.call("chat.postEphemeral", channel="C2", user="U1", text="psst")

    assert [message["for"] for message in slack.ephemeral] == ["U1"]
    assert slack.replies("C1") == []
    assert refused["error"] == "not_in_channel"


async def test_that_the_apps_messages_can_be_deleted(slack: FakeSlack, app: App) -> None:
    ts = (await app.post("hi"))["ts"]
    theirs = await slack.customer_mentions("<@U0BOT> hi")

    await app.call("chat.delete", channel="C1", ts=ts)
    again = await app.call("chat.delete", channel="C1", ts=ts)
    refused = await app.call("chat.delete", channel="C1", ts=theirs.ts)

    assert slack.replies("C1") == []
    assert not slack.exists(f"C1:{ts}")
    assert (again["error"], refused["error"]) == ("message_not_found", "cant_delete_message")


async def test_that_a_trigger_works_once(slack: FakeSlack, app: App) -> None:
    event = await slack.customer_commands("hi")
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Why"}, "blocks": []}
    trigger = event.payload["trigger_id"]

    opened = await app.call("views.open", trigger_id=trigger, view=view)
    again = await app.call("views.open", trigger_id=trigger, view=view)
    old = (await slack.customer_commands("hi")).payload["trigger_id"]
    slack.age_triggers(4)
    late = await app.call("views.open", trigger_id=old, view=view)

    assert (opened["ok"], again["error"]) == (True, "invalid_trigger_id")
    assert late["error"] == "expired_trigger_id"


# Presses and commands.


async def test_that_a_press_names_the_button_and_its_message(slack: FakeSlack, app: App) -> None:
    blocks = [{"type": "actions", "elements": [{**BUTTON, "value": "v"}]}]
    ts = (await app.post("hi", blocks=blocks, thread_ts="1.1"))["ts"]
    async with app.socket() as socket:
        await slack.customer_presses(slack.message(f"C1:{ts}"), "Press", user="U7")
        envelope = await receive(socket)

    payload = envelope["payload"]
    assert (envelope["type"], payload["type"]) == ("interactive", "block_actions")
    assert (payload["actions"][0]["value"], payload["user"]["id"]) == ("v", "U7")
    assert (payload["message"]["ts"], payload["message"]["thread_ts"]) == (ts, "1.1")


async def test_that_a_command_comes_in_its_own_envelope(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        await slack.customer_commands("where is it?")
        envelope = await receive(socket)

    assert envelope["type"] == "slash_commands"
    assert envelope["payload"]["text"] == "where is it?"


async def test_that_a_frozen_socket_says_nothing(slack: FakeSlack, app: App) -> None:
    async with app.socket() as socket:
        slack.freeze_sockets()
        event = await slack.customer_writes("hello")
        await socket.ping()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await socket.receive()

    assert (len(event.envelopes), event.is_acknowledged) == (1, False)


# Files and installations.


async def test_that_a_file_needs_a_token(slack: FakeSlack, app: App) -> None:
    file = slack.add_file(b"content", name="a.txt")
    assert "url_private_download" not in file
    address = (await app.call("files.info", file=file["id"]))["file"]["url_private_download"]

    async with aiohttp.ClientSession() as session:
        bare = await session.get(address, allow_redirects=False)
        headers = {"Authorization": f"Bearer {slack.bot_token}"}
        got = await session.get(address, headers=headers)
        assert (bare.status, await got.read()) == (302, b"content")


async def test_that_a_code_gives_a_token_once(slack: FakeSlack, app: App) -> None:
    secret = {"client_id": slack.client_id, "client_secret": slack.client_secret}
    code = slack.install("T2")

    refused = await app.call("oauth.v2.access", token="", code=code, client_id="x")
    granted = await app.call("oauth.v2.access", token="", code=code, **secret)
    again = await app.call("oauth.v2.access", token="", code=code, **secret)
    known = await app.call("auth.test", token=granted["access_token"])

    assert (refused["error"], again["error"]) == ("bad_client_secret", "invalid_code")
    assert (granted["team"]["id"], known["team_id"]) == ("T2", "T2")


async def test_that_a_request_is_carried_out_in_the_middle_of_its_round_trip(
    slack: FakeSlack, app: App
) -> None:
    slack.round_trip_seconds = 0.2
    slack.hold("chat.postMessage")
    began = time.monotonic()

    sending = asyncio.create_task(app.post("hi"))
    await slack.until(lambda: slack.called("chat.postMessage"))
    slack.release("chat.postMessage")
    before = slack.replies("C1")
    await sending

    assert (before, slack.replies("C1")) == ([], ["hi"])
    assert time.monotonic() - began >= 0.2
