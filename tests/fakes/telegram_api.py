"""A Telegram that the real client library talks to over HTTP.

It keeps what Telegram keeps (chats, messages, unconfirmed updates, a webhook) and refuses what
Telegram refuses. Tests use the verbs: `customer_writes`, `next_reply`, `fail_next`, …; what the bot
asked for is in `calls`.
"""

import asyncio
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import ClientSession, web

from tests.fakes.telegram_rules import (
    MESSAGE_LIMIT,
    Json,
    Refused,
    checked_entities,
    checked_markup,
    checked_text,
    decoded,
    entities_of,
    shown,
    utf16_units,
)

DEADLINE_SECONDS = 5.0
FILE_LIMIT = 20_000_000
NOTE_LIMIT = 200
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
# What is sent to a chat, by what it counts as; None: it does not count.
SENDING = {
    "sendMessage": "post",
    "sendDocument": "post",
    "sendMessageDraft": "draft",
    "editMessageMedia": "edit",
    "editMessageText": "edit",
    "editMessageReplyMarkup": "edit",
    "sendChatAction": None,
}
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
    stall: bool = False
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
    def stalled(cls) -> "Fault":
        """The answer begins, and then a space comes now and then, for ever."""
        return cls(stall=True)

    @classmethod
    def answer_lost(cls) -> "Fault":
        """The request is carried out, then the connection ends."""
        return cls(lose_answer=True)

    @classmethod
    def answer_garbled(cls, text: str) -> "Fault":
        """The request is carried out, and the answer is something else."""
        return cls(lose_answer=True, garbled=text)


