"""The admin pages behind the web application's middleware, in process, with a clock that stands."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from bot.actions.confirmations import Confirmations
from bot.actions.toolbox import Toolbox
from bot.errors import AttachmentError
from bot.groups_upkeep import GroupsUpkeep
from bot.log.store import Store
from bot.messages import Attachment
from prompts import Prompts
from tests.actions.order_shop import over_http
from tests.adapters.admin.application import admin_app, groups_upkeep
from tests.adapters.web.dialogues import Clock

PASSWORD = "correct horse battery staple"
BASE = "http://testserver"


@dataclass
class Files:
    """The files of a platform that has some, and none of the others."""

    content: dict[int, tuple[Attachment, bytes]] = field(default_factory=dict)

    async def __call__(self, number: int) -> tuple[Attachment, bytes]:
        if number not in self.content:
            raise AttachmentError("Telegram no longer has the <file>.")
        return self.content[number]


Connect = Callable[..., httpx.AsyncClient]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "frontdesk.db") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def prompts() -> Prompts:
    return Prompts.load()


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def approvals(store: Store, clock: Clock, prompts: Prompts) -> Confirmations:
    """Tools whose service is not there."""
    toolbox = Toolbox(over_http("http://127.0.0.1:9"), Path())
    return Confirmations(toolbox, store, prompts, clock)


@pytest.fixture
async def groups(store: Store, clock: Clock) -> GroupsUpkeep:
    return groups_upkeep(store, clock)


@pytest.fixture
async def app(
    store: Store,
    clock: Clock,
    prompts: Prompts,
    files: Files,
    approvals: Confirmations,
    groups: GroupsUpkeep,
) -> Starlette:
    return await admin_app(store, clock, prompts, files, PASSWORD, approvals, groups)


@pytest.fixture
def connect(app: Starlette) -> Connect:
    def connect(address: str = "192.0.2.1", base_url: str = BASE) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 50_000))
        return httpx.AsyncClient(
            transport=transport, base_url=base_url, headers={"Origin": base_url}
        )

    return connect


@pytest.fixture
async def stranger(connect: Connect) -> AsyncIterator[httpx.AsyncClient]:
    async with connect() as client:
        yield client


@pytest.fixture
async def admin(connect: Connect) -> AsyncIterator[httpx.AsyncClient]:
    async with connect() as client:
        response = await client.post("/admin/login", data={"password": PASSWORD})
        assert response.status_code == 303
        yield client
