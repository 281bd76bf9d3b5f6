"""Promise: the whole path holds with the real engine, its default model and the real encoder."""

import asyncio
import contextlib
import random
import shutil
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from bot.candidates.approved import ApprovedAnswers
from bot.candidates.drafts import DraftWriter
from bot.conversation import ConversationManager
from bot.delivery import Delivery
from bot.grounding import check
from bot.knowledge.encoder import E5Encoder
from bot.knowledge.search import Knowledge
from bot.limits import Limits
from bot.log.accounts import utc_now
from bot.log.store import Store
from bot.metrics import Metrics
from bot.model import ChatModel, Timeouts
from bot.model_watch import ModelWatch
from bot.ranking.fixed_order import FixedOrder
from prompts import Prompts
from serving.engine import Engine
from tests.small_shop import NOW, ScriptedChannel, incoming

SHOP = Path(__file__).parents[2] / "examples" / "shop" / "articles" / "en"
ARTICLES = ("return-an-item", "refund-timing", "express-delivery", "warranty-and-repair")
RUNNING = "vllm:num_requests_running"
QUESTION = "How many days do I have to return an item?"


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    """A few of the example shop's articles: enough to choose from, quickly encoded."""
    folder = tmp_path / "articles"
    folder.mkdir()
    for name in ARTICLES:
        shutil.copy(SHOP / f"{name}.md", folder)
    return folder


@pytest.mark.engine
@pytest.mark.timeout(1200)
async def test_that_a_question_is_answered_through_the_real_engine(
    engine: Engine, articles: Path, prompts: Prompts
) -> None:
    key = SecretStr(engine.api_key or "")
    watch = ModelWatch(engine.url, engine.model, key)
    assert await watch.check() is None
    model = ChatModel(
        url=engine.url,
        name=engine.model,
        key=key,
        timeouts=Timeouts(visible=240, whole=240),
        trouble=watch.trouble,
    )
    writer = DraftWriter(model, prompts, drafts=3, longest_tokens=160, languages=("en",))
    channel = ScriptedChannel()
    with Store(articles.parent / "frontdesk.db") as store:
        knowledge = Knowledge(store, E5Encoder())
        await knowledge.sync(articles, NOW)
        await knowledge.encode(lambda done, total: None)
        manager = ConversationManager(
            knowledge=knowledge,
            approved=ApprovedAnswers(store, knowledge.meaning, utc_now),
            drafts=writer,
            prompts=prompts,
            policy=FixedOrder(),
            rng=random.Random(1),
        )
        delivery = Delivery(
            store, manager, Metrics(CollectorRegistry()), limits=Limits(answer_seconds=280)
        )
        delivery.add(channel)

        await delivery.accept(incoming(QUESTION))
        await delivery.finish(280)
        [reply] = channel.sent
        [generation] = await store.read(
            lambda db: list(db.query("SELECT model, output_tokens, error FROM generations"))
        )
        drafts = await store.read(
            lambda db: list(db.query("SELECT * FROM candidates WHERE source = 'draft'"))
        )
        hits = await knowledge.search(QUESTION, "en")
        knowledge.close()
    await model.close()
    await watch.close()

    assert reply.citations[0].article == "return-an-item"
    assert generation["model"] == engine.model
    assert generation["error"] is None
    assert generation["output_tokens"] > 0
    assert 1 <= len(drafts) <= 3
    if reply.source == "draft":
        assert check(reply.text, [hit.passage for hit in hits], QUESTION, "en").refusal is None


@pytest.mark.engine
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "samples"])
async def test_that_the_engine_ends_what_nobody_waits_for(engine: Engine, is_stream: bool) -> None:
    key = SecretStr(engine.api_key or "")
    times = Timeouts(visible=240, whole=240)
    model = ChatModel(url=engine.url, name=engine.model, key=key, timeouts=times)
    story = [("human", "Tell a very long story about a parcel and its way to the customer.")]

    async def ask() -> None:
        if not is_stream:
            await model.sample(story, n=3, temperature=0.8, max_tokens=1500)
            return
        async with contextlib.aclosing(
            model.write(story, temperature=0.8, max_tokens=1500).deltas()
        ) as deltas:
            async for _ in deltas:
                pass

    asking = asyncio.create_task(ask())
    await until_running(engine, at_least=1, seconds=60)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert await until_running(engine, at_least=0, seconds=10) <= 2.0
    await model.close()


async def until_running(engine: Engine, *, at_least: int, seconds: float) -> float:
    """Wait until so many requests run in the engine, or none for 0; return how long it took."""
    started = time.monotonic()
    address = engine.url.removesuffix("/v1") + "/metrics"
    headers = {"Authorization": f"Bearer {engine.api_key}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
        while time.monotonic() - started < seconds:
            page = (await http.get(address)).text.splitlines()
            values = [line.split()[-1] for line in page if line.startswith(RUNNING)]
            running = sum(map(float, values))
            if running >= at_least if at_least else running == 0:
                break
            await asyncio.sleep(0.05)
    return time.monotonic() - started
