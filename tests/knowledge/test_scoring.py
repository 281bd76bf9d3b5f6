"""How likely an article answers: shares of words, places among others, where answers begin."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from bot.knowledge.scoring import (
    ENOUGH,
    HEADING_WEIGHT,
    PASSAGE_COVERAGE_WEIGHT,
    SOFTNESS,
    Evidence,
    Found,
    Hit,
    Rarity,
    Reranker,
    among_each_other,
    contenders,
    coverage,
    evidence,
    passage_hit,
    rerankers,
    stems,
)
from bot.knowledge.vectors import Likeness, Scale, Scales
from bot.messages import Language, Passage, PassageId
from tests.small_shop import passage

ENGLISH = passage("Parcels arrive in 3 days.", "en", title="Delivery")
CHINESE = passage("包裹三天送达。", "zh", "zh", title="配送")

OWN = Scales(passages=Scale(0.8, 0.02), asked=Scale(0.8, 0.04))
USUAL = Scales(passages=Scale(0.7, 0.1), asked=Scale(0.7, 0.1))


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
        scales={"en": OWN, "zh": OWN} if likeness else {},
        usual={"en": USUAL, "zh": USUAL} if likeness else {},
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


def test_that_standing_and_level_are_means_of_places_among_cosines() -> None:
    like = {ENGLISH.id: Likeness(passage=0.9, heading=0.88)}

    [weighed] = weigh(found(likeness=like), ENGLISH).values()

    assert weighed.standing == pytest.approx((5 + HEADING_WEIGHT * 2) / (1 + HEADING_WEIGHT))
    assert weighed.level == pytest.approx((2 + HEADING_WEIGHT * 1.8) / (1 + HEADING_WEIGHT))
    assert weighed.best_level == weighed.level


def test_that_listed_questions_weigh_as_much_as_the_passage() -> None:
    like = {ENGLISH.id: Likeness(passage=0.9, heading=0.8, asked=0.96)}

    [weighed] = weigh(found(likeness=like), ENGLISH).values()

    assert weighed.standing == pytest.approx((5 + 4) / (2 + HEADING_WEIGHT))


def test_that_the_likest_passage_and_the_likest_heading_count() -> None:
    other = replace(ENGLISH, id=PassageId("other"), heading="Free")
    like = {
        ENGLISH.id: Likeness(passage=0.9, heading=0.8),
        other.id: Likeness(passage=0.8, heading=0.88),
    }

    both = {"en": [ENGLISH, other]}
    weighed = evidence(found(likeness=like), both, lambda article: frozenset())["en"]

    assert weighed.standing == pytest.approx((5 + HEADING_WEIGHT * 2) / (1 + HEADING_WEIGHT))


def test_that_bm25_counts_by_what_the_words_of_the_question_could_say() -> None:
    weighed = weigh(
        found(matches={ENGLISH.id: 4.0}, rarity={"parcel": 2.0, "zeppelin": 6.0}), ENGLISH
    )

    assert weighed["en"].match == 0.5
    assert weighed["en"].words == pytest.approx((0.5 + 0.25) / 2)


def test_that_equal_articles_share_and_a_clear_one_has_no_rival() -> None:
    equal = weigh(found(rarity={"parcel": 1.0, "包裹": 1.0}), ENGLISH, CHINESE)
    clear = among_each_other({"a": Evidence(standing=30.0), "b": Evidence()})

    assert [each.share for each in equal.values()] == pytest.approx([math.log(0.5)] * 2)
    assert clear["a"].share == pytest.approx(0)
    assert clear["b"].share == pytest.approx(-10 / SOFTNESS)
    assert among_each_other({}) == {}


def test_that_an_article_in_another_language_is_told_apart() -> None:
    weighed = weigh(found(language="zh"), ENGLISH, CHINESE)

    assert (weighed["en"].is_foreign, weighed["zh"].is_foreign) == (1.0, 0.0)


def test_that_an_article_in_another_language_answers_only_where_it_is_near_itself() -> None:
    meaning = rerankers()["meaning"]
    near = Evidence(is_foreign=1.0, standing=2.7, level=0.1, best_level=0.5, share=-0.3)
    far = Evidence(is_foreign=1.0, standing=1.85, level=-1.7, best_level=0.5, share=-0.9)

    assert meaning.probability(near) >= ENOUGH
    assert meaning.probability(far) < ENOUGH


def test_that_listed_questions_of_the_first_article_count_for_all_in_its_language() -> None:
    listed, plain = Evidence(standing=2.0, is_listed=1.0), Evidence(standing=1.0)
    foreign = Evidence(standing=1.5, is_foreign=1.0)

    weighed = among_each_other({"listed": listed, "plain": plain, "foreign": foreign})

    assert {name: each.own_listed for name, each in weighed.items()} == {
        "listed": 1.0,
        "plain": 1.0,
        "foreign": 0.0,
    }
    assert among_each_other({"plain": plain})["plain"].own_listed == 0.0


def test_that_the_share_of_the_title_in_the_question_counts() -> None:
    assert weigh(found(rarity={"deliveri": 1.0}), ENGLISH)["en"].title == 1.0
    assert weigh(found(rarity={"parcel": 1.0}), ENGLISH)["en"].title == 0.0


def test_that_words_of_the_listed_questions_count_for_the_article_alone() -> None:
    lost = found(rarity={"lost": 1.0})

    assert weigh(lost, ENGLISH, asked="Is my box lost?")["en"].coverage == 1.0
    assert passage_hit(ENGLISH, 1.0, lost).coverage == 0.0


def test_that_a_passage_is_as_close_as_its_cosine_and_a_little_for_the_words() -> None:
    like = {ENGLISH.id: Likeness(passage=0.8, heading=0.6)}

    by_vector = passage_hit(ENGLISH, 0.5, found(likeness=like, rarity={"parcel": 1.0}))
    by_words = passage_hit(ENGLISH, 0.5, found(rarity={"parcel": 1.0, "zeppelin": 1.0}))

    assert by_vector.closeness == pytest.approx(0.8 + PASSAGE_COVERAGE_WEIGHT)
    assert (by_words.similarity, by_words.closeness) == (None, 0.5)


def test_that_a_probability_is_the_logistic_of_the_weighed_evidence() -> None:
    reranker = Reranker(bias=-1.0, weights={"coverage": 2.0})

    assert reranker.probability(Evidence(coverage=0.5)) == 0.5
    assert reranker.probability(Evidence(coverage=1.0)) == pytest.approx(0.7311, abs=1e-4)


def test_that_the_package_weighs_only_evidence_that_there_is() -> None:
    for reranker in rerankers().values():
        assert 0 < reranker.probability(Evidence()) < 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_the_limits_of_an_answer_are_exact(language: Language) -> None:
    of, enough = passage(language=language), ENOUGH

    hits = [
        Hit(passage=of, score=score, closeness=0, similarity=0.5, coverage=0)
        for score in (enough, enough - 1e-6)
    ]

    assert [hit.is_answer for hit in hits] == [True, False]


def test_that_having_no_rival_is_no_answer_by_itself() -> None:
    """In a small collection one word may be enough to be the only article found."""
    words = rerankers()["words"]

    assert words.probability(Evidence(coverage=0.05, match=0.02)) < ENOUGH
    assert words.probability(Evidence(coverage=1.0, match=1.0)) >= ENOUGH


def test_that_no_passage_that_words_can_bring_to_the_front_is_passed_over() -> None:
    rng = random.Random(7)
    rarity = {"parcel": 1.0, "arriv": 2.0, "custom": 3.0}
    passed_over = 0
    for _ in range(100):
        texts = [" ".join(rng.sample(["parcel", "arriving", "customs"], 2)) for _ in range(9)]
        passages = [passage(text, f"p{number}") for number, text in enumerate(texts)]
        likeness = {each.id: Likeness(rng.uniform(0.8, 0.95), 0.0) for each in passages}
        of = found(rarity=rarity, likeness=likeness)

        kept = contenders(passages, of, 2)

        assert two_closest(kept, of) == two_closest(passages, of)
        passed_over += len(passages) - len(kept)
    assert passed_over > 300


def two_closest(passages: Sequence[Passage], of: Found) -> list[PassageId]:
    hits = [passage_hit(each, 0.9, of) for each in passages]
    best = sorted(hits, key=lambda hit: hit.closeness, reverse=True)[:2]
    return [hit.passage.id for hit in best]


def test_that_all_passages_contend_where_words_alone_decide() -> None:
    passages = [passage(f"Delivery {number}.", f"p{number}") for number in range(5)]

    assert contenders(passages, found(), 2) == passages
