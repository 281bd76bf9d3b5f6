"""The web application with the admin pages, as a Frontdesk carries it, without a model."""

import asyncio
import random
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from adapters.admin import Admin
from adapters.admin.pages import Fetch
from adapters.web.app import create_app
from adapters.web.channel import WebChannel
from bot.actions.confirmations import Confirmations
from bot.analysis_figures import AnalysisFigures
from bot.candidates.approved import ApprovedAnswers
from bot.console import Console
from bot.groups_upkeep import GroupsUpkeep
from bot.intents import grouping
from bot.intents.encodings import Encodings
from bot.intents.grouping import Grouped, Task
from bot.knowledge.encoder import Vectors
from bot.knowledge.gap_articles import GapWriter
from bot.knowledge.gaps import Gap, find_gaps
from bot.knowledge.meaning import Meaning
from bot.log.accounts import Accounts, Clock
from bot.log.store import Store
from bot.model import ChatModel
from bot.ranking.rewards import WORTH
from bot.ranking_figures import RankingFigures
from prompts import Prompts
from tests.adapters.web.dialogues import ScriptedInbox
from tests.small_shop import NO_MODEL, WordEncoder

ENCODINGS = Encodings()  # the encoder takes a second to load


async def admin_app(
    store: Store,
    clock: Clock,
    prompts: Prompts,
    fetch: Fetch,
    password: str,
    approvals: Confirmations | None = None,
    groups: GroupsUpkeep | None = None,
) -> Starlette:
    """Return the application on this log; `password` opens the admin pages."""
    accounts = Accounts(store, clock)
    await accounts.prepare(password)
    meaning = Meaning(store, WordEncoder(), _encode)

    async def ready() -> dict[str, str | None]:
        return {}

    async def gaps() -> list[Gap]:
        return await find_gaps(store, meaning, clock())

    admin = Admin(
        store,
        accounts,
        prompts,
        clock,
        fetch,
        approved=ApprovedAnswers(store, meaning, clock),
        gaps=gaps,
        groups=groups or groups_upkeep(store, clock),
        draft_gap=GapWriter(ChatModel(url=NO_MODEL, name="none"), prompts, ()).draft,
        rng=random.Random(7),
        figures=RankingFigures(store, WORTH, clock),
        analysis=AnalysisFigures(store, clock),
        approvals=approvals,
    )
    web = WebChannel(ScriptedInbox(store), store)
    return create_app(web, admin.routes(), ready, dict, CollectorRegistry(), prompts)


def groups_upkeep(store: Store, clock: Clock, *, is_trained: bool = False) -> GroupsUpkeep:
    """Return what groups the log's messages, in this process."""

    async def group(task: Task) -> Grouped:
        return await asyncio.to_thread(grouping.group, task, ENCODINGS)

    return GroupsUpkeep(store, group, Console(), clock, is_trained=lambda: is_trained)


async def _encode(work: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> Vectors:
    return work(texts)
