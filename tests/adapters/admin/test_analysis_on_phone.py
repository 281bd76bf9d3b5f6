"""The page of the analysis in a real browser: a narrow, dark window, by finger and by keyboard."""

import random
from datetime import timedelta

from playwright.async_api import expect
from starlette.applications import Starlette

from bot.log.store import Store
from tests.adapters.admin.phone import WIDTHS, colours, phone
from tests.adapters.web.dialogues import Clock
from tests.log.busy_log import BusyLog

LONG_INTENT = "exchange-for-another-size-" * 7


async def test_that_a_phone_shows_the_analysis_and_leads_to_conversations(
    app: Starlette, store: Store, clock: Clock
) -> None:
    began = clock() - timedelta(days=20)
    await store.write(lambda db: BusyLog(db, random.Random(5)).fill(30, began, 18))
    sql = "UPDATE intent_labels SET intent = ? WHERE intent = 'tents'"
    await store.write(lambda db: db.execute(sql, [LONG_INTENT]))
    async with phone(app, "/admin/analysis") as (page, said):
        await expect(page.get_by_role("heading", name="Analysis", exact=True)).to_be_visible()
        while not await page.locator(".plot svg").count():
            await page.reload()

        found, window = await page.evaluate(WIDTHS)
        assert found == window
        dark, light = await colours(page, ".plot text.tick", ".plot circle", ".bar rect")
        assert not set(dark) & set(light)
        heat = "element => getComputedStyle(element).backgroundColor"
        shades = {
            str(await cell.evaluate(heat)) for cell in await page.locator(".heat td.number").all()
        }
        assert len(shades) > 1

        await page.get_by_role("link", name="Channel", exact=True).click()
        await expect(page.locator("#lines")).to_have_text("Channel")
        row = page.locator("table.figures tr", has_text="Telegram").first
        number = (await row.locator("td a").first.text_content() or "").strip()
        await row.locator("td a").first.click()
        await expect(page.locator("select[name=channel]")).to_have_value("telegram")
        assert 0 < await page.locator("a.row").count() <= int(number)
        found, window = await page.evaluate(WIDTHS)
        assert found == window
        assert said == []
