"""The page of the ranking in a real browser: a narrow, dark window, by keyboard."""

import random
from datetime import timedelta

from playwright.async_api import expect
from starlette.applications import Starlette

from bot.log import policies
from bot.log.policies import InForce
from bot.log.store import Store
from bot.ranking.fixed_order import FixedOrder
from tests.adapters.admin.phone import WIDTHS, colours, phone
from tests.adapters.web.dialogues import Clock
from tests.ranking.shop_log import write_visits

LONG_NOTE = "Complaints rose. " + "softmax/" * 60


async def test_that_a_phone_shows_plots_that_tell_light_from_dark(
    app: Starlette, store: Store, clock: Clock
) -> None:
    began = clock() - timedelta(days=1)
    start = InForce(
        policy=FixedOrder.version, reason="start", note=LONG_NOTE, at=began, trained=None
    )
    await store.write(lambda db: policies.record(db, [start]))
    await store.write(lambda db: write_visits(db, FixedOrder(), random.Random(7), 60, began))
    async with phone(app, "/admin/ranking") as (page, said):
        await expect(page.get_by_role("heading", name="In force", exact=True)).to_be_visible()
        while not await page.locator(".plot svg").count():
            await page.reload()

        found, window = await page.evaluate(WIDTHS)
        assert found == window
        dark, light = await colours(page, ".plot text.name", ".plot circle")
        assert not set(dark) & set(light)

        await page.get_by_role("link", name="30 days").focus()
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("a[aria-current]")).to_have_text("7 days")
        assert said == []