class FakeTelegram:
    """One bot, its customers, and the server between them. Use as an async context manager."""

    token = "123456789:AAfake-Token_for-tests-0123456789abc"
    me: Json = {  # noqa: RUF012
        "id": 123456789,
        "is_bot": True,
        "first_name": "Frontdesk",
        "username": "frontdesk_bot",
        "can_join_groups": True,
        "can_read_all_group_messages": False,
    }

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.round_trip_seconds = 0.0  # half of it passes before a request is carried out
        self.base_url = ""
        self.webhook_url = ""
        self.webhook_secret = ""
        self.webhook_error = ""
        self.webhook_error_at = 0
        self.commands: dict[str, list[Json]] = {}
        self.drafts: dict[int, list[Json]] = defaultdict(list)
        self.too_early: list[Call] = []  # requests before a 429 was over
        self.refusals: list[str] = []  # methods that a limit refused
        self._files: dict[str, bytes] = {}
        self._connections: dict[str, Json] = {}
        self._migrated: dict[int, int] = {}
        self.placeholders = frozenset({"One moment …", "请稍等……"})
        self._limits: tuple[tuple[int, float], ...] = ()
        self._group_limit: tuple[int, float] | None = None
        self._limit_everywhere: tuple[int, float] | None = None
        self._times: dict[object, list[float]] = defaultdict(list)
        self._waits: dict[int, float] = {}
        self._stopped = asyncio.Event()
        self._peers: dict[str, list[int]] = defaultdict(list)
        self._chats: dict[int, Json] = {}
        self._blocked: set[int] = set()
        self._topics: set[tuple[int, int]] = set()
        self._messages: dict[tuple[int, int], Json] = {}
        self._sent: dict[int, list[Json]] = defaultdict(list)
        self._read: set[int] = set()
        self._updates: list[Json] = []
        self._next_update_id = 7000
        self._next_message_id = 1
        self._query = 0
        self._callback_queries: set[str] = set()
        self._business_chats: set[tuple[str, int]] = set()
        self._allowed: list[str] | None = None
        self._faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._held: dict[str, asyncio.Event] = {}
        self._poll = 0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
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
        self._stopped.set()
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

    def edits_message(self, chat_id: int, message_id: int, text: str | None = None) -> int:
        """Edit a customer's message; return the update's id."""
        message = self._messages[chat_id, message_id]
        edited_at = message.get("edit_date", message["date"]) + 1
        new = {"edit_date": edited_at}
        if text is not None:
            new |= {"text": text, "entities": entities_of(text)}
        self._messages[chat_id, message_id] = message = {**message, **new}
        business = "business_" if "business_connection_id" in message else ""
        return self.deliver({f"edited_{business}message": message})

    def presses_button(
        self, chat_id: int, message_id: int, data: str, user_id: int | None = None, **person: Any
    ) -> str:
        """Press a button under a message of the bot, perhaps one that is no longer there.

        Return the query's id.
        """
        self._query += 1
        query_id = str(self._query)
        self._callback_queries.add(query_id)
        presser = {"id": user_id or chat_id, "is_bot": False, "first_name": "Ada", **person}
        query = {"id": query_id, "from": presser, "chat_instance": "1", "data": data}
        query["message"] = dict(self._messages[chat_id, message_id])
        self.deliver({"callback_query": query})
        return query_id

    def reacts(
        self, chat_id: int, message_id: int, new: str = "", old: str = "", user_id: int = 0
    ) -> int:
        """Change the reactions under a message, each a character; return the update's id."""
        reaction = {
            "chat": self._chats[chat_id],
            "message_id": message_id,
            "user": {"id": user_id or chat_id, "is_bot": False, "first_name": "Ada"},
            "date": 1_790_000_000,
            "old_reaction": [{"type": "emoji", "emoji": sign} for sign in old],
            "new_reaction": [{"type": "emoji", "emoji": sign} for sign in new],
        }
        return self.deliver({"message_reaction": reaction})

    def connects_business(
        self, connection_id: str, owner_id: int, *, is_enabled: bool = True, **rights: bool
    ) -> None:
        """The owner of a business account lets the bot answer, or changes what it may do."""
        connection = {
            "id": connection_id,
            "user": {"id": owner_id, "is_bot": False, "first_name": "Olga"},
            "user_chat_id": owner_id,
            "date": 1_790_000_000,
            "is_enabled": is_enabled,
            "rights": rights,
        }
        self._connections[connection_id] = connection
        self.deliver({"business_connection": connection})

    def writes_to_business(
        self, connection_id: str, chat_id: int, text: str | None, **fields: Any
    ) -> int:
        """Deliver a message in a business account's chat with a customer; return its id.

        The customer writes it, unless `fields` name another one in `from`.
        """
        chat = {"id": chat_id, "type": "private", "first_name": "Ada"}
        person = {"id": chat_id, "is_bot": False, "first_name": "Ada"}
        fields = {"business_connection_id": connection_id, **fields}
        if text is not None:
            fields |= {"text": text}
        message = self._new_message(chat, fields.pop("from", person), fields)
        self._business_chats.add((connection_id, chat_id))
        self.deliver({"business_message": message})
        return int(message["message_id"])

    def deletes_in_business(self, connection_id: str, chat_id: int, *message_ids: int) -> int:
        """Delete messages in a business account's chat; return the update's id."""
        deleted = {
            "business_connection_id": connection_id,
            "chat": {"id": chat_id, "type": "private", "first_name": "Ada"},
            "message_ids": list(message_ids),
        }
        return self.deliver({"deleted_business_messages": deleted})

    def group_becomes_supergroup(self, old: int, new: int) -> None:
        """Give a group its new number: requests to the old one name it."""
        self._chats[old] = {"id": old, "type": "group", "title": "Customers"}
        self._chats[new] = {"id": new, "type": "supergroup", "title": "Customers"}
        self._migrated[old] = new

    def loses(self, chat_id: int, message_id: int) -> None:
        """Somebody deletes a message, of whoever."""
        del self._messages[chat_id, message_id]

    def keeps_file(self, file_id: str, content: bytes) -> None:
        """Let a file be fetched."""
        self._files[file_id] = content

    def blocks_the_bot(self, chat_id: int) -> None:
        """The customer blocks the bot: it can't write there any more."""
        self._blocked.add(chat_id)

    def add_chat(self, chat_id: int) -> None:
        """Make a chat known to the bot without a message in it; groups have numbers below 0."""
        kind = "private" if chat_id > 0 else "supergroup"
        self._chats[chat_id] = {"id": chat_id, "type": kind, "first_name": "Ada"}

    async def next_reply(self, chat_id: int) -> Json:
        """Return the next message of the bot in a chat that was not returned yet.

        One whose text is among `placeholders` does not count before it says something else.
        """

        def unread() -> list[Json]:
            sent = [m for m in self._sent[chat_id] if m.get("text") not in self.placeholders]
            return [message for message in sent if message["message_id"] not in self._read]

        await self.until(unread)
        message = unread()[0]
        self._read.add(message["message_id"])
        return message

    def replies(self, chat_id: int) -> list[str]:
        """Return the texts of all messages of the bot in a chat, as they stand now."""
        return [message.get("text", "") for message in self.posts(chat_id)]

    def posts(self, chat_id: int) -> list[Json]:
        """Return the bot's messages that a chat still shows."""
        return [m for m in self._sent[chat_id] if (chat_id, m["message_id"]) in self._messages]

    def buttons(self, chat_id: int, message_id: int) -> list[list[str]]:
        """Return what the buttons under a message hold, row by row."""
        markup = self._messages[chat_id, message_id].get("reply_markup") or {}
        rows = markup.get("inline_keyboard", [])
        return [[button["callback_data"] for button in row] for row in rows]

    def content_of(self, file_id: str) -> bytes:
        """Return what a file holds."""
        return self._files[file_id]

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

    def limit(
        self,
        *each: tuple[int, float],
        group: tuple[int, float] | None = None,
        everywhere: tuple[int, float] | None = None,
    ) -> None:
        """Enforce so many messages, and as many edits, in so many seconds in each chat.

        `group` limits the messages and edits in one group together, `everywhere` all of both in all
        chats, with the drafts.
        """
        self._limits = each
        self._group_limit = group
        self._limit_everywhere = everywhere

    async def push(self, url: str, tries: int = 3) -> list[int]:
        """Post the waiting updates to a webhook, each until it is taken; return the answers.

        Tests serve the webhook at `url`; the address that was set must be one of https.
        """
        assert self.webhook_url, "no webhook is set"
        statuses: list[int] = []
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook_secret}
        async with ClientSession() as session:
            while self._updates and tries:
                async with session.post(url, json=self._updates[0], headers=headers) as response:
                    statuses.append(response.status)
                if statuses[-1] == 200:
                    self._updates.pop(0)
                else:
                    self.webhook_error = f"Wrong response from the webhook: {statuses[-1]}"
                    self.webhook_error_at = int(time.time())
                    tries -= 1
        self._notify()
        return statuses

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

    @property
    def updates(self) -> list[Json]:
        """The updates that wait, as Telegram sends them."""
        return list(self._updates)

    def forget_updates(self) -> None:
        """Lose the updates that wait, as when they were confirmed before."""
        self._updates.clear()

    def called(self, method: str) -> list[Json]:
        """Return what each request of a method gave."""
        return [call.params for call in self.calls if call.method == method]

    def connections(self, method: str) -> set[int]:
        """Return the ports from which a method was called: one for each connection."""
        return set(self._peers[method])

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        assert self._runner.server is not None
        return len(self._runner.server.connections)

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
        params = {key: decoded(key, value) for key, value in given.items()}
        self.calls.append(Call(method, params))
        self._peers[method].append(request.transport.get_extra_info("peername")[1])
        if method in self._held:
            self._notify()
            await self._held[method].wait()
        fault = self._faults[method].popleft() if self._faults[method] else None
        try:
            if fault and fault.stall:
                return await self._stall(request)
            if fault and not fault.lose_answer:
                self._keep_waiting(method, params, fault)
                return _broken(request, fault)
            self._check_token(request.match_info["token"])
            await asyncio.sleep(self.round_trip_seconds / 2)
            self._check_limits(method, params)
            result = await self._answer(method, params)
            await asyncio.sleep(self.round_trip_seconds / 2)
        except Refused as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        finally:
            self._notify()
        if fault:
            return web.Response(text=fault.garbled) if fault.garbled else _hung_up(request)
        return web.json_response({"ok": True, "result": result})

    async def _stall(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while not self._stopped.is_set():
            try:
                await response.write(b" ")
                async with asyncio.timeout(0.02):
                    await self._stopped.wait()
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return response

    async def _download(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.calls.append(Call("file", {"path": path}))
        fault = self._faults["file"].popleft() if self._faults["file"] else None
        if fault and fault.drop:
            _hung_up(request)
        if request.match_info["token"] != self.token or fault:
            return web.json_response({"ok": False, "error_code": 404}, status=404)
        return web.Response(body=self._files[path.removeprefix("files/")])

    def _keep_waiting(self, method: str, params: Json, fault: Fault) -> None:
        """Note until when a 429 forbids requests to its chat."""
        wait = fault.parameters.get("retry_after")
        if wait and method in SENDING and "chat_id" in params:
            self._waits[params["chat_id"]] = time.monotonic() + wait

    def _check_limits(self, method: str, params: Json) -> None:
        if method not in SENDING or "chat_id" not in params:
            return
        now, chat = time.monotonic(), params["chat_id"]
        if now < self._waits.get(chat, 0.0):
            self.too_early.append(self.calls[-1])
        windows = self._windows(SENDING[method], chat)
        for key, count, seconds in windows:
            recent = [at for at in self._times[key] if at > now - seconds]
            if len(recent) >= count:
                self._waits[chat] = now + 1
                self.refusals.append(method)
                refusal = "Too Many Requests: retry after 1"
                raise Refused(429, refusal, {"retry_after": 1})
        for key in {key for key, _, _ in windows}:
            self._times[key].append(now)

    def _windows(self, kind: str | None, chat: int) -> list[tuple[object, int, float]]:
        if kind is None:
            return []
        windows: list[tuple[object, int, float]] = [
            ((chat, kind), count, seconds) for count, seconds in self._limits
        ]
        if self._group_limit and chat < 0 and kind != "draft":
            windows.append((chat, *self._group_limit))
        if self._limit_everywhere:
            windows.append(("everywhere", *self._limit_everywhere))
        return windows

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
            case "getWebhookInfo":
                return self._webhook_info()
            case "answerCallbackQuery":
                return self._answer_callback_query(params)
        answers: dict[str, Callable[[Json], Any]] = {
            "sendMessage": self._send_message,
            "sendMessageDraft": self._send_message_draft,
            "sendDocument": self._send_document,
            "sendChatAction": self._send_chat_action,
            "editMessageMedia": self._edit_message_media,
            "editMessageText": self._edit_message_text,
            "editMessageReplyMarkup": self._edit_message_reply_markup,
            "deleteMessage": self._delete_message,
            "deleteMessages": self._delete_messages,
            "deleteBusinessMessages": self._delete_business_messages,
            "getBusinessConnection": self._get_business_connection,
            "getFile": self._get_file,
            "setMyCommands": self._set_my_commands,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
        }
        if method not in answers:
            raise Refused(404, "Not Found")
        return answers[method](params)

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
        chat = self._chat_to_write_in(params)
        text = checked_text(params)
        fields: Json = {"text": text, "entities": checked_entities(params)}
        return self._post(chat, params, fields)

    def _send_document(self, params: Json) -> Json:
        chat = self._chat_to_write_in(params)
        return self._post(chat, params, {"document": self._kept(params.get("document"))})

    def _kept(self, document: object) -> Json:
        if not isinstance(document, web.FileField):
            raise Refused(400, "Bad Request: there is no document in the request")
        content = document.file.read()
        file_id = f"document-{len(self._files)}"
        self.keeps_file(file_id, content)
        shown = {"file_id": file_id, "file_unique_id": file_id, "file_size": len(content)}
        return {**shown, "file_name": document.filename}

    def _edit_message_media(self, params: Json) -> Json:
        message = self._message_to_edit(params)
        media = params["media"]
        if media.get("type") != "document":
            raise Refused(400, "Bad Request: unsupported media")
        document = self._kept(params.get(str(media["media"]).removeprefix("attach://")))
        for name in ("text", "entities", "reply_markup"):
            message.pop(name, None)
        message |= {"document": document, "edit_date": message["date"]}
        return shown(message)

    def _send_message_draft(self, params: Json) -> bool:
        chat = self._chat(params)
        if chat["type"] != "private":
            raise Refused(400, "Bad Request: TEXTDRAFT_PEER_INVALID")
        if not 0 < abs(params.get("draft_id", 0)) < 2**31:  # an "Integer" of the Bot API
            raise Refused(400, "Bad Request: RANDOM_ID_INVALID")
        if utf16_units(str(params.get("text", ""))) > MESSAGE_LIMIT:
            raise Refused(400, "Bad Request: message is too long")
        checked_entities(params)
        self._check_thread(chat, params)
        self.drafts[chat["id"]].append(params)
        return True

    def _post(self, chat: Json, params: Json, fields: Json) -> Json:
        if thread := self._check_thread(chat, params):
            fields |= {"message_thread_id": thread, "is_topic_message": True}
        if connection := params.get("business_connection_id"):
            fields |= {"business_connection_id": connection, "sender_business_bot": self.me}
        if reply := params.get("reply_parameters"):
            fields |= self._replied(chat, reply)
        if markup := checked_markup(params):
            fields |= {"reply_markup": markup}
        message = self._new_message(chat, self.me, fields)
        self._sent[chat["id"]].append(message)
        return message

    def _check_thread(self, chat: Json, params: Json) -> int:
        thread = int(params.get("message_thread_id", 0))
        if thread and (chat["id"], thread) not in self._topics:
            raise Refused(400, "Bad Request: message thread not found")
        return thread

    def _replied(self, chat: Json, reply: Json) -> Json:
        replied = self._messages.get((chat["id"], reply["message_id"]))
        if replied is None and not reply.get("allow_sending_without_reply"):
            raise Refused(400, "Bad Request: message to be replied not found")
        return {"reply_to_message": replied} if replied else {}

    def _edit_message_text(self, params: Json) -> Json:
        message = self._message_to_edit(params)
        if "text" not in message:
            raise Refused(400, "Bad Request: there is no text in the message to edit")
        new: Json = {"text": checked_text(params), "entities": checked_entities(params)}
        new["reply_markup"] = checked_markup(params)
        if all(message.get(field) == value for field, value in new.items()):
            raise Refused(400, "Bad Request: message is not modified")
        message |= {**new, "edit_date": message["date"]}
        return shown(message)

    def _edit_message_reply_markup(self, params: Json) -> Json:
        message = self._message_to_edit(params)
        markup = checked_markup(params)
        if markup == message.get("reply_markup"):
            raise Refused(400, "Bad Request: message is not modified")
        message |= {"reply_markup": markup}
        return shown(message)

    def _message_to_edit(self, params: Json) -> Json:
        chat = self._chat_to_write_in(params)
        message = self._messages.get((chat["id"], int(params.get("message_id", 0))))
        if message is None:
            raise Refused(400, "Bad Request: message to edit not found")
        if message["from"]["id"] != self.me["id"]:
            raise Refused(400, "Bad Request: message can't be edited")
        return message

    def _delete_message(self, params: Json) -> bool:
        chat = self._chat(params)
        if self._messages.pop((chat["id"], int(params.get("message_id", 0))), None) is None:
            raise Refused(400, "Bad Request: message to delete not found")
        return True

    def _delete_messages(self, params: Json) -> bool:
        chat, ids = self._chat(params), params.get("message_ids") or []
        if not 1 <= len(ids) <= 100:
            raise Refused(400, "Bad Request: message identifiers are not specified")
        for message_id in ids:  # those that are gone are skipped
            self._messages.pop((chat["id"], message_id), None)
        return True

    def _delete_business_messages(self, params: Json) -> bool:
        rights = self._connection(params)["rights"]
        if not (rights.get("can_delete_sent_messages") or rights.get("can_delete_all_messages")):
            raise Refused(400, "Bad Request: BOT_ACCESS_FORBIDDEN")
        for key in [key for key in self._messages if key[1] in params["message_ids"]]:
            if self._messages[key].get("business_connection_id"):
                del self._messages[key]
        return True

    def _get_business_connection(self, params: Json) -> Json:
        return self._connection(params)

    def _connection(self, params: Json) -> Json:
        connection = self._connections.get(str(params.get("business_connection_id")))
        if connection is None:
            raise Refused(400, "Bad Request: BUSINESS_CONNECTION_INVALID")
        return connection

    def _get_file(self, params: Json) -> Json:
        file_id = params.get("file_id")
        if file_id not in self._files:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        size = len(self._files[file_id])
        if size > FILE_LIMIT:
            raise Refused(400, "Bad Request: file is too big")
        file = {"file_id": file_id, "file_unique_id": file_id, "file_size": size}
        return {**file, "file_path": f"files/{file_id}"}

    def _set_my_commands(self, params: Json) -> bool:
        commands = params.get("commands") or []
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
                raise Refused(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(command["description"]) <= 256:
                raise Refused(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[str(params.get("language_code", ""))] = commands
        return True

    def _set_webhook(self, params: Json) -> bool:
        url, secret = str(params.get("url", "")), str(params.get("secret_token", ""))
        if url and not url.startswith("https://"):
            description = "bad webhook: An HTTPS URL must be provided for webhook"
            raise Refused(400, f"Bad Request: {description}")
        if secret and not SECRET.fullmatch(secret):
            description = "secret token contains unallowed characters"
            raise Refused(400, f"Bad Request: {description}")
        self.webhook_url, self.webhook_secret, self.webhook_error = url, secret, ""
        self._allowed = params.get("allowed_updates") or self._allowed
        if params.get("drop_pending_updates"):
            self._updates.clear()
        return True

    def _webhook_info(self) -> Json:
        info: Json = {"url": self.webhook_url, "has_custom_certificate": False}
        info["pending_update_count"] = len(self._updates)
        if self.webhook_error:
            info["last_error_date"] = self.webhook_error_at
            info["last_error_message"] = self.webhook_error
        return info

    def _send_chat_action(self, params: Json) -> bool:
        self._chat_to_write_in(params)
        if params.get("action") not in CHAT_ACTIONS:
            raise Refused(400, "Bad Request: wrong parameter action in request")
        return True

    def _answer_callback_query(self, params: Json) -> bool:
        if len(str(params.get("text", ""))) > NOTE_LIMIT:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
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
        if new := self._migrated.get(chat_id):
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refused(400, description, {"migrate_to_chat_id": new})
        return self._chats[chat_id]

    def _chat_to_write_in(self, params: Json) -> Json:
        if "business_connection_id" not in params:
            return self._chat(params)
        connection = self._connection(params)
        if (connection["id"], params.get("chat_id")) not in self._business_chats:
            raise Refused(400, "Bad Request: BUSINESS_PEER_INVALID")
        if not connection["is_enabled"] or not connection["rights"].get("can_reply"):
            raise Refused(400, "Bad Request: BOT_ACCESS_FORBIDDEN")
        return {"id": params["chat_id"], "type": "private", "first_name": "Ada"}

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


def _broken(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.drop:
        return _hung_up(request)
    raise Refused(fault.status, fault.description, fault.parameters)


def _hung_up(request: web.Request) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return web.Response()
