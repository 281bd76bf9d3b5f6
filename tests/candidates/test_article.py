"""The article answer: what stands in the article, or nothing."""

from dataclasses import replace

import pytest

from bot.candidates.article import as_answer, citation, shown_passages
from bot.knowledge.scoring import NEAR, Hit
from bot.messages import Candidate, Choice, Citation, PassageId
from tests.small_shop import RETURNS_EN, RETURNS_ZH, hit, passage

ENGLISH = passage(RETURNS_EN, "en-returns")
FAR = 0.2
CHINESE = passage(RETURNS_ZH, "zh-returns", "zh", title="退货")


def article_answer(hits: list[Hit]) -> Candidate | None:
    shown = shown_passages(hits)
    return as_answer(shown) if shown else None


def test_that_no_passage_gives_no_answer() -> None:
    assert article_answer([]) is None


@pytest.mark.parametrize("of", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_that_the_best_passage_is_shown_as_it_stands(of: object) -> None:
    source = ENGLISH if of is ENGLISH else CHINESE

    answer = article_answer([hit(source), hit(passage("Other.", "other"), 0.7)])

    assert answer is not None
    assert (answer.source, answer.text, answer.refusal) == ("article", source.text, None)
    assert answer.citations == (
        Citation(article=source.article, title=source.title, url=source.url),
    )
    assert answer.features["score"] == 0.9


def test_that_a_passage_too_far_from_the_question_is_not_shown() -> None:
    assert article_answer([hit(ENGLISH, FAR), hit(CHINESE, FAR)]) is None


@pytest.mark.parametrize(
    ("behind", "shown"),
    [pytest.param(NEAR / 2, 2, id="close"), pytest.param(NEAR * 2, 1, id="far")],
)
def test_that_a_second_passage_follows_when_it_is_about_as_close(behind: float, shown: int) -> None:
    second = replace(ENGLISH, id=PassageId("second"), text="A return is free.")

    answer = article_answer([hit(ENGLISH, 0.9, 0.8), hit(second, 0.9, 0.8 - behind)])

    assert answer is not None
    assert answer.text.split("\n\n") == [RETURNS_EN, "A return is free."][:shown]
    assert len(answer.citations) == 1


def test_that_passages_of_another_article_are_never_mixed_in() -> None:
    answer = article_answer([hit(ENGLISH), hit(passage("Other.", "other"))])

    assert answer is not None
    assert answer.text == RETURNS_EN


def test_that_a_long_passage_is_shown_trimmed_and_others_stand_below() -> None:
    other = Choice(label="Refunds", command="Refunds")
    shown = shown_passages([hit(ENGLISH)])

    answer = as_answer(shown, {ENGLISH.id: "You can return an item."}, [other])

    assert (answer.text, answer.choices) == ("You can return an item.", (other,))
    assert answer.features["kept"] == len(answer.text) / len(RETURNS_EN)


def test_that_an_article_without_a_link_is_cited_by_its_title() -> None:
    found = citation(hit(replace(CHINESE, url="")))

    assert found == Citation(article="zh-returns", title="退货", url="")
