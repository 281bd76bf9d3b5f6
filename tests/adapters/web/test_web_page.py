"""The chat page as the server makes it: its language, and that nothing comes from elsewhere."""

import re
from pathlib import Path

import httpx
import pytest

from adapters.web.language import COOKIE, accepted_language

STATIC = Path("adapters/web/static")
TEMPLATES = Path("adapters/web/templates")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        pytest.param("en", "en", id="English"),
        pytest.param("zh-CN,zh;q=0.9,en;q=0.8", "zh", id="Chinese first"),
        pytest.param("en-US,en;q=0.9,zh;q=0.8", "en", id="English first"),
        pytest.param("zh;q=0.5, en;q=0.7", "en", id="weights count, not places"),
        pytest.param("fr-FR, zh-TW;q=0.3", "zh", id="the one we have"),
        pytest.param("ZH-hant", "zh", id="letter case"),
        pytest.param("zh;q=0", None, id="refused"),
        pytest.param("zh;q=high", None, id="broken weight"),
        pytest.param("fr", None, id="neither"),
        pytest.param("", None, id="empty"),
        pytest.param("zh;q=nan", None, id="not a number"),
        pytest.param("," * 1000 + "zh", None, id="endless"),
    ],
)
def test_that_the_preferred_language_is_read(header: str, language: str | None) -> None:
    assert accepted_language(header) == language


@pytest.mark.parametrize(
    ("path", "header", "lang", "title"),
    [
        pytest.param("/", "en", "en", "Help desk", id="English"),
        pytest.param("/", "zh-CN", "zh-Hans", "在线客服", id="Chinese"),
        pytest.param("/?lang=zh", "en", "zh-Hans", "在线客服", id="switched"),
        pytest.param("/?lang=fr", "zh", "zh-Hans", "在线客服", id="switched to nothing we have"),
        pytest.param("/?lang=%3Cscript%3E", "en", "en", "Help desk", id="hostile switch"),
    ],
)
async def test_that_the_page_comes_in_the_visitors_language(
    client: httpx.AsyncClient, path: str, header: str, lang: str, title: str
) -> None:
    response = await client.get(path, headers={"Accept-Language": header})
    assert f'<html lang="{lang}">' in response.text
    assert f"<title>{title}</title>" in response.text
    assert "<script>" not in response.text


async def test_that_the_switch_is_remembered(client: httpx.AsyncClient) -> None:
    switched = await client.get("/?lang=zh", headers={"Accept-Language": "en"})
    cookie = switched.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "在线客服" in (await client.get("/", headers={"Accept-Language": "en"})).text


async def test_that_a_hostile_cookie_is_ignored(client: httpx.AsyncClient) -> None:
    client.cookies.set(COOKIE, 'xx"><script>')
    assert "Help desk" in (await client.get("/")).text


async def test_that_the_page_has_starter_questions_and_speaks_to_screen_readers(
    client: httpx.AsyncClient,
) -> None:
    text = (await client.get("/")).text
    assert text.count('class="starter"') == 4
    assert 'role="log" aria-live="polite"' in text
    assert '<label class="hidden" for="message">' in text
    assert 'class="skip" href="#message"' in text


async def test_that_the_page_loads_from_its_own_origin_alone(client: httpx.AsyncClient) -> None:
    text = (await client.get("/")).text
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert addresses
    assert all(address.startswith(("/", "#")) for address in addresses)
    assert re.search(r"<style|\sstyle=|\son\w+=|javascript:", text) is None
    assert re.findall(r"<script[^>]*>", text) == ['<script src="/static/chat.js" type="module">']


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
async def test_that_the_pages_files_are_served_and_name_no_other_host(
    client: httpx.AsyncClient, path: Path
) -> None:
    response = await client.get(f"/static/{path.name}")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["etag"]
    outside = set(re.findall(r"https?://[\w.]+", response.text)) - {"http://www.w3.org"}
    assert outside == set()


async def test_that_an_unchanged_file_is_not_sent_again(client: httpx.AsyncClient) -> None:
    etag = (await client.get("/static/chat.js")).headers["etag"]
    response = await client.get("/static/chat.js", headers={"If-None-Match": etag})
    assert response.status_code == 304


def test_that_the_script_never_makes_html_of_text() -> None:
    script = (STATIC / "chat.js").read_text(encoding="utf-8")
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "srcdoc",
    ):
        assert way not in script


def test_that_every_word_of_the_page_is_a_label() -> None:
    script = (STATIC / "chat.js").read_text(encoding="utf-8")
    template = (TEMPLATES / "chat.html").read_text(encoding="utf-8")
    labels = Path("prompts/labels/chat.en.yaml").read_text(encoding="utf-8")
    known = set(re.findall(r"^(\w+):", labels, re.MULTILINE))
    used = set(re.findall(r"labels\.(\w+)", script + template))
    by_name = {"searching", "writing", "starter_1", "starter_2", "starter_3", "starter_4"}
    by_name |= {"model_ready", "model_loading", "model_unavailable"}
    assert used - known == set()
    assert known - used - by_name == set()
