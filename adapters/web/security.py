"""What every response and every changing request must satisfy, as ASGI middleware.

Cross-site requests are told apart by the headers that browsers add and pages can't forge:
Sec-Fetch-Site, and where a browser sends none (plain HTTP on another host than localhost), Origin
against Host. The scheme is not compared, since TLS usually ends at a proxy in front.
"""

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.web.errors import ApiError

logger = logging.getLogger(__name__)

LARGEST_BODY_BYTES = 1_000_000

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; object-src 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it browsers send "Origin: null" with a form, and the check below fails.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_ONE_YEAR = "max-age=31536000"

ErrorResponse = Callable[[Request, ApiError], Response]


def is_cross_site(request: Request) -> bool:
    """Say whether another site made the browser send this request."""
    if site := request.headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and not _is_own(origin, request)


def is_same_origin(request: Request) -> bool:
    """Say whether a browser vouches that one of our own pages sent this request."""
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    return _is_own(request.headers.get("origin", ""), request)


def _is_own(origin: str, request: Request) -> bool:
    try:
        return urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        return False


class SecurityHeaders:
    """Adds the headers to every response, and turns a defect into an error without a trace.

    The outermost middleware: a response made outside of it would lack the headers.
    """

    def __init__(self, app: ASGIApp, error_response: ErrorResponse) -> None:
        self._app = app
        self._error_response = error_response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with a `send` that adds the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_headers(scope, message)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:  # the edge of one request: the visitor hears something neutral
            logger.exception("A request to %s failed", scope["path"])
            if started:
                raise
            response = self._error_response(Request(scope), ApiError("internal"))
            await response(scope, receive, send_with_headers)


class BodyLimit:
    """Refuses a request whose body is larger than 1 MB, as early as it can be known."""

    def __init__(self, app: ASGIApp, error_response: ErrorResponse) -> None:
        self._app = app
        self._error_response = error_response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with a `receive` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared_length(scope) > LARGEST_BODY_BYTES:
            await self._refuse(scope, receive, send)
            return
        size = 0

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST_BODY_BYTES:
                raise ApiError("too_large")
            return message

        await self._app(scope, receive_counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = self._error_response(Request(scope), ApiError("too_large"))
        # The rest of the body is not read; the connection can't be used again.
        response.headers["Connection"] = "close"
        await response(scope, receive, send)


def _add_headers(scope: Scope, message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in SECURITY_HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")
    if scope["scheme"] == "https":
        headers["Strict-Transport-Security"] = _ONE_YEAR


def _declared_length(scope: Scope) -> int:
    try:
        return int(Headers(scope=scope).get("content-length", "0"))
    except ValueError:
        return 0
