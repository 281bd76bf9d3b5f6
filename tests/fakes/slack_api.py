"""A Slack that the real client library talks to over HTTP and a WebSocket.

It keeps what Slack keeps (channels, threads, streams, files, views, events that were not
acknowledged, one-time socket addresses) and refuses what Slack refuses. Tests use the verbs:
`customer_writes`, `customer_presses`, `next_reply`, `refresh_sockets`, …; what the app asked for is
in `calls`. Events go over the app's socket, or signed to `events_url` where that is set.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp import WSMsgType, web

from tests.fakes.slack_blocks import (
    Json,
    Refused,
    check_blocks,
    checked_content,
    find_button,
    parsed,
    shown,
    streamed_text,
)

DEADLINE_SECONDS = 5.0
SOCKET_LIMIT = 10
MESSAGES_AT_ONCE = 15  # for apps that others can install and Slack has not reviewed
# Where Slack counts requests a channel; it counts the others a workspace.
COUNTED_A_CHANNEL = ("chat.postMessage", "chat.postEphemeral")
READING = ("conversations.history", "conversations.replies")
SCOPES = {
    "assistant.threads.setStatus": "assistant:write",
    "assistant.threads.setSuggestedPrompts": "assistant:write",
    "assistant.threads.setTitle": "assistant:write",
    "chat.appendStream": "chat:write",
    "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.postMessage": "chat:write",
    "chat.startStream": "chat:write",
    "chat.stopStream": "chat:write",
    "chat.update": "chat:write",
    "conversations.open": "im:write",
    "files.completeUploadExternal": "files:write",
    "files.getUploadURLExternal": "files:write",
    "files.info": "files:read",
}
ALL_SCOPES = frozenset(
    {
        *SCOPES.values(),
        "app_mentions:read",
        "channels:history",
        "commands",
        "groups:history",
        "im:history",
        "mpim:history",
        "reactions:read",
    }
)


@dataclass(frozen=True)
class Call:
    """One request of the app: the method and what it gave."""

    method: str
    params: Json


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request instead of its answer, or after it (`lose_answer`)."""

    status: int = 200
    error: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    lose_answer: bool = False
    garbled: str = ""
    content_type: str = ""

    @classmethod
    def flood(cls, retry_after: int) -> "Fault":
        """429: wait so many seconds."""
        return cls(429, "ratelimited", {"Retry-After": str(retry_after)})

    @classmethod
    def server_error(cls) -> "Fault":
        """500, with a page instead of JSON."""
        return cls(500)

    @classmethod
    def refused(cls, error: str) -> "Fault":
        """An answer with `"ok": false`."""
        return cls(error=error)

    @classmethod
    def nonsense(cls) -> "Fault":
        """`"ok": true` and nothing else, as no Slack would answer."""
        return cls()

    @classmethod
    def dropped(cls) -> "Fault":
        """The connection ends before anything happened."""
        return cls(drop=True)

    @classmethod
    def answer_lost(cls) -> "Fault":
        """The request is carried out, then the connection ends."""
        return cls(lose_answer=True)

    @classmethod
    def answer_garbled(cls, text: str, content_type: str = "text/plain") -> "Fault":
        """The request is carried out, and the answer is something else."""
        return cls(lose_answer=True, garbled=text, content_type=content_type)


@dataclass
class Event:
    """An event on its way to the app: its envelopes so far, and whether one was acknowledged."""

    payload: Json
    kind: str = "events_api"
    envelopes: list[str] = field(default_factory=list)
    is_acknowledged: bool = False
    answer: Json = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Slack's id of the event, the same in each envelope."""
        return str(self.payload["event_id"])

    @property
    def ts(self) -> str:
        """The message that the event is about."""
        return str(self.payload["event"]["ts"])


