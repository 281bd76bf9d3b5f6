"""How likely an article answers: shares of words, places among others, where answers begin."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import pytest

from bot.knowledge.scoring import (
    ENOUGH,
    PASSAGE_COVERAGE_WEIGHT,
    Evidence,
    Found,
    Hit,
    Rarity,
    Reranker,
    coverage,
    evidence,
    passage_hit,
    rerankers,
    stems,
)
from bot.knowledge.vectors import Likeness
from bot.messages import Language, Passage, PassageId
from tests.small_shop import passage

ENGLISH = passage("Parcels arrive in 3 days.", "en", title="Delivery")
CHINESE = passage("包裹三天送达。", "zh", "zh", title="配送")


def found(
    *,
    rarity: Rarity | None = None,
    matches: Mapping[PassageId, float] | None = None,
    likeness: Mapping[PassageId, Likeness] | None = None,
    language: Language = "en",
) -> Found:
    return Found(
        question="?",
        language=language,
        rarity=rarity or {},
        matches=matches or {},
        likeness=likeness or {},
        spread={"en": (0.8, 0.02), "zh": (0.8, 0.02)} if likeness else {},
    )


def weigh(of: Found, *passages: Passage, asked: str = "") -> dict[str, Evidence]:
    by_article: dict[str, Sequence[Passage]] = {each.article: [each] for each in passages}
    return evidence(of, by_article, lambda article: stems(asked))


@pytest.mark.parametrize(
    ("words", "share"),
    [
        pytest.param(["return"], 0.75, id="the-rarer-word"),
        pytest.param(["returns", "parcels"], 1.0, id="other-forms"),
        pytest.param(["parcel", "parcel"], 0.25, id="counted-once"),
        pytest.param([], 0.0, id="nothing"),
    ],
)
def test_that_coverage_is_the_share_of_weighted_words(words: list[str], share: float) -> None:
    assert coverage(stems(" ".join(words)), {"return": 3.0, "parcel": 1.0}) == pytest.approx(share)


def test_that_a_question_without_topics_is_covered_by_nothing() -> None:
    assert coverage(["a"], {}) == 0.0
    assert weigh(found(), ENGLISH)["en"] == Evidence()


def test_that_the_standing_counts_deviations_above_all_passages() -> None:
    like = {ENGLISH.id: Likeness(passage=0.9, asked=0.86)}

    [weighed] = weigh(found(likeness=like), ENGLISH).values()

    assert (weighed.similarity, weighed.asked) == (0.9, 0.86)
    assert weighed.standing == pytest.approx((0.88 - 0.8) / 0.02)


def test_that_articles_are_compared_with_the_best_other_one() -> None:
    weighed = weigh(found(matches={ENGLISH.id: 4.0, CHINESE.id: 1.0}), ENGLISH, CHINESE)

    assert (weighed["en"].match, weighed["zh"].match) == (1.0, 0.25)
    assert (weighed["en"].match_lead, weighed["zh"].match_lead) == (0.75, -0.75)


def test_that_an_article_in_another_language_is_told_apart() -> None:
    weighed = weigh(found(language="zh"), ENGLISH, CHINESE)

    assert (weighed["en"].is_foreign, weighed["zh"].is_foreign) == (1.0, 0.0)


def test_that_the_share_of_the_title_in_the_question_counts() -> None:
    assert weigh(found(rarity={"deliveri": 1.0}), ENGLISH)["en"].title == 1.0
    assert weigh(found(rarity={"parcel": 1.0}), ENGLISH)["en"].title == 0.0


def test_that_words_of_the_listed_questions_count_for_the_article_alone() -> None:
    lost = found(rarity={"lost": 1.0})

    assert weigh(lost, ENGLISH, asked="Is my box lost?")["en"].coverage == 1.0
    assert passage_hit(ENGLISH, 1.0, lost).coverage == 0.0


def test_that_a_passage_is_as_close_as_its_cosine_and_a_little_for_the_words() -> None:
    like = {ENGLISH.id: Likeness(passage=0.8, asked=0.6)}

    by_vector = passage_hit(ENGLISH, 0.5, found(likeness=like, rarity={"parcel": 1.0}))
    by_words = passage_hit(ENGLISH, 0.5, found(rarity={"parcel": 1.0, "zeppelin": 1.0}))

    assert by_vector.closeness == pytest.approx(0.8 + PASSAGE_COVERAGE_WEIGHT)
    assert (by_words.similarity, by_words.closeness) == (None, 0.5)


def test_that_a_probability_is_the_logistic_of_the_weighed_evidence() -> None:
    reranker = Reranker(bias=-1.0, weights={"coverage": 2.0})

    assert reranker.probability(Evidence(coverage=0.5)) == 0.5
    assert reranker.probability(Evidence(coverage=1.0)) == pytest.approx(0.7311, abs=1e-4)


@pytest.mark.parametrize("means", ["meaning", "words"])
def test_that_the_package_weighs_only_evidence_that_there_is(means: str) -> None:
    known = {field.name for field in fields(Evidence)}

    assert set(rerankers()["meaning" if means == "meaning" else "words"].weights) <= known


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_the_limits_of_an_answer_are_exact(language: Language) -> None:
    of, enough = passage(language=language), ENOUGH

    hits = [
        Hit(passage=of, score=score, closeness=0, similarity=0.5, coverage=0)
        for score in (enough, enough - 1e-6)
    ]

    assert [hit.is_answer for hit in hits] == [True, False]
