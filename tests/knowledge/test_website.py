"""A website's pages as articles: what is fetched, how politely, and what is refused."""

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from bot.errors import ArticlesError
from bot.knowledge.articles import Document, read_documents
from bot.knowledge.sources.addresses import file_name
from bot.knowledge.sources.reading import LARGEST_TEXT
from bot.knowledge.sources.website import Fetched, Website
from tests.fakes.help_site import HelpSite, page
from tests.small_shop import Pauses

RETURNS = page("Returns", "You can return an item within 30 days.")
WIFI = page("无线网络", "店内提供免费无线网络。", "zh-CN")


@dataclass
class Visit:
    """Fetches a site's pages into a folder, again and again."""

    site: HelpSite
    folder: Path
    client: httpx.AsyncClient
    pauses: Pauses

    async def fetch(self, place: str | None = None) -> Fetched:
        place = place or f"{self.site.url}/sitemap.xml"
        website = Website(place, self.folder, self.client, pause=self.pauses)
        return await website.fetch(lambda done, total: None)

    def articles(self) -> dict[str, Document]:
        found, broken = read_documents(self.folder)
        assert broken == []
        return {each.title: each for each in found}


@pytest_asyncio.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Visit]:
    async with HelpSite() as site, httpx.AsyncClient(trust_env=False) as client:
        site.pages |= {"/en/returns": RETURNS, "/zh/wifi.html": WIFI}
        site.lists("/en/returns", "/zh/wifi.html")
        yield Visit(site, tmp_path / "website", client, Pauses())


async def test_that_the_pages_of_a_sitemap_become_articles(visit: Visit) -> None:
    fetched = await visit.fetch()

    assert fetched == Fetched(pages=2, new=2)
    found = visit.articles()
    assert found["Returns"].text == "You can return an item within 30 days."
    assert found["Returns"].url == f"{visit.site.url}/en/returns"
    assert found["Returns"].id.endswith("/en/returns")
    assert found["无线网络"].language == "zh"


async def test_that_one_page_is_asked_for_at_a_time_with_pauses(visit: Visit) -> None:
    visit.site.pages["/robots.txt"] = "User-agent: *\nCrawl-delay: 3\n"

    await visit.fetch()

    assert visit.site.most_at_once == 1
    assert visit.pauses.seconds == [3.0, 3.0]


@pytest.mark.parametrize("has_tags", [True, False], ids=["etag", "last-modified"])
async def test_that_pages_that_did_not_change_are_not_sent_again(
    visit: Visit, has_tags: bool
) -> None:
    visit.site._has_tags = has_tags
    await visit.fetch()

    fetched = await visit.fetch()

    assert (fetched, visit.site.not_modified) == (Fetched(pages=2), 2)
    assert len(visit.articles()) == 2


async def test_that_a_changed_page_replaces_the_old_one(visit: Visit) -> None:
    await visit.fetch()
    visit.site.pages["/en/returns"] = page("Returns", "You can return an item within 60 days.")

    assert (await visit.fetch()).new == 1
    assert "60 days" in visit.articles()["Returns"].text


@pytest.mark.parametrize("how", ["unlisted", "deleted", "forbidden"])
async def test_that_a_page_that_is_gone_is_no_article(visit: Visit, how: str) -> None:
    await visit.fetch()
    if how == "unlisted":
        visit.site.lists("/zh/wifi.html")
    elif how == "deleted":
        del visit.site.pages["/en/returns"]
    else:
        visit.site.pages["/robots.txt"] = "User-agent: *\nDisallow: /en/\n"

    assert (await visit.fetch()).gone == 1
    assert set(visit.articles()) == {"无线网络"}


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_that_a_page_that_fails_for_now_stays(visit: Visit, status: int) -> None:
    await visit.fetch()
    visit.site.failing["/en/returns"] = status

    fetched = await visit.fetch()

    assert fetched.problems == (
        f"{visit.site.url}/en/returns: it can't be fetched (status {status})",
    )
    assert set(visit.articles()) == {"Returns", "无线网络"}


async def test_that_what_robots_forbids_is_not_asked_for(visit: Visit) -> None:
    visit.site.pages["/robots.txt"] = "User-agent: Frontdesk\nDisallow: /en/\n"

    fetched = await visit.fetch()

    assert "robots.txt forbids" in fetched.problems[0]
    assert "/en/returns" not in visit.site.requests


async def test_that_without_word_of_robots_nothing_is_asked_for(visit: Visit) -> None:
    visit.site.failing["/robots.txt"] = 503

    fetched = await visit.fetch()

    assert (fetched.pages, len(fetched.problems)) == (0, 2)
    assert "/en/returns" not in visit.site.requests


async def test_that_other_hosts_in_a_sitemap_are_passed_over(visit: Visit) -> None:
    visit.site.lists("/en/returns", "http://10.0.0.1/secret", "file:///etc/passwd", "ftp://a/b")

    assert await visit.fetch() == Fetched(pages=1, new=1)


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/meta",
        "file:///etc/passwd",
        "http://u:p@127.0.0.1/",
        "//evil.example",
    ],
)
async def test_that_a_redirect_to_elsewhere_is_refused(visit: Visit, target: str) -> None:
    visit.site.redirects["/en/returns"] = target

    assert "leads to another host" in (await visit.fetch()).problems[0]


