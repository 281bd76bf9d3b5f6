"""Nobody sees an admin page without a session, and no other site can act in an admin's name.

The guard stands before the router, so a page is refused unless it is listed as public here.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.web.errors import ApiError
from adapters.web.security import is_same_origin
from bot.log.accounts import AGE_LIMIT, Accounts, Session

PREFIX = "/admin"
LOGIN = f"{PREFIX}/login"
PUBLIC_PATHS = frozenset({LOGIN})
PUBLIC_FOLDERS = (f"{PREFIX}/static/",)
_READING = frozenset({"GET", "HEAD"})


class Guard:
    """ASGI middleware that lets a request pass with a session, or to a public path."""

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self._app = app
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, then run the page."""
        if scope["type"] != "http":
            return  # the admin pages have no websockets; an unanswered one is closed
        request = Request(scope, receive)
        if request.method not in _READING and not is_same_origin(request):
            raise ApiError("cross_site")
        if not is_public(request.url.path):
            session = await self._accounts.session(session_token(request))
            if session is None:
                await _to_login(request)(scope, receive, send)
                return
            request.state.session = session
        await self._app(scope, receive, send)


def is_public(path: str) -> bool:
    """Say whether a path is answered without a session."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_FOLDERS)


def current_session(request: Request) -> Session:
    """Return the session that the guard found."""
    session: Session = request.state.session
    return session


def session_token(request: Request) -> str:
    """Return the token in the request's cookie, or an empty text."""
    return request.cookies.get(_cookie_name(request), "")


def set_session(request: Request, response: Response, token: str) -> None:
    """Give the browser its token."""
    response.set_cookie(
        _cookie_name(request),
        token,
        max_age=int(AGE_LIMIT.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=_is_https(request),
    )


def clear_session(request: Request, response: Response) -> None:
    """Take the token away."""
    response.delete_cookie(
        _cookie_name(request), httponly=True, samesite="lax", secure=_is_https(request)
    )


def safe_next(path: str) -> str:
    """Return where to go after the login: a page of ours, whatever the address said."""
    is_ours = path.startswith(f"{PREFIX}/") and "\\" not in path and path.isprintable()
    return path if is_ours and not is_public(path) else f"{PREFIX}/"


def _to_login(request: Request) -> Response:
    path = request.url.path
    if request.method not in _READING:
        path = f"{PREFIX}/"
    elif request.url.query:
        path = f"{path}?{request.url.query}"
    return RedirectResponse(f"{LOGIN}?next={quote(path)}", status_code=303)


def _cookie_name(request: Request) -> str:
    # Browsers keep a __Host- cookie from being set by a sister domain or over plain HTTP.
    return "__Host-frontdesk" if _is_https(request) else "frontdesk"


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"
