"""The page of gaps in a real browser, in a narrow window."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator

import pytest_asyncio
import uvicorn
from playwright.async_api import Page, async_playwright, expect
from starlette.applications import Starlette

from bot.log.store import Store
from tests.adapters.admin.conftest import PASSWORD
from tests.adapters.web.dialogues import HANDOFF, Clock, message, write_exchange
from tests.small_shop import eventually

NARROW = {"width": 390, "height": 780}
LONG = {
    "en": "May I bring " + "my extraordinarily well-behaved dog " * 6 + "into the shop?",
    "zh": "我可以带" + "非常听话的小狗" * 20 + "进店吗？",
    "word": "https://shop.example/" + "dogs" * 60,
}


@pytest_asyncio.fixture
async def page(app: Starlette) -> AsyncIterator[Page]:
    """A narrow window of an admin who is logged in."""
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        assert chromium, "This test drives Chromium: apt-get install -y chromium"
        browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        opened = await browser.new_page(viewport=NARROW)
        port = server.servers[0].sockets[0].getsockname()[1]
        await opened.goto(f"http://127.0.0.1:{port}/admin/login?next=/admin/gaps")
        await opened.get_by_label("Password").fill(PASSWORD)
        await opened.keyboard.press("Enter")
        await expect(opened.get_by_role("heading", name="Gaps")).to_be_visible()
        yield opened
        await browser.close()
    server.should_exit = server.force_exit = True
    await serving


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
