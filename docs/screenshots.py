"""Take the pictures in docs/images: the page, the admin pages, and a chat of each channel.

.venv/bin/python -m docs.screenshots     (with `ranking`, `groups` or `analysis`: those alone)

The page and the admin pages are those of the real program with its own engine; the chats are drawn
from the dialogues of docs/transcripts.md, and the ranking, the groups and the analysis are those of
made logs (docs/playing/ranked_log.py, grouped_log.py and asked_log.py).
"""

import asyncio
import contextlib
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette

from bot.errors import AttachmentError
from bot.log.store import Store
from bot.messages import LANGUAGES, Attachment, Language
from bot.settings import EXAMPLE_ARTICLES
from docs.playing import asked_log
from docs.playing.grouped_log import write_questions
from docs.playing.picture import as_html
from docs.playing.ranked_log import write_shop
from docs.playing.stage import Stage, stage_for
from docs.transcripts import KEPT, play, slack_question, telegram_question
from prompts import Prompts
from tests.adapters.admin.application import admin_app, groups_upkeep
from tests.benchmarks.programs import ROOT
from tests.small_shop import eventually

IMAGES = Path(__file__).parent / "images"
MODELS = ROOT / ".cache" / "models"
CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync"]

DESKTOP = {"width": 1000, "height": 720}
PHONE = {"width": 390, "height": 780}
NOW = datetime(2026, 11, 30, 16, 20, tzinfo=UTC)  # of the made log
LOW = {"width": 1000, "height": 100}
QUESTIONS: dict[Language, tuple[str, str]] = {
    "en": ("How long do I have to return a jacket?", "And what does it cost me?"),
    "zh": ("买的外套多久之内可以退？", "退货运费谁出？"),
}
WITH_PICTURE: dict[Language, str] = {
    "en": "The zip of my jacket broke, what can I do?",
    "zh": "外套的拉链坏了，怎么办？",
}


async def main() -> None:
    """Write every picture."""
    async with browser() as opened:
        alone = set(sys.argv[1:])
        if not alone:
            await channels(opened)
            await pages(opened)
        for name, take in (("ranking", ranking), ("groups", groups), ("analysis", analysis)):
            if not alone or name in alone:
                await take(opened)


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run a browser."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        await opened.close()


async def channels(browser: Browser) -> None:
    """Draw a chat of each channel, in both languages."""
    dialogues = await play((telegram_question, slack_question), kept=KEPT)
    for channel, name in (("telegram", "Telegram"), ("slack", "Slack")):
        page = await open_page(browser, LOW)
        of_it = [dialogue for dialogue in dialogues if dialogue.channel == channel]
        await page.set_content(as_html(name, of_it))
        await page.screenshot(path=IMAGES / f"{channel}.png", full_page=True)
        await page.close()


async def pages(browser: Browser) -> None:
    """Take pictures of the page and of the admin pages."""
    password = secrets.token_urlsafe()
    async with stage_for(EXAMPLE_ARTICLES, KEPT, MODELS, password) as stage:
        address = f"http://127.0.0.1:{stage.port}"
        await chat(browser, address, "zh", DESKTOP, "light", "chat-zh")
        await chat(browser, address, "en", DESKTOP, "light", "chat-en")
        await chat(browser, address, "en", PHONE, "dark", "chat-phone")
        await write_in_telegram(stage, "zh")
        await write_in_telegram(stage, "en")
        await admin(browser, address, password)


async def chat(
    browser: Browser,
    address: str,
    language: Language,
    size: dict[str, int],
    scheme: str,
    name: str,
) -> None:
    """Ask the questions on the page and take its picture."""
    page = await open_page(browser, size, scheme)
    await page.goto(f"{address}/?lang={language}")
    for number, question in enumerate(QUESTIONS[language], start=1):
        await page.get_by_role("textbox").fill(question)
        await page.keyboard.press("Enter")
        await page.locator("#log a").nth(number - 1).wait_for(timeout=60_000)
    await page.screenshot(path=IMAGES / f"{name}.png")
    await page.close()


async def write_in_telegram(stage: Stage, language: Language) -> None:
    """Leave a dialogue with a complaint, a picture and a hand-off in the log."""
    chat = stage.telegram_chat("", language)
    await chat.write(QUESTIONS[language][0])
    await chat.answer()
    await chat.press(f"👎 {stage.label('down', language)}")
    await chat.press(stage.label("incomplete", language))
    chat.photograph(WITH_PICTURE[language])
    await chat.answer()
    await chat.command("/human")


