"""The pages of groups in a real browser: by keyboard, in a narrow window, in both languages."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from starlette.applications import Starlette

from bot.groups_upkeep import GroupsUpkeep
from bot.log import groups as log
from bot.log.store import Store
from tests.adapters.admin.phone import WIDTHS, phone
from tests.adapters.web.dialogues import ANSWER, HANDOFF, Clock, message, write_exchange
from tests.intents.small_set import texts

pytestmark = pytest.mark.browser
INVOICES, PASSWORDS = texts("invoice")[:6], texts("password")[:6]
LONG_WORD = "Where is the invoice https://shop.example/" + "invoice/" * 30


@pytest_asyncio.fixture
async def page(
    app: Starlette, store: Store, clock: Clock, groups: GroupsUpkeep
) -> AsyncIterator[Page]:
    """A narrow window of an admin before the groups of a log."""
    for text in (*INVOICES, *PASSWORDS, LONG_WORD):
        slate = [ANSWER if text in PASSWORDS else HANDOFF]
        asked = message(text, address=text)
        await store.write(lambda db: write_exchange(db, asked, slate, at=clock()))  # noqa: B023
    await groups.find()
    async with phone(app, "/admin/intents/groups&lang=en") as (opened, said):
        await expect(opened.get_by_role("heading", name="Groups without")).to_be_visible()
        yield opened
        assert [text for text in said if "status of 400" not in text] == []


async def fits(page: Page) -> bool:
    found, window = await page.evaluate(WIDTHS)
    return bool(found == window)


async def test_that_groups_are_split_merged_and_confirmed_by_keyboard(
    page: Page, store: Store
) -> None:
    assert await fits(page)
    first = (await store.read(log.groups))[0]
    await page.locator(f"a[href='/admin/intents/groups/{first.id}']").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Its messages")).to_be_visible()
    assert await fits(page)

    await page.get_by_role("checkbox").first.focus()
    await page.keyboard.press("Space")
    await page.get_by_label("Name of the new group").fill("Something else")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Something else")).to_be_visible()

    await page.get_by_label("Another group").select_option(str(first.id))
    await page.get_by_role("button", name="Merge into it").press("Enter")
    await expect(page.get_by_role("checkbox")).to_have_count(len(first.members))

    name = page.get_by_label("Name of the intent").first
    await name.fill("my intent")
    await name.press("Enter")
    await expect(page.get_by_text("Confirmed 1")).to_be_visible()
    await page.locator("summary").press("Enter")
    await expect(page.get_by_role("link", name="my intent")).to_be_visible()

    [confirmed] = [each for each in await store.read(log.groups) if each.state == "confirmed"]
    assert (confirmed.id, confirmed.name, confirmed.unlabelled) == (first.id, "my intent", 0)


async def test_that_chinese_pages_fit_and_tell_what_is_wrong(page: Page) -> None:
    await page.goto(f"{page.url.partition('?')[0]}?lang=zh")
    await expect(page.get_by_role("heading", name="尚无意图的消息组")).to_be_visible()
    assert await fits(page)
    await page.get_by_role("link", name="全部消息").first.click()
    await page.get_by_role("button", name="拆出所选消息").click()
    await expect(page.get_by_role("alert")).to_contain_text("请选择一部分消息")
    assert await fits(page)
