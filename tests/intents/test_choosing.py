"""Methods tried on the same messages, within a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from bot.intents.choosing import FOLDS, Chooser, dealt
from bot.intents.heads import Head
from bot.intents.lessons import Lessons, lessons_of
from bot.intents.live import LiveParts
from bot.intents.rows import Row
from bot.knowledge.encoder import Vectors

LESSONS = lessons_of([Row(f"{intent} {n}", (intent,)) for intent in "abcd" for n in range(25)])


class Clock:
    """Time that passes when a method takes it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Guesser:
    """Knows the intent of a share of the messages, by their numbers."""

    name: str
    right_below: int
    clock: Clock
    takes: float = 1.0
    said: float = 1.0

    def seconds(self, lessons: Lessons) -> float:
        return self.said

    def fit(self, lessons: Lessons, seed: int) -> "Guesser":
        self.clock.now += self.takes
        return self

    def read(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        logits = np.zeros((len(texts), 4), dtype=np.float32)
        for row, (intent, number) in enumerate(text.split() for text in texts):
            place = "abcd".index(intent)
            logits[row, place if int(number) < self.right_below else (place + 1) % 4] = 1
        return logits, logits

    def live(self) -> LiveParts:
        head = Head(np.zeros((4, 4), dtype=np.float32), np.zeros(4, dtype=np.float32))
        return LiveParts(base="e5", graph=b"", head=head, english=None)


def chosen(methods: list[Guesser], clock: Clock, seconds: float = 1000) -> tuple[str, list[str]]:
    chooser = Chooser(seconds=seconds, seed=1, clock=clock, say=lambda _: None)
    choice = chooser.choose(methods, LESSONS, [], since=clock())
    return choice.best.method.name, list(choice.skipped)


def test_that_each_example_is_held_out_once_and_every_intent_in_each_fold() -> None:
    folds = dealt(LESSONS, seed=3)

    assert len(folds) == FOLDS
    assert sorted(np.concatenate(folds)) == list(range(100))
    assert all(set(LESSONS.labels[fold]) == {0, 1, 2, 3} for fold in folds)


def test_that_a_single_example_is_never_held_out() -> None:
    lessons = lessons_of([Row("a 1", ("a",)), Row("b 1", ("b",)), Row("b 2", ("b",))])

    assert sorted(np.concatenate(dealt(lessons, seed=3))) == [1, 2]


def test_that_with_one_example_an_intent_the_usual_winner_is_taken_and_said() -> None:
    clock, said = Clock(), list[str]()
    methods = [Guesser("first", 25, clock), Guesser("second", 25, clock)]
    lessons = lessons_of([Row(f"{intent} 1", (intent,)) for intent in "abcd"])
    chooser = Chooser(seconds=100, seed=1, clock=clock, say=said.append)

    choice = chooser.choose(methods, lessons, ["a 3"], since=0)

    assert choice.best.method.name == "second"
    assert choice.best.held_out[0].outside_far.shape == (1,)
    assert "nothing could be held out" in said[0]


@pytest.mark.parametrize(
    ("right", "best"),
    [
        pytest.param([10, 20, 15], "second", id="clearly-better"),
        pytest.param([20, 10, 15], "first", id="the-simplest-clearly-better"),
        pytest.param([20, 20, 20], "second", id="equal-takes-the-usual-winner"),
        pytest.param([10, 15, 24], "third", id="the-last-clearly-better"),
    ],
)
def test_that_the_method_that_is_right_most_is_chosen(right: list[int], best: str) -> None:
    clock = Clock()
    names = ("first", "second", "third")
    methods = [Guesser(name, below, clock) for name, below in zip(names, right, strict=True)]

    assert chosen(methods, clock) == (best, [])


def test_that_what_the_time_does_not_allow_is_not_tried_but_said() -> None:
    clock = Clock()
    slow = Guesser("slow", 25, clock, takes=60, said=60)

    assert chosen([Guesser("quick", 10, clock), slow], clock, seconds=100) == ("quick", ["slow"])


def test_that_the_simplest_is_tried_however_short_the_time() -> None:
    clock = Clock()

    assert chosen([Guesser("quick", 10, clock)], clock, seconds=0.1) == ("quick", [])


def test_that_a_quick_method_is_tried_though_a_slow_machine_has_used_the_time() -> None:
    clock = Clock()
    quick = Guesser("quick", 10, clock, takes=300)
    winner = Guesser("winner", 25, clock, takes=300, said=10)

    assert chosen([quick, winner], clock, seconds=100) == ("winner", [])
    assert clock.now == 600  # one fold each


def test_that_a_slow_machine_is_reckoned_with() -> None:
    clock = Clock()
    quick = Guesser("quick", 10, clock, takes=30, said=10)  # three times what it expects
    other = Guesser("other", 25, clock, takes=30, said=30)

    assert chosen([quick, other], clock, seconds=200)[1] == ["other"]
    assert chosen([quick, other], clock, seconds=400)[1] == []