async def admin(browser: Browser, address: str, password: str) -> None:
    """Log in, and take pictures of the list, of one transcript and of the choices."""
    page = await open_page(browser, {"width": 1200, "height": 560})
    await page.goto(f"{address}/admin/?lang=en")
    await page.locator("input[type=password]").fill(password)
    await page.keyboard.press("Enter")
    await page.locator("a[href*='/admin/conversations/']").first.wait_for()
    await page.screenshot(path=IMAGES / "admin-list.png")
    await page.locator("a[href*='/admin/conversations/']").first.click()
    await page.locator("details").first.wait_for()
    await page.locator("details summary").first.click()
    await page.screenshot(path=IMAGES / "admin-transcript.png", full_page=True)
    for language in LANGUAGES:
        await choices(page, address, language)
    await page.close()


async def choices(page: Page, address: str, language: Language) -> None:
    """Take a picture of two replies to a question in that language."""
    await page.goto(f"{address}/admin/choices?lang={language}")
    while not await page.locator(f".asked [lang^={language}]").count():
        async with page.expect_navigation():
            await page.keyboard.press("s")
    await page.screenshot(path=IMAGES / f"admin-choices-{language}.png", full_page=True)


async def ranking(browser: Browser) -> None:
    """Take pictures of the page of the ranking, of a made log."""
    password = secrets.token_urlsafe()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "frontdesk.db") as store:
        await store.write(lambda db: write_shop(db, NOW))
        app = await admin_app(store, lambda: NOW, Prompts.load(), no_files, password)
        async with serving(app) as address:
            page = await open_page(browser, {"width": 1200, "height": 900})
            await page.goto(f"{address}/admin/login?next=/admin/ranking&lang=en")
            await page.locator("input[type=password]").fill(password)
            await page.keyboard.press("Enter")
            await page.locator("#in-force").wait_for()
            for language in LANGUAGES:
                await page.goto(f"{address}/admin/ranking?days=30&lang={language}")
                while not await page.locator(".plot svg").count():
                    await page.reload()
                name = f"admin-ranking-{language}.png"
                await page.screenshot(path=IMAGES / name, full_page=True)
            await page.close()


async def groups(browser: Browser) -> None:
    """Take pictures of the pages of groups, of a made log."""
    password = secrets.token_urlsafe()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "frontdesk.db") as store:
        await store.write(lambda db: write_questions(db, NOW))
        finder = groups_upkeep(store, lambda: NOW)
        await finder.find()
        app = await admin_app(store, lambda: NOW, Prompts.load(), no_files, password, groups=finder)
        async with serving(app) as address:
            page = await open_page(browser, {"width": 1000, "height": 760})
            await page.goto(f"{address}/admin/login?next=/admin/intents/groups&lang=en")
            await page.locator("input[type=password]").fill(password)
            await page.keyboard.press("Enter")
            await page.locator("section.gap").first.wait_for()
            for language in LANGUAGES:
                await page.goto(f"{address}/admin/intents/groups?lang={language}")
                await page.screenshot(path=IMAGES / f"admin-groups-{language}.png")
            await page.close()


async def analysis(browser: Browser) -> None:
    """Take pictures of the page of the analysis, of a made log."""
    password = secrets.token_urlsafe()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "frontdesk.db") as store:
        await store.write(lambda db: asked_log.write_shop(db, NOW))
        app = await admin_app(store, lambda: NOW, Prompts.load(), no_files, password)
        async with serving(app) as address:
            for language, size, scheme, name in (
                ("en", {"width": 1200, "height": 900}, "light", "admin-analysis-en"),
                ("zh", {"width": 1200, "height": 900}, "dark", "admin-analysis-zh"),
                ("en", PHONE, "dark", "admin-analysis-phone"),
            ):
                page = await open_page(browser, size, scheme)
                await page.goto(f"{address}/admin/login?next=/admin/analysis&lang={language}")
                await page.locator("input[type=password]").fill(password)
                await page.keyboard.press("Enter")
                await page.locator(".choosing").wait_for()
                while not await page.locator(".plot svg").count():
                    await page.reload()
                is_whole = size is not PHONE
                await page.screenshot(path=IMAGES / f"{name}.png", full_page=is_whole)
                await page.close()


@contextlib.asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Serve an application while the body runs."""
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await task


async def no_files(number: int) -> tuple[Attachment, bytes]:
    """Have no files."""
    raise AttachmentError("There are no files.")


async def open_page(browser: Browser, size: dict[str, int], scheme: str = "light") -> Page:
    """Return a page of its own, with its own storage."""
    return await browser.new_page(
        viewport=size,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
        device_scale_factor=1,
    )


if __name__ == "__main__":
    asyncio.run(main())
