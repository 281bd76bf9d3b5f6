"""The page of the ranking in a real browser: a narrow, dark window, by keyboard."""

import asyncio
import os
import random
import shutil
from datetime import timedelta

import uvicorn
from playwright.async_api import async_playwright, expect
from starlette.applications import Starlette

from bot.log import policies
from bot.log.policies import InForce
from bot.log.store import Store
from bot.ranking.fixed_order import FixedOrder
from tests.adapters.admin.conftest import PASSWORD
from tests.adapters.web.dialogues import Clock
from tests.ranking.shop_log import write_visits
from tests.small_shop import eventually

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
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    chromium = shutil.which("chromium")
    assert chromium, "This test drives Chromium: apt-get install -y chromium"
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = await browser.new_page(
            viewport={"width": 390, "height": 780}, color_scheme="dark", java_script_enabled=True
        )
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        await page.goto(f"http://127.0.0.1:{port}/admin/login?next=/admin/ranking")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="In force", exact=True)).to_be_visible()
        while not await page.locator(".plot svg").count():
            await page.reload()

        widths = "[document.documentElement.scrollWidth, window.innerWidth]"
        found, window = await page.evaluate(widths)
        assert found == window
        colours = []
        for scheme in ("dark", "light"):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            fill = "element => getComputedStyle(element).fill"
            shapes = (page.locator(f".plot {kind}").first for kind in ("text.name", "circle"))
            colours.append([await shape.evaluate(fill) for shape in shapes])
        assert not set(colours[0]) & set(colours[1])

        await page.get_by_role("link", name="30 days").focus()
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("a[aria-current]")).to_have_text("7 days")
        assert said == []
        await browser.close()
    server.should_exit = server.force_exit = True
    await serving
