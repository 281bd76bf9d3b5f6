"""What waits for an agent: shown with all it would do, and carried out or refused once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlite_utils import Database

from bot.actions.confirmations import Confirmations
from bot.actions.toolbox import Toolbox
from bot.log import actions
from bot.log.store import Store
from prompts import Prompts
from tests.actions.order_shop import ADA, OPEN_ORDER, over_http
from tests.adapters.web.dialogues import HANDOFF, Clock, message, write_exchange
from tests.fakes.orders_api import TOKEN, FakeOrders

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def orders(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeOrders]:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    async with FakeOrders() as fake:
        yield fake


@pytest.fixture
async def approvals(
    store: Store, clock: Clock, prompts: Prompts, orders: FakeOrders
) -> AsyncIterator[Confirmations]:
    toolbox = Toolbox(over_http(orders.url, cancel_order={"approval": "agent"}), Path())
    yield Confirmations(toolbox, store, prompts, clock)
    await toolbox.close()


@pytest.fixture
async def key(store: Store, clock: Clock) -> str:
    """Something that a customer said yes to."""
    asked = await store.write(
        lambda db: actions.ask(
            db,
            ADA,
            "cancel_order",
            {"number": OPEN_ORDER},
            f"Cancel {HOSTILE}",
            "en",
            clock(),
            timedelta(minutes=5),
        )
    )
    assert await store.write(lambda db: actions.hand_over(db, asked.id, clock()))
    return asked.id


async def test_that_what_waits_is_shown_escaped(admin: httpx.AsyncClient, key: str) -> None:
    page = (await admin.get("/admin/actions")).text

    assert "Waits for approval" in page
    assert OPEN_ORDER in page
    assert HOSTILE not in page
    assert f"/admin/actions/{key}/approve" in page


async def test_that_the_transcript_shows_the_call_behind_a_reply(
    admin: httpx.AsyncClient, key: str, store: Store
) -> None:
    def fill(db: Database) -> str:
        reply = write_exchange(db, message("Cancel it"), [HANDOFF])
        db.execute("UPDATE actions SET asked_in = ? WHERE id = ?", [reply.turn, key])
        return str(reply.conversation)

    page = (await admin.get(f"/admin/conversations/{await store.write(fill)}")).text

    assert "<code>cancel_order</code>" in page
    assert OPEN_ORDER in page
    assert "Waits for approval" in page


async def test_that_several_approvals_carry_it_out_once(
    admin: httpx.AsyncClient, key: str, orders: FakeOrders, store: Store
) -> None:
    path = f"/admin/actions/{key}"
    presses = [admin.post(f"{path}/approve") for _ in range(3)]
    responses = await asyncio.gather(*presses, admin.post(f"{path}/refuse"))
    page = (await admin.get("/admin/actions")).text

    assert {response.status_code for response in responses} == {303}
    assert len(orders.cancelled) <= 1
    rows = await store.read(lambda db: db.execute("SELECT state FROM actions").fetchall())
    assert rows == [("done",) if orders.cancelled else ("refused",)]
    assert f"/admin/actions/{key}/approve" not in page
    assert "Decided by admin" in page


async def test_that_a_refusal_and_an_unknown_key_carry_nothing_out(
    admin: httpx.AsyncClient, key: str, orders: FakeOrders, store: Store
) -> None:
    await admin.post(f"/admin/actions/{key}/refuse")
    await admin.post(f"/admin/actions/{key}/approve")
    await admin.post("/admin/actions/nothing/approve")

    assert orders.cancelled == []
    audit = await store.read(
        lambda db: db.execute("SELECT action FROM audit WHERE action LIKE '%_action'").fetchall()
    )
    assert audit == [("refuse_action",), ("approve_action",), ("approve_action",)]
