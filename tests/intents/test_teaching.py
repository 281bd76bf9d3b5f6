"""What to label next, and which labels to doubt."""

import numpy as np

from bot.intents.teaching import to_label
from bot.knowledge.encoder import Vectors

NONE = np.zeros((0, 3), dtype=np.float32)


def directions(*rows: tuple[float, float, float]) -> Vectors:
    found = np.array(rows, dtype=np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def test_that_the_unsure_message_is_asked_about_first() -> None:
    vectors = directions((1, 0, 0), (0, 1, 0), (0, 0, 1))
    shares = np.array([[0.9, 0.1], [0.55, 0.45], [0.8, 0.2]], dtype=np.float32)

    assert to_label(vectors, shares, 2, NONE) == [1, 2]


def test_that_a_usual_message_teaches_more_than_a_strange_one() -> None:
    usual = [(1.0, 0.1, 0.0), (1.0, 0.12, 0.0), (1.0, 0.08, 0.0)]
    vectors = directions((0, 0, 1), *usual)
    shares = np.full((4, 2), 0.5, dtype=np.float32)

    assert to_label(vectors, shares, 1, NONE)[0] != 0


def test_that_two_alike_are_not_both_asked_about() -> None:
    vectors = directions((1, 0, 0), (1, 0.01, 0), (0, 1, 0))
    shares = np.array([[0.5, 0.5], [0.5, 0.5], [0.7, 0.3]], dtype=np.float32)

    assert set(to_label(vectors, shares, 2, NONE)) in ({0, 2}, {1, 2})


def test_that_what_is_like_a_labelled_message_waits() -> None:
    vectors = directions((1, 0, 0), (0, 1, 0))
    shares = np.array([[0.5, 0.5], [0.6, 0.4]], dtype=np.float32)

    assert to_label(vectors, shares, 1, directions((1, 0, 0))) == [1]


def test_that_no_more_than_there_are_is_asked() -> None:
    assert to_label(directions((1, 0, 0)), np.array([[1.0]], dtype=np.float32), 5, NONE) == [0]
