"""Open questions in groups."""

from datetime import timedelta

import numpy as np

from bot.knowledge.gaps import ALIKE, Gap, clusters, grouped
from bot.log.gaps import OpenQuestion
from bot.messages import Language
from tests.small_shop import NOW, WordEncoder


def asked(
    turn: str,
    text: str,
    days_ago: int = 0,
    language: Language = "en",
    nearest: str = "",
    is_ignored: bool = False,
) -> OpenQuestion:
    return OpenQuestion(
        turn=turn,
        conversation="c",
        text=text,
        language=language,
        asked_at=(NOW - timedelta(days=days_ago)).isoformat(),
        nearest=nearest,
        is_ignored=is_ignored,
    )


def gaps(*questions: OpenQuestion) -> list[Gap]:
    vectors = WordEncoder().questions([question.text for question in questions])
    return grouped(questions, vectors, NOW)


DOGS = (
    asked("t1", "are dogs welcome in the shop", 9, nearest="en/store"),
    asked("t2", "dogs are welcome in the shop", 1, nearest="en/store"),
    asked("t3", "are dogs welcome in the shop?", 0, nearest="en/parcels"),
)
PARKING = asked("t4", "where do i park my car", 0)


def test_that_alike_questions_are_one_gap_and_the_largest_comes_first() -> None:
    [dogs, parking] = gaps(PARKING, *DOGS)

    assert {question.turn for question in dogs.questions} == {"t1", "t2", "t3"}
    assert (dogs.id, dogs.recent, dogs.before, dogs.nearest) == ("t1", 2, 1, "en/store")
    assert (parking.title, parking.languages, parking.nearest) == (PARKING.text, ("en",), "")


def test_that_what_groups_with_something_ignored_is_ignored() -> None:
    [gap] = gaps(DOGS[0], asked("t9", DOGS[0].text, is_ignored=True))

    assert gap.is_ignored
    assert not gaps(PARKING)[0].is_ignored


def test_that_no_questions_are_no_gaps() -> None:
    assert grouped((), np.zeros((0, 4), dtype=np.float32), NOW) == []


def test_that_groups_are_merged_by_their_mean() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)

    # The third is 0.6 from the second, 0 from the first: 0.3 in the mean.
    assert clusters(vectors, 0.31) == [[0, 1], [2]]
    assert clusters(vectors, 0.29) == [[0, 1, 2]]


def test_that_many_questions_are_grouped_less_their_mean() -> None:
    dogs = [asked(f"d{n}", f"dogs in the shop {n}") for n in range(15)]
    cars = [asked(f"p{n}", f"park a car near you {n}") for n in range(15)]

    found = gaps(*dogs, *cars)

    assert ALIKE < 0.5
    assert [len(gap.questions) for gap in found] == [15, 15]
