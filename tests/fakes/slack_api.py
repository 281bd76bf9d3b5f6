"""A Slack that the real client library talks to over HTTP and a WebSocket.

It keeps what Slack keeps (channels, threads, events that were not acknowledged, one-time socket
addresses) and refuses what Slack refuses. Tests use the verbs: `customer_writes`, `next_reply`,
`refresh_sockets`, …; what the app asked for is in `calls`.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import WSMsgType, web

Json = dict[str, Any]
DEADLINE_SECONDS = 5.0
MESSAGE_LIMIT = 40_000
SOCKET_LIMIT = 10


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
    envelopes: list[str] = field(default_factory=list)
    is_acknowledged: bool = False

    @property
    def id(self) -> str:
        """Slack's id of the event, the same in each envelope."""
        return str(self.payload["event_id"])


class Refused(Exception):
    """An answer with `"ok": false`."""


class FakeSlack:
    """One workspace with one app. Use as an async context manager.

    `D1` is a DM with the app, `C1` a channel it is in, `C2` one it is not in, `C3` an archived one.
    """

    bot_token = "xoxb-fake-bot-token"
    app_token = "xapp-1-fake-app-token"
    bot_user = "U0BOT"
    bot_id = "B0BOT"

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.base_url = ""
        self.events: list[Event] = []
        self.unknown_acknowledgements: list[str] = []
        self._members = {"D1": True, "C1": True, "C2": False, "C3": True}
        self._archived = {"C3"}
        self._messages: dict[str, dict[str, Json]] = defaultdict(dict)
        self._replies: dict[str, list[Json]] = defaultdict(list)
        self._read: dict[str, int] = defaultdict(int)
        self._statuses: dict[tuple[str, str], str] = {}
        self._sockets: dict[web.WebSocketResponse, web.Request] = {}
        self._tickets: set[str] = set()
        self._faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._held: dict[str, asyncio.Event] = {}
        self._count = 0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._handle)
        app.router.add_get("/link", self._connect)
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
        message = self._new_message(channel, {"user": user, "text": text, **fields})
        kind = "im" if channel.startswith("D") else "channel"
        return await self.send_event({**message, "channel_type": kind})

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

    async def next_reply(self, channel: str) -> Json:
        """Return the app's next message in a channel that was not returned yet."""
        await self.until(lambda: len(self._replies[channel]) > self._read[channel])
        self._read[channel] += 1
        return self._replies[channel][self._read[channel] - 1]

    def replies(self, channel: str) -> list[str]:
        """Return the texts of all messages of the app in a channel, as they stand now."""
        return [message["text"] for message in self._replies[channel]]

    def status(self, channel: str, thread_ts: str) -> str:
        """Return what stands under a thread, such as "is typing…"."""
        return self._statuses.get((channel, thread_ts), "")

    # What the platform does.

    async def send_event(self, event: Json) -> Event:
        """Send any event to the app; it waits while there is no socket."""
        payload = {
            "type": "event_callback",
            "team_id": "T1",
            "api_app_id": "A1",
            "event_id": f"Ev{self._number()}",
            "event": event,
            "authorizations": [{"user_id": self.bot_user, "is_bot": True, "team_id": "T1"}],
        }
        self.events.append(Event(payload))
        await self._send_envelope(self.events[-1])
        return self.events[-1]

    async def send_again(self, event: Event, reason: str = "timeout") -> None:
        """Send an event in a new envelope, as Slack does when nothing or an error came back."""
        await self._send_envelope(event, reason)

    async def send_unacknowledged_again(self) -> None:
        """Send every event that was not acknowledged in a new envelope."""
        for event in self.events:
            if not event.is_acknowledged:
                await self.send_again(event)

    async def _send_envelope(self, event: Event, reason: str | None = None) -> None:
        if not self._sockets:
            return
        event.envelopes.append(f"envelope-{self._number()}")
        envelope = {
            "type": "events_api",
            "envelope_id": event.envelopes[-1],
            "payload": event.payload,
            "accepts_response_payload": False,
            "retry_attempt": len(event.envelopes) - 1,
            "retry_reason": reason or "",
        }
        # Slack sends each event to one of the app's sockets.
        newest = list(self._sockets)[-1]
        await newest.send_json(envelope)

    async def refresh_sockets(self) -> None:
        """Announce the end of each socket, as Slack does every few hours."""
        while self._sockets:
            socket, _ = self._sockets.popitem()
            await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})

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
        return [event.id for event in self.events if not event.is_acknowledged]

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
        socket = web.WebSocketResponse()
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
            if message.type == WSMsgType.TEXT:
                self._acknowledge(json.loads(message.data).get("envelope_id"))
        self._sockets.pop(socket, None)
        self._notify()

    def _acknowledge(self, envelope_id: str) -> None:
        for event in self.events:
            if envelope_id in event.envelopes:
                event.is_acknowledged = True
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
        fault = self._next_fault(method)
        try:
            if fault and not fault.lose_answer:
                return _broken(request, fault)
            self._check_token(method, request.headers.get("Authorization", ""))
            answer = await self._answer(method, params)
        except Refused as refusal:
            return web.json_response({"ok": False, "error": str(refusal)})
        finally:
            self._notify()
        if fault:
            return _garbled(fault) if fault.garbled else _hung_up(request)
        return web.json_response({"ok": True, **answer})

    def _next_fault(self, method: str) -> Fault | None:
        return self._faults[method].popleft() if self._faults[method] else None

    def _check_token(self, method: str, header: str) -> None:
        token = header.removeprefix("Bearer ")
        right = self.app_token if method == "apps.connections.open" else self.bot_token
        if not token:
            raise Refused("not_authed")
        if token != right:
            is_ours = token in (self.app_token, self.bot_token)
            raise Refused("not_allowed_token_type" if is_ours else "invalid_auth")

    async def _answer(self, method: str, params: Json) -> Json:
        match method:
            case "auth.test":
                return {"user_id": self.bot_user, "bot_id": self.bot_id, "team_id": "T1"}
            case "apps.connections.open":
                return self._open_connection()
            case "chat.postMessage":
                return await self._post_message(params)
            case "chat.update":
                return self._update(params)
            case "conversations.replies":
                return self._conversations_replies(params)
            case "assistant.threads.setStatus":
                return self._set_status(params)
        raise Refused("unknown_method")

    def _open_connection(self) -> Json:
        if len(self._sockets) >= SOCKET_LIMIT:
            raise Refused("too_many_websockets")
        ticket = f"ticket-{self._number()}"
        self._tickets.add(ticket)
        return {"url": f"ws://{self._address}/link?ticket={ticket}&app_id=A1"}

    async def _post_message(self, params: Json) -> Json:
        channel = self._channel(params)
        fields = {"user": self.bot_user, "bot_id": self.bot_id, "text": _checked_text(params)}
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

    def _update(self, params: Json) -> Json:
        channel = self._channel(params)
        message = self._messages[channel].get(str(params.get("ts")))
        if message is None:
            raise Refused("message_not_found")
        if message["user"] != self.bot_user:
            raise Refused("cant_update_message")
        message["text"] = _checked_text(params)
        return {"channel": channel, "ts": message["ts"], "text": message["text"]}

    def _conversations_replies(self, params: Json) -> Json:
        channel = self._channel(params)
        root = str(params.get("ts"))
        if root not in self._messages[channel]:
            raise Refused("thread_not_found")
        is_full = str(params.get("include_all_metadata", "")).lower() in ("1", "true")
        found = []
        for message in self._messages[channel].values():
            if root in (message["ts"], message.get("thread_ts")):
                hidden = set() if is_full else {"metadata"}
                found.append({key: value for key, value in message.items() if key not in hidden})
        return {"messages": found, "has_more": False}

    def _set_status(self, params: Json) -> Json:
        channel = str(params.get("channel_id"))
        thread = str(params.get("thread_ts"))
        if channel not in self._members:
            raise Refused("channel_not_found")
        if thread not in self._messages[channel]:
            raise Refused("invalid_thread_ts")
        self._statuses[channel, thread] = str(params.get("status", ""))
        return {}

    def _channel(self, params: Json) -> str:
        channel = str(params.get("channel"))
        if channel not in self._members:
            raise Refused("channel_not_found")
        if channel in self._archived:
            raise Refused("is_archived")
        if not self._members[channel]:
            raise Refused("not_in_channel")
        return channel

    def _new_message(self, channel: str, fields: Json) -> Json:
        ts = f"1790000000.{self._number():06d}"
        message = {"type": "message", "channel": channel, "ts": ts, **fields}
        self._messages[channel][ts] = message
        return message


def _checked_text(params: Json) -> str:
    text = str(params.get("text", ""))
    if not text.strip():
        raise Refused("no_text")
    if len(text) > MESSAGE_LIMIT:
        raise Refused("msg_too_long")
    return text


async def _params(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return {**request.query, **await request.json()}
    return {**request.query, **await request.post()}


def _broken(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.drop:
        return _hung_up(request)
    if fault.status >= 500:
        return web.Response(status=fault.status, text="<html>oops</html>", content_type="text/html")
    body = {"ok": False, "error": fault.error} if fault.error else {"ok": True}
    return web.json_response(body, status=fault.status, headers=fault.headers)


def _garbled(fault: Fault) -> web.Response:
    return web.Response(text=fault.garbled, content_type=fault.content_type)


def _hung_up(request: web.Request) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return web.Response()
