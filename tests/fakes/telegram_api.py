"""A Telegram that the real client library talks to over HTTP.

It keeps what Telegram keeps (chats, messages, unconfirmed updates, a webhook) and refuses what
Telegram refuses. Tests use the verbs: `customer_writes`, `next_reply`, `fail_next`, …; what the bot
asked for is in `calls`.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

Json = dict[str, Any]
DEADLINE_SECONDS = 5.0
MESSAGE_LIMIT = 4096
CHAT_ACTIONS = {"typing", "upload_photo", "record_voice", "upload_document", "choose_sticker"}


@dataclass(frozen=True)
class Call:
    """One request of the bot: the method and what it gave."""

    method: str
    params: Json


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request instead of its answer, or after it (`lose_answer`)."""

    status: int = 0
    description: str = ""
    parameters: Json = field(default_factory=dict)
    drop: bool = False
    lose_answer: bool = False
    garbled: str = ""

    @classmethod
    def flood(cls, retry_after: int) -> "Fault":
        """429: wait so many seconds."""
        description = f"Too Many Requests: retry after {retry_after}"
        return cls(429, description, {"retry_after": retry_after})

    @classmethod
    def server_error(cls) -> "Fault":
        """500."""
        return cls(500, "Internal Server Error")

    @classmethod
    def migrated(cls, chat_id: int) -> "Fault":
        """The group became a supergroup with another id."""
        description = "Bad Request: group chat was upgraded to a supergroup chat"
        return cls(400, description, {"migrate_to_chat_id": chat_id})

    @classmethod
    def dropped(cls) -> "Fault":
        """The connection ends before anything happened."""
        return cls(drop=True)

    @classmethod
    def answer_lost(cls) -> "Fault":
        """The request is carried out, then the connection ends."""
        return cls(lose_answer=True)

    @classmethod
    def answer_garbled(cls, text: str) -> "Fault":
        """The request is carried out, and the answer is something else."""
        return cls(lose_answer=True, garbled=text)