class FakeSlack:
    """A workspace `T1` with one app, and others that installed it. Use as an async context manager.

    `D1` is a DM with the app, `C1` a channel it is in, `C2` one it is not in, `C3` an archived one.
    """

    bot_token = "xoxb-fake-bot-token"
    app_token = "xapp-1-fake-app-token"
    bot_user = "U0BOT"
    bot_id = "B0BOT"
    signing_secret = "fake-signing-secret"
    client_id = "111.222"
    client_secret = "fake-client-secret"

    def __init__(self) -> None:
        self.tokens = {self.bot_token: "T1"}
        self.scopes = set(ALL_SCOPES)
        self.events_url = ""
        self.paces: dict[str, tuple[int, float]] = {}
        self.too_fast: list[str] = []
        self.too_early: list[str] = []
        self.listing_seconds = 0.0
        self._posted_at: dict[tuple[str, str], float] = {}
        self._closed_until: dict[str, float] = {}
        self.ephemeral: list[Json] = []
        self.homes: dict[str, Json] = {}
        self.modals: list[Json] = []
        self.titles: dict[tuple[str, str], str] = {}
        self.prompts: list[Json] = []
        self.uploads: list[Json] = []
        self.codes: dict[str, str] = {}
        self._streams: set[tuple[str, str]] = set()
        self._triggers: dict[str, float] = {}
        self._files: dict[str, tuple[Json, bytes]] = {}
        self._pending_files: dict[str, bytes] = {}
        self._sent_at: dict[str, deque[float]] = defaultdict(deque)
        self.calls: list[Call] = []
        self.round_trip_seconds = 0.0  # half of it passes before a request is carried out
        self.base_url = ""
        self.events: list[Event] = []
        self.acknowledgements = 0  # of envelopes
        self.unknown_acknowledgements: list[str] = []
        self._members = {"D1": True, "C1": True, "C2": False, "C3": True}
        self._archived = {"C3"}
        self._messages: dict[str, dict[str, Json]] = defaultdict(dict)
        self._replies: dict[str, list[Json]] = defaultdict(list)
        self._read: dict[str, int] = defaultdict(int)
        self._statuses: dict[tuple[str, str], str] = {}
        self._sockets: dict[web.WebSocketResponse, web.Request] = {}
        self._frozen: set[web.WebSocketResponse] = set()
        self._tickets: set[str] = set()
        self._faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._held: dict[str, asyncio.Event] = {}
        self._count = 0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._handle)
        app.router.add_get("/link", self._connect)
        app.router.add_get("/files/{file}", self._download)
        app.router.add_post("/upload/{file}", self._upload)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        self.base_url = f"http://{self._address}/api/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop_sockets()
        for method in list(self._held):
            self.release(method)
        await self._runner.cleanup()

    # What people do.

    async def customer_writes(
        self, text: str, *, user: str = "U1", channel: str = "D1", **fields: Any
    ) -> Event:
        """Write to the app in a DM; return the event. `fields` go into the message."""
        if channel.startswith("D"):
            self._members.setdefault(channel, True)
        message = self._new_message(channel, {"user": user, "text": text, **fields})
        kind = "im" if channel.startswith("D") else "channel"
        return await self.send_event({**message, **self._root_of(message), "channel_type": kind})

    def _root_of(self, message: Json) -> Json:
        """Return what Slack tells about the thread that a message is in."""
        root = self._messages[message["channel"]].get(message.get("thread_ts", ""))
        return {"parent_user_id": root["user"]} if root and root["ts"] != message["ts"] else {}

    async def customer_edits(self, event: Event, text: str) -> Event:
        """Let somebody change what they wrote; return the event."""
        channel, ts = event.payload["event"]["channel"], event.ts
        old = dict(self._messages[channel][ts])
        edited = {"user": old["user"], "ts": self._new_ts()}
        new = self._messages[channel][ts] = {**old, "text": text, "edited": edited}
        return await self.tell_of_change(old, new)

    async def tell_of_change(self, old: Json, new: Json) -> Event:
        """Tell that a message looks different now."""
        change = {
            "type": "message",
            "subtype": "message_changed",
            "hidden": True,
            "channel": old["channel"],
            "ts": self._new_ts(),
            "message": {**new, **self._root_of(new)},
            "previous_message": {**old, **self._root_of(old)},
        }
        return await self.send_event(change)

    async def customer_deletes(self, event: Event) -> Event:
        """Let somebody delete what they wrote; return the event.

        Of a message with replies Slack keeps a tombstone, and tells of a change.
        """
        channel = event.payload["event"]["channel"]
        old = self._messages[channel][event.ts]
        if not self._has_replies(old):
            return await self._remove(old)
        tombstone = self._messages[channel][event.ts] = {
            "type": "message",
            "subtype": "tombstone",
            "channel": channel,
            "ts": event.ts,
            "thread_ts": event.ts,
            "user": "USLACKBOT",
            "text": "This message was deleted.",
            "hidden": True,
        }
        return await self.tell_of_change(old, tombstone)

    def _has_replies(self, message: Json) -> bool:
        others = self._messages[message["channel"]].values()
        return any(other.get("thread_ts") == message["ts"] != other["ts"] for other in list(others))

    async def _remove(self, old: Json) -> Event:
        channel = old["channel"]
        del self._messages[channel][old["ts"]]
        return await self.send_event(
            {
                "type": "message",
                "subtype": "message_deleted",
                "hidden": True,
                "channel": channel,
                "deleted_ts": old["ts"],
                "ts": self._new_ts(),
                "previous_message": {**old, **self._root_of(old)},
            }
        )

    async def customer_reacts(
        self, post: str, reaction: str, *, user: str = "U1", removes: bool = False
    ) -> Event:
        """Put a reaction on a post ("channel:ts"), or take it away; return the event."""
        channel, _, ts = post.partition(":")
        return await self.send_event(
            {
                "type": "reaction_removed" if removes else "reaction_added",
                "user": user,
                "reaction": reaction,
                "item": {"type": "message", "channel": channel, "ts": ts},
                "event_ts": self._new_ts(),
            }
        )

    async def customer_presses(
        self, message: Json, label: str, *, user: str = "U1", team: str = "T1"
    ) -> Event:
        """Press a button of a message by its label; return the payload's event."""
        block, element, value = find_button(message["blocks"], label)
        action = {
            "type": element["type"],
            "block_id": block.get("block_id", "b"),
            "action_id": element["action_id"],
            "value": value,
            "action_ts": self._new_ts(),
        }
        is_ephemeral = bool(message.get("is_ephemeral"))
        shown = {key: value for key, value in message.items() if key != "channel"}
        payload: Json = {
            "type": "block_actions",
            "actions": [action],
            "container": {
                "type": "message",
                "message_ts": message["ts"],
                "channel_id": message["channel"],
                "is_ephemeral": is_ephemeral,
                **({"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}),
            },
            "channel": {"id": message["channel"]},
            **({} if is_ephemeral else {"message": shown}),
        }
        return await self.interact(payload, user, team)

    async def customer_presses_at_home(self, label: str, *, user: str = "U1") -> Event:
        """Press a button of the Home tab; return the payload's event."""
        block, element, value = find_button(self.homes[user]["blocks"], label)
        payload = {
            "type": "block_actions",
            "actions": [
                {
                    "type": "button",
                    "block_id": block.get("block_id", "b"),
                    "action_id": element["action_id"],
                    "value": value,
                    "action_ts": self._new_ts(),
                }
            ],
            "container": {"type": "view", "view_id": f"V{user}"},
            "view": {"id": f"V{user}", "hash": self.homes[user]["hash"], "type": "home"},
        }
        return await self.interact(payload, user, "T1")

    async def customer_submits(
        self, view: Json, *, reason: str | None, comment: str, user: str = "U1"
    ) -> Event:
        """Send a form off; return the payload's event."""
        option = {"value": reason} if reason else None
        state = {
            "reason": {"reason": {"type": "radio_buttons", "selected_option": option}},
            "comment": {"comment": {"type": "plain_text_input", "value": comment or None}},
        }
        view = {**view, "state": {"values": state}}
        return await self.interact({"type": "view_submission", "view": view}, user, "T1")

    async def customer_commands(
        self, text: str, *, user: str = "U1", channel: str = "C1", command: str = "/frontdesk"
    ) -> Event:
        """Type a slash command; return the payload's event."""
        payload = {
            "command": command,
            "text": text,
            "user_id": user,
            "channel_id": channel,
            "team_id": "T1",
            "trigger_id": self._new_trigger(),
        }
        return await self.send_payload(payload, "slash_commands")

    async def customer_asks_about(self, event: Event, *, user: str = "U2") -> Event:
        """Use the message shortcut; return the payload's event."""
        channel = event.payload["event"]["channel"]
        payload = {
            "type": "message_action",
            "callback_id": "ask_frontdesk",
            "channel": {"id": channel},
            "message": self._messages[channel][event.ts],
            "response_url": f"http://{self._address}/response",
        }
        return await self.interact(payload, user, "T1")

    async def interact(self, payload: Json, user: str = "U1", team: str = "T1") -> Event:
        """Send what somebody did with a button, a form or a shortcut; return its event."""
        trigger = self._new_trigger()
        who: Json = {"user": {"id": user, "team_id": team}, "team": {"id": team}}
        return await self.send_payload(
            {**payload, **who, "trigger_id": trigger, "api_app_id": "A1"}, "interactive"
        )

    async def send_payload(self, payload: Json, kind: str) -> Event:
        """Send anything to the app in an envelope of this kind; return its event."""
        event = Event({"event_id": "", **payload}, kind)
        event.payload.pop("event_id")
        self.events.append(event)
        await self._send_envelope(event)
        return event

    def _new_trigger(self) -> str:
        trigger = f"trigger-{self._number()}"
        self._triggers[trigger] = time.monotonic()
        return trigger

    async def customer_mentions(
        self,
        text: str,
        *,
        user: str = "U1",
        channel: str = "C1",
        also_as_message: bool = False,
        **fields: Any,
    ) -> Event:
        """Write in a channel with a mention of the app in it; return the event."""
        message = self._new_message(channel, {"user": user, "text": text, **fields})
        if also_as_message:
            await self.send_event({**message, "channel_type": "channel"})
        return await self.send_event({**message, "type": "app_mention"})

    def message(self, post: str) -> Json:
        """Return a message ("channel:ts") as it stands now."""
        channel, _, ts = post.partition(":")
        return self._messages[channel][ts]

    def exists(self, post: str) -> bool:
        """Return whether there is such a message."""
        channel, _, ts = post.partition(":")
        return ts in self._messages[channel]

    def sent(self, channel: str) -> list[Json]:
        """Return the app's messages in a channel, as they stand now."""
        return list(self._replies[channel])

    def app_wrote(self, channel: str, text: str) -> Json:
        """Let there be a message that an earlier version of the app wrote; return it."""
        fields = {"user": self.bot_user, "bot_id": self.bot_id, "text": text}
        return self._new_message(channel, fields)

    def forget(self, post: str) -> None:
        """Let a message ("channel:ts") be gone without a word, as after a retention period."""
        channel, _, ts = post.partition(":")
        message = self._messages[channel].pop(ts)
        self._replies[channel].remove(message)

    def age_triggers(self, seconds: float) -> None:
        """Let every open trigger be older."""
        self._triggers = {name: at - seconds for name, at in self._triggers.items()}

    def expire_streams(self) -> None:
        """End every stream, as Slack does after some minutes."""
        for place in list(self._streams):
            self._end_stream(place)

    @property
    def open_streams(self) -> int:
        """How many posts are still in a streaming state."""
        return len(self._streams)

    def add_file(self, content: bytes, **fields: Any) -> Json:
        """Put a file into the workspace; return what a message says of it."""
        file_id = f"F{self._number()}"
        address = f"{self.base_url.removesuffix('api/')}files/{file_id}"
        file = {"id": file_id, "size": len(content), "url_private_download": address, **fields}
        self._files[file_id] = (file, content)
        return {key: value for key, value in file.items() if key != "url_private_download"}

    def install(self, team: str) -> str:
        """Return a code with which the app gets a token of another workspace."""
        code = f"code-{self._number()}"
        self.codes[code] = team
        return code

    async def next_reply(self, channel: str) -> Json:
        """Return the app's next message in a channel that was not returned yet, once complete."""
        await self.until(lambda: len(self._replies[channel]) > self._read[channel])
        self._read[channel] += 1
        message = self._replies[channel][self._read[channel] - 1]
        await self.until(lambda: (channel, message["ts"]) not in self._streams)
        return message

    def replies(self, channel: str) -> list[str]:
        """Return the texts of all messages of the app in a channel, as they stand now."""
        return [shown(message) for message in self._replies[channel]]

    def status(self, channel: str, thread_ts: str) -> str:
        """Return what stands under a thread, such as "is typing…"."""
        return self._statuses.get((channel, thread_ts), "")

    # What the platform does.

    async def send_event(self, event: Json, team: str = "T1", host: str = "") -> Event:
        """Send any event to the app; it waits while there is no socket.

        `host` is the workspace of a shared channel, where it is another than the app's.
        """
        payload = {
            "type": "event_callback",
            "team_id": host or team,
            "api_app_id": "A1",
            "event_id": f"Ev{self._number()}",
            "event": event,
            "authorizations": [{"user_id": self.bot_user, "is_bot": True, "team_id": team}],
        }
        self.events.append(Event(payload))
        await self._send_envelope(self.events[-1])
        return self.events[-1]

    async def send_again(
        self, event: Event, reason: str = "timeout", *, in_same_envelope: bool = False
    ) -> None:
        """Send an event in a new envelope, as Slack does when nothing or an error came back.

        Slack was seen to send the same envelope twice, too.
        """
        last = event.envelopes[-1] if in_same_envelope else None
        await self._send_envelope(event, reason, last)

    async def send_unacknowledged_again(self) -> None:
        """Send every event that was not acknowledged in a new envelope."""
        for event in self.events:
            if not event.is_acknowledged:
                await self.send_again(event)

    async def _send_envelope(
        self, event: Event, reason: str | None = None, envelope_id: str | None = None
    ) -> None:
        if self.events_url:
            await self._post_event(event, reason)
            return
        if not self._sockets:
            return
        if envelope_id is None:
            event.envelopes.append(f"envelope-{self._number()}")
        envelope = {
            "type": event.kind,
            "envelope_id": envelope_id or event.envelopes[-1],
            "payload": event.payload,
            "accepts_response_payload": False,
            "retry_attempt": len(event.envelopes) - 1,
            "retry_reason": reason or "",
        }
        # Slack sends each event to one of the app's sockets.
        newest = list(self._sockets)[-1]
        if newest not in self._frozen:
            with contextlib.suppress(ConnectionError):  # the app is dying; it gets the event later
                await newest.send_json(envelope)

    async def _post_event(self, event: Event, reason: str | None) -> None:
        event.envelopes.append(f"request-{self._number()}")
        if event.kind == "events_api":
            body, content_type = json.dumps(event.payload), "application/json"
        else:
            is_command = event.kind == "slash_commands"
            form = event.payload if is_command else {"payload": json.dumps(event.payload)}
            body, content_type = urlencode(form), "application/x-www-form-urlencoded"
        headers = {"Content-Type": content_type, **self.signed(body)}
        if len(event.envelopes) > 1:
            headers["X-Slack-Retry-Num"] = str(len(event.envelopes) - 1)
            headers["X-Slack-Retry-Reason"] = reason or "http_error"
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.events_url, data=body.encode(), headers=headers) as response,
        ):
            event.statuses.append(response.status)
            event.is_acknowledged = response.status == 200
        self._notify()

    def signed(self, body: str, *, secret: str | None = None, age: float = 0) -> dict[str, str]:
        """Return the headers with which Slack signs a request."""
        timestamp = str(int(time.time() - age))
        key = (secret or self.signing_secret).encode()
        digest = hmac.new(key, f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}

    async def refresh_sockets(self) -> None:
        """Announce the end of each socket, as Slack does every few hours."""
        while self._sockets:
            socket, _ = self._sockets.popitem()
            await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})

    def freeze_sockets(self) -> None:
        """Let nothing pass on the open sockets, as when a router forgot the connection."""
        self._frozen.update(self._sockets)

    async def drop_sockets(self) -> None:
        """Cut every socket without a word."""
        while self._sockets:
            _, request = self._sockets.popitem()
            if request.transport is not None:
                request.transport.abort()
        self._notify()

    async def close_sockets(self) -> None:
        """Close every socket properly, but without announcing it."""
        while self._sockets:
            socket, _ = self._sockets.popitem()
            await socket.close()

    @property
    def socket_count(self) -> int:
        """How many sockets the app has open."""
        return len(self._sockets)

    @property
    def unacknowledged(self) -> list[str]:
        """The ids of the events that Slack would send again."""
        return [
            str(event.payload.get("event_id", event.kind))
            for event in self.events
            if not event.is_acknowledged
        ]

    def fail_next(self, method: str, *faults: Fault | None) -> None:
        """Let the next requests of a method go wrong, one a fault; None lets one pass.

        The method `link` is the opening of a socket.
        """
        self._faults[method].extend(faults)

    def hold(self, method: str) -> None:
        """Let requests of a method wait, before anything happens, until `release`."""
        self._held[method] = asyncio.Event()

    def release(self, method: str) -> None:
        """Let the held requests of a method go on."""
        self._held.pop(method).set()

    def called(self, method: str) -> list[Json]:
        """Return what each request of a method gave."""
        return [call.params for call in self.calls if call.method == method]

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something holds. Looks after each request, acknowledgement and socket."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_true():
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _new_ts(self) -> str:
        """Return the time now, as Slack names messages by it; no two are the same."""
        return f"{int(time.time())}.{self._number():06d}"

    def _number(self) -> int:
        self._count += 1
        return self._count

    # The socket.

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        self.calls.append(Call("link", {"ticket": ticket}))
        fault = self._next_fault("link")
        if fault is not None or ticket not in self._tickets:
            self._tickets.discard(ticket)
            self._notify()
            return web.Response(status=fault.status if fault else 408)
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self._sockets[socket] = request
        await socket.send_json({"type": "hello", "num_connections": len(self._sockets)})
        for event in self.events:
            if not event.envelopes:
                await self._send_envelope(event)
        self._notify()
        await self._listen(socket)
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if socket in self._frozen:
                continue
            if message.type == WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type == WSMsgType.TEXT:
                answer = json.loads(message.data)
                self._acknowledge(answer.get("envelope_id"), answer.get("payload") or {})
        self._sockets.pop(socket, None)
        self._notify()

    def _acknowledge(self, envelope_id: str, answer: Json) -> None:
        for event in self.events:
            if envelope_id in event.envelopes:
                event.is_acknowledged = True
                event.answer = answer
                self.acknowledgements += 1
                break
        else:
            self.unknown_acknowledgements.append(envelope_id)
        self._notify()

    # The Web API.

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        params = await _params(request)
        self.calls.append(Call(method, params))
        if method in self._held:
            self._notify()
            await self._held[method].wait()
        self._note_haste(method, params)
        fault = self._next_fault(method)
        try:
            if fault and not fault.lose_answer:
                self._close(method, params, fault)
                return _broken(request, fault)
            if refusal := self._refused_for_haste(method, params):
                return refusal
            team = self._check_token(method, request.headers.get("Authorization", ""), params)
            await asyncio.sleep(self.round_trip_seconds / 2)
            answer = await self._answer(method, params, team)
            await asyncio.sleep(self.round_trip_seconds / 2)
        except Refused as refusal:
            return web.json_response({"ok": False, "error": str(refusal), **refusal.details})
        finally:
            self._notify()
        if fault:
            return _garbled(fault) if fault.garbled else _hung_up(request)
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))}
        return web.json_response({"ok": True, **answer}, headers=headers)

    def _next_fault(self, method: str) -> Fault | None:
        return self._faults[method].popleft() if self._faults[method] else None

    def _refused_for_haste(self, method: str, params: Json) -> web.Response | None:
        """Return Slack's 429 where more came than `paces` allows for a method and channel."""
        if method not in self.paces:
            return None
        count, seconds = self.paces[method]
        times, now = self._sent_at[_counted(method, params)], time.monotonic()
        while times and times[0] <= now - seconds:
            times.popleft()
        if len(times) >= count:
            self.too_fast.append(method)
            fault = Fault.flood(1)
            self._close(method, params, fault)
            return _broken(None, fault)
        times.append(now)
        return None

    def _close(self, method: str, params: Json, fault: Fault) -> None:
        """Note until when the app was told to wait."""
        if seconds := fault.headers.get("Retry-After"):
            self._closed_until[_counted(method, params)] = time.monotonic() + int(seconds)

    def _note_haste(self, method: str, params: Json) -> None:
        if time.monotonic() < self._closed_until.get(_counted(method, params), 0.0):
            self.too_early.append(method)

    def _check_token(self, method: str, header: str, params: Json) -> str:
        if method == "oauth.v2.access":
            return ""
        token = header.removeprefix("Bearer ")
        if not token:
            raise Refused("not_authed")
        if method == "apps.connections.open":
            if token != self.app_token:
                raise Refused("not_allowed_token_type" if token in self.tokens else "invalid_auth")
            return "T1"
        if token not in self.tokens:
            raise Refused("not_allowed_token_type" if token == self.app_token else "invalid_auth")
        if (scope := _scope(method, params)) and scope not in self.scopes:
            provided = ",".join(sorted(self.scopes))
            raise Refused("missing_scope", needed=scope, provided=provided)
        return self.tokens[token]

    async def _answer(self, method: str, params: Json, team: str) -> Json:
        match method:
            case "auth.test":
                return {
                    "user_id": self.bot_user,
                    "user": "frontdesk",
                    "team": "Example",
                    "bot_id": self.bot_id,
                    "team_id": team,
                    "url": f"https://{team}.slack.example/",
                }
            case "apps.connections.open":
                return self._open_connection()
            case "chat.postMessage":
                return await self._post_message(params)
            case "chat.postEphemeral":
                return self._post_ephemeral(params)
            case "chat.update":
                return self._update(params)
            case "chat.delete":
                return await self._delete(params)
            case "chat.startStream":
                return self._start_stream(params)
            case "chat.appendStream":
                return self._append_stream(params)
            case "chat.stopStream":
                return self._stop_stream(params)
            case "conversations.replies":
                return self._conversations_replies(params)
            case "conversations.history":
                return self._conversations_history(params)
            case "conversations.open":
                return {"channel": {"id": f"D{str(params['users']).removeprefix('U')}"}}
            case "assistant.threads.setStatus":
                return self._set_status(params)
            case "assistant.threads.setTitle":
                return self._set_title(params)
            case "assistant.threads.setSuggestedPrompts":
                self.prompts.append(params)
                return {}
            case "views.publish":
                return self._publish(params)
            case "views.open":
                return self._open_view(params)
            case "files.info":
                return self._file_info(params)
            case "files.getUploadURLExternal":
                return self._upload_url(params)
            case "files.completeUploadExternal":
                return self._complete_upload(params)
            case "oauth.v2.access":
                return self._grant(params)
        raise Refused("unknown_method")

    def _open_connection(self) -> Json:
        if len(self._sockets) >= SOCKET_LIMIT:
            raise Refused("too_many_websockets")
        ticket = f"ticket-{self._number()}"
        self._tickets.add(ticket)
        return {"url": f"ws://{self._address}/link?ticket={ticket}&app_id=A1"}

    async def _post_message(self, params: Json) -> Json:
        channel = self._channel(params)
        fields = {"user": self.bot_user, "bot_id": self.bot_id, **checked_content(params)}
        for name in ("thread_ts", "metadata"):
            if params.get(name):
                fields[name] = params[name]
        message = self._new_message(channel, fields)
        self._replies[channel].append(message)
        self._statuses.pop((channel, str(params.get("thread_ts"))), None)
        if channel.startswith("D"):
            # The app hears its own messages in a DM.
            echo = {key: value for key, value in message.items() if key != "metadata"}
            await self.send_event({**echo, "channel_type": "im"})
        return {"channel": channel, "ts": message["ts"], "message": message}

    def _post_ephemeral(self, params: Json) -> Json:
        channel = self._channel(params)
        if not params.get("user"):
            raise Refused("invalid_arguments")
        message = {
            **checked_content(params),
            "channel": channel,
            "user": self.bot_user,
            "for": params["user"],
            "ts": self._new_ts(),
            "is_ephemeral": True,
        }
        if params.get("thread_ts"):
            message["thread_ts"] = params["thread_ts"]
        self.ephemeral.append(message)
        return {"message_ts": message["ts"]}

    def _own(self, params: Json, refusal: str) -> Json:
        channel = self._channel(params)
        message = self._messages[channel].get(str(params.get("ts")))
        if message is None:
            raise Refused("message_not_found")
        if message["user"] != self.bot_user:
            raise Refused(refusal)
        return message

    def _update(self, params: Json) -> Json:
        message = self._own(params, "cant_update_message")
        if (message["channel"], message["ts"]) in self._streams:
            raise Refused("streaming_state_conflict")
        changed = checked_content(params)
        message.pop("blocks", None)
        message.update(changed)
        if params.get("metadata"):
            message["metadata"] = params["metadata"]
        return {"channel": message["channel"], "ts": message["ts"], "text": message["text"]}

    async def _delete(self, params: Json) -> Json:
        message = self._own(params, "cant_delete_message")
        del self._messages[message["channel"]][message["ts"]]
        self._replies[message["channel"]].remove(message)
        self._end_stream((message["channel"], message["ts"]))
        root = self._messages[message["channel"]].get(message.get("thread_ts", ""))
        if root and root.get("subtype") == "tombstone" and not self._has_replies(root):
            await self._remove(root)
        return {"channel": message["channel"], "ts": message["ts"]}

    # Streams.

    def _start_stream(self, params: Json) -> Json:
        channel = self._channel(params)
        if not params.get("thread_ts"):
            raise Refused("invalid_thread_ts")
        if not channel.startswith("D") and not (
            params.get("recipient_team_id") and params.get("recipient_user_id")
        ):
            raise Refused("missing_recipient_user_id")
        fields = {"user": self.bot_user, "bot_id": self.bot_id, "text": "", "markdown": ""}
        fields = {**fields, "streaming_state": "in_progress"}
        message = self._new_message(channel, {**fields, "thread_ts": params["thread_ts"]})
        message["markdown"] = streamed_text(params)
        message["text"] = message["markdown"]
        self._replies[channel].append(message)
        self._streams.add((channel, message["ts"]))
        self._statuses.pop((channel, str(params["thread_ts"])), None)
        return {"channel": channel, "ts": message["ts"]}

    def _streaming(self, params: Json) -> Json:
        message = self._own(params, "message_not_owned_by_app")
        if (message["channel"], message["ts"]) not in self._streams:
            raise Refused("message_not_in_streaming_state")
        return message

    def _append_stream(self, params: Json) -> Json:
        message = self._streaming(params)
        message["markdown"] += streamed_text(params)
        message["text"] = message["markdown"]
        return {"channel": message["channel"], "ts": message["ts"]}

    def _stop_stream(self, params: Json) -> Json:
        message = self._streaming(params)
        if params.get("markdown_text") and params.get("chunks"):
            raise Refused("cannot_provide_both_markdown_text_and_chunks")
        message["markdown"] += streamed_text(params)
        blocks = [{"type": "markdown", "text": message["markdown"]}, *(params.get("blocks") or [])]
        check_blocks(blocks)
        message["text"], message["blocks"] = message["markdown"], blocks
        if params.get("metadata"):
            message["metadata"] = params["metadata"]
        self._end_stream((message["channel"], message["ts"]))
        return {"channel": message["channel"], "ts": message["ts"], "message": message}

    def _end_stream(self, place: tuple[str, str]) -> None:
        self._streams.discard(place)
        if message := self._messages[place[0]].get(place[1]):
            message["streaming_state"] = "completed"

    # Views, files, installations.

    def _publish(self, params: Json) -> Json:
        user, view = str(params.get("user_id", "")), parsed(params.get("view"))
        if not user or view.get("type") != "home":
            raise Refused("invalid_arguments")
        self.homes[user] = {**view, "hash": f"hash-{self._number()}"}
        return {"view": self.homes[user]}

    def _open_view(self, params: Json) -> Json:
        opened = self._triggers.pop(str(params.get("trigger_id")), None)
        if opened is None:
            raise Refused("invalid_trigger_id")
        if time.monotonic() - opened > 3:
            raise Refused("expired_trigger_id")
        view = {"id": f"V{self._number()}", **parsed(params.get("view"))}
        if len(view["title"]["text"]) > 24:
            raise Refused("invalid_arguments")
        self.modals.append(view)
        return {"view": view}

    def _file_info(self, params: Json) -> Json:
        file, _ = self._files.get(str(params.get("file")), (None, b""))
        if file is None:
            raise Refused("file_not_found")
        return {"file": file}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.Response(status=302, headers={"Location": "/login"})
        _, content = self._files[request.match_info["file"]]
        return web.Response(body=content)

    def _upload_url(self, params: Json) -> Json:
        if not params.get("filename") or int(params.get("length") or 0) < 1:
            raise Refused("invalid_arguments")
        file_id = f"F{self._number()}"
        return {"file_id": file_id, "upload_url": f"http://{self._address}/upload/{file_id}"}

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        self._pending_files[request.match_info["file"]] = await request.read()
        return web.Response(text="OK")

    def _complete_upload(self, params: Json) -> Json:
        channel = self._channel({"channel": params.get("channel_id")})
        files = json.loads(str(params["files"]))
        for file in files:
            content = self._pending_files.pop(file["id"])
            self.uploads.append({**file, "channel": channel, "content": content, **params})
        return {"files": files}

    def _grant(self, params: Json) -> Json:
        right = (self.client_id, self.client_secret)
        if (params.get("client_id"), params.get("client_secret")) != right:
            raise Refused("bad_client_secret")
        team = self.codes.pop(str(params.get("code")), None)
        if team is None:
            raise Refused("invalid_code")
        token = f"xoxb-token-of-{team}"
        self.tokens[token] = team
        return {
            "access_token": token,
            "token_type": "bot",
            "scope": ",".join(sorted(self.scopes)),
            "bot_user_id": self.bot_user,
            "app_id": "A1",
            "team": {"id": team, "name": team},
            "enterprise": None,
            "authed_user": {"id": "U9"},
        }

    def _conversations_replies(self, params: Json) -> Json:
        channel, root = self._readable(params), str(params.get("ts"))
        if root not in self._messages[channel]:
            raise Refused("thread_not_found")
        found = [
            message
            for message in self._listed(channel)
            if message["ts"] == root
            or (message.get("thread_ts") == root and message["ts"] > _oldest(params))
        ]
        return _page(found, params)

    def _conversations_history(self, params: Json) -> Json:
        channel = self._readable(params)
        found = [
            message
            for message in self._listed(channel)
            if message.get("thread_ts", message["ts"]) == message["ts"] > _oldest(params)
        ]
        return _page(found[::-1], params)

    def _readable(self, params: Json) -> str:
        """Return a channel that the app may read: also an archived one."""
        channel = str(params.get("channel"))
        if channel not in self._members:
            raise Refused("channel_not_found")
        if not self._members[channel]:
            raise Refused("not_in_channel")
        return channel

    def _listed(self, channel: str) -> list[Json]:
        """Return what Slack lists by now, oldest first."""
        latest = time.monotonic() - self.listing_seconds
        messages = self._messages[channel].values()
        return sorted(
            (each for each in messages if self._posted_at[channel, each["ts"]] <= latest),
            key=lambda each: str(each["ts"]),
        )

    def _set_status(self, params: Json) -> Json:
        channel = str(params.get("channel_id"))
        thread = str(params.get("thread_ts"))
        if channel not in self._members:
            raise Refused("channel_not_found")
        if thread not in self._messages[channel]:
            raise Refused("invalid_thread_ts")
        self._statuses[channel, thread] = str(params.get("status", ""))
        return {}

    def _set_title(self, params: Json) -> Json:
        if str(params.get("thread_ts")) not in self._messages[str(params.get("channel_id"))]:
            raise Refused("invalid_thread_ts")
        key = (str(params["channel_id"]), str(params["thread_ts"]))
        self.titles[key] = str(params.get("title"))
        return {}

    def _channel(self, params: Json) -> str:
        channel = str(params.get("channel"))
        if channel.startswith("U"):
            channel = f"D{channel.removeprefix('U')}"
            self._members.setdefault(channel, True)
        if channel not in self._members:
            raise Refused("channel_not_found")
        if channel in self._archived:
            raise Refused("is_archived")
        if not self._members[channel]:
            raise Refused("not_in_channel")
        return channel

    def _new_message(self, channel: str, fields: Json) -> Json:
        ts = self._new_ts()
        message = {"type": "message", "channel": channel, "ts": ts, **fields}
        self._messages[channel][message["ts"]] = message
        self._posted_at[channel, message["ts"]] = time.monotonic()
        return message


