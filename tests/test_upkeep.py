"""A running Frontdesk visits the website by itself, and keeps its pages while the site is down."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.console import Console
from bot.settings import Settings, load_settings
from bot.upkeep import WebsiteVisits, fetch_website
from tests.fakes.help_site import HelpSite, page

PAGES = ("/en/returns", "/en/delivery", "/zh/wifi")


@pytest_asyncio.fixture
async def site() -> AsyncIterator[HelpSite]:
    async with HelpSite() as opened:
        opened.pages |= {path: page(path, f"This is what {path} says.") for path in PAGES}
        opened.lists(*PAGES)
        yield opened


@pytest.fixture
def settings(site: HelpSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(
        frontdesk_data=tmp_path / "data", frontdesk_website=f"{site.url}/sitemap.xml"
    )


class Days:
    """A clock that goes on by what is waited for; after `visits` waits it ends the visitor."""

    def __init__(self, visits: int) -> None:
        self.time = datetime.now(UTC)
        self.pauses: list[float] = []
        self._left = visits

    def now(self) -> datetime:
        return self.time

    async def pause(self, seconds: float) -> None:
        if self._left == 0:
            raise asyncio.CancelledError
        self._left -= 1
        self.pauses.append(round(seconds / 3600))
        self.time += timedelta(seconds=seconds + 1)


async def visited(settings: Settings, waits: int) -> list[float]:
    """Let the visitor wait so often; return how many hours each time."""
    days = Days(waits)
    with pytest.raises(asyncio.CancelledError):
        await WebsiteVisits(settings, Console(), days.now, days.pause).run()
    return days.pauses


def kept(settings: Settings) -> list[str]:
    return sorted(path.stem for path in settings.website_pages.rglob("*.md"))


async def test_that_the_website_is_fetched_at_once_and_then_once_a_day(
    settings: Settings, site: HelpSite
) -> None:
    pauses = await visited(settings, 1)
    site.pages["/en/returns"] = page("Returns", "Within 60 days.")
    later = await visited(settings, 1)

    assert (pauses, later) == ([0], [24])
    assert kept(settings) == ["delivery", "returns", "wifi"]
    assert "60 days" in "".join(path.read_text() for path in settings.website_pages.rglob("*.md"))


@pytest.mark.parametrize("broken", ["sitemap", "pages", "list", "robots"])
async def test_that_nothing_is_deleted_because_the_site_is_down(
    settings: Settings, site: HelpSite, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await visited(settings, 1)
    match broken:
        case "sitemap":
            site.failing["/sitemap.xml"] = 503
        case "pages":
            site.failing |= dict.fromkeys(PAGES, 404)
        case "list":
            site.lists("/en/returns")
        case "robots":
            site.pages["/robots.txt"] = "User-agent: *\nDisallow: /\n"

    await visited(settings, 1)

    assert kept(settings) == ["delivery", "returns", "wifi"]
    assert "stay" in capsys.readouterr().err


async def test_that_a_visit_that_failed_is_made_again_after_an_hour(
    settings: Settings, site: HelpSite, capsys: pytest.CaptureFixture[str]
) -> None:
    site.failing["/sitemap.xml"] = 503

    pauses = await visited(settings, 2)

    assert pauses == [0, 1]
    told = capsys.readouterr().err
    assert "The website stays as it was fetched last: The sitemap" in told


async def test_that_an_operator_may_let_many_pages_go(settings: Settings, site: HelpSite) -> None:
    await visited(settings, 1)
    site.lists("/en/returns")

    await fetch_website(settings, Console())

    assert kept(settings) == ["returns"]


@pytest.mark.parametrize("changes", [{"frontdesk_website": None}, {"frontdesk_website_hours": 0}])
async def test_that_nothing_is_fetched_where_that_is_not_set(
    settings: Settings, site: HelpSite, changes: dict[str, object]
) -> None:
    days = Days(1)
    quiet = settings.model_copy(update=changes)

    await WebsiteVisits(quiet, Console(), days.now, days.pause).run()

    assert (days.pauses, site.requests) == ([], [])
