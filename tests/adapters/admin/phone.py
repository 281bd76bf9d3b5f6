"""A phone with a dark screen: a narrow window of a real browser, logged in to the admin pages."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator

import uvicorn
from playwright.async_api import Page, async_playwright
from starlette.applications import Starlette

from tests.adapters.admin.conftest import PASSWORD
from tests.small_shop import eventually

WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"
FILL = "element => getComputedStyle(element).fill"


@contextlib.asynccontextmanager
async def phone(app: Starlette, path: str) -> AsyncIterator[tuple[Page, list[str]]]:
    """Open a page after the login; what the browser says in its console is listed beside it."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    chromium = shutil.which("chromium")
    assert chromium, "This test drives Chromium: apt-get install -y chromium"
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
            page = await browser.new_page(
                viewport={"width": 390, "height": 780},
                color_scheme="dark",
                java_script_enabled=True,
            )
            said: list[str] = []
            page.on("console", lambda message: said.append(message.text))
            await page.goto(f"http://127.0.0.1:{port}/admin/login?next={path}")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.keyboard.press("Enter")
            yield page, said
            await browser.close()
    finally:
        server.should_exit = server.force_exit = True
        await serving


async def colours(page: Page, *selectors: str) -> tuple[list[str], list[str]]:
    """Return what shapes are filled with in the dark and in the light."""
    found = []
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        shapes = [page.locator(selector).first for selector in selectors]
        found.append([str(await shape.evaluate(FILL)) for shape in shapes])
    return found[0], found[1]
