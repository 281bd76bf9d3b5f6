"""Addresses in running text, and Slack's and Telegram's signs that call people.

Apps make links of bare addresses, and of some even without "https://". Whatever ends like a host
counts as one here, except for mixed case and the endings of files: an app's list of endings is
longer than any of ours. Mail addresses stay as they are.
"""

import re
from collections.abc import Iterator

from adapters.rendering.links import CJK, Links, address_after, code, escaped, link

WORD_JOINER = "\u2060"  # shows nothing, and keeps two characters from being read as one sign

_LABEL = rf"(?:(?![{CJK}])[\w-])++"
_ENDS = (
    "com|net|org|info|biz|io|app|dev|ai|me|co|cn|uk|de|ru|xyz|top|site|online|shop|link|click|zip"
)
_FOREIGN_ENDS = "中国|中國|公司|网络|網絡|网址|在线|中文网|集团|商城|商店|香港|台湾|台灣|рф|бел|укр"
# What a URL may go on with: no white space, no bracket or quotation mark, no Chinese punctuation.
_URL = r"[^\s<>\"`\u2018-\u201f\u2026\u3000-\u3020\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff5e]"
_SUSPECT = re.compile(
    rf"""
    <(?P<slack_url>[A-Za-z][A-Za-z0-9+.-]{{0,60}}:[^\s<>|]+)\|(?P<slack_label>[^<>\n]*)>
  | <(?P<slack_sign>[!@\#][^<>\n|]*)(?:\|(?P<slack_name>[^<>\n]*))?>
  | (?P<email>(?<![\w.+-])[\w.+-]{{1,64}}+@(?:{_LABEL}\.){{1,8}}{_LABEL})
  | (?P<url>(?:(?<![A-Za-z0-9])[A-Za-z0-9][A-Za-z0-9+.-]{{0,60}}+)?://{_URL}+)
  | (?P<domain>
        (?:(?:(?<![\w-])|(?<=[{CJK}]))(?:{_LABEL}\.){{1,8}}|(?<![{CJK}])[{CJK}]++\.)
        (?P<ending>[A-Za-z]{{2,24}}+|xn--[A-Za-z0-9-]+|{_FOREIGN_ENDS})
        (?![A-Za-z0-9_-])(?::\d+)?(?:[/?\#]{_URL}*)?
    )
  | (?P<call>@(?:channel|here|everyone)(?![A-Za-z0-9_]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMES_OF_FILES = frozenset(
    "bmp css csv doc docx eps exe gif htm html ini jpeg jpg js json log mp3 mp4 odt pdf php png ppt"
    " pptx svg toml ts tsv txt wav webp xls xlsx xml yaml yml".split()
)
_AFTER_URL = ".,;:!?'*_~"


def mended(text: str, links: Links) -> Iterator[tuple[int, int, str]]:
    """Yield the places of a text that must change, each with what it becomes, in Markdown."""
    for match in _SUSPECT.finditer(text):
        end, replacement = _mended(match, links)
        if replacement != text[match.start() : end]:
            yield match.start(), end, replacement


def _mended(match: re.Match[str], links: Links) -> tuple[int, str]:
    """Return up to where something is replaced, and by what."""
    whole = match.group()
    if url := match["slack_url"]:
        label = match["slack_label"] or ""
        if links.allows(url):
            return match.end(), link(label or url, url)
        return match.end(), escaped(label) + address_after(label, url)
    if sign := match["slack_sign"]:
        return match.end(), escaped(match["slack_name"] or name_of_sign(sign))
    if url := match["url"] or match["domain"]:
        url = _without_what_follows(url)
        is_link = bool(match["url"]) or _is_domain(match["ending"], has_path="/" in url)
        end = match.start() + len(url)
        return _bare_address(match, end, links) if is_link else (match.end(), whole)
    return match.end(), f"@{WORD_JOINER}{whole[1:]}" if match["call"] else whole


def _bare_address(match: re.Match[str], end: int, links: Links) -> tuple[int, str]:
    url = match.string[match.start() : end]
    has_scheme = bool(match["url"])
    whole = url if has_scheme else f"https://{url}"
    if links.allows(whole) and whole.count("://") == 1:  # apps may see the second one only
        # Apps don't agree where an address before Chinese words ends; a link says it.
        is_clear = not has_scheme or match.string[end : end + 1].isascii()
        return end, url if is_clear else link(url, url)
    own = re.match(r"[\x21-\x7e]*", url)
    assert own is not None
    if has_scheme and own.group() != url and links.allows(own.group()):
        return match.start() + own.end(), link(own.group(), own.group())
    return end, code(url)


def _is_domain(ending: str, *, has_path: bool) -> bool:
    if ending.lower() in _NAMES_OF_FILES and not has_path:
        return False
    is_one_case = ending == ending.lower() or ending == ending.upper()
    # "It ends.Then it begins" lacks a space and names no host.
    return is_one_case or has_path or bool(re.fullmatch(_ENDS, ending, re.IGNORECASE))


def _without_what_follows(url: str) -> str:
    """Drop punctuation that ends a sentence, and brackets that were opened before the address."""
    while url[-1:] and (
        url[-1] in _AFTER_URL
        or (url[-1] == ")" and url.count(")") > url.count("("))
        or (url[-1] == "]" and url.count("]") > url.count("["))
    ):
        url = url[:-1]
    return url


def name_of_sign(sign: str) -> str:
    """Return what a sign such as "!here" or "@U123" says to a reader."""
    name = sign.lstrip("!@#").split("^")[0]
    return name if name.isprintable() else ""


_SIGN = re.compile(r"<(?=!(?:here|channel|everyone|subteam|date)|[@#][A-Z])")
_SIGN_OR_LINK = re.compile(rf"{_SIGN.pattern}|<(?=[a-z]+://)")


def without_signs(markdown: str) -> str:
    """Keep Slack from reading signs anywhere in a text that is safe otherwise."""
    return _SIGN.sub(f"<{WORD_JOINER}", markdown)


def quiet_words(text: str) -> str:
    """Keep the words of a link from calling anybody."""
    signs = re.compile(rf"{_SIGN_OR_LINK.pattern}|@(?=here|channel|everyone)", re.IGNORECASE)
    return signs.sub(rf"\g<0>{WORD_JOINER}", text)


def quiet_code(source: str) -> str:
    """Keep Slack from reading its own signs inside code."""
    return _SIGN_OR_LINK.sub(f"<{WORD_JOINER}", source)
