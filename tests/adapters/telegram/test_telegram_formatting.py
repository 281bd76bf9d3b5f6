"""Markdown becomes messages that Telegram takes, and nothing of it is lost."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram import MessageEntity

from adapters.rendering import Links, safe_markdown, utf16_length, well_formed
from adapters.telegram.formatting import LIMIT, Formatted, formatted
from tests.adapters.telegram.channels import LINKS

WORDS = [
    "退货要多久？",
    "Where is it?",
    "👩‍👩‍👧‍👦",
    "🇨🇳",
    "👍🏽",
    "שלום",
    "مرحبا",
    "e\u0301",
    "数据",
    "$5",
    "a_b*c",
]
CODE = "```python\nx = 1\n\n    return x\n```"
TABLE = "| size | 价格 |\n|---|---|\n| S | ¥5 |\n| L | ¥9 |"
BLOCKS = [CODE, TABLE, "> a quote\n> 引用", "- one\n- two", "# Heading", "**bold** `code`"]


def shown(message: Formatted) -> list[tuple[str, str]]:
    """Return each entity's kind and words, found as Telegram finds them."""
    units = message.text.encode("utf-16-le")
    return [
        (
            entity.type,
            units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le"),
        )
        for entity in message.entities
    ]


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        pytest.param(
            "**Yes**, *soon*.", "Yes, soon.", [("bold", "Yes"), ("italic", "soon")], id="en"
        ),
        pytest.param("😀**可以**退货。", "😀可以退货。", [("bold", "可以")], id="zh"),
        pytest.param("Run `x`:", "Run x:", [("code", "x")], id="code"),
        pytest.param(CODE, "x = 1\n\n    return x", [("pre", "x = 1\n\n    return x")], id="fence"),
        pytest.param("# 退货\n\ntext", "退货\n\ntext", [("bold", "退货")], id="heading"),
        pytest.param("> a\n> b", "a\nb", [("blockquote", "a\nb")], id="quote"),
        pytest.param("- a\n- b", "• a\n• b", [], id="list"),
        pytest.param("~~no~~ ||x|| \\(y\\)", "~~no~~ ||x|| (y)", [], id="other-marks"),
        pytest.param("a\r\nb\0c\x07", "a\nbc", [], id="controls"),
        pytest.param("***", "————————", [], id="rule"),
    ],
)
def test_that_markdown_becomes_text_with_entities(
    markdown: str, text: str, entities: list[tuple[str, str]]
) -> None:
    (message,) = formatted(markdown, LINKS)

    assert message.text == text
    assert shown(message) == entities


def test_that_a_table_keeps_its_rows_and_cells() -> None:
    (message,) = formatted(TABLE, LINKS)

    assert message.text.splitlines() == ["size | 价格", "-----+---", "S    | ¥5", "L    | ¥9"]
    assert message.entities[0].type == "pre"


@pytest.mark.parametrize(
    ("markdown", "links"),
    [
        pytest.param("[here](https://shop.example/a)", ["https://shop.example/a"], id="ours"),
        pytest.param("[here](https://evil.example/a)", [], id="foreign"),
        pytest.param("[here](tg://user?id=1)", [], id="app"),
        pytest.param("![x](https://evil.example/p.png)", [], id="image"),
        pytest.param("![x](tg://emoji?id=5368324170671202286)", [], id="custom-emoji"),
        pytest.param("<https://evil.example>", [], id="autolink"),
        pytest.param("[a][b]\n\n[b]: https://evil.example", [], id="reference"),
    ],
)
def test_that_only_allowed_links_are_live(markdown: str, links: list[str]) -> None:
    for source in (markdown, safe_markdown(markdown, LINKS)):
        messages = formatted(source, LINKS)
        entities = [entity for message in messages for entity in message.entities]

        assert [entity.url for entity in entities if entity.url] == links
        assert {entity.type for entity in entities} <= {"text_link", "code"}


@pytest.mark.parametrize(
    "address", ["https://evil.example/q?secret", "evil.example/q", "tg://x?y=1"]
)
def test_that_a_bare_foreign_address_is_shown_as_code(address: str) -> None:
    (message,) = formatted(safe_markdown(f"see {address} now", LINKS), LINKS)

    assert message.text == f"see {address} now"
    assert shown(message) == [("code", address)]