class Refused(Exception):
    """An answer with `"ok": false`."""

    def __init__(self, status: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.body: Json = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.body["parameters"] = parameters
        self.status = status


class FakeTelegram:
    """One bot, its customers, and the server between them. Use as an async context manager."""

    token = "123456789:AAfake-Token_for-tests-0123456789abc"
    me: Json = {  # noqa: RUF012
        "id": 123456789,
        "is_bot": True,
        "first_name": "Frontdesk",
        "username": "frontdesk_bot",
    }

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.base_url = ""
        self.webhook_url = ""
        self._chats: dict[int, Json] = {}
        self._blocked: set[int] = set()
        self._topics: set[tuple[int, int]] = set()
        self._messages: dict[tuple[int, int], Json] = {}
        self._sent: dict[int, list[Json]] = defaultdict(list)
        self._read: dict[int, int] = defaultdict(int)
        self._updates: list[Json] = []
        self._next_update_id = 7000
        self._next_message_id = 1
        self._callback_queries: set[str] = set()
        self._allowed: list[str] | None = None
        self._faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._held: dict[str, asyncio.Event] = {}
        self._poll = 0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        # A poll or a held request that still waits must not hold up the end.
        self._poll += 1
        self._notify()
        for method in list(self._held):
            self.release(method)
        await self._runner.cleanup()

    # What customers do.

    def customer_writes(self, chat_id: int, text: str | None, **fields: Any) -> int:
        """Deliver a private message of the customer `chat_id`; return the update's id.

        `fields` go into the message, e.g. `photo=[...]` or `caption="..."`.
        """
        chat = {"id": chat_id, "type": "private", "first_name": "Ada"}
        person = {"id": chat_id, "is_bot": False, "first_name": "Ada", "language_code": "en"}
        return self._deliver_message(chat, person, text, fields)

    def member_writes(self, group_id: int, user_id: int, text: str | None, **fields: Any) -> int:
        """Deliver a message of a person in a group; return the update's id.

        Mentions and commands get the entities that Telegram gives them.
        """
        chat = {"id": group_id, "type": "supergroup", "title": "Customers"}
        person = {"id": user_id, "is_bot": False, "first_name": "Grace"}
        return self._deliver_message(chat, person, text, fields)

    def _deliver_message(self, chat: Json, person: Json, text: str | None, fields: Json) -> int:
        self._chats[chat["id"]] = chat
        message = self._new_message(chat, person, fields)
        if text is not None:
            message["text"] = text
            message.setdefault("entities", entities_of(text))
        if thread := message.get("message_thread_id"):
            self._topics.add((chat["id"], thread))
        return self.deliver({"message": message})

    def deliver(self, update: Json) -> int:
        """Queue any update, given without its id; return the id it got."""
        update = {"update_id": self._next_update_id, **update}
        self._next_update_id += 1
        kinds = set(update) - {"update_id"}
        if self._allowed is None or kinds & set(self._allowed):
            self._updates.append(update)
        self._notify()
        return int(update["update_id"])

    def deliver_again(self, update_id: int, update: Json) -> None:
        """Send an update that was confirmed already once more, as it was."""
        self._updates.append({"update_id": update_id, **update})
        self._notify()

    def presses_button(self, chat_id: int, message_id: int, data: str) -> str:
        """Press a button under a message of the bot; return the query's id."""
        query_id = str(len(self._callback_queries) + 1)
        self._callback_queries.add(query_id)
        person = {"id": chat_id, "is_bot": False, "first_name": "Ada"}
        query = {"id": query_id, "from": person, "chat_instance": "1", "data": data}
        query["message"] = self._messages[chat_id, message_id]
        self.deliver({"callback_query": query})
        return query_id

    def blocks_the_bot(self, chat_id: int) -> None:
        """The customer blocks the bot: it can't write there any more."""
        self._blocked.add(chat_id)

    def add_chat(self, chat_id: int) -> None:
        """Make a chat known to the bot without a message in it."""
        self._chats[chat_id] = {"id": chat_id, "type": "private", "first_name": "Ada"}

    async def next_reply(self, chat_id: int) -> Json:
        """Return the next message of the bot in a chat that was not returned yet."""
        await self.until(lambda: len(self._sent[chat_id]) > self._read[chat_id])
        self._read[chat_id] += 1
        return self._sent[chat_id][self._read[chat_id] - 1]

    def replies(self, chat_id: int) -> list[str]:
        """Return the texts of all messages of the bot in a chat, as they stand now."""
        return [message["text"] for message in self._sent[chat_id]]

    # What the platform does.

    def fail_next(self, method: str, *faults: Fault | None) -> None:
        """Let the next requests of a method go wrong, one a fault; None lets one pass."""
        self._faults[method].extend(faults)

    def hold(self, method: str) -> None:
        """Let requests of a method wait, before anything happens, until `release`."""
        self._held[method] = asyncio.Event()

    def release(self, method: str) -> None:
        """Let the held requests of a method go on."""
        self._held.pop(method).set()

    def pass_a_quiet_week(self, next_update_id: int) -> None:
        """Begin the updates' numbers anew, as Telegram does after a week without any."""
        self._next_update_id = next_update_id

    def succeed_again(self) -> None:
        """Forget the faults that are still to come."""
        self._faults.clear()

    def last_message(self, chat_id: int) -> Json:
        """Return the newest message in a chat, whoever wrote it."""
        return [m for (chat, _), m in self._messages.items() if chat == chat_id][-1]

    @property
    def unconfirmed(self) -> list[int]:
        """The ids of the updates that Telegram would send again."""
        return [update["update_id"] for update in self._updates]

    def called(self, method: str) -> list[Json]:
        """Return what each request of a method gave."""
        return [call.params for call in self.calls if call.method == method]

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something holds. Looks after each request and delivery."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_true():
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # What the bot asks for.

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        given = {**request.query, **await request.post()}
        params = {key: _decoded(key, value) for key, value in given.items()}
        self.calls.append(Call(method, params))
        if method in self._held:
            self._notify()
            await self._held[method].wait()
        fault = self._faults[method].popleft() if self._faults[method] else None
        try:
            if fault and not fault.lose_answer:
                return _broken(request, fault)
            self._check_token(request.match_info["token"])
            result = await self._answer(method, params)
        except Refused as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        finally:
            self._notify()
        if fault:
            return web.Response(text=fault.garbled) if fault.garbled else _hung_up(request)
        return web.json_response({"ok": True, "result": result})

    def _check_token(self, token: str) -> None:
        number, _, secret = token.partition(":")
        if not number.isdigit() or not secret:
            raise Refused(404, "Not Found")
        if token != self.token:
            raise Refused(401, "Unauthorized")

    async def _answer(self, method: str, params: Json) -> Any:
        match method:
            case "getMe":
                return self.me
            case "getUpdates":
                return await self._get_updates(params)
            case "sendMessage":
                return self._send_message(params)
            case "editMessageText":
                return self._edit_message_text(params)
            case "sendChatAction":
                return self._send_chat_action(params)
            case "answerCallbackQuery":
                return self._answer_callback_query(params)
            case "setWebhook":
                self.webhook_url = params.get("url", "")
                return True
            case "deleteWebhook":
                return self._delete_webhook(params)
        raise Refused(404, "Not Found")

    async def _get_updates(self, params: Json) -> list[Json]:
        if self.webhook_url:
            description = "Conflict: can't use getUpdates method while webhook is active"
            raise Refused(409, description)
        if "allowed_updates" in params:
            self._allowed = params["allowed_updates"] or None
        if (offset := int(params.get("offset", 0))) > 0:
            self._updates = [u for u in self._updates if u["update_id"] >= offset]
        # A second poll ends the first.
        self._poll += 1
        mine = self._poll
        self._notify()
        try:
            async with asyncio.timeout(float(params.get("timeout", 0))):
                while not self._updates and mine == self._poll:
                    await self._changed.wait()
        except TimeoutError:
            return []
        if mine != self._poll:
            raise Refused(409, "Conflict: terminated by other getUpdates request")
        return self._updates[: min(int(params.get("limit", 100)), 100)]

    def _send_message(self, params: Json) -> Json:
        chat = self._chat(params)
        text = _checked_text(params)
        thread = params.get("message_thread_id")
        if thread and (chat["id"], int(thread)) not in self._topics:
            raise Refused(400, "Bad Request: message thread not found")
        fields: Json = {"text": text}
        if thread:
            fields |= {"message_thread_id": int(thread), "is_topic_message": True}
        if reply := params.get("reply_parameters"):
            fields |= self._replied(chat, reply)
        message = self._new_message(chat, self.me, fields)
        self._sent[chat["id"]].append(message)
        return message

    def _replied(self, chat: Json, reply: Json) -> Json:
        replied = self._messages.get((chat["id"], reply["message_id"]))
        if replied is None and not reply.get("allow_sending_without_reply"):
            raise Refused(400, "Bad Request: message to be replied not found")
        return {"reply_to_message": replied} if replied else {}

    def _edit_message_text(self, params: Json) -> Json:
        chat = self._chat(params)
        message = self._messages.get((chat["id"], int(params.get("message_id", 0))))
        if message is None:
            raise Refused(400, "Bad Request: message to edit not found")
        if message["from"]["id"] != self.me["id"]:
            raise Refused(400, "Bad Request: message can't be edited")
        text = _checked_text(params)
        if text == message["text"]:
            raise Refused(400, "Bad Request: message is not modified")
        message |= {"text": text, "edit_date": message["date"]}
        return message

    def _send_chat_action(self, params: Json) -> bool:
        self._chat(params)
        if params.get("action") not in CHAT_ACTIONS:
            raise Refused(400, "Bad Request: wrong parameter action in request")
        return True

    def _answer_callback_query(self, params: Json) -> bool:
        query_id = str(params.get("callback_query_id"))
        if query_id not in self._callback_queries:
            raise Refused(400, "Bad Request: query is too old or query ID is invalid")
        self._callback_queries.remove(query_id)
        return True

    def _delete_webhook(self, params: Json) -> bool:
        self.webhook_url = ""
        if params.get("drop_pending_updates"):
            self._updates.clear()
        return True

    def _chat(self, params: Json) -> Json:
        chat_id = params.get("chat_id")
        if not isinstance(chat_id, int) or chat_id not in self._chats:
            raise Refused(400, "Bad Request: chat not found")
        if chat_id in self._blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        return self._chats[chat_id]

    def _new_message(self, chat: Json, person: Json, fields: Json) -> Json:
        message = {
            "message_id": self._next_message_id,
            "date": 1_790_000_000 + self._next_message_id,
            "chat": chat,
            "from": person,
            **fields,
        }
        self._next_message_id += 1
        self._messages[chat["id"], message["message_id"]] = message
        return message


def entities_of(text: str) -> list[Json]:
    """Return the mentions and commands in a text, with UTF-16 offsets as Telegram counts them."""
    found: list[Json] = []
    offset = 0
    for word in text.split(" "):
        length = utf16_units(word)
        kind = {"@": "mention", "/": "bot_command"}.get(word[:1])
        if kind and length > 1:
            found.append({"type": kind, "offset": offset, "length": length})
        offset += length + 1
    return found


def utf16_units(text: str) -> int:
    """Count as Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _checked_text(params: Json) -> str:
    text = str(params.get("text", "")).strip()
    if not text:
        raise Refused(400, "Bad Request: message text is empty")
    if utf16_units(text) > MESSAGE_LIMIT:
        raise Refused(400, "Bad Request: message is too long")
    return text


def _decoded(key: str, value: Any) -> Any:
    """Read what the client wrote as JSON; a text that happens to be JSON stays a text."""
    if key == "text":
        return value
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, (dict, list, bool, int)) else value


def _broken(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.drop:
        return _hung_up(request)
    raise Refused(fault.status, fault.description, fault.parameters)


def _hung_up(request: web.Request) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return web.Response()