def _scope(method: str, params: Json) -> str | None:
    if method in READING:
        return "im:history" if str(params.get("channel")).startswith("D") else "channels:history"
    return SCOPES.get(method)


def _counted(method: str, params: Json) -> str:
    """Return what Slack counts a request for."""
    channel = str(params.get("channel"))
    return f"{method} {channel}" if method in COUNTED_A_CHANNEL else method


def _oldest(params: Json) -> str:
    return str(params.get("oldest") or "0")


def _page(found: list[Json], params: Json) -> Json:
    """Return one page of messages, with metadata if that was asked for."""
    is_full = str(params.get("include_all_metadata", "")).lower() in ("1", "true")
    hidden = {"markdown"} if is_full else {"markdown", "metadata"}
    begin = int(params.get("cursor") or 0)
    end = begin + min(int(params.get("limit") or 100), MESSAGES_AT_ONCE)
    messages = [
        {name: value for name, value in message.items() if name not in hidden}
        for message in found[begin:end]
    ]
    if end >= len(found):
        return {"messages": messages, "has_more": False}
    cursor = {"next_cursor": str(end)}
    return {"messages": messages, "has_more": True, "response_metadata": cursor}


async def _params(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return {**request.query, **await request.json()}
    return {**request.query, **await request.post()}


def _broken(request: web.Request | None, fault: Fault) -> web.Response:
    if fault.drop and request is not None:
        return _hung_up(request)
    if fault.status >= 500:
        return web.Response(status=fault.status, text="<html>oops</html>", content_type="text/html")
    body = {"ok": False, "error": fault.error} if fault.error else {"ok": True}
    return web.json_response(body, status=fault.status, headers=fault.headers)


def _garbled(fault: Fault) -> web.Response:
    return web.Response(text=fault.garbled, content_type=fault.content_type)


def _hung_up(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()
