"""HTML in Markdown, and what is left of it in a reply."""

import re

from adapters.rendering.addresses import name_of_sign
from adapters.rendering.links import escaped

_HTML_NAMES = (
    "a|abbr|article|aside|audio|b|blockquote|body|br|button|canvas|center|code|dd|del|details|div|"
    "dl|dt|em|embed|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|"
    "li|link|main|mark|math|meta|nav|object|ol|option|p|pre|q|s|samp|script|section|select|small|"
    "source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|textarea|tfoot|th|thead|"
    "title|tr|tt|u|ul|var|video|tg-spoiler|tg-emoji"
)
_HTML = re.compile(
    rf"""
    <!--.*?-->
  | <(?P<sign>[!@\#][^<>\n|]*)(?:\|(?P<sign_name>[^<>\n]*))?>
  | </?(?P<name>{_HTML_NAMES})(?:[\s/][^<>]*)?>
  | <
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_ALT = re.compile(r"""\salt\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


def html_as_text(html: str, line_break: str = "\n") -> str:
    """Return Markdown without HTML: known tags go, an image leaves its words, the rest is text."""

    def as_text(match: re.Match[str]) -> str:
        tag, name = match.group(), (match["name"] or "").lower()
        if sign := match["sign"]:
            return escaped(match["sign_name"] or name_of_sign(sign))
        if name == "img" and (alt := _ALT.search(tag)):
            return escaped(next(group for group in alt.groups() if group is not None))
        if name == "br":
            return line_break
        return "\\<" if tag == "<" else ""

    return _HTML.sub(as_text, html)