@pytest.mark.parametrize("address", ["https://evil.example/x", "`evil.example`", "@scammer"])
@pytest.mark.parametrize(("marks", "times"), [("**a** ", 1), ("", 150)])
def test_that_no_number_of_marks_brings_an_address_to_life(
    address: str, marks: str, times: int
) -> None:
    markdown = marks * 120 + f"{address} {marks}" * times

    (message,) = formatted(safe_markdown(markdown, LINKS), LINKS)

    assert len(message.entities) <= 100
    dead = " ".join(words for kind, words in shown(message) if kind == "code")
    assert dead.count(address.strip("`")) == times


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        pytest.param("write to @scammer_bot now", ["@scammer_bot"], id="name"),
        pytest.param("联系（@scammer）、@骗子", ["@scammer"], id="chinese"),
        pytest.param("联系@scammer吧", ["@scammer"], id="without-space"),
        pytest.param("**@scammer** /@scam2", ["@scammer", "@scam2"], id="around"),
        pytest.param("`@scammer`", ["@scammer"], id="code"),
        pytest.param("[@scammer](https://shop.example/a)", [], id="words-of-a-link"),
        pytest.param("a@b.example, @2x", [], id="no-names"),
        pytest.param("https://shop.example/@ada", [], id="part-of-an-address"),
    ],
)
def test_that_a_name_is_no_link_to_a_stranger(text: str, dead: list[str]) -> None:
    (message,) = formatted(safe_markdown(text, LINKS), LINKS)

    assert [words for kind, words in shown(message) if kind == "code"] == dead


@pytest.mark.parametrize("text", ["```https://evil.example", "> ```evil.example/退货"])
def test_that_an_address_among_marks_alone_is_no_link(text: str) -> None:
    (message,) = formatted(safe_markdown(text, LINKS), LINKS)

    assert "evil.example" in message.text
    assert shown(message) == [("code", message.text)]


def test_that_a_name_is_a_link_where_links_to_telegram_are_allowed() -> None:
    (message,) = formatted("write to @our_shop", Links(frozenset({"t.me"})))

    assert message.entities == ()


@pytest.mark.parametrize(
    "sentence", ["This is **one** whole sentence. ", "这是**一个**完整的句子。"]
)
def test_that_an_entity_goes_on_in_the_next_part(sentence: str) -> None:
    markdown = "**" + "word " * 1500 + "end**"
    first, second = formatted(markdown, LINKS)
    assert [kind for kind, _ in shown(first) + shown(second)] == ["bold", "bold"]
    assert shown(first)[0][1] == first.text

    for part in formatted(sentence * 500, LINKS):
        assert all(words in ("one", "一个") for _, words in shown(part))


texts = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from([*WORDS, " ", "\n", "**", "`", "```", "|", "[", "](http://x)"]), max_size=40
    ).map("".join),
    st.lists(st.sampled_from([*WORDS, *BLOCKS]), min_size=1, max_size=30).map("\n\n".join),
)


@settings(max_examples=300, deadline=None)
@given(text=texts, times=st.sampled_from([1, 1, 3, 40]))
def test_that_every_part_fits_and_nothing_is_lost(text: str, times: int) -> None:
    markdown = safe_markdown(well_formed((text * times)[:20_000]), LINKS)
    parts = formatted(markdown, LINKS)

    for part in parts:
        assert 0 < utf16_length(part.text) <= LIMIT
        assert part.text == part.text.strip()
        shown(part)  # decoding fails where an entity cuts a character
        assert all(is_inside(entity, part.text) for entity in part.entities)
    whole = "".join(part.text for part in parts)
    for letters in re.findall(r"[^\W_]", markdown):
        assert letters in whole or "](" in markdown or "&" in markdown or "```" in markdown
    assert bool(parts) == bool(whole)


def is_inside(entity: MessageEntity, text: str) -> bool:
    return 0 <= entity.offset < entity.offset + entity.length <= utf16_length(text)


@settings(max_examples=60, deadline=None)
@given(blocks=st.lists(st.sampled_from([*WORDS, *BLOCKS]), min_size=1, max_size=400))
def test_that_parts_joined_are_the_words_in_their_order(blocks: list[str]) -> None:
    markdown = "\n\n".join(f"{block}\n\nw{number}x" for number, block in enumerate(blocks))[:20_000]
    numbers = re.findall(r"w(\d+)x", markdown)

    whole = "\n".join(part.text for part in formatted(markdown, LINKS))

    assert re.findall(r"w(\d+)x", whole) == numbers
    assert whole.count("退货要多久？") == markdown.count("退货要多久？")
    assert whole.count("return x") == markdown.count("return x")
