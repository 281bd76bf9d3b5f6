"""`frontdesk articles` as an operator runs it, with real folders and a site on this machine."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.settings import EXAMPLE_ARTICLES, load_settings
from tests.fakes.help_site import HelpSite, page
from tests.small_shop import ARTICLES

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said in one line."""

    code: int
    said: str


async def frontdesk(folder: Path, *arguments: str, **settings: str) -> Ended:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FRONTDESK_DATA": str(folder / "data"),
        "FRONTDESK_MODEL_URL": "http://127.0.0.1:9/v1",
        "FRONTDESK_MODEL": "none",
        "NO_PROXY": "*",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "articles", *arguments,
        cwd=folder, env=environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    return Ended(process.returncode or 0, " ".join(said.decode().split()))


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Ended:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["frontdesk", "articles", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, " ".join(capfd.readouterr().err.split()))

    return run


async def test_that_a_sync_brings_in_a_folder_and_a_website(tmp_path: Path, articles: Path) -> None:
    settings = {"FRONTDESK_ARTICLES": str(articles)}
    (articles / "bad.md").write_bytes(b"\xff")
    async with HelpSite() as site:
        site.pages["/wifi"] = page("WiFi", "There is free WiFi in the shop.")
        site.lists("/wifi", "/nowhere")
        settings["FRONTDESK_WEBSITE"] = f"{site.url}/sitemap.xml"

        synced = await frontdesk(tmp_path, "sync", **settings)

    assert synced.code == 0
    assert "Website: 1 pages, 1 new or changed, 0 gone." in synced.said
    assert "/nowhere: there is no such page (status 404)." in synced.said
    assert "Articles: 7 in 7 passages." in synced.said
    assert "bad.md was left out: it is not UTF-8 text" in synced.said
    assert "7 added, 0 changed, 0 retired." in synced.said
    assert "100% of" in synced.said


def test_that_a_website_alone_replaces_the_example_shop(tmp_path: Path) -> None:
    alone = load_settings(frontdesk_website="https://a.example", frontdesk_data=tmp_path)
    both = load_settings(
        frontdesk_website="https://a.example", frontdesk_data=tmp_path, frontdesk_articles=ROOT
    )

    assert alone.article_folders == (tmp_path / "website",)
    assert both.article_folders == (ROOT, tmp_path / "website")
    assert load_settings().article_folders == (EXAMPLE_ARTICLES,)


def test_that_a_website_that_is_down_is_one_sentence(run: Run) -> None:
    ended = run("sync", FRONTDESK_WEBSITE="http://127.0.0.1:9/sitemap.xml")

    assert ended.code == 2
    assert ended.said.startswith("Error: The sitemap http://127.0.0.1:9/sitemap.xml can't be fetch")


def test_that_a_website_that_was_not_fetched_is_one_sentence(run: Run) -> None:
    ended = run("search", "WiFi?", FRONTDESK_WEBSITE="http://127.0.0.1:9/")

    assert ended.code == 2
    assert "run `frontdesk articles sync`" in ended.said


DOUBTS = [
    pytest.param("title: Same", "title: Same", "The same title 'Same': a.md, b.md.", id="title"),
    pytest.param("title: A", "title: B", "a.md has one line only", id="one-line"),
    pytest.param(
        "tags: x",
        "title: B",
        "a.md: its front matter has tags, which is no field of an article and counts for nothing.",
        id="other-field",
    ),
    pytest.param("title: A", "title: B", "Do these contradict each other? a: ", id="numbers"),
]


@pytest.mark.parametrize(("head", "other", "told"), DOUBTS)
def test_that_doubts_about_articles_are_told_and_no_error(
    run: Run, tmp_path: Path, head: str, other: str, told: str
) -> None:
    (tmp_path / "a.md").write_text(f"---\n{head}\n---\nYou can return an item within 30 days.")
    (tmp_path / "b.md").write_text(
        f"---\n{other}\n---\nYou can return an item within 14 days.\n\nOr?"
    )

    ended = run("check", "--articles", str(tmp_path))

    assert ended.code == 0
    assert told in ended.said


def test_that_a_check_counts_who_articles_are_for(run: Run, articles: Path) -> None:
    (articles / "margin.md").write_text("---\naudience: internal\n---\n40 %.\n\nDon't tell.")
    (articles / "sale.md").write_text("---\nvalid_until: 2020-01-01\n---\nHalf.\n\nOnly now.")
    (articles / "vpn.md").write_text("---\naudience: [web, slack]\n---\nThe VPN.\n\nAsk IT.")
    (articles / "bad.pdf").write_bytes(b"no pdf")

    ended = run("check", "--articles", str(articles))

    assert ended.code == 2
    assert "1 articles for slack, web alone." in ended.said
    assert f"{len(ARTICLES) + 1} articles, {len(ARTICLES) + 1} passages." in ended.said
    assert "1 internal articles, which customers never see." in ended.said
    assert "1 articles outside the time for which they are valid." in ended.said
    assert "bad.pdf: it is not a readable PDF" in ended.said
