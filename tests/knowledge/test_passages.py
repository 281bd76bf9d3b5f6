"""Markdown cut into passages: at headings, between blocks, and inside one only where it must."""

import re

import pytest

from bot.knowledge.passages import LONGEST_PASSAGE, split

ROW = "| Country {0} | {0}.90 EUR |"
ITEM = "- Step {0}: put the item into the box and close it.\n  Then print label {0}."


def table(rows: int) -> str:
    return "\n".join(["| Country | Price |", "| --- | --- |", *map(ROW.format, range(rows))])


def test_that_headings_stand_above_their_passages() -> None:
    body = (
        "before\n\n## A\n\none\n\n### B **bold** [link](https://a.example)\n\ntwo\n\n## C\n\nthree"
    )

    assert list(split(body)) == [
        ("", "before"),
        ("A", "one"),
        ("A / B bold link", "two"),
        ("C", "three"),
    ]


def test_that_underlined_headings_are_headings() -> None:
    assert list(split("Returns\n=======\n\none\n\n退货\n---\n\n30 天")) == [
        ("Returns", "one"),
        ("Returns / 退货", "30 天"),
    ]


def test_that_a_number_sign_in_code_is_no_heading() -> None:
    assert list(split("one\n\n```\n# comment\n```\n\n#hash")) == [
        ("", "one\n\n```\n# comment\n```\n\n#hash")
    ]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(table(12), id="table"),
        pytest.param("\n".join(ITEM.format(n) for n in range(6)), id="list"),
        pytest.param("商品送达后30天内可以退货。" * 40, id="chinese-paragraph"),
    ],
)
def test_that_a_block_that_fits_stays_whole(block: str) -> None:
    body = f"{'Some words before it. ' * 45}\n\n{block}\n\nafter"

    assert len(body) > LONGEST_PASSAGE
    assert any(block in text for _, text in split(body))


def test_that_a_long_table_is_continued_under_its_own_head() -> None:
    passages = [text for _, text in split(f"## Prices\n\n{table(150)}")]

    assert len(passages) > 2
    assert all(text.startswith("| Country | Price |\n| --- | --- |\n") for text in passages)
    assert all(len(text) <= LONGEST_PASSAGE for text in passages)
    assert [row for text in passages for row in text.split("\n")[2:]] == [
        ROW.format(n) for n in range(150)
    ]


def test_that_a_long_list_is_cut_between_its_items() -> None:
    passages = [text for _, text in split("\n".join(ITEM.format(n) for n in range(60)))]

    assert len(passages) > 2
    assert all(text.startswith("- Step") for text in passages)


@pytest.mark.parametrize("body", ["", "\n\n", "# Only a heading", "---", "# A\n\n## B\n\n"])
def test_that_what_says_nothing_has_no_passages(body: str) -> None:
    assert list(split(body)) == []


def test_that_no_text_is_lost() -> None:
    body = f"## A\n\n{table(80)}\n\n> quoted\n\n1. one\n2. two\n\n{'word ' * 900}\n\n## B\n\nlast"

    joined = "\n".join(text for _, text in split(body))

    assert set(re.findall(r"\w+", body)) - {"A", "B"} <= set(re.findall(r"\w+", joined))
