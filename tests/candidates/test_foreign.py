"""Answers in another language than the question's."""

import pytest

from bot.candidates.article import as_answer
from bot.candidates.foreign import introduced
from bot.messages import Language
from prompts import Prompts
from tests.small_shop import RETURNS_EN, RETURNS_ZH, hit, passage


@pytest.mark.parametrize(
    ("text", "written", "language", "says"),
    [
        pytest.param(RETURNS_EN, "en", "zh", "英文", id="english-for-chinese"),
        pytest.param(RETURNS_ZH, "zh", "en", "Chinese", id="chinese-for-english"),
    ],
)
def test_that_a_reply_says_that_its_article_is_in_another_language(
    text: str, written: Language, language: Language, says: str
) -> None:
    found = hit(passage(text, language=written))

    first, _, rest = introduced(as_answer([found]), found, language, Prompts.load()).text.partition(
        "\n\n"
    )

    assert says in first
    assert rest == text


def test_that_an_answer_in_the_own_language_stays_as_it_is() -> None:
    found = hit(passage())
    answer = as_answer([found])

    assert introduced(answer, found, "en", Prompts.load()) is answer
