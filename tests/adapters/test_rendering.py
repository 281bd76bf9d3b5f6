"""What channels share: the line of sources, the splitting, and what is left of Markdown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.rendering import (
    Links,
    Style,
    compose,
    is_boundary,
    is_web_address,
    plain_text,
    render,
    split_text,
    utf16_length,
    well_formed,
)
from bot.messages import Citation, Language, Outgoing
from prompts import Prompts
from tests.adapters.samples import RETURNS, reply

PROMPTS = Prompts.load()
DELIVERY = Citation(article="delivery", title="Delivery", url="")
GRAPHEMES = (
    "a",
    "é",
    "e\u0301",
    "👩‍👩‍👧‍👦",
    "👍🏽",
    "🇨🇳",
    "1️⃣",
    "각",
    "한",
    "नि",
    "क्ष",
    "ก็",
    "字",
    "\r\n",
    " ",
)


LINKS = Links(frozenset({"shop.example"}))


def outgoing(text: str, *citations: Citation, language: Language = "en") -> Outgoing:
    return reply(text=text, citations=citations, language=language)


# The line of sources.


@pytest.mark.parametrize(
    ("citations", "language", "expected"),
    [
        pytest.param((), "en", ["Hello."], id="none"),
        pytest.param((DELIVERY,), "en", ["Hello.\n\nSource: Delivery"], id="no-address"),
        pytest.param(
            (RETURNS, DELIVERY, RETURNS),
            "en",
            ["Hello.\n\nSource: Returns (https://shop.example/returns), Delivery"],
            id="named-once",
        ),
        pytest.param(
            (DELIVERY, RETURNS),
            "zh",
            ["Hello.\n\n来源：Delivery、Returns (https://shop.example/returns)"],
            id="chinese",
        ),
    ],
)
def test_that_a_reply_ends_with_its_sources(
    citations: tuple[Citation, ...], language: Language, expected: list[str]
) -> None:
    reply = outgoing("Hello.", *citations, language=language)
    assert render(reply, PROMPTS, Style(limit=200)) == expected


def test_that_sources_that_do_not_fit_come_alone() -> None:
    parts = render(outgoing("a" * 50, RETURNS), PROMPTS, Style(limit=60))
    assert parts == ["a" * 50, "Source: Returns (https://shop.example/returns)"]


def test_that_sources_too_long_for_a_message_lose_their_addresses() -> None:
    parts = render(outgoing("Hello.", RETURNS), PROMPTS, Style(limit=20))
    assert parts == ["Hello.", "Source: Returns"]


def test_that_a_title_too_long_for_a_message_is_split() -> None:
    long = Citation(article="a", title="word " * 20, url="")
    parts = render(outgoing("Hello.", long), PROMPTS, Style(limit=30))
    assert all(len(part) <= 30 for part in parts)
    assert " ".join(parts).split() == ["Hello.", "Source:", *["word"] * 20]


def test_that_a_title_is_one_line() -> None:
    odd = Citation(article="a", title="two\nlines\0", url="")
    assert render(outgoing("Hello.", odd), PROMPTS, Style(limit=99)) == [
        "Hello.\n\nSource: two lines"
    ]


def test_that_escaping_counts_towards_the_limit() -> None:
    style = Style(limit=50, escape=lambda text: text.replace("&", "&amp;"))
    parts = render(outgoing("&" * 40), PROMPTS, style)
    assert [len(part) for part in parts] == [50, 50, 50, 50]


def test_that_no_words_are_no_messages() -> None:
    assert render(outgoing(" \n "), PROMPTS, Style(limit=50)) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("https://shop.example/a?b=c#d", True, id="https"),
        pytest.param("http://127.0.0.1:8080/returns", True, id="http"),
        pytest.param("", False, id="empty"),
        pytest.param("returns.md", False, id="relative"),
        pytest.param("javascript:alert(1)", False, id="script"),
        pytest.param("https://", False, id="no-host"),
        pytest.param("https://a b", False, id="space"),
        pytest.param("http://[broken", False, id="malformed"),
    ],
)
def test_that_only_web_addresses_are_linked(url: str, expected: bool) -> None:
    assert is_web_address(url) is expected


# Markdown.


@pytest.mark.parametrize(
    ("citations", "language", "expected"),
    [
        pytest.param((), "en", "It is **free**.", id="none"),
        pytest.param(
            (RETURNS, DELIVERY, RETURNS),
            "en",
            "It is **free**.\n\nSource: [Returns](https://shop.example/returns), Delivery",
            id="named-once",
        ),
        pytest.param(
            (DELIVERY, RETURNS),
            "zh",
            "It is **free**.\n\n来源：Delivery、[Returns](https://shop.example/returns)",
            id="chinese",
        ),
        pytest.param(
            (Citation(article="a", title="A [b] *c*\n\0", url="https://shop.example/a_(b)"),),
            "en",
            "It is **free**.\n\nSource: [A \\[b\\] \\*c\\*](https://shop.example/a_%28b%29)",
            id="odd-title",
        ),
        pytest.param(
            (Citation(article="a", title="evil.com <b>", url="https://evil.example/"),),
            "en",
            "It is **free**.\n\nSource: `evil.com` \\<b\\>",
            id="elsewhere",
        ),
    ],
)
def test_that_markdown_ends_with_links_to_its_sources(
    citations: tuple[Citation, ...], language: Language, expected: str
) -> None:
    answer = outgoing("It is **free**.\n", *citations, language=language)
    assert compose(answer, PROMPTS, LINKS) == expected


def test_that_markdown_is_safe() -> None:
    answer = outgoing("See ![map](https://evil.example/m) [here](https://evil.example/).\0")
    assert compose(answer, PROMPTS, LINKS) == "See map here (`https://evil.example/`)."


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_that_the_sources_are_no_part_of_code(fence: str) -> None:
    answer = outgoing(f"Do:\n{fence}py\nx = 1", RETURNS)
    assert compose(answer, PROMPTS, LINKS) == (
        f"Do:\n{fence}py\nx = 1\n{fence}\n\nSource: [Returns](https://shop.example/returns)"
    )


@pytest.mark.parametrize("text", ["", " \n"])
def test_that_no_words_are_no_markdown(text: str) -> None:
    assert compose(outgoing(text), PROMPTS, LINKS) == ""
    assert compose(outgoing(text, DELIVERY), PROMPTS, LINKS) == "Source: Delivery"


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        pytest.param("## Returns\nSend it.", "Returns\nSend it.", id="heading"),
        pytest.param("Returns\n=====\n\nSend it.", "Returns\n\nSend it.", id="underlined"),
        pytest.param("It is **free** _today_.", "It is free today.", id="bold"),
        pytest.param("~~Not~~ **_now_**", "Not now", id="nested"),
        pytest.param("See [here](https://a.example).", "See here (https://a.example).", id="link"),
        pytest.param("[https://a.b](https://a.b) <https://a.b>", "https://a.b https://a.b", id="u"),
        pytest.param("[mail](mailto:a@b.c) <a@b.c>", "mail (a@b.c) a@b.c", id="mail"),
        pytest.param("![map](https://a.example/m.png)", "map", id="image"),
        pytest.param("[a](javascript:x) [b](c.md)", "a b", id="no-link"),
        pytest.param("2 ** 3 ** 4, a**b", "2 ** 3 ** 4, a**b", id="arithmetic"),
        pytest.param("#1 of 5, snake_case", "#1 of 5, snake_case", id="as-it-is"),
        pytest.param("run `a *b*` now", "run a *b* now", id="code"),
        pytest.param("So:\n```py\nx = *a\n```\nDone", "So:\nx = *a\nDone", id="code-block"),
        pytest.param("- one\n- **two**\n  1. three", "- one\n- two\n  1. three", id="list"),
        pytest.param("> quoted", "> quoted", id="quotation"),
        pytest.param("a  \nb\\\nc", "a\nb\nc", id="line-breaks"),
        pytest.param("\\<b\\> 1\\. &lt;c&gt;", "<b> 1. <c>", id="escapes"),
        pytest.param(
            "|Size|Price|\n|:--|--:|\n| **S** | €3 |\n| L | |\n\nEnd",
            "Size | Price\nS | €3\nL | \n\nEnd",
            id="table",
        ),
        pytest.param(
            "**订单**已发货，见[这里](https://a.b)。", "订单已发货，见这里 (https://a.b)。", id="zh"
        ),
    ],
)
def test_that_marks_go_and_words_stay(markdown: str, expected: str) -> None:
    assert plain_text(markdown) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\0b", "ab", id="nul"),
        pytest.param("a\ud800b", "a\ufffdb", id="lone-surrogate"),
        pytest.param("\ud83d\ude00", "😀", id="pair"),
        pytest.param("退货😀", "退货😀", id="fine"),
    ],
)
def test_that_text_can_be_stored(text: str, expected: str) -> None:
    assert well_formed(text) == expected


# Splitting.


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        pytest.param("short", 20, ["short"], id="fits"),
        pytest.param(
            "One here.\n\nTwo is here.", 15, ["One here.", "Two is here."], id="paragraph"
        ),
        pytest.param("One here.\nTwo is there.", 15, ["One here.", "Two is there."], id="line"),
        pytest.param("It is so. And so on.", 12, ["It is so.", "And so on."], id="sentence"),
        pytest.param('He: "Yes!" Then he went', 13, ['He: "Yes!"', "Then he went"], id="quotation"),
        pytest.param("It is 3.50 euros here", 12, ["It is 3.50", "euros here"], id="number"),
        pytest.param("one two three four", 10, ["one two", "three four"], id="words"),
        pytest.param(
            "可以退货。请在三十天内寄回。",
            8,
            ["可以退货。", "请在三十天内寄回。"[:8], "。"],
            id="cut",
        ),
        pytest.param("可以退货！请寄回。", 6, ["可以退货！", "请寄回。"], id="chinese-sentence"),
        pytest.param(
            "“好的。”他说完就走了", 7, ["“好的。”", "他说完就走了"], id="chinese-quotation"
        ),
        pytest.param(
            "如果坏了，请联系我们吧", 7, ["如果坏了，", "请联系我们吧"], id="chinese-clause"
        ),
        pytest.param("退货退货退货退货", 3, ["退货退", "货退货", "退货"], id="chinese-no-end"),
        pytest.param("aaaaaaaaaa", 4, ["aaaa", "aaaa", "aa"], id="one-word"),
        pytest.param("A. " + "b" * 20, 12, ["A.", "b" * 12, "b" * 8], id="early-sentence"),
        pytest.param("", 5, [], id="empty"),
        pytest.param(" \n ", 5, [], id="blank"),
        pytest.param("Exactly ten", 11, ["Exactly ten"], id="exactly"),
        pytest.param("It is so. More", 9, ["It is so.", "More"], id="sentence-at-the-limit"),
    ],
)
def test_that_text_is_cut_where_it_reads_best(text: str, limit: int, expected: list[str]) -> None:
    assert split_text(text, limit) == expected


@pytest.mark.parametrize("grapheme", [g for g in GRAPHEMES if g.strip()])
def test_that_a_grapheme_stays_whole(grapheme: str) -> None:
    parts = split_text(grapheme * 40, 4 * len(grapheme) - 1)
    assert parts == [grapheme * 3] * 13 + [grapheme]


def test_that_a_grapheme_longer_than_a_message_is_cut_all_the_same() -> None:
    parts = split_text("e" + "\u0301" * 50, 20)
    assert [len(part) for part in parts] == [20, 20, 11]


def test_that_a_limit_below_one_character_still_ends() -> None:
    assert split_text("😀😀", 1, utf16_length) == ["😀", "😀"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(GRAPHEMES)))
def test_that_graphemes_can_be_told_apart(graphemes: list[str]) -> None:
    text = "".join(graphemes)
    ends, index = set(), 0
    for grapheme in graphemes:
        index += len(grapheme)
        ends.add(index)
    found = {index for index in range(1, len(text) + 1) if is_boundary(text, index)}
    assert found <= ends
    # A vowel sign after a space joins it, and so may what follows a cut-off cluster; no more.
    assert len(ends - found) <= graphemes.count("नि") + graphemes.count("क्ष")


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.one_of(st.sampled_from((*GRAPHEMES, "。", "! ", "\n\n", ", ")), st.text())),
    st.integers(min_value=20, max_value=80),
    st.sampled_from([len, utf16_length]),
)
def test_that_nothing_but_white_space_is_lost(
    pieces: list[str], limit: int, length: object
) -> None:
    assert callable(length)
    text = well_formed("".join(pieces))

    parts = split_text(text, limit, length)

    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part and part == part.strip() for part in parts)
    assert all(length(part) <= limit for part in parts)


@settings(deadline=None)
@given(st.text(max_size=400), st.integers(min_value=30, max_value=80))
def test_that_every_message_is_within_the_limit(text: str, limit: int) -> None:
    style = Style(limit=limit, length=utf16_length, escape=lambda t: t.replace("<", "&lt;"))
    parts = render(outgoing(text, RETURNS), PROMPTS, style)
    assert all(0 < utf16_length(part) <= limit for part in parts)
    assert all("<" not in part for part in parts)


def test_that_long_hostile_text_is_split_in_time() -> None:
    for unit in ("a", "🇨", "\u0301", "**", "[", "\n\t", "。”", "![", "# "):
        text = plain_text(unit * 50_000)
        assert sum(map(len, split_text(text, 4096, utf16_length))) <= len(text)
