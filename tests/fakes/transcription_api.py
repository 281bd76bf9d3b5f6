"""A server with OpenAI's transcription API, that the real client library talks to over HTTP.

It keeps to what such servers keep to: a multipart form with a file and a model, one model, a key
where one is set, kinds of files by their ending, and no empty files. What it hears is scripted:
`hears` for all requests; `fails` and `hold` are what goes wrong. What it got is in `recordings`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from aiohttp import web

MODEL = "whisper-1"
ENDINGS = frozenset({"flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm"})
FORMATS = frozenset({"json", "text", "verbose_json", "srt", "vtt"})
LARGEST_BYTES = 25 * 1024 * 1024


@dataclass(frozen=True)
class Recording:
    """One request that was taken."""

    content: bytes
    name: str
    language: str | None


class FakeTranscription:
    """One transcription server. Use as an async context manager; `url` ends in /v1."""

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self.hears = "Where is my parcel?"
        self.recordings: list[Recording] = []
        self.requests = 0
        self._failure: tuple[int, str, str] | None = None
        self._free = asyncio.Event()
        self._free.set()

    def fails(self, status: int, body: str = "", content_type: str = "application/json") -> None:
        """Answer all requests that are not refused with this."""
        self._failure = (status, body, content_type)

    def hold(self) -> None:
        """Answer nothing until the end."""
        self._free.clear()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2 * LARGEST_BYTES)
        app.router.add_post("/v1/audio/transcriptions", self._transcriptions)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._free.set()
        await self._runner.cleanup()

    async def _transcriptions(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "Incorrect API key provided.")
        if request.content_type != "multipart/form-data":
            return _error(400, "The body must be multipart/form-data.")
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            return _error(400, "'file' is a required property.")
        with file.file:
            content = file.file.read()
        if refusal := _refusal(form, file.filename, content):
            return refusal
        self.recordings.append(Recording(content, file.filename, _text(form.get("language"))))
        await self._free.wait()
        if self._failure:
            status, body, content_type = self._failure
            return web.Response(status=status, text=body, content_type=content_type)
        return web.json_response({"text": self.hears})


def _refusal(form: Mapping[str, object], name: str, content: bytes) -> web.Response | None:
    if form.get("model") != MODEL:
        return _error(404, f"The model {form.get('model')!r} does not exist.")
    if form.get("response_format", "json") not in FORMATS:
        return _error(400, "'response_format' is not one of the known formats.")
    language = _text(form.get("language"))
    if language is not None and not (len(language) == 2 and language.isalpha()):
        return _error(400, "Invalid language; it must be in ISO-639-1 format.")
    if name.rpartition(".")[2].lower() not in ENDINGS:
        return _error(400, "Invalid file format.")
    if not content:
        return _error(400, "Audio file is too short. Minimum audio length is 0.1 seconds.")
    if len(content) > LARGEST_BYTES:
        return _error(413, "Maximum content size limit (26214400) exceeded.")
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _error(status: int, message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return web.json_response({"error": error}, status=status)
