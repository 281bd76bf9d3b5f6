"""The scorer's two models: gradients that are right, and curves that only rise where they must."""

import numpy as np
import pytest

from bot.ranking.scorer import combiner, net
from bot.ranking.scorer.combiner import Slates, Terms
from bot.ranking.scorer.net import Taught


def slates(rng: np.random.Generator, slope: float, weight: float = 1.0, count: int = 300) -> Slates:
    """Return slates of three, chosen by their first part; the second is noise."""
    parts = rng.normal(size=(count, 3, 2))
    chances = np.exp(slope * parts[:, :, 0])
    chances /= chances.sum(axis=1, keepdims=True)
    for row, share in enumerate(chances):
        chosen = rng.choice(3, p=share)
        parts[row, [0, chosen]] = parts[row, [chosen, 0]]
    return Slates(parts.reshape(-1, 2), np.arange(count) * 3, np.full(count, weight))


def terms(*, rising: bool = False, curved: bool = True) -> Terms:
    return Terms(
        rising=np.array([rising] * 2), curved=np.array([curved] * 2), penalties=np.full(2, 0.001)
    )


@pytest.mark.parametrize("curved", [False, True])
def test_that_the_combiner_finds_what_choices_hang_on(curved: bool) -> None:
    found = combiner.fit(slates(np.random.default_rng(1), 2.0), terms(curved=curved))
    [low, high] = found.scores(np.array([[-1.0, 0.0], [1.0, 0.0]]))
    assert 2.5 < high - low < 5.5  # 4 was put in
    [left, right] = found.scores(np.array([[0.0, -1.0], [0.0, 1.0]]))
    assert abs(right - left) < 1


def test_that_evidence_never_counts_against_a_reply() -> None:
    against = slates(np.random.default_rng(2), -2.0)
    free = combiner.fit(against, terms())
    held = combiner.fit(against, terms(rising=True))
    assert free.heights[0, -1] < -1
    assert (np.diff(held.heights, axis=1) >= 0).all()


def test_that_wrong_choices_teach_the_opposite() -> None:
    wrong = slates(np.random.default_rng(3), 2.0, weight=-1.0)
    found = combiner.fit(wrong, terms(curved=False))
    [low, high] = found.scores(np.array([[-1.0, 0.0], [1.0, 0.0]]))
    assert high < low


def test_that_what_may_not_bend_is_a_line() -> None:
    found = combiner.fit(slates(np.random.default_rng(1), 2.0), terms(curved=False))
    middle, start, end = found.knots[0].mean(), found.knots[0, 0], found.knots[0, -1]
    [low, half, high] = found.scores(np.array([[start, 0.0], [(start + end) / 2, 0.0], [end, 0.0]]))
    assert half == pytest.approx((low + high) / 2, rel=0.1)
    assert start < middle < end


def test_that_a_curve_is_level_outside_what_was_seen() -> None:
    found = combiner.fit(slates(np.random.default_rng(1), 2.0), terms())
    far = found.scores(np.array([[1e6, 0.0], [1e9, 0.0]]))
    assert far[0] == far[1]


def test_that_the_nets_gradient_is_the_slope_of_its_loss() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(3, 5))
    places, lengths = np.array([0, 1, 2, 3, 1, 4, 0]), np.array([3, 2, 2])
    weights = np.array([1.0, 0.5, -1.0])

    def loss(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        whole, start = 0.0, 0
        chosen = [0, 3, 4]
        for row, length in enumerate(lengths):
            slate = places[start : start + length]
            start += length
            chance = np.exp(values[row, slate] - np.log(np.exp(values[row, slate]).sum()))[0]
            of_choice = chance if weights[row] > 0 else 1 - chance
            whole -= abs(weights[row]) * np.log(of_choice)
            if weights[row] > 0:
                # The right replies of other rows that aren't on this slate: 3 for the first
                # row, 0 for the second.
                rivals = [chosen[row], *({0, 3} - set(slate.tolist()))]
                among = values[row, rivals]
                whole -= net.OTHERS * weights[row] * (among[0] - np.log(np.exp(among).sum()))
        return float(whole / 3)

    expected = np.zeros_like(scores)
    for place in np.ndindex(scores.shape):
        step = np.zeros_like(scores)
        step[place] = 1e-5
        expected[place] = (loss(scores + step) - loss(scores - step)) / 2e-5
    found = net._loss_gradient(scores, places, lengths, weights)
    assert found == pytest.approx(expected, abs=1e-4)


def test_that_nets_bring_replies_to_where_they_fit() -> None:
    rng = np.random.default_rng(5)
    contexts = rng.normal(size=(200, 12)).astype(np.float32)
    replies = np.eye(8, dtype=np.float32) * 3
    right = contexts[:, :8].argmax(axis=1)
    taught = Taught(
        contexts=contexts,
        replies=replies,
        slates=[np.array([r, *(i for i in range(8) if i != r)]) for r in right],
        named=np.full(8, -1),
        weights=np.ones(200),
    )
    found = net.fit(taught, seed=1)
    fresh = rng.normal(size=(200, 12)).astype(np.float32)
    scores = found.context(fresh) @ found.replies(replies, taught.named).T
    assert (scores.argmax(axis=1) == fresh[:, :8].argmax(axis=1)).mean() > 0.6  # chance: .125
