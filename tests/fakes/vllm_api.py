"""A model server that the real client library talks to over HTTP, as vLLM answers it.

It keeps to what vLLM keeps to: one model, a key where one is set, prompts no longer than the
context. What it replies is scripted: `says` for the next request, `reply` for all others; `fails`
and `hold` are what goes wrong. What it was asked is in `calls`.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from aiohttp import web

Json = dict[str, Any]
Reply = Callable[[Json], Sequence[str]]

MODEL = "small-model"
DEADLINE_SECONDS = 10.0


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request: a status with a body, or the connection ends."""

    status: int = 500
    body: str = ""
    content_type: str = "application/json"
    hang_up: bool = False

    @classmethod
    def server_error(cls) -> "Fault":
        """500."""
        return cls(500, json.dumps(_error("EngineCore encountered an issue.", 500)))

    @classmethod
    def too_many_requests(cls) -> "Fault":
        """429."""
        return cls(429, json.dumps(_error("Too many requests.", 429)))

    @classmethod
    def garbage(cls, body: str = "<html>Bad gateway</html>", kind: str = "text/html") -> "Fault":
        """200, and something that is no completion."""
        return cls(200, body, kind)

    @classmethod
    def dropped(cls) -> "Fault":
        """The connection ends without an answer."""
        return cls(hang_up=True)


@dataclass(frozen=True)
class Call:
    """One request: its path, its JSON body, and the key that came with it."""

    path: str
    body: Json
    key: str

    @property
    def roles(self) -> list[str]:
        return [message["role"] for message in self.body["messages"]]

    @property
    def texts(self) -> list[str]:
        return [message["content"] for message in self.body["messages"]]


class FakeVllm:
    """One model server. Use as an async context manager; `url` ends in /v1."""

    def __init__(
        self, model: str = MODEL, key: str | None = None, context_tokens: int = 4096
    ) -> None:
        self.model = model
        self.key = key
        self.context_tokens = context_tokens
        self.health: Literal[200, 503] = 200
        self.reply: Reply = lambda body: ["NO ANSWER"] * body.get("n", 1)
        self.calls: list[Call] = []
        self.abandoned = 0
        self._script: deque[Reply | Fault] = deque()
        self._free = asyncio.Event()
        self._free.set()
        self._changed = asyncio.Event()

    @property
    def chats(self) -> list[Call]:
        """The requests for completions."""
        return [call for call in self.calls if call.path == "/v1/chat/completions"]

    def says(self, *texts: str) -> None:
        """Answer the next request with these texts, one a sample."""
        self._script.append(lambda _: texts)

    def fails(self, fault: Fault) -> None:
        """Let the next request fail."""
        self._script.append(fault)

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._free.clear()

    def release(self) -> None:
        """Answer what waits."""
        self._free.set()

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait until something that a request changes is so."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_true():
                await self._changed.wait()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=self.health)

    async def _models(self, request: web.Request) -> web.Response:
        self._record(request, {})
        if refusal := self._refuse_key(request):
            return refusal
        if self._script and isinstance(self._script[0], Fault):
            return _failure(self._script.popleft(), request)
        return web.json_response({"object": "list", "data": [{"id": self.model}]})

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._record(request, body)
        refusal = self._refuse_key(request) or self._refuse_body(body)
        if refusal:
            return refusal
        scripted = self._script.popleft() if self._script else self.reply
        try:
            await self._free.wait()
        except asyncio.CancelledError:
            self.abandoned += 1
            self._notify()
            raise
        if isinstance(scripted, Fault):
            return _failure(scripted, request)
        return web.json_response(_completion(body, scripted(body)))

    def _record(self, request: web.Request, body: Json) -> None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.calls.append(Call(request.path, body, key))
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
            return web.json_response(_error(message, 404), status=404)
        # The client library calls it by its newer name; vLLM takes both.
        longest = body.get("max_completion_tokens") or body.get("max_tokens") or 1
        asked = prompt_tokens(body) + longest
        if asked > self.context_tokens:
            message = (
                f"This model's maximum context length is {self.context_tokens} tokens. "
                f"However, you requested {asked} tokens."
            )
            return web.json_response(_error(message, 400), status=400)
        return None


def prompt_tokens(body: Json) -> int:
    """Return the prompt's length: a token for four letters, or for one Chinese character."""
    text = "".join(str(message["content"]) for message in body["messages"])
    wide = sum(ord(c) > 0x2E7F for c in text)
    return wide + (len(text) - wide) // 4


def log_probability(position: int) -> float:
    """Return what every token of the sample at `position` gets: the first is the likeliest."""
    return -0.25 * (position + 1)


def _completion(body: Json, texts: Sequence[str]) -> Json:
    if len(texts) != body.get("n", 1):
        raise AssertionError(f"{body.get('n', 1)} samples were asked for, not {len(texts)}")
    used = {
        "prompt_tokens": prompt_tokens(body),
        "completion_tokens": sum(len(text.split()) for text in texts),
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            _choice(position, text, bool(body.get("logprobs")))
            for position, text in enumerate(texts)
        ],
        "usage": {**used, "total_tokens": sum(used.values())},
    }


def _choice(position: int, text: str, with_logprobs: bool) -> Json:
    tokens = [
        {"token": token, "logprob": log_probability(position), "bytes": None, "top_logprobs": []}
        for token in text.split()
    ]
    return {
        "index": position,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
        "logprobs": {"content": tokens} if with_logprobs else None,
    }


def _failure(fault: Fault, request: web.Request) -> web.Response:
    if fault.hang_up:
        assert request.transport is not None
        request.transport.abort()
    return web.Response(status=fault.status, text=fault.body, content_type=fault.content_type)


def _error(message: str, code: int) -> Json:
    return {"error": {"message": message, "type": "BadRequestError", "param": None, "code": code}}
