"""HTML as Markdown: the page's own content, without what is hidden, runs, or leads elsewhere."""

import re
from urllib.parse import urljoin

from bs4 import BeautifulSoup, Tag
from markdownify import ATX, MarkdownConverter
from soupsieve import SelectorSyntaxError

from bot.errors import ArticlesError
from bot.knowledge.sources.document import Content
from bot.messages import Language
from bot.understanding import clean

# Never text, wherever it stands.
_NEVER = (
    "script, style, noscript, template, iframe, object, embed, svg, canvas, math, audio, video,"
    " form, button, input, select, textarea, dialog, nav, [role=navigation], [role=search],"
    " [role=banner], [role=contentinfo], [role=complementary], [role=dialog],"
    " [hidden], [aria-hidden=true]"
)
_AROUND = "header, footer, aside"  # of the page, not of an article in it
_UNSEEN = re.compile(
    r"display:none|visibility:(hidden|collapse)|opacity:0(\.0+)?(;|$)|font-size:0(?![.\d]*[1-9])"
    r"|text-indent:-\d{3}|(left|top):-\d{3,}|clip:rect\(0|clip-path:inset\((50|100)%"
)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_AT_RULE = re.compile(r"@[^{};]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")  # for print, or narrow screens
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*>")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_MOST_RULES = 2000
_CONTENT = ("main", "[role=main]", "article")
_LINKS = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)


def read_page(html: str, address: str = "") -> Content:
    """Return a page's title, language and content as Markdown.

    `address` is where it was fetched, for its relative links. Raises ArticlesError when it is
    nested too deeply.
    """
    try:
        # A page that declares itself as XML, or is but a word, is HTML all the same.
        return _read(BeautifulSoup(_DECLARATION.sub("", html) + "\n", "html.parser"), address)
    except RecursionError:
        raise ArticlesError("its HTML is nested too deeply") from None


def _read(soup: BeautifulSoup, address: str) -> Content:
    title = _title(soup)
    _remove_hidden(soup)
    root = _content(soup)
    heading = root.find("h1")
    if isinstance(heading, Tag) and len(root.find_all("h1")) == 1:
        title = heading.get_text(" ", strip=True) or title
        heading.decompose()
    _settle_links(root, address)
    return Content(text=markdown(root), title=title, language=_language(soup), url=_canonical(soup))


def markdown(root: Tag) -> str:
    """Return HTML as Markdown with `#` headings; pictures are left out."""
    converter = MarkdownConverter(
        heading_style=ATX,
        bullets="-",
        strip=["img"],
        escape_asterisks=False,
        escape_underscores=False,
        table_infer_header=True,
        autolinks=False,
    )
    text = clean(converter.convert_soup(root))
    return re.sub(r"\n\s*\n\s*\n+", "\n\n", text)


def _title(soup: BeautifulSoup) -> str:
    found = soup.title
    return found.get_text(" ", strip=True) if found else ""


def _language(soup: BeautifulSoup) -> Language | None:
    root = soup.find("html")
    name = str(root.get("lang", "")).lower() if isinstance(root, Tag) else ""
    return "zh" if name.startswith("zh") else "en" if name.startswith("en") else None


def _canonical(soup: BeautifulSoup) -> str:
    link = soup.select_one("link[rel=canonical][href]")
    address = str(link["href"]).strip() if link else ""
    return address if re.fullmatch(r"https?://\S+", address) else ""


def _remove_hidden(soup: BeautifulSoup) -> None:
    for selector in (_NEVER, *_hiding_selectors(soup)):
        for element in soup.select(selector):
            element.decompose()
    for element in soup.find_all(style=True):
        if not element.decomposed and _UNSEEN.search(_squeezed(str(element["style"]))):
            element.decompose()
    for element in soup.select(_AROUND):
        if not element.decomposed and element.find_parent(["main", "article"]) is None:
            element.decompose()


def _hiding_selectors(soup: BeautifulSoup) -> list[str]:
    """Return the selectors that the page's own style sheets hide, those for every screen."""
    sheets = "\n".join(style.get_text() for style in soup.find_all("style"))
    rules = _RULE.findall(_AT_RULE.sub("", _COMMENT.sub("", sheets)))[:_MOST_RULES]
    hiding = [names.strip() for names, style in rules if _UNSEEN.search(_squeezed(style))]
    return [selector for selector in hiding if _is_selector(selector)]


def _is_selector(selector: str) -> bool:
    try:
        BeautifulSoup("", "html.parser").select_one(selector)
    except (SelectorSyntaxError, NotImplementedError):
        return False
    return True


def _squeezed(style: str) -> str:
    return re.sub(r"\s+", "", style.lower())


def _content(soup: BeautifulSoup) -> Tag:
    """Return what the page marks as its content; all of it where it marks nothing, or several."""
    for selector in _CONTENT:
        found = soup.select(selector)
        if len(found) == 1 and found[0].get_text(strip=True):
            return found[0]
    return soup.body or soup


def _settle_links(root: Tag, address: str) -> None:
    """Make links absolute; those that lead nowhere outside the page become their text."""
    for link in root.find_all("a"):
        target = str(link.get("href") or "").strip()
        target = urljoin(address, target) if address and not target.startswith("#") else target
        if _LINKS.match(target):
            link["href"] = target
            link.attrs.pop("title", None)
        else:
            link.unwrap()
