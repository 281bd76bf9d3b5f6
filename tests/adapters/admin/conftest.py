"""The admin pages behind the web application's middleware, in process, with a clock that stands."""

import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from adapters.admin import Admin
from adapters.web.app import create_app
from adapters.web.channel import WebChannel
from bot.actions.confirmations import Confirmations
from bot.actions.toolbox import Toolbox
from bot.candidates.approved import ApprovedAnswers
from bot.errors import AttachmentError
from bot.knowledge.encoder import Vectors
from bot.knowledge.gap_articles import GapWriter
from bot.knowledge.gaps import Gap, find_gaps
from bot.knowledge.meaning import Meaning
from bot.log.accounts import Accounts
from bot.log.store import Store
from bot.messages import Attachment
from bot.model import ChatModel
from bot.ranking.rewards import WORTH
from bot.ranking_figures import RankingFigures
from prompts import Prompts
from tests.actions.order_shop import over_http
from tests.adapters.web.dialogues import Clock, ScriptedInbox
from tests.small_shop import NO_MODEL, WordEncoder

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


async def encode(work: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> Vectors:
    return work(texts)


@pytest.fixture
def approvals(store: Store, clock: Clock, prompts: Prompts) -> Confirmations:
    """Tools whose service is not there."""
    toolbox = Toolbox(over_http("http://127.0.0.1:9"), Path())
    return Confirmations(toolbox, store, prompts, clock)


@pytest.fixture
async def app(
    store: Store, clock: Clock, prompts: Prompts, files: Files, approvals: Confirmations
) -> Starlette:
    accounts = Accounts(store, clock)
    await accounts.prepare(PASSWORD)

    async def ready() -> dict[str, str | None]:
        return {}

    web = WebChannel(ScriptedInbox(store), store)
    meaning = Meaning(store, WordEncoder(), encode)
    approved = ApprovedAnswers(store, meaning, clock)

    async def gaps() -> list[Gap]:
        return await find_gaps(store, meaning, clock())

    admin = Admin(
        store,
        accounts,
        prompts,
        clock,
        files,
        approved=approved,
        gaps=gaps,
        draft_gap=GapWriter(ChatModel(url=NO_MODEL, name="none"), prompts, ()).draft,
        rng=random.Random(7),
        figures=RankingFigures(store, WORTH, clock),
        approvals=approvals,
    )
    return create_app(web, admin.routes(), ready, dict, CollectorRegistry(), prompts)


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