async def test_that_a_redirect_on_the_host_is_followed(visit: Visit) -> None:
    visit.site.pages["/moved"] = visit.site.pages.pop("/en/returns")
    visit.site.redirects["/en/returns"] = "/moved"

    assert await visit.fetch() == Fetched(pages=2, new=2)


async def test_that_a_circle_of_redirects_ends(visit: Visit) -> None:
    visit.site.redirects["/en/returns"] = "/en/returns"

    assert "redirected 5 times" in (await visit.fetch()).problems[0]


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        pytest.param(b"x" * (LARGEST_TEXT + 1), "text/html", "larger than 2 MB", id="large"),
        pytest.param(b"%PDF", "application/pdf", "no HTML page", id="pdf"),
        pytest.param(b"<script>show()</script>", "text/html", "has no text", id="scripts"),
    ],
)
async def test_that_what_is_no_article_is_told(
    visit: Visit, content: bytes, kind: str, reason: str
) -> None:
    visit.site.pages["/en/returns"] = content
    visit.site.types["/en/returns"] = kind

    fetched = await visit.fetch()

    assert reason in fetched.problems[0]
    assert set(visit.articles()) == {"无线网络"}


async def test_that_the_server_says_how_a_page_is_encoded(visit: Visit) -> None:
    visit.site.pages["/zh/wifi.html"] = WIFI.encode("gbk")
    visit.site.types["/zh/wifi.html"] = "text/html; charset=gb2312"

    await visit.fetch()

    assert "无线网络" in visit.articles()


async def test_that_sitemaps_name_others_also_packed_ones(visit: Visit) -> None:
    visit.site.pages["/sitemap.xml"] = visit.site.sitemap(
        ["/a.xml", "/b.xml.gz", "/sitemap.xml"], "sitemapindex"
    )
    visit.site.pages["/a.xml"] = visit.site.sitemap(["/en/returns"])
    visit.site.pages["/b.xml.gz"] = gzip.compress(visit.site.sitemap(["/zh/wifi.html"]).encode())

    assert (await visit.fetch()).pages == 2


async def test_that_a_site_is_known_by_its_sitemap(visit: Visit) -> None:
    visit.site.pages["/robots.txt"] = f"Sitemap: {visit.site.url}/maps/all.xml\n"
    visit.site.pages["/maps/all.xml"] = visit.site.pages.pop("/sitemap.xml")

    await visit.fetch(f"{visit.site.url}/en")

    assert set(visit.articles()) == {"Returns"}


async def test_that_a_file_lists_the_pages(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "pages.txt").write_text(f"# Help\n\n{visit.site.url}/zh/wifi.html#top\n")

    await visit.fetch(str(tmp_path / "pages.txt"))

    assert set(visit.articles()) == {"无线网络"}


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        pytest.param("file:///etc/passwd\n", "no http address", id="no-address"),
        pytest.param("# nothing\n", "lists no pages", id="empty"),
        pytest.param(None, "neither an address", id="missing"),
    ],
)
async def test_that_a_wrong_list_is_one_sentence_and_changes_nothing(
    visit: Visit, tmp_path: Path, listed: str | None, reason: str
) -> None:
    await visit.fetch()
    if listed is not None:
        (tmp_path / "pages.txt").write_text(listed)

    with pytest.raises(ArticlesError, match=reason):
        await visit.fetch(str(tmp_path / "pages.txt"))

    assert len(visit.articles()) == 2


@pytest.mark.parametrize("status", [404, 500])
async def test_that_a_sitemap_that_cannot_be_had_changes_nothing(visit: Visit, status: int) -> None:
    await visit.fetch()
    visit.site.failing["/sitemap.xml"] = status

    with pytest.raises(ArticlesError, match=f"status {status}"):
        await visit.fetch()

    assert len(visit.articles()) == 2


@pytest.mark.parametrize(
    ("place", "reason"), [("sitemap.xml", "The sitemap http"), ("", "FRONTDESK_WEBSITE is 'http")]
)
async def test_that_a_site_that_is_down_is_one_sentence(
    visit: Visit, place: str, reason: str
) -> None:
    with pytest.raises(ArticlesError, match=f"{reason}.*ConnectError"):
        await visit.fetch(f"http://127.0.0.1:9/{place}")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://a.example/", "a.example/index.md"),
        ("https://a.example/en/returns.html", "a.example/en/returns.md"),
        ("https://a.example/%E9%80%80%E8%B4%A7", "a.example/退货.md"),
        ("https://a.example/../../etc/passwd", "a.example/-/-/etc/passwd.md"),
        ("https://a.example/..%2f..%2fetc", "a.example/-/-/etc.md"),
        ("https://a.example:8443/.hidden", "a.example-8443/hidden.md"),
    ],
)
def test_that_a_page_is_kept_below_its_folder(address: str, name: str) -> None:
    assert file_name(address) == name
