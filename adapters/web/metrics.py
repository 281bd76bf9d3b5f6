"""How many requests each route answered, and how."""

from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Anything else a client may write as its method would make a series of its own.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestCounter:
    """Counts responses by route template, method and status."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "frontdesk_http_requests",
            "Requests answered by the web server",
            ("route", "method", "status"),
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and count the response when it starts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._requests.labels(_template(scope), method, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, send_counted)


def _template(scope: Scope) -> str:
    """Return the route's path with its parameters unfilled: the paths themselves have no end."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return "none" if path is None else scope.get("root_path", "") + path
