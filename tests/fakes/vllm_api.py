"""A model server that the real client library talks to over HTTP, as vLLM answers it.

It keeps to what vLLM keeps to: one model, a key where one is set, prompts no longer than the
context, answers no longer than asked for, in one piece or token by token. What it replies is
scripted: `says` for the next request, `reply` for all others; `first_token_seconds`,
`token_seconds` and `serve_at_once` are its pace; `fails`, `says(…, broken=…)` and `hold` are what
goes wrong with one request, `breaks` and `disappears` with all of them until `mends` and `returns`.
What it was asked is in `calls`, with the times; when clients hung up on it, in `abandoned_at`.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from aiohttp import web

from tests.fakes import vllm_replies
from tests.fakes.vllm_replies import log_probability as log_probability
from tests.fakes.vllm_replies import prompt_tokens, tokens_of

Json = dict[str, Any]
Reply = Callable[[Json], Sequence[str]]

MODEL = "small-model"
DEADLINE_SECONDS = 10.0
MANY = 1000  # requests at once, unless a test says otherwise


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request: a status with a body, an end, or no answer at all."""

    status: int = 500
    body: str = ""
    content_type: str = "application/json"
    hang_up: bool = False
    hang: bool = False

    @classmethod
    def server_error(cls) -> "Fault":
        """500."""
        body = vllm_replies.error("EngineCore encountered an issue.", 500)
        return cls(500, json.dumps(body))

    @classmethod
    def too_many_requests(cls) -> "Fault":
        """429."""
        return cls(429, json.dumps(vllm_replies.error("Too many requests.", 429)))

    @classmethod
    def garbage(cls, body: str = "<html>Bad gateway</html>", kind: str = "text/html") -> "Fault":
        """200, and something that is no completion."""
        return cls(200, body, kind)

    @classmethod
    def dropped(cls) -> "Fault":
        """The connection ends without an answer."""
        return cls(hang_up=True)

    @classmethod
    def hangs(cls) -> "Fault":
        """The connection stays open, and nothing comes until the client goes away."""
        return cls(hang=True)


@dataclass(frozen=True)
class Break:
    """What goes wrong in the middle of a stream, after so many tokens."""

    kind: Literal["dies", "ends", "error", "garbage", "stalls"]
    after: int

    @classmethod
    def dies(cls, after: int) -> "Break":
        """The connection is cut."""
        return cls("dies", after)

    @classmethod
    def ends(cls, after: int) -> "Break":
        """The answer ends as if it were whole, without a reason and without the last mark."""
        return cls("ends", after)

    @classmethod
    def error(cls, after: int) -> "Break":
        """An event with an error, which is how vLLM says that its engine failed."""
        return cls("error", after)

    @classmethod
    def garbage(cls, after: int) -> "Break":
        """An event that is no JSON."""
        return cls("garbage", after)

    @classmethod
    def stalls(cls, after: int) -> "Break":
        """Nothing more comes until `release`; then the rest does."""
        return cls("stalls", after)


@dataclass(frozen=True)
class Call:
    """One request: its path, its JSON body, the key that came with it, and when (loop time)."""

    path: str
    body: Json
    key: str
    at: float

    @property
    def roles(self) -> list[str]:
        return [message["role"] for message in self.body["messages"]]

    @property
    def texts(self) -> list[str]:
        return [message["content"] for message in self.body["messages"]]


@dataclass(frozen=True)
class Saying:
    """One scripted answer."""

    reply: Reply
    broken: Break | None = None


@dataclass(frozen=True)
class ToolCall:
    """One scripted call of a tool instead of a text; `arguments` are JSON as the model wrote it."""

    name: str
    arguments: str


