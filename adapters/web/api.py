"""The HTTP API of a conversation: ask, stream the answer, read what was said."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapters.web.channel import NAME, Beginning, Question, WebChannel
from adapters.web.errors import ApiError
from adapters.web.language import accepted_language, api_language
from adapters.web.security import is_cross_site
from bot.log.dialogues import Dialogue, DialogueTurn
from bot.messages import Citation, Incoming, Outgoing
from prompts import Prompts

T = TypeVar("T")

TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
LONGEST_CUSTOMER = 200
GONE = 499  # nobody reads it; proxies log it for clients that hung up
BODY_TIMEOUT_SECONDS = 30.0
# A sentence with the space after it; a number's point has no space after it. The escapes are the
# Chinese exclamation and question marks.
_SENTENCE = re.compile(r".*?(?:[.!?](?=\s)\s+|[。\uff01\uff1f]\s*|\n+|\Z)", re.DOTALL)


def _without_controls(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


class MessageBody(BaseModel):
    """What `POST /api/v1/messages` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    conversation: Annotated[str, Field(pattern=rf"^{TOKEN.pattern}\z")] | None = None
    customer: (
        Annotated[
            str, Field(min_length=1, max_length=LONGEST_CUSTOMER), AfterValidator(_without_controls)
        ]
        | None
    ) = None
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}\z")] | None = None


class Api:
    """The routes below `/api/v1`."""

    def __init__(
        self,
        web: WebChannel,
        model_status: Callable[[], Mapping[str, str]],
        prompts: Prompts,
        body_timeout_seconds: float = BODY_TIMEOUT_SECONDS,
    ) -> None:
        self._web = web
        self._model_status = model_status
        self._prompts = prompts
        self._body_timeout_seconds = body_timeout_seconds

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/v1/messages", self.ask, methods=["POST"]),
            Route("/api/v1/conversations", self.begin, methods=["POST"]),
            Route("/api/v1/conversations/{token}", self.history),
            Route("/api/v1/status", self.status),
        ]

    async def begin(self, request: Request) -> Response:
        """Give out an address for a new conversation; nothing is stored until it is used.

        With it a client can send its very first message twice and be answered once.
        """
        _refuse_cross_site(request)
        return JSONResponse({"conversation": new_token()}, status_code=201)

    async def ask(self, request: Request) -> Response:
        """Store a message and answer it, at once as JSON or as a stream of events."""
        _refuse_cross_site(request)
        message = await self._read_body(request)
        token = message.conversation or new_token()
        question = await self._web.ask(_incoming(message, token, request))
        if "text/event-stream" in request.headers.get("accept", ""):
            return _EventStream(question, self._stream(question, request))
        try:
            answer = await _unless_gone(request, question.reply())
            return JSONResponse(_answer_json(answer)) if answer else Response(status_code=GONE)
        finally:
            question.close()

    async def history(self, request: Request) -> Response:
        """Return the turns of a conversation so far."""
        token = request.path_params["token"]
        if not TOKEN.fullmatch(token):
            raise ApiError("not_found")
        dialogue = await self._web.dialogue(token)
        if dialogue is None:
            raise ApiError("not_found")
        return JSONResponse(_dialogue_json(token, dialogue))

    async def status(self, _: Request) -> Response:
        """Say whether the model writes answers yet."""
        # Not the operator's sentence beside it, which names addresses and paths: this is public.
        return JSONResponse({"model": self._model_status()["model"]})

    async def _read_body(self, request: Request) -> MessageBody:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise ApiError("not_json")
        try:
            async with asyncio.timeout(self._body_timeout_seconds):
                body = await request.body()
        except TimeoutError as err:
            raise ApiError("body_late") from err
        try:
            return MessageBody.model_validate_json(body)
        except ValidationError as err:
            raise ApiError("invalid_request", _wrong_field(err)) from err

    async def _stream(self, question: Question, request: Request) -> AsyncIterator[str]:
        shown = ""
        try:
            async for event in question.events():
                if event is None:
                    yield ": still working\n\n"
                elif isinstance(event, str):
                    yield _event("progress", {"stage": event})
                elif event.text.startswith(shown):
                    for piece in _pieces(event, shown):
                        yield _event("text", {"delta": piece})
                    shown = event.text
                # Else it was written anew: the whole text comes with "done".
                if isinstance(event, Outgoing):
                    yield _event("done", _answer_json(event))
        except ApiError as err:  # the status line is sent already
            yield _event("error", err.body(self._prompts, api_language(request)))


async def _unless_gone(request: Request, reply: Awaitable[T]) -> T | None:
    """Return what is waited for, or None once its client is gone."""
    waiting, going = asyncio.ensure_future(reply), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({waiting, going}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else None
    finally:
        waiting.cancel()
        going.cancel()
        await asyncio.wait({waiting, going})


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _EventStream(StreamingResponse):
    """Server-sent events that stop waiting for the reply whichever way the response ends."""

    def __init__(self, question: Question, events: AsyncIterator[str]) -> None:
        # Nginx would otherwise hold the events back until the answer is complete.
        headers = {"X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._question = question

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._question.close()


def new_token() -> str:
    """Return an unguessable address for a conversation."""
    return secrets.token_urlsafe(24)


def sentences(text: str) -> list[str]:
    """Split a text after its sentences and lines; joined again they are the text."""
    return [sentence for sentence in _SENTENCE.findall(text) if sentence]


def _pieces(event: Beginning | Outgoing, shown: str) -> list[str]:
    """Return what is new: as it was written, or of a reply that comes at once its sentences."""
    new = event.text.removeprefix(shown)
    return sentences(new) if isinstance(event, Outgoing) else [new] if new else []


def _refuse_cross_site(request: Request) -> None:
    if is_cross_site(request):
        raise ApiError("cross_site")


def _incoming(message: MessageBody, token: str, request: Request) -> Incoming:
    event_id = message.id or secrets.token_urlsafe(16)
    return Incoming(
        channel=NAME,
        # The browser chooses the id, so it is unique within its own conversation only.
        event_keys=(f"{token}:{event_id}",),
        address=token,
        customer=message.customer or token,
        text=message.text,
        language=accepted_language(request.headers.get("accept-language", "")),
    )


def _wrong_field(err: ValidationError) -> str:
    location = err.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    return str(location[0])[:40] if location else "JSON"


def _event(name: str, data: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _answer_json(outgoing: Outgoing) -> dict[str, Any]:
    document = outgoing.document
    return {
        "conversation": outgoing.address,
        "turn": outgoing.turn,
        "reply": {
            "text": outgoing.text,
            "source": outgoing.source,
            "citations": [_citation_json(citation) for citation in outgoing.citations],
            "candidates": outgoing.candidates,
        },
        "choices": [{"label": each.label, "command": each.command} for each in outgoing.choices],
        "document": document and {"name": document.name, "text": document.text},
        "handed_off": outgoing.handed_off,
    }


def _dialogue_json(token: str, dialogue: Dialogue) -> dict[str, Any]:
    return {"conversation": token, "turns": [_turn_json(turn) for turn in dialogue.turns]}


def _turn_json(turn: DialogueTurn) -> dict[str, Any]:
    return {
        "turn": turn.turn,
        "id": turn.event_key.partition(":")[2] if turn.event_key else None,
        "role": turn.role,
        "text": turn.text,
        "citations": [_citation_json(citation) for citation in turn.citations],
        "time": turn.created_at,
        "handed_off": turn.handed_off,
        "answered": turn.is_answered,
    }


def _citation_json(citation: Citation) -> dict[str, str]:
    return {"article": citation.article, "title": citation.title, "url": citation.url}
