"""The chat page in a real browser: ask, stream, reload, retry, switch the language, stay safe."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright, expect
from starlette.applications import Starlette

from adapters.web.channel import WebChannel
from bot.messages import Candidate, Choice, Citation, Document
from tests.adapters.web.dialogues import (
    ANSWER,
    HANDOFF,
    RETURNS,
    ScriptedInbox,
    place,
    until,
    write_turn,
)
from tests.fakes.vllm_api import Break, FakeVllm
from tests.fakes.vllm_replies import tokens_of
from tests.scenarios.test_program import model_settings, started
from tests.small_shop import QUESTION, RETURNS_EN

HOSTILE = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>**<b>bold</b>**'
STAY = 5_000


# One browser for all of them, so they share its event loop.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def address(app: Starlette) -> AsyncIterator[str]:
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await serving


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("These tests drive Chromium: apt-get install -y chromium")
    async with async_playwright() as playwright:
        # Chromium refuses to run as root inside its own sandbox, as containers do.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        launched = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="en-GB")
    context.set_default_timeout(STAY)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(visitor: BrowserContext, address: str) -> Page:
    opened = await visitor.new_page()
    await opened.goto(address)
    return opened


async def ask(page: Page, text: str = "Can I return a tent?") -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


async def test_that_a_question_is_answered_with_its_source(page: Page) -> None:
    await ask(page)
    await expect(page.locator(".customer .bubble")).to_have_text("Can I return a tent?")
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)
    link = page.get_by_role("link", name="Return an item")
    await expect(link).to_have_attribute("href", RETURNS.url)
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(page.locator("#progress")).to_be_hidden()
    await expect(page.get_by_label("Your message")).to_be_focused()


async def test_that_a_starter_question_is_asked_with_a_click(
    page: Page, inbox: ScriptedInbox
) -> None:
    await page.locator(".starter").first.click()
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)
    await expect(page.locator("#welcome")).to_be_hidden()
    assert inbox.history[0].text == "How long do I have to return an item?"


async def test_that_the_page_says_that_an_answer_is_on_its_way(
    page: Page, inbox: ScriptedInbox, web: WebChannel
) -> None:
    inbox.is_holding = True
    await ask(page)
    await expect(page.locator("#stage")).to_have_text("The assistant is writing")
    await until(lambda: len(inbox.history) == 1)
    await web.show_progress(place(inbox.history[0]), "searching")
    await expect(page.locator("#stage")).to_have_text("Looking in the help articles …")
    await inbox.answer_held()
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)


async def test_that_markdown_is_drawn_as_lists_tables_and_bold_words(
    page: Page, inbox: ScriptedInbox
) -> None:
    text = "Do **this**:\n\n1. Open it\n2. Close it\n\n- red\n- blue\n\n"
    text += "| way | price |\n|---|:-:|\n| home | 4.90 |\n| shop | **free** |\nThat is all."
    inbox.script = [replace(ANSWER, text=text)]
    await ask(page)
    bubble = page.locator(".assistant .bubble")
    await expect(bubble.locator("strong")).to_have_text(["this", "free"])
    await expect(bubble.locator("ol li")).to_have_text(["Open it", "Close it"])
    await expect(bubble.locator("ul li")).to_have_text(["red", "blue"])
    await expect(bubble.locator("th")).to_have_text(["way", "price"])
    await expect(bubble.locator("td")).to_have_text(["home", "4.90", "shop", "free"])
    await expect(bubble.locator("p").last).to_have_text("That is all.")


async def test_that_an_answer_appears_while_it_is_written(
    page: Page, inbox: ScriptedInbox, web: WebChannel
) -> None:
    inbox.is_holding = True
    await ask(page)
    await until(lambda: len(inbox.history) == 1)
    bubble = page.locator(".assistant .bubble")
    for text in ("You **may**", "You **may** not"):
        await web.preview(place(inbox.history[0]), text)
        await expect(bubble).to_have_text(text.replace("**", ""))
    await inbox.answer_held()
    await expect(bubble).to_have_text([ANSWER.text])


@pytest.mark.parametrize(
    ("language", "label"), [("en", "Yes, delete it"), ("zh", '是的，删除<img src="x">')]
)
async def test_that_a_choice_is_a_button_that_works_once(
    page: Page, inbox: ScriptedInbox, language: str, label: str
) -> None:
    await page.goto(f"{page.url}?lang={language}")
    choices = (Choice(label=label, command="/forget yes"), Choice(label="No", command="/forget no"))
    inbox.script = [replace(ANSWER, text="Sure?", choices=choices), ANSWER]
    await page.locator(".starter").first.click()
    await page.get_by_role("button", name=label).click()
    await expect(page.locator(".bubble").last).to_have_text(ANSWER.text)
    assert [incoming.text for incoming in inbox.history[1:]] == ["/forget yes"]
    await expect(page.get_by_role("button", name=label)).to_be_disabled()
    await expect(page.get_by_role("button", name="No", exact=True)).to_be_disabled()


@pytest.mark.parametrize(("language", "words"), [("en", "Download"), ("zh", "下载")])
async def test_that_a_file_can_be_saved(
    page: Page, inbox: ScriptedInbox, tmp_path: Path, language: str, words: str
) -> None:
    await page.goto(f"{page.url}?lang={language}")
    inbox.document = Document(name="my-data.json", text='{"问": "<b>"}')
    await page.locator(".starter").first.click()
    async with page.expect_download() as saving:
        await page.get_by_role("link", name=f"{words} my-data.json").click()
    saved = await saving.value
    await saved.save_as(tmp_path / "saved")
    assert saved.suggested_filename == "my-data.json"
    assert (tmp_path / "saved").read_text(encoding="utf-8") == '{"问": "<b>"}'


async def test_that_a_hand_off_is_shown(page: Page, inbox: ScriptedInbox) -> None:
    inbox.script = [HANDOFF]
    await ask(page)
    await expect(page.locator(".handed-off")).to_have_text("Passed on to our team")


async def test_that_a_reload_keeps_the_dialogue(page: Page, inbox: ScriptedInbox) -> None:
    await ask(page)
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)
    await page.reload()
    await expect(page.locator(".bubble")).to_have_text(["Can I return a tent?", ANSWER.text])
    await ask(page, "And a stove?")
    await expect(page.locator(".assistant .bubble")).to_have_count(2)
    assert len({incoming.address for incoming in inbox.history}) == 1


async def test_that_a_reload_before_the_answer_still_brings_it_once(
    page: Page, inbox: ScriptedInbox
) -> None:
    inbox.is_holding = True
    await ask(page)
    await until(lambda: len(inbox.history) == 1)
    await page.reload()
    await expect(page.locator(".customer .bubble")).to_have_count(1)
    await inbox.answer_held()
    await expect(page.locator(".bubble")).to_have_text(["Can I return a tent?", ANSWER.text])
    assert len(inbox.history) == 1


async def test_that_a_lost_connection_is_tried_again_without_doubling(
    page: Page, inbox: ScriptedInbox
) -> None:
    tries = 0

    async def lose_the_answer(route: Route) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await route.fetch()  # the message arrives, its answer doesn't
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await page.route("**/api/v1/messages", lose_the_answer)
    await ask(page)
    await expect(page.locator("#notice")).to_contain_text("The connection was lost")
    await expect(page.locator(".bubble")).to_have_text(["Can I return a tent?", ANSWER.text])
    await expect(page.locator("#notice")).to_be_hidden()
    assert (tries, len(inbox.history)) == (2, 1)


async def test_that_the_order_of_messages_outlasts_a_lost_connection(
    page: Page, inbox: ScriptedInbox
) -> None:
    lost = 0

    async def lose_the_first(route: Route) -> None:
        nonlocal lost
        if lost < 2 and "tent" in (route.request.post_data or ""):
            lost += 1
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await page.route("**/api/v1/messages", lose_the_first)
    await ask(page, "Can I return a tent?")
    await ask(page, "And a stove?")
    await expect(page.locator(".assistant .bubble")).to_have_count(2, timeout=10_000)
    texts = [incoming.text for incoming in inbox.history]
    assert texts == ["Can I return a tent?", "And a stove?"]


async def test_that_the_page_gives_up_after_minutes_and_offers_another_try(
    page: Page, inbox: ScriptedInbox
) -> None:
    async def restart(route: Route) -> None:
        await route.fulfill(status=502, body="Bad Gateway")

    await page.clock.install()
    await page.route("**/api/v1/messages", restart)
    await ask(page)
    again = page.get_by_role("button", name="Try again")
    await expect(page.locator("#notice")).to_contain_text("sent again")
    for _ in range(25):
        await page.clock.run_for(16_000)
        if await again.is_visible():
            break
    await expect(page.locator("#notice")).to_contain_text("could not be reached")
    await page.unroute("**/api/v1/messages")
    await again.click()
    await expect(page.locator(".bubble")).to_have_text(["Can I return a tent?", ANSWER.text])
    assert len(inbox.history) == 1


async def test_that_a_restart_of_the_server_in_mid_answer_brings_one_answer(
    visitor: BrowserContext, tmp_path: Path, articles: Path, unused_tcp_port: int
) -> None:
    page = await visitor.new_page()
    beginning = "You can return an item within 30 days of delivery."
    async with FakeVllm() as model:
        model.says(RETURNS_EN, broken=Break.stalls(len(tokens_of(f"{beginning} Sale"))))
        program = partial(
            started, tmp_path / "data", articles, unused_tcp_port, **model_settings(model)
        )
        async with program() as running:
            await running.until_ready()
            await page.goto(str(running.http.base_url))
            await ask(page, QUESTION["en"])
            await expect(page.locator(".assistant .bubble")).to_have_text(beginning)
            await running.stop(signal.SIGKILL)
            await expect(page.locator("#notice")).to_contain_text("The connection was lost")
        model.reply = lambda body: [RETURNS_EN] * body.get("n", 1)
        async with program() as running:
            bubbles = page.locator(".assistant .bubble")
            await expect(bubbles).to_have_count(1, timeout=30_000)
            await expect(bubbles).to_contain_text(RETURNS_EN)
            await expect(page.locator("#notice")).to_be_hidden()
            await page.reload()
            await expect(page.locator(".bubble")).to_have_count(2)
            assert [role for role, _ in running.turns()] == ["customer", "assistant"]


async def test_that_an_answer_that_comes_late_appears(
    page: Page, inbox: ScriptedInbox, web: WebChannel
) -> None:
    await page.clock.install()
    inbox.is_holding = True
    web.answer_timeout_seconds = 0.01
    await ask(page)
    await expect(page.locator("#notice")).to_contain_text("Your message is stored")
    await inbox.answer_held()
    await page.clock.run_for(6_000)
    await expect(page.locator(".bubble")).to_have_text(["Can I return a tent?", ANSWER.text])
    await expect(page.locator("#notice")).to_be_hidden()


async def test_that_a_refused_message_can_be_tried_again(page: Page, inbox: ScriptedInbox) -> None:
    async def refuse(route: Route) -> None:
        error = {"code": "invalid_request", "message": "Not like this."}
        await route.fulfill(status=422, json={"error": error})

    await page.route("**/api/v1/messages", refuse, times=1)
    await ask(page)
    await expect(page.locator("#notice")).to_contain_text("Not like this.")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".bubble")).to_have_text(["Can I return a tent?", ANSWER.text])
    assert len(inbox.history) == 1


async def test_that_an_agents_message_appears_after_a_hand_off(
    page: Page, inbox: ScriptedInbox
) -> None:
    await page.clock.install()
    inbox.script = [HANDOFF]
    await page.reload()
    await ask(page)
    await expect(page.locator(".handed-off")).to_be_visible()
    conversation = f"web-{inbox.history[0].address}"
    await inbox.store.write(lambda db: write_turn(db, conversation, "agent", "Mira here."))
    await page.clock.run_for(31_000)
    await expect(page.locator(".agent .bubble")).to_have_text("Mira here.")


async def test_that_hostile_text_runs_no_script(page: Page, inbox: ScriptedInbox) -> None:
    sources = (
        Citation(article="a", title=HOSTILE, url="javascript:window.ran=1"),
        Citation(article="b", title="data", url="data:text/html,<script>window.ran=1</script>"),
    )
    inbox.script = [Candidate(source="draft", text=HOSTILE, citations=sources)]
    await ask(page, HOSTILE)
    bubbles = page.locator(".bubble")
    await expect(bubbles.first).to_have_text(HOSTILE)
    await expect(bubbles.last.locator("strong")).to_have_text("<b>bold</b>")
    await expect(page.locator(".sources .source")).to_have_text([HOSTILE, "data"])
    await page.reload()
    await expect(bubbles.first).to_have_text(HOSTILE)
    assert await page.locator("a.source, .bubble img, .bubble script").count() == 0
    assert await page.evaluate("window.ran") is None


async def test_that_even_planted_markup_could_not_run(page: Page) -> None:
    await page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran=1\">')"
    )
    await expect(page.locator("body > img")).to_be_attached()
    script = "document.body.append(Object.assign(document.createElement('script'),"
    await page.evaluate(script + " {textContent: 'window.ran = 1'}))")
    assert await page.evaluate("window.ran") is None


async def test_that_the_switch_turns_the_page_to_chinese_and_keeps_all(
    page: Page, inbox: ScriptedInbox
) -> None:
    await ask(page)
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)
    await page.get_by_label("Your message").fill("half a question")
    await page.get_by_role("link", name="切换到中文").click()
    await expect(page.get_by_role("heading", name="在线客服")).to_be_visible()
    await expect(page.get_by_label("您的消息")).to_have_value("half a question")
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)
    await page.get_by_label("您的消息").fill("可以退货吗")
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".assistant .bubble")).to_have_count(2)
    assert inbox.history[-1].language == "zh"


async def test_that_enter_while_composing_chinese_sends_nothing(
    page: Page, inbox: ScriptedInbox
) -> None:
    field = page.get_by_label("Your message")
    await field.fill("tui huo")
    await field.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    await page.keyboard.press("Shift+Enter")
    await expect(field).to_have_value("tui huo\n")
    assert inbox.history == []


async def test_that_a_new_conversation_starts_empty(page: Page, inbox: ScriptedInbox) -> None:
    await ask(page)
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)
    page.once("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.locator(".bubble")).to_have_count(0)
    await expect(page.locator("#welcome")).to_be_visible()
    await ask(page, "And a stove?")
    await expect(page.locator(".assistant .bubble")).to_have_count(1)
    assert len({incoming.address for incoming in inbox.history}) == 2


async def test_that_the_page_says_while_the_model_loads(page: Page, model: dict[str, str]) -> None:
    await page.clock.install()
    model["model"] = "loading"
    await page.reload()
    await expect(page.locator("#model")).to_contain_text("The writing model is still loading.")
    model["model"] = "ready"
    await page.clock.run_for(6_000)
    await expect(page.locator("#model")).to_be_hidden()


async def test_that_the_page_works_by_keyboard_alone(page: Page) -> None:
    await page.get_by_role("link", name="Skip to the message box").focus()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="切换到中文")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator(".starter").first).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_that_the_page_fits_a_phone(browser: Browser, address: str, scheme: str) -> None:
    page = await browser.new_page(
        viewport={"width": 360, "height": 640},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    troubles: list[str] = []
    page.on("console", lambda entry: troubles.append(entry.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    await page.goto(address)
    await ask(page, "Longwordwithoutanyspace" * 20)
    await expect(page.locator(".assistant .bubble")).to_have_text(ANSWER.text)
    width = "Math.max(document.body.scrollWidth, document.documentElement.scrollWidth)"
    assert await page.evaluate(width) == 360
    assert await page.evaluate("document.querySelector('.composer').clientWidth") <= 360
    assert troubles == []
