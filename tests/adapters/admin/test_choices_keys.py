"""The page of choices in a real browser: by keys, without scripts, on a phone."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect
from starlette.applications import Starlette

from bot.log.store import Store
from bot.messages import Candidate, Language
from tests.adapters.admin.conftest import PASSWORD
from tests.adapters.web.dialogues import message, write_exchange
from tests.small_shop import eventually

WIDE = {"width": 1000, "height": 720}
NARROW = {"width": 390, "height": 780}
LONG_WORD = "https://shop.example/" + "returns" * 40
RETURNS = Candidate(source="article", text=f"Within 30 days. {LONG_WORD}")
QUESTIONS: dict[str, Language] = {"May I return it?": "en", "可以退货吗？": "zh"}
TITLES: dict[Language, str] = {"en": "Which would have been better?", "zh": "哪一个回答更好？"}


@pytest_asyncio.fixture
async def address(app: Starlette) -> AsyncIterator[str]:
    """The pages, served."""
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await serving


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        assert chromium, "This test drives Chromium: apt-get install -y chromium"
        opened = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        await opened.close()


@contextlib.asynccontextmanager
async def choices(
    browser: Browser,
    address: str,
    size: dict[str, int],
    language: Language = "en",
    *,
    scripts: bool = True,
) -> AsyncIterator[Page]:
    """Log in and open the page of choices."""
    page = await browser.new_page(
        viewport=size,  # type: ignore[arg-type]
        java_script_enabled=scripts,
    )
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text))
    page.on("pageerror", lambda error: refused.append(str(error)))
    await page.goto(f"{address}/admin/login?next=/admin/choices&lang={language}")
    await page.locator("input[type=password]").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=TITLES[language])).to_be_visible()
    yield page
    assert refused == []
    await page.close()


async def ask(store: Store) -> None:
    """Let a customer ask in each language, with three replies to choose from."""
    slate = [
        RETURNS,
        Candidate(source="draft", text="For a month."),
        Candidate(source="handoff", text="I've put this on our team's list."),
    ]
    for text, language in QUESTIONS.items():
        asked = message(text, address=f"customer-{language}")
        await store.write(lambda db: write_exchange(db, asked, slate, language=language))  # noqa: B023


async def verdicts(store: Store) -> list[str]:
    rows = await store.read(
        lambda db: db.execute(
            "SELECT CASE verdict WHEN 'first' THEN first WHEN 'second' THEN second ELSE verdict END"
            " FROM preferences ORDER BY id"
        ).fetchall()
    )
    return [str(verdict) for (verdict,) in rows]


async def test_that_keys_judge_one_pair_after_another(
    browser: Browser, address: str, store: Store
) -> None:
    await ask(store)
    expected = []
    async with choices(browser, address, WIDE) as page:
        await expect(page.get_by_text("Left 6")).to_be_visible()
        for number, key in enumerate(("1", "2", "=", "0", "1"), start=1):
            button = page.locator(f"button[data-key='{key}']")
            expected.append(str(await button.get_attribute("value")))
            await page.keyboard.press(key)
            await expect(page.get_by_text(f"Judged {number}")).to_be_visible()
        await page.keyboard.press("Control+1")
        await page.keyboard.press("x")
        await page.keyboard.press("S")  # as with the shift lock on
        await expect(page.get_by_text("You have skipped all that is left")).to_be_visible()

    assert await verdicts(store) == expected
    assert expected[2:4] == ["equal", "neither"]


async def test_that_the_buttons_work_without_scripts(
    browser: Browser, address: str, store: Store
) -> None:
    await ask(store)
    async with choices(browser, address, WIDE, scripts=False) as page:
        await page.locator("section", has_text="For a month.").get_by_role("button").click()
        await expect(page.get_by_text("Judged 1")).to_be_visible()
        await page.get_by_role("link", name="The last pair again").click()
        await page.get_by_role("button", name="Neither is right").click()
        await expect(page.get_by_text("Judged 1")).to_be_visible()

    assert await verdicts(store) == ["neither"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_phone_shows_all_of_it(
    browser: Browser, address: str, store: Store, language: Language
) -> None:
    await ask(store)
    async with choices(browser, address, NARROW, language) as page:
        await expect(page.locator(".option")).to_have_count(2)
        widths = "[document.documentElement.scrollWidth, window.innerWidth]"
        found, window = await page.evaluate(widths)
        assert found == window
        for button in await page.locator("button[data-key]").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert box["x"] + box["width"] <= window


async def test_that_a_transcript_takes_choices_and_corrections(
    browser: Browser, address: str, store: Store
) -> None:
    await ask(store)
    async with choices(browser, address, WIDE) as page:
        await page.get_by_role("link", name="The conversation").click()
        await page.get_by_text("Why this reply?").click()
        await page.get_by_role("button", name="This one").first.click()
        await page.get_by_text("Why this reply?").click()
        await expect(page.locator("button[aria-pressed=true]")).to_have_text("This one")
        await page.get_by_label("What it should have said").fill("Yes, within 30 days.")
        await page.get_by_role("button", name="Save and approve it").click()
        await expect(page.get_by_label("Answer", exact=True)).to_have_value("Yes, within 30 days.")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("In use")).to_be_visible()

    assert await verdicts(store) == ["1"]
    kept = await store.read(lambda db: db.execute("SELECT text FROM corrections").fetchall())
    assert kept == [("Yes, within 30 days.",)]
