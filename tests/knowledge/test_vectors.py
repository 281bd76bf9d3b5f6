"""Vectors: kept once, read back as they were, and compared as the closed form says."""

from dataclasses import replace

import numpy as np
import pytest
from sqlite_utils import Database

from bot.knowledge.encoder import Vectors
from bot.knowledge.vectors import (
    Likeness,
    PassageMatrix,
    Scale,
    Text,
    keep_vectors,
    known_vectors,
    ordinary_questions,
    texts_of,
)
from bot.messages import Passage, PassageId
from tests.small_shop import passage

EAST = np.array([1, 0, 0], dtype=np.float32)
NORTH = np.array([0, 1, 0], dtype=np.float32)
UP = np.array([0, 0, 1], dtype=np.float32)
BETWEEN = ((EAST + NORTH) / np.sqrt(2)).astype(np.float32)

FIRST = passage("It is free.", "first", title="First", heading="Price")
SECOND = passage("两天。", "second", "zh", title="Second", heading="期限")


def vectors_of(*rows: tuple[Vectors, Vectors]) -> dict[str, Vectors]:
    """Return vectors for the whole and the heading of FIRST, then of SECOND."""
    found = {}
    for of, row in zip((FIRST, SECOND), rows, strict=False):
        for text, vector in zip(texts_of(of), row, strict=True):
            found[text.digest] = vector
    return found


def test_that_a_passage_is_encoded_whole_and_by_its_heading() -> None:
    assert texts_of(FIRST) == (
        Text("First: Price\nIt is free.", is_question=False),
        Text("Price", is_question=True),
    )
    assert texts_of(passage(title="Title"))[1] == Text("Title", is_question=True)


def test_that_a_question_and_a_passage_of_the_same_words_are_kept_apart() -> None:
    assert Text("a", is_question=True).digest != Text("a", is_question=False).digest


@pytest.mark.parametrize(
    ("question", "whole", "heading"),
    [
        pytest.param(EAST, 1.0, 0.0, id="like-the-passage"),
        pytest.param(NORTH, 0.0, 1.0, id="like-the-heading"),
        pytest.param(BETWEEN, 0.5**0.5, 0.5**0.5, id="between"),
        pytest.param(UP, 0.0, 0.0, id="like-neither"),
    ],
)
def test_that_a_question_is_compared_with_the_passage_and_with_its_heading(
    question: Vectors, whole: float, heading: float
) -> None:
    matrix = PassageMatrix([FIRST], {}, vectors_of((EAST, NORTH)))

    found = matrix.likeness(question, [FIRST.id])[FIRST.id]

    assert (found.passage, found.heading) == pytest.approx((whole, heading))
    assert found.asked is None


def test_that_the_listed_questions_are_those_of_the_article_and_name_its_likest_passage() -> None:
    sister = replace(SECOND, id=PassageId("sister"), heading="加急", text="一天。")
    vectors = vectors_of((UP, UP), (EAST, UP))
    vectors |= dict(zip((text.digest for text in texts_of(sister)), (NORTH, UP), strict=True))
    asked = np.array([0.8, 0.6, 0], dtype=np.float32)
    vectors[Text("要几天？", is_question=True).digest] = asked

    matrix = PassageMatrix([FIRST, SECOND, sister], {"second": ["要几天？"]}, vectors)

    found = matrix.likeness(EAST, [FIRST.id, SECOND.id, sister.id])
    assert found[SECOND.id] == Likeness(1.0, 0.0, asked=pytest.approx(0.8))
    assert found[sister.id] == Likeness(0.0, 0.0, asked=pytest.approx(0.8))
    assert found[FIRST.id] == Likeness(0.0, 0.0)
    assert matrix.nearest(asked, 1)[-1] == SECOND.id


def test_that_the_likest_of_several_questions_counts() -> None:
    vectors = vectors_of((UP, UP))
    for text, vector in (("far", UP), ("near", EAST)):
        vectors[Text(text, is_question=True).digest] = vector

    matrix = PassageMatrix([FIRST], {"first": ["far", "near"]}, vectors)

    assert matrix.likeness(EAST, [FIRST.id])[FIRST.id] == Likeness(0.0, 0.0, asked=1.0)
    assert matrix.likeness(-EAST, [FIRST.id])[FIRST.id] == Likeness(0.0, 0.0, asked=0.0)


def many(number: int, *, with_headings: bool = False) -> tuple[list[Passage], dict[str, Vectors]]:
    """Return passages with random vectors of length 1, with headings of their own or one."""
    rng = np.random.default_rng(5)
    passages = [
        replace(
            FIRST, id=PassageId(f"p{n}"), text=f"{n}", heading=f"h{n}" if with_headings else "h"
        )
        for n in range(number)
    ]
    vectors: dict[str, Vectors] = {}
    for each in passages:
        for text in texts_of(each):
            vector = rng.normal(size=8).astype(np.float32)
            vectors[text.digest] = vector / np.linalg.norm(vector)
    return passages, vectors


