"""The simulated customers: what a reply is worth is what its rewards come to."""

import random

import numpy as np
import pytest

from tests.ranking.worlds import KINDS, Kind, draw_reward, world


@pytest.mark.parametrize("kind", KINDS)
def test_that_what_a_reply_is_worth_is_the_mean_of_its_rewards(kind: Kind) -> None:
    rng = random.Random(7)
    [visit] = world(kind, 1, visits=2).visits[:1]
    for place in range(len(visit.slate)):
        rewards = [draw_reward(visit, place, rng) for _ in range(4000)]
        # Rewards are from -1 to 1: four standard deviations of a mean at most.
        assert np.nanmean(rewards) == pytest.approx(visit.at_once[place], abs=4 / 3800**0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_that_a_seed_makes_the_same_world(kind: Kind) -> None:
    one, same, other = (world(kind, seed, visits=20) for seed in (1, 1, 2))

    def contents(of: object) -> list[list[float]]:
        return [visit.content.tolist() for visit in of.visits]  # type: ignore[attr-defined]

    assert contents(one) == contents(same) != contents(other)


@pytest.mark.parametrize("kind", KINDS)
def test_that_every_slate_may_be_handed_off(kind: Kind) -> None:
    for visit in world(kind, 1, visits=50).visits:
        assert visit.slate[-1].source == "handoff"
        assert visit.allowed[-1]
        assert visit.seen.shape[0] == len(visit.slate) == len(visit.at_once)


def test_that_a_question_back_is_worth_what_follows() -> None:
    of = world("endings", 1, visits=20)
    unclear = of.visits[0]
    cleared = of.follows(unclear, 0)
    back = of.follows(unclear, 1)

    assert cleared is not None
    assert back is not None
    assert unclear.in_the_end[0] == unclear.at_once[0] + cleared.in_the_end.max()
    assert unclear.at_once[1] > unclear.at_once[0]
    assert unclear.in_the_end[0] > unclear.in_the_end[1]
    assert of.follows(cleared, 0) is None


def test_that_only_first_visits_arrive() -> None:
    of = world("endings", 1, visits=20)
    arrivals = of.arrivals(random.Random(1))
    came = [next(arrivals)[1] for _ in range(200)]

    assert not {id(visit) for visit in came} & {id(visit) for visit in of.visits[-2:]}
