"""The articles in memory: counterparts, names, and in which language vectors can be compared."""

import numpy as np
import pytest

from bot.knowledge.collection import Collection, counterpart
from bot.knowledge.vectors import ordinary_questions, texts_of
from bot.messages import Language, Passage
from tests.small_shop import passage

ENGLISH = passage("Parcels arrive in 3 days.", "en/delivery", title="Delivery")
CHINESE = passage("包裹三天送达。", "zh/delivery", "zh", title="配送")
ONLY_ENGLISH = passage("We open at nine.", "en/hours", title="Hours")


def vectors(*passages: Passage) -> dict[str, np.ndarray]:
    row = np.array([1, 0], dtype=np.float32)
    texts = [text for each in passages for text in texts_of(each)]
    ordinary = [text for each in passages for text in ordinary_questions()[each.language]]
    return {text.digest: row for text in [*texts, *ordinary]}


@pytest.mark.parametrize(
    ("language", "named"),
    [("en", ["en/delivery", "en/hours"]), ("zh", ["zh/delivery", "en/hours"])],
)
def test_that_an_article_gives_way_to_its_counterpart(language: Language, named: list[str]) -> None:
    collection = Collection([ENGLISH, CHINESE, ONLY_ENGLISH])

    found = collection.by_article([ENGLISH.id, CHINESE.id, ONLY_ENGLISH.id], language)

    assert sorted(found) == sorted(named)


def test_that_own_articles_that_answer_come_before_others() -> None:
    collection = Collection([CHINESE, ONLY_ENGLISH])

    assert collection.in_order({"en/hours": 0.9, "zh/delivery": 0.7}, "zh")[0] == "zh/delivery"
    assert collection.in_order({"en/hours": 0.9, "zh/delivery": 0.1}, "zh")[0] == "en/hours"


def test_that_an_article_is_known_by_its_id_and_in_its_language_by_its_name() -> None:
    collection = Collection([ENGLISH, CHINESE])

    assert list(collection.named("delivery", "zh")) == [CHINESE]
    assert list(collection.named("en/delivery", "zh")) == [ENGLISH]
    assert not collection.named("nowhere", "en")
    assert not collection.passages_of("nowhere")


def test_that_questions_are_compared_once_all_articles_of_their_language_have_vectors() -> None:
    english_only = Collection([ENGLISH, CHINESE], vectors=vectors(ENGLISH))
    no_chinese = Collection([ENGLISH], vectors=vectors(ENGLISH))

    assert [english_only.is_compared(language) for language in ("en", "zh")] == [True, False]
    assert no_chinese.is_compared("zh")
    assert not Collection().is_compared("en")


@pytest.mark.parametrize(
    ("article", "twin"), [("en/a", "zh/a"), ("a", "a"), ("zh/a", "zh/a"), ("en", "en")]
)
def test_that_a_counterpart_has_the_same_name_in_the_other_folder(article: str, twin: str) -> None:
    assert counterpart(article, "en", "zh") == twin
