"""The web application in process: a real store, and an inbox that answers from a script."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.web.app import create_app
from adapters.web.channel import WebChannel
from bot.log.store import Store
from prompts import Prompts
from tests.adapters.web.dialogues import ScriptedInbox


class NoAdmin:
    """Stands where the admin pages do, with one page that breaks."""

    def routes(self) -> list[Route]:
        return [Route("/admin/{path:path}", self.page), Route("/broken", self.broken)]

    async def page(self, _: Request) -> Response:
        return PlainTextResponse("admin")

    async def broken(self, _: Request) -> Response:
        raise RuntimeError("secret detail of a defect")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "frontdesk.db") as opened:
        yield opened


@pytest.fixture
def inbox(store: Store) -> ScriptedInbox:
    return ScriptedInbox(store)


@pytest.fixture
def web(store: Store, inbox: ScriptedInbox) -> WebChannel:
    channel = WebChannel(inbox, store, answer_timeout_seconds=5)
    inbox.channel = channel
    return channel


@pytest.fixture
def readiness() -> dict[str, str | None]:
    return {"database": None, "model": None}


@pytest.fixture
def model() -> dict[str, str]:
    return {"model": "ready", "detail": ""}


@pytest.fixture(scope="session")
def prompts() -> Prompts:
    return Prompts.load()


@pytest.fixture
def app(
    web: WebChannel, readiness: dict[str, str | None], model: dict[str, str], prompts: Prompts
) -> Starlette:
    async def ready() -> dict[str, str | None]:
        return readiness

    return create_app(web, NoAdmin().routes(), ready, lambda: model, CollectorRegistry(), prompts)


@pytest.fixture
def connect(app: Starlette) -> Callable[..., httpx.AsyncClient]:
    def connect(base_url: str = "http://testserver", **options: object) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url=base_url, **options)  # type: ignore[arg-type]

    return connect


@pytest.fixture
async def client(connect: Callable[..., httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with connect() as opened:
        yield opened