class FakeVllm:
    """One model server. Use as an async context manager; `url` ends in /v1."""

    def __init__(
        self, model: str = MODEL, key: str | None = None, context_tokens: int = 4096
    ) -> None:
        self.model = model
        self.key = key
        self.context_tokens = context_tokens
        self.health: Literal[200, 503] = 200
        self.reply: Reply = lambda body: ["NO ANSWER"] * (body.get("n") or 1)
        self.tokens: Callable[[str], list[str]] = tokens_of
        self.first_token_seconds = 0.0
        self.token_seconds = 0.0
        self.calls: list[Call] = []
        self.abandoned_at: list[float] = []
        self.port = 0
        self.takes_tools = True  # as with --enable-auto-tool-choice
        self._script: deque[Saying | ToolCall | Fault] = deque()
        self._outage: Fault | Break | None = None
        self._is_everywhere = False
        self._stalled: list[asyncio.Event] = []
        self._slots = asyncio.Semaphore(MANY)
        self._free = asyncio.Event()
        self._free.set()
        self._changed = asyncio.Event()

    @property
    def chats(self) -> list[Call]:
        """The requests for completions."""
        return [call for call in self.calls if call.path == "/v1/chat/completions"]

    @property
    def abandoned(self) -> int:
        """How many requests the client did not wait for."""
        return len(self.abandoned_at)

    @property
    def stalled(self) -> int:
        """How many streams wait for `release` in their middle."""
        return len(self._stalled)

    def says(self, *texts: str, broken: Break | None = None) -> None:
        """Answer the next request with these texts, one a sample; a stream can be `broken`."""
        self._script.append(Saying(lambda _: texts, broken))

    def calls_tool(self, name: str, arguments: Json | str) -> None:
        """Answer the next request with a call of a tool that it offers."""
        written = arguments if isinstance(arguments, str) else json.dumps(arguments)
        self._script.append(ToolCall(name, written))

    def fails(self, fault: Fault) -> None:
        """Let the next request fail."""
        self._script.append(fault)

    def breaks(self, outage: Fault | Break, *, everywhere: bool = False) -> None:
        """Let every request for a completion, or for anything, go wrong so until `mends`."""
        self._outage = outage
        self._is_everywhere = everywhere

    def mends(self) -> None:
        """Answer as before; what hangs stays so."""
        self._outage = None

    async def disappears(self) -> None:
        """End, with all connections: nothing listens at the port any more."""
        await self._runner.cleanup()

    async def returns(self) -> None:
        """Listen at the same port again."""
        await self._listen()

    def serve_at_once(self, number: int) -> None:
        """Answer so many requests at once; others wait, and nothing comes of them meanwhile."""
        self._slots = asyncio.Semaphore(number)

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._free.clear()

    def release(self) -> None:
        """Answer what waits, and go on with what stalled."""
        self._free.set()
        while self._stalled:
            self._stalled.pop().set()

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something that a request changes is so."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_true():
                await self._changed.wait()

    async def __aenter__(self) -> Self:
        await self._listen()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def __aexit__(self, *_: object) -> None:
        self.release()
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=self.health)

    async def _models(self, request: web.Request) -> web.Response:
        self._record(request, {})
        if refusal := self._refuse_key(request):
            return refusal
        if self._script and isinstance(fault := self._script[0], Fault):
            self._script.popleft()
            return await _failure(fault, request)
        if self._is_everywhere and isinstance(self._outage, Fault):
            return await _failure(self._outage, request)
        return web.json_response({"object": "list", "data": [{"id": self.model}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self._record(request, body)
        refusal = self._refuse_key(request) or self._refuse_body(body)
        if refusal:
            return refusal
        scripted = self._script.popleft() if self._script else self._usual()
        try:
            await self._free.wait()
            async with self._slots:
                return await self._answer(request, body, scripted)
        except (asyncio.CancelledError, ConnectionResetError):
            self.abandoned_at.append(asyncio.get_running_loop().time())
            self._notify()
            raise

    def _usual(self) -> Saying | Fault:
        """Return what becomes of a request that nothing was scripted for."""
        if isinstance(self._outage, Fault):
            return self._outage
        return Saying(self.reply, self._outage)

    async def _answer(
        self, request: web.Request, body: Json, scripted: Saying | ToolCall | Fault
    ) -> web.StreamResponse:
        if isinstance(scripted, Fault):
            return await _failure(scripted, request)
        if isinstance(scripted, ToolCall):
            offered = [tool["function"]["name"] for tool in body.get("tools", ())]
            if scripted.name not in offered:
                raise AssertionError(f"{scripted.name} was not offered, but {offered}")
            called = vllm_replies.tool_call(body, scripted.name, scripted.arguments)
            return web.json_response(called)
        texts = scripted.reply(body)
        if len(texts) != (body.get("n") or 1):
            raise AssertionError(f"{body.get('n')} samples were asked for, not {len(texts)}")
        samples = [self.tokens(text) for text in texts]
        if body.get("stream"):
            return await self._stream(request, body, samples, scripted.broken)
        if scripted.broken and scripted.broken != self._outage:
            raise AssertionError("only a stream can break in its middle")
        if scripted.broken:
            return await _failure(Fault.dropped(), request)
        started = asyncio.get_running_loop().time()
        longest = max(len(vllm_replies.kept(body, tokens)) for tokens in samples)
        await self._until_token(started, longest - 1)
        return web.json_response(vllm_replies.completion(body, samples))

    async def _stream(
        self,
        request: web.Request,
        body: Json,
        samples: Sequence[Sequence[str]],
        broken: Break | None,
    ) -> web.StreamResponse:
        started = asyncio.get_running_loop().time()
        response = web.StreamResponse()
        response.content_type = "text/event-stream"
        await response.prepare(request)
        for number, events in enumerate(vllm_replies.steps(body, samples)):
            if broken and number == broken.after and await self._break(request, response, broken):
                return response
            await self._until_token(started, number)
            await response.write(b"".join(events))
        await response.write(b"".join(vllm_replies.ending(body, samples)))
        return response

    async def _until_token(self, started: float, number: int) -> None:
        """Wait until a token is due. The pace holds on average, however late a wait ends."""
        due = started + self.first_token_seconds + number * self.token_seconds
        if (left := due - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)

    async def _break(
        self, request: web.Request, response: web.StreamResponse, broken: Break
    ) -> bool:
        """Let a stream go wrong; return whether that was its end."""
        match broken.kind:
            case "dies":
                assert request.transport is not None
                request.transport.abort()
            case "error":
                failure = vllm_replies.error("Internal server error", 500)
                await response.write(vllm_replies.event(failure) + vllm_replies.DONE)
            case "garbage":
                await response.write(b'data: {"choices": [{"delta"\n\n')
            case "stalls":
                self._stalled.append(released := asyncio.Event())
                self._notify()
                try:
                    await released.wait()
                finally:
                    if released in self._stalled:
                        self._stalled.remove(released)
        return broken.kind != "stalls"

    def _record(self, request: web.Request, body: Json) -> None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.calls.append(Call(request.path, body, key, asyncio.get_running_loop().time()))
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _refuse_key(self, request: web.Request) -> web.Response | None:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        return None

    def _refuse_body(self, body: Json) -> web.Response | None:
        if body.get("model") != self.model:
            message = f"The model `{body.get('model')}` does not exist."
            return web.json_response(vllm_replies.error(message, 404), status=404)
        if body.get("tools") and not self.takes_tools:
            message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser'
            return web.json_response(vllm_replies.error(message, 400), status=400)
        asked = prompt_tokens(body) + (vllm_replies.longest_answer(body) or 1)
        if asked > self.context_tokens:
            message = (
                f"This model's maximum context length is {self.context_tokens} tokens. "
                f"However, you requested {asked} tokens."
            )
            return web.json_response(vllm_replies.error(message, 400), status=400)
        return None


async def _failure(fault: Fault, request: web.Request) -> web.Response:
    if fault.hang:
        await asyncio.Event().wait()
    if fault.hang_up:
        assert request.transport is not None
        request.transport.abort()
    return web.Response(status=fault.status, text=fault.body, content_type=fault.content_type)
