"""What may be wrong with articles that can be read: told where words and numbers show it."""

import pytest

from bot.knowledge.consistency import contradictions, same_titles, single_lines
from bot.knowledge.sources.document import Document
from bot.understanding import language_of


def document(name: str, text: str, title: str = "") -> Document:
    return Document(
        id=name, source=f"{name}.md", title=title or name, language=language_of(text), text=text
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            "You can return an item within 30 days of delivery.",
            "An item can be returned within 14 days of delivery.",
            id="english",
        ),
        pytest.param("商品送达后30天内可以退货。", "商品送达后14天内可以退货。", id="chinese"),
        pytest.param(
            "| Country | Price |\n| --- | --- |\n| Switzerland by courier | 7.90 EUR |",
            "| Country | Price |\n| --- | --- |\n| Switzerland by courier | 9.90 EUR |",
            id="table",
        ),
    ],
)
def test_that_like_sentences_with_other_numbers_are_told(one: str, other: str) -> None:
    [found] = contradictions([document("a", f"First.\n\n{one}"), document("b", f"{other} Last.")])

    assert (found.article, found.other_article) == ("a", "b")
    assert found.sentence != found.other_sentence


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Return it within 30 days.", "Return it within 30 days.", id="the-same"),
        pytest.param(
            "Standard delivery to Germany takes 3 days.",
            "A gift card for friends is valid for 3 years.",
            id="other-words",
        ),
        pytest.param("Call 1.", "Call 2.", id="too-short"),
        pytest.param("The parcel arrives soon here.", "The parcel arrives 2 here.", id="no-number"),
        pytest.param("Return an item within 30 days.", "商品送达后14天内可以退货。", id="language"),
    ],
)
def test_that_other_sentences_are_not_told(one: str, other: str) -> None:
    assert contradictions([document("a", one), document("b", other)]) == []


def test_that_an_article_does_not_contradict_itself() -> None:
    text = "Standard delivery takes 3 days.\n\nStandard delivery takes 5 days."

    assert contradictions([document("a", text)]) == []


def test_that_a_thousand_articles_with_one_footer_are_compared_in_time() -> None:
    made = [
        document(
            f"a{n}", f"Our service desk opens at {n} every day.\n\nArticle number {n} of many."
        )
        for n in range(1000)
    ]

    assert contradictions(made) == []


def test_that_titles_are_compared_within_a_language() -> None:
    made = [
        document("a", "One.", "Returns"),
        document("b", "Two.", " returns"),
        document("c", "退货。", "Returns"),
        document("d", "Four.", "Delivery"),
    ]

    assert [[each.id for each in group] for group in same_titles(made)] == [["a", "b"]]


def test_that_articles_of_one_line_are_told_but_not_answers_of_tables() -> None:
    made = [document("a", "One line."), document("b", "One.\n\nTwo."), document("c#1", "Yes.")]

    assert [each.id for each in single_lines(made)] == ["a"]
