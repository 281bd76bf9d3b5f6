"""The page of gaps in a real browser, in a narrow window."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Page, expect
from starlette.applications import Starlette

from bot.log.store import Store
from tests.adapters.admin.phone import phone
from tests.adapters.web.dialogues import HANDOFF, Clock, message, write_exchange

LONG = {
    "en": "May I bring " + "my extraordinarily well-behaved dog " * 6 + "into the shop?",
    "zh": "我可以带" + "非常听话的小狗" * 20 + "进店吗？",
    "word": "https://shop.example/" + "dogs" * 60,
}


@pytest_asyncio.fixture
async def page(app: Starlette) -> AsyncIterator[Page]:
    """A narrow window of an admin who is logged in."""
    async with phone(app, "/admin/gaps") as (opened, _):
        await expect(opened.get_by_role("heading", name="Gaps")).to_be_visible()
        yield opened


async def test_that_examples_stay_inside_a_narrow_window(
    page: Page, store: Store, clock: Clock
) -> None:
    for key, text in LONG.items():
        asked = message(text, id=key)
        await store.write(lambda db: write_exchange(db, asked, [HANDOFF], at=clock()))  # noqa: B023
    await page.reload()

    for summary in await page.locator("summary").all():
        await summary.click()
    await expect(page.locator(".files a")).to_have_count(len(LONG))

    widths = "[document.documentElement.scrollWidth, window.innerWidth]"
    found, window = await page.evaluate(widths)
    assert found == window
    for link in await page.locator(".files a").all():
        box = await link.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= window
