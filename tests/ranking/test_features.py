"""Features: what is measured of a slate, and that training sees what the policy saw."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bot.messages import Candidate
from bot.ranking import features
from bot.ranking.context import Context
from tests.ranking.slates import ARTICLE, ASKED, DRAFT, LATER, SLATE


def named(context: Context, candidate: Candidate) -> dict[str, float]:
    [row] = features.seen(features.described(context, [candidate]))
    return dict(zip(features.NAMES, row.tolist(), strict=True))


def test_that_a_draft_is_described() -> None:
    found = named(ASKED, DRAFT)

    assert (found["is_draft"], found["is_article"], found["support"]) == (1.0, 0.0, 1.0)
    assert found["confidence"] == pytest.approx(np.exp(-2 / 5))  # twenty letters, five tokens
    assert found["shares_question"] == 0.0
    assert found["liked"] == 0.5  # not known


def test_that_an_article_shares_the_questions_words() -> None:
    assert named(ASKED, ARTICLE)["shares_question"] == 1.0
    assert named(LATER, ARTICLE)["shares_question"] == 0.0


def test_that_saying_the_same_again_shows() -> None:
    assert named(ASKED, ARTICLE)["repeats"] == 0.0
    assert named(LATER, ARTICLE)["repeats"] == 1.0


@pytest.mark.parametrize(
    ("text", "question", "share"),
    [("商品送达后30天内可以退货。", "可以退货吗？", 1.0), ("特价商品。", "可以退货吗？", 0.0)],
)
def test_that_chinese_words_are_compared(text: str, question: str, share: float) -> None:
    asked = Context(question=question, language="zh")

    assert named(asked, Candidate(source="draft", text=text))["shares_question"] == share
    assert named(asked, Candidate(source="draft", text=text))["chinese_draft"] == 1.0


def test_that_a_planned_draft_is_seen_without_what_its_text_will_show() -> None:
    [planned] = features.described(
        ASKED, [Candidate(source="draft", text="", features={"score": 0.9})]
    )
    written = {"support": 1.0, "answers": 0.9, **planned.features}

    assert (features.matrix([("draft", written)]) == features.seen([planned])).all()


def test_that_what_is_logged_is_what_was_seen() -> None:
    slate = features.described(LATER, SLATE)
    logged = [(each.source, json.loads(json.dumps(dict(each.features)))) for each in slate]

    assert (features.matrix(logged) == features.seen(slate)).all()
    assert features.seen(slate).shape == (4, len(features.NAMES))


def test_that_names_are_given_once() -> None:
    assert len(set(features.NAMES)) == len(features.NAMES)


@pytest.mark.parametrize(
    ("intent", "expected"), [(None, 0.0), (0.9, pytest.approx(0.1)), (1.0, 0.0)]
)
def test_that_a_question_back_knows_how_unsure_the_intent_is(
    intent: float | None, expected: float
) -> None:
    back = Candidate(source="clarification", text="Which do you mean?")
    asked = replace(ASKED, intent=intent)

    slate = features.described(asked, [back, ARTICLE])

    own = [each.features.get("unsure_clarification", 0.0) for each in slate]
    assert own == [expected, 0.0]
