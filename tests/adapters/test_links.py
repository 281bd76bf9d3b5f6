"""What becomes of links, images, HTML and calls to everybody in a reply (PROMISES L4)."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from telegramify_markdown import convert

from adapters.rendering import Links, plain_text, safe_markdown

LINKS = Links(frozenset({"shop.example"}))
JOINER = "\u2060"
OTHER_PARSER = MarkdownIt("commonmark").enable("table")


def safe(text: str) -> str:
    return safe_markdown(text, LINKS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example", True),
        ("http://shop.example/a?b=c#d", True),
        ("HTTPS://Shop.Example:8443/退货", True),
        ("https://help.shop.example/", False),
        ("https://shop.example.evil.example/", False),
        ("https://shop.example./", False),
        ("https://shop.example@evil.example/", False),
        ("https://user@shop.example/", False),
        ("https://evil.example\\@shop.example/", False),
        ("https://shop.example\u3002evil.example/", False),
        ("https://shop.example\u200b/", False),
        ("https://shop.example:8443/", True),
        ("https://shop.example:99999/", False),
        ("https://shop.example:0/", False),
        ("https://shop.example:/", False),
        ("https:///shop.example", False),
        ("//shop.example/", False),
        ("javascript://shop.example/%0aalert(1)", False),
        ("ftp://shop.example/", False),
        ("https://[shop.example/", False),
        ("", False),
    ],
)
def test_that_only_the_named_hosts_are_allowed(url: str, expected: bool) -> None:
    assert LINKS.allows(url) is expected
    assert Links(frozenset({"Shop.EXAMPLE"})).allows(url) is expected


def test_that_hosts_of_articles_count_as_soon_as_they_are_there() -> None:
    hosts: set[str] = set()
    links = Links(frozenset(), lambda: frozenset(hosts))
    before = links.allows("https://help.example/returns")
    hosts.add("help.example")

    assert (before, links.allows("https://help.example/returns")) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        "# Returns\n\nSend it **within 30 days**, _please_.\n\n1. Pack\n2. Send\n",
        "| a | b |\n|---|:--|\n| `x\\|y` | 2 * 3 |\n",
        "```html\n<a href='https://evil.example'>x</a> <your name>\n```",
        "See [our page](https://shop.example/a) or https://shop.example/b, or shop.example/c.",
        "价格是 ¥39.90。请看[退货政策](https://shop.example/退货)，谢谢！",
        "A price of 3.50, version 2.0.1, e.g. this, i.e. that. 9 a.m. to 5 p.m. file.pdf Node.js",
        "It ends.Then it begins. 5 < 6 & 7 > 2, a_b_c, $5 and $6, 50% ~ 60%, [x] done",
        "Write to help@shop.example or call +44 20 7946 0958. @ada knows. Use /help.",
        "[Note]: bring a pen\n\n> quoted\n\n- [ ] open\n- [x] done",
        "a\r\nb  \nc\\\nd",
        "",
    ],
)
def test_that_harmless_text_is_left_alone(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("![map](https://shop.example/m.png)!", "map!", id="image"),
        pytest.param("![](https://evil.example/?q=secret)", "", id="image-without-words"),
        pytest.param(
            "[![map](https://e.example/m)](https://shop.example)",
            "[map](https://shop.example)",
            id="image-in-link",
        ),
        pytest.param(
            "See [**here**](https://evil.example/a).",
            "See **here** (`https://evil.example/a`).",
            id="link",
        ),
        pytest.param(
            "请看[退货政策](https://evil.example/a)。",
            "请看退货政策（`https://evil.example/a`）。",
            id="chinese-link",
        ),
        pytest.param(
            "[https://evil.example](https://evil.example)", "`https://evil.example`", id="named"
        ),
        pytest.param(
            "[a](<https://shop.example/x> 'at https://evil.example')",
            "[a](https://shop.example/x)",
            id="title",
        ),
        pytest.param("[a](javascript:alert(1)) [b](data:text/html,x)", "a b", id="script"),
        pytest.param("[a](tg://user?id=1), [b](slack://open), [c](c.md)", "a, b, c", id="apps"),
        pytest.param(
            "[write](mailto:help@shop.example?body=x), [call](tel:+441234)",
            "write (help@shop.example), call (+441234)",
            id="mail-and-phone",
        ),
        pytest.param("<https://evil.example/a>", "`https://evil.example/a`", id="autolink"),
        pytest.param(
            "<https://shop.example/a>",
            "[https://shop.example/a](https://shop.example/a)",
            id="autolink-allowed",
        ),
        pytest.param("<help@shop.example>", "help@shop.example", id="autolink-mail"),
        pytest.param(
            'See [here][1] or [1].\n\n[1]: https://evil.example/a "t"',
            "See here (`https://evil.example/a`) or 1 (`https://evil.example/a`).\n\n",
            id="reference",
        ),
        pytest.param(
            "See [here][1].\n\n[1]: https://shop.example/a",
            "See [here](https://shop.example/a).\n\n",
            id="reference-allowed",
        ),
        pytest.param("[Note]: soon\n\n[Note]", "\\[Note]: soon\n\n[Note]", id="no-reference"),
        pytest.param(
            "At https://evil.example/a?b=c, or evil.example/x. See www.evil.example!",
            "At `https://evil.example/a?b=c`, or `evil.example/x`. See `www.evil.example`!",
            id="bare",
        ),
        pytest.param(
            "请看https://evil.example/a。或evil.com，谢谢",
            "请看`https://evil.example/a`。或`evil.com`，谢谢",
            id="bare-chinese",
        ),
        pytest.param(
            "请看https://shop.example/退货。谢谢",
            "请看[https://shop.example/退货](https://shop.example/退货)。谢谢",
            id="bare-allowed-before-chinese",
        ),
        pytest.param(
            "打开https://shop.example查看",
            "打开[https://shop.example](https://shop.example)查看",
            id="bare-allowed-in-chinese",
        ),
        pytest.param("(https://evil.example/a_(b))", "(`https://evil.example/a_(b)`)", id="paren"),
        pytest.param("ht**tps://evil.exa**mple", "`https://evil.example`", id="across-marks"),
        pytest.param("ev[il.example](x)", "`evil.example`", id="across-links"),
        pytest.param("&#104;ttps\\://evil.example", "`https://evil.example`", id="entities"),
        pytest.param(
            "https://shop.example/?to=https://evil.example",
            "`https://shop.example/?to=https://evil.example`",
            id="address-in-address",
        ),
        pytest.param("tg://resolve?domain=x", "`tg://resolve?domain=x`", id="bare-scheme"),
        pytest.param(
            "<https://evil.example|click me> <https://evil.example/a|here>",
            "click me (`https://evil.example`) here (`https://evil.example/a`)",
            id="slack-link",
        ),
        pytest.param(
            "<https://shop.example/a|our page>", "[our page](https://shop.example/a)", id="slack-ok"
        ),
        pytest.param("<!here> <!channel|all> <!subteam^S1|@crew>", "here all @crew", id="call"),
        pytest.param("<@U123> in <#C123|general>", "U123 in general", id="mention"),
        pytest.param(
            "@here, @channel和@everyone",
            f"@{JOINER}here, @{JOINER}channel和@{JOINER}everyone",
            id="at-all",
        ),
        pytest.param("`<!here>`", f"`<{JOINER}!here>`", id="call-in-code"),
        pytest.param("a <b>bold</b><br>word<!-- x -->", "a bold\nword", id="html"),
        pytest.param('<a href="https://evil.example">x</a>', "x", id="html-link"),
        pytest.param('<img src="https://e.example/?q" alt="map">', "map", id="html-image"),
        pytest.param("<div>\n**word** 1 < 2\n</div>", "\n**word** 1 \\< 2\n", id="html-block"),
        pytest.param("Enter <your name> here", "Enter \\<your name> here", id="no-html"),
        pytest.param(
            "| a |\n|---|\n| [x](https://e.example/a\\|b) <br> y |",
            "| a |\n|---|\n| x (`https://e.example/a%7Cb`)   y |",
            id="table",
        ),
    ],
)
def test_that_what_could_lead_astray_becomes_text(text: str, expected: str) -> None:
    assert safe(text) == expected


@pytest.mark.parametrize(
    "hidden", ["$`$ [x](https://evil.example) $`$", "$[x$](https://e.example)"]
)
def test_that_formulas_hide_no_link(hidden: str) -> None:
    assert_harmless(safe(hidden))


ATTACKS = (
    "![alt](https://evil.example/p.png?q=4242)",
    "[words](https://evil.example/?q=4242)",
    "[words](<https://evil.example/?q=4242> 'title')",
    "[words](//evil.example/a)",
    "[words](https://shop.example@evil.example)",
    "[words](java&#115;cript:alert(1))",
    "[words](data:text/html;base64,PHg+)",
    "[words](tg://msg_url?url=evil.example)",
    "[words](vbscript:x) [w](file:///etc/passwd)",
    "<https://evil.example/?q=4242>",
    "https://evil.example/?q=4242",
    "HTTPS://EVIL.EXAMPLE/",
    "www.evil.example",
    "evil.com/4242",
    "http://127.0.0.1/x",
    "https://xn--80ak6aa92e.com/",
    "\\https://evil.example",
    "https&#58;//evil.example/a",
    "<https://evil.example|words>",
    "<http://evil.example/a b|c d>",
    "<!here> <!channel> <!everyone|x> <!subteam^S1>",
    "@here @channel @everyone",
    '<a href="https://evil.example">words</a>',
    "<img src=https://evil.example/p.png>",
    "<tg-spoiler>x</tg-spoiler><script>fetch('https://evil.example')</script>",
    "&lt;!here&gt; &lt;https://evil.example|x&gt;",
    "tg://resolve?domain=evil slack://user?team=T&id=U",
    "[![a](https://evil.example/p)](https://evil.example)",
    "[[a](https://evil.example/1)](https://evil.example/2)",
    "||https://evil.example||",
)
PLACES = (
    "{}",
    "Look: {} now",
    "请看{}。谢谢",
    "**{}**",
    "# {}",
    "- one\n- {}\n",
    "> {}",
    "| a |\n|---|\n| {} |",
    "[ok](https://shop.example/) {}",
    "[{}](https://shop.example/)",
)
REFERENCES = (
    "[words][1]\n\n[1]: https://evil.example/a",
    "[words][]\n\n[words]: https://evil.example/a\n[WORDS]: tg://x",
    "![words][1]\n\n[1]: https://evil.example/a 'title'",
    "[1]\n\n> [1]: <https://evil.example/a>",
)


@pytest.mark.parametrize("text", [*REFERENCES, *(p.format(a) for p, a in product(PLACES, ATTACKS))])
def test_that_no_attack_leaves_a_link_an_image_or_a_call(text: str) -> None:
    harmless = safe(text)
    assert_harmless(harmless)
    assert safe(harmless) == harmless


FRAGMENTS = (
    *"[]()<>!`*_~|\\$&;:/@#.\n ",
    *(
        "退货",
        "evil",
        "com",
        "https://",
        "shop.example",
        "\n\n",
        "&#58;",
        "](",
        "```\n",
        "<b>",
        "here",
    ),
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from([*ATTACKS, *REFERENCES, *FRAGMENTS]),
        max_size=25,
    )
)
def test_that_no_mixture_of_attacks_is_better(pieces: list[str]) -> None:
    harmless = safe("".join(pieces))
    assert_harmless(harmless)
    assert safe(harmless) == harmless


@settings(deadline=None)
@given(st.text(st.characters()))
def test_that_any_text_can_be_made_safe_and_plain(text: str) -> None:
    assert_harmless(safe(text))
    plain_text(text)


def assert_harmless(text: str) -> None:
    """Read the text as other programs will."""
    for token in OTHER_PARSER.parse(text):
        for child in [token, *(token.children or ())]:
            assert child.type not in ("image", "html_inline", "html_block"), child
            assert child.type != "link_open" or LINKS.allows(str(child.attrs["href"])), child
    assert_no_link_for_telegram(text)
    # Slack reads its own signs everywhere, unless "<" is written as "&lt;".
    assert not re.search(r"<!(here|channel|everyone|subteam)", plain_text(text))


def assert_no_link_for_telegram(text: str) -> None:
    shown, entities = convert(text)
    units = shown.encode("utf-16-le")
    for entity in sorted(entities, key=lambda entity: -entity.offset):
        assert entity.type != "text_link" or LINKS.allows(entity.url or ""), entity
        if entity.type in ("code", "pre", "text_link"):
            start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
            units = units[:start] + "\n".encode("utf-16-le") * entity.length + units[end:]
    bare = units.decode("utf-16-le", "replace")
    for url in re.findall(r"[a-z][a-z0-9+.-]*://[a-z0-9.@%-]+", bare, re.IGNORECASE):
        assert LINKS.allows(url), (url, text)
    bare = re.sub(r"[\w.+-]+@[\w.-]+\.\w+", "", bare)  # mail addresses stay
    bare = re.sub(r"(?<![\w.-])shop\.example[/?#]\S*", "", bare)
    assert not re.search(r"evil\.(com|example)|@(here|channel|everyone)\b", bare, re.IGNORECASE)


@pytest.mark.parametrize(
    "unit",
    [
        *("a", "é", "a.", "退", "[", "![", "[a](", "<", "<!--", "<a ", "@", "`", "*a", "&#1", "a@"),
        *(
            "https://",
            "://",
            "|a\n|-\n",
            "[a]: b\n\n",
            "[a]: https://e.example\n\n",
            "\\",
            "$",
            "> ",
        ),
    ],
)
@pytest.mark.timeout(10)
def test_that_long_hostile_text_is_read_in_time(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    assert len(plain_text(safe(text))) <= 3 * len(text)