@pytest.mark.parametrize("exactly", [1000, 10], ids=["small", "large"])
def test_that_the_nearest_passages_come_first(
    monkeypatch: pytest.MonkeyPatch, exactly: int
) -> None:
    monkeypatch.setattr("bot.knowledge.vectors.COMPARED_EXACTLY", exactly)
    passages, vectors = many(60)
    wholes = np.stack([vectors[texts_of(each)[0].digest] for each in passages])
    question = wholes[17]

    nearest = PassageMatrix(passages, {}, vectors).nearest(question, 5)

    assert nearest[:5] == [f"p{row}" for row in np.argsort(-(wholes @ question))[:5]]


def test_that_the_scales_are_those_of_all_cosines() -> None:
    passages, vectors = many(60, with_headings=True)
    wholes, headings = (
        np.stack([vectors[texts_of(each)[kind].digest] for each in passages]) for kind in (0, 1)
    )
    question = wholes[3]

    matrix = PassageMatrix(passages, {}, vectors)

    for scale, cosines in (
        (matrix.scales(question).passages, wholes @ question),
        (matrix.scales(question).asked, headings @ question),
    ):
        found = (scale.mean, scale.deviation)
        assert found == pytest.approx((cosines.mean(), cosines.std()), abs=1e-5)


def test_that_what_is_usual_is_told_by_the_headings_and_questions_of_other_articles() -> None:
    passages, vectors = many(60, with_headings=True)
    passages = [replace(each, article=f"a{row // 3}") for row, each in enumerate(passages)]
    listed = Text("Is it free?", is_question=True)
    vectors[listed.digest] = vectors[texts_of(passages[0])[0].digest]
    wholes, headings = (
        np.stack([vectors[texts_of(each)[kind].digest] for each in passages]) for kind in (0, 1)
    )
    articles = np.arange(60) // 3
    asked, owners = np.vstack([headings, wholes[:1]]), np.append(articles, 0)

    usual = PassageMatrix(passages, {"a0": [listed.text]}, vectors).usual

    for scale, rows, own in ((usual.passages, wholes, articles), (usual.asked, asked, owners)):
        others = (rows @ asked.T)[own[:, None] != owners[None]]
        found = (scale.mean, scale.deviation)
        assert found == pytest.approx((others.mean(), others.std()), abs=1e-5)


def test_that_ordinary_questions_tell_what_is_usual_beside_a_single_article() -> None:
    vectors = vectors_of((EAST, EAST))
    ordinary = {"Where?": BETWEEN, "When?": NORTH}
    texts = [Text(each, is_question=True) for each in ordinary]
    vectors |= {text.digest: ordinary[text.text] for text in texts}

    usual = PassageMatrix([FIRST], {}, vectors, texts).usual

    cosines = np.array([EAST @ BETWEEN, EAST @ NORTH])
    for scale in (usual.passages, usual.asked):
        assert (scale.mean, scale.deviation) == pytest.approx((cosines.mean(), cosines.std()))


def test_that_ordinary_questions_are_the_same_in_both_languages() -> None:
    english, chinese = ordinary_questions()["en"], ordinary_questions()["zh"]

    assert len(english) == len(chinese) == len({each.digest for each in [*english, *chinese]}) / 2


def test_that_a_place_counts_deviations_and_no_scale_is_too_narrow() -> None:
    assert Scale(0.8, 0.02).place(0.86) == pytest.approx(3)
    assert Scale(0.8, 0.0).place(0.81) == pytest.approx(1)


def test_that_passages_of_no_matrix_are_left_out() -> None:
    matrix = PassageMatrix([FIRST], {}, vectors_of((EAST, NORTH)))

    assert list(matrix.likeness(EAST, [SECOND.id, FIRST.id])) == [FIRST.id]


@pytest.mark.parametrize("missing", [0, 1])
def test_that_a_missing_vector_is_an_error(missing: int) -> None:
    vectors = vectors_of((EAST, NORTH))
    del vectors[texts_of(FIRST)[missing].digest]

    with pytest.raises(KeyError):
        PassageMatrix([FIRST], {}, vectors)


def test_that_vectors_come_back_as_they_were_kept(db: Database) -> None:
    texts = [Text("退货", is_question=True), Text("returns", is_question=False)]

    keep_vectors(db, "words/1", texts, np.stack([EAST, BETWEEN]))

    known = known_vectors(db, "words/1")
    assert known.keys() == {text.digest for text in texts}
    np.testing.assert_array_equal(known[texts[1].digest], BETWEEN)


def test_that_vectors_of_another_encoder_are_not_used(db: Database) -> None:
    keep_vectors(db, "words/1", [Text("a", is_question=True)], np.stack([EAST]))

    assert known_vectors(db, "words/2") == {}


def test_that_a_vector_is_kept_once(db: Database) -> None:
    text = Text("a", is_question=True)
    keep_vectors(db, "words/1", [text], np.stack([EAST]))

    keep_vectors(db, "words/1", [text], np.stack([NORTH]))

    np.testing.assert_array_equal(known_vectors(db, "words/1")[text.digest], EAST)
