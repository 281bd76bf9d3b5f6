"""What an operator's tools ask: is the process alive, is all well, how much is going on."""

from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Readiness = Callable[[], Awaitable[Mapping[str, str | None]]]


class Health:
    """The routes `/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, readiness: Readiness, registry: CollectorRegistry) -> None:
        self._readiness = readiness
        self._registry = registry

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/healthz", self.process),
            Route("/readyz", self.ready),
            Route("/metrics", self.metrics),
        ]

    async def process(self, _: Request) -> Response:
        """Answer at all: the process lives."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """Name each component with None or a sentence about its trouble; 503 if one has any."""
        components = dict(await self._readiness())
        is_ready = all(trouble is None for trouble in components.values())
        return JSONResponse(components, status_code=200 if is_ready else 503)

    async def metrics(self, _: Request) -> Response:
        """Return all metrics in Prometheus' text format."""
        return Response(
            generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )
