"""How near an article is: shares of words, cosines, and where an answer begins."""

from collections.abc import Mapping, Sequence

import pytest

from bot.knowledge.scoring import (
    ARTICLE_COVERAGE_WEIGHT,
    ENOUGH,
    ENOUGH_WITHOUT_VECTORS,
    PASSAGE_COVERAGE_WEIGHT,
    QUESTION_WEIGHT,
    Hit,
    Rarity,
    article_score,
    coverage,
    passage_hit,
    passage_stems,
    stems,
)
from bot.knowledge.vectors import Likeness
from bot.messages import Language, Passage
from tests.small_shop import hit, passage

ENGLISH = passage("Parcels arrive in 3 days.", "en", title="Delivery")
CHINESE = passage("包裹三天送达。", "zh", "zh", title="配送")


def score_of(
    passages: Sequence[Passage],
    asked: str = "",
    *,
    like: Mapping[str, Likeness] | None = None,
    rarity: Rarity | None = None,
) -> float:
    """Return the score of an article with these passages and this listed question."""
    said = {each.id: passage_stems(each) for each in passages}
    return article_score(passages, said, stems(asked), like or {}, rarity or {})


@pytest.mark.parametrize(
    ("found", "share"),
    [
        pytest.param(["return"], 0.75, id="the-rarer-word"),
        pytest.param(["returns", "parcels"], 1.0, id="other-forms"),
        pytest.param(["parcel", "parcel"], 0.25, id="counted-once"),
        pytest.param([], 0.0, id="nothing"),
    ],
)
def test_that_coverage_is_the_share_of_weighted_words(found: list[str], share: float) -> None:
    assert coverage(stems(" ".join(found)), {"return": 3.0, "parcel": 1.0}) == pytest.approx(share)


def test_that_a_question_without_topics_is_covered_by_nothing() -> None:
    assert coverage(["a"], {}) == 0.0
    assert score_of([ENGLISH]) == 0.0


@pytest.mark.parametrize(
    ("of", "word"),
    [pytest.param(ENGLISH, "parcel", id="en"), pytest.param(CHINESE, "包裹", id="zh")],
)
def test_that_words_alone_decide_without_vectors(of: object, word: str) -> None:
    source = ENGLISH if of is ENGLISH else CHINESE
    rarity = {word: 1.0, "zeppelin": 1.0}

    found = passage_hit(source, passage_stems(source), 0.5, {}, rarity)

    assert (found.similarity, found.coverage, found.closeness) == (None, 0.5, 0.5)
    assert score_of([source], rarity=rarity) == 0.5


def test_that_a_score_is_the_mean_of_both_cosines_and_a_little_for_the_words() -> None:
    like = {ENGLISH.id: Likeness(passage=0.8, asked=0.6)}

    score = score_of([ENGLISH], like=like, rarity={"parcel": 1.0})
    found = passage_hit(ENGLISH, passage_stems(ENGLISH), score, like, {"parcel": 1.0})

    mean = (0.8 + QUESTION_WEIGHT * 0.6) / (1 + QUESTION_WEIGHT)
    assert score == pytest.approx(mean + ARTICLE_COVERAGE_WEIGHT)
    assert found.closeness == pytest.approx(0.8 + PASSAGE_COVERAGE_WEIGHT)
    assert found.similarity == 0.8


def test_that_an_article_is_as_near_as_its_nearest_passage() -> None:
    like = {
        ENGLISH.id: Likeness(passage=0.2, asked=0.2),
        CHINESE.id: Likeness(passage=0.9, asked=0.9),
    }

    assert score_of([ENGLISH, CHINESE], like=like) == pytest.approx(0.9)


def test_that_words_of_the_listed_questions_count_for_the_article_alone() -> None:
    rarity = {"lost": 1.0}

    assert score_of([ENGLISH], "Is my box lost?", rarity=rarity) == 1.0
    assert passage_hit(ENGLISH, passage_stems(ENGLISH), 1.0, {}, rarity).coverage == 0.0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_the_limits_of_an_answer_are_exact(language: Language) -> None:
    of, enough = passage(language=language), ENOUGH[language]

    by_vector = [
        Hit(passage=of, score=score, closeness=0, similarity=0.5, coverage=0)
        for score in (enough, enough - 1e-6)
    ]
    by_words = [hit(of, ENOUGH_WITHOUT_VECTORS), hit(of, ENOUGH_WITHOUT_VECTORS - 1e-6)]

    assert [found.is_answer for found in by_vector] == [True, False]
    assert [found.is_answer for found in by_words] == [True, False]
