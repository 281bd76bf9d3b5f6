"""Policies trained from the older part of a log."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.errors import RankingError
from bot.ranking import training
from bot.ranking.experience import LoggedDecision
from bot.ranking.trained import KINDS, Kind, TrainedPolicy
from bot.ranking.training import LEARNERS, Learner
from tests.ranking.shoppers import Uniform, at_once, in_the_end, log_of, regret

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def log() -> list[LoggedDecision]:
    return list(log_of(Uniform(), random.Random(7), 3000))


def train(
    log: list[LoggedDecision], kind: Kind = "greedy", learner: Learner = "q-learning"
) -> TrainedPolicy:
    return training.train(log, kind=kind, learner=learner, now=NOW)[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learner", LEARNERS)
def test_that_a_trained_policy_is_better_than_chance(
    log: list[LoggedDecision], kind: Kind, learner: Learner
) -> None:
    policy = train(log, kind, learner).policy()
    worth = in_the_end if learner == "q-learning" else at_once

    lost = regret(policy, random.Random(1), 400, worth)

    assert lost < 0.5 * regret(Uniform(), random.Random(1), 400, worth)


def test_that_the_newer_part_is_kept_apart(log: list[LoggedDecision]) -> None:
    trained = train(log)
    fresh = training.unseen(log, trained)

    until = datetime.fromisoformat(trained.trained_on["until"])
    assert min(each.at for each in fresh) > until
    assert len(fresh) + trained.trained_on["decisions"] == len(log)
    assert len(fresh) / len(log) == pytest.approx(training.HELD_OUT, abs=0.01)


def test_that_a_policy_tells_what_it_was_trained_on(log: list[LoggedDecision]) -> None:
    trained = train(log, "softmax", "bandit")

    assert trained.version == "softmax/20261130T000000"
    assert trained.trained_on["learner"] == "bandit"
    assert trained.trained_on["languages"] == {"en": trained.trained_on["decisions"]}
    assert trained.trained_on["worths"]["liked"] == 1.0


def test_that_other_worths_teach_other_policies(log: list[LoggedDecision]) -> None:
    turned, _ = training.train(
        log,
        kind="greedy",
        learner="bandit",
        now=NOW,
        worth={**training.WORTH, "liked": -1.0, "disliked": 1.0},
    )

    assert regret(turned.policy(), random.Random(1), 400, at_once) > 2 * regret(
        train(log, "greedy", "bandit").policy(), random.Random(1), 400, at_once
    )


def test_that_replies_of_other_features_are_left_out(log: list[LoggedDecision]) -> None:
    old = [
        replace(
            each,
            candidates=tuple(
                replace(one, features={**one.features, "feature_version": 0.0})
                for one in each.candidates
            ),
        )
        for each in log[:500]
    ]

    assert len(training.usable([*old, *log[500:]])) == len(log) - 500


@pytest.mark.parametrize("size", [0, 20])
def test_that_too_small_a_log_is_refused(log: list[LoggedDecision], size: int) -> None:
    with pytest.raises(RankingError, match="100 are needed to learn"):
        train(log[:size])


def test_that_a_log_of_one_kind_of_reply_is_refused(log: list[LoggedDecision]) -> None:
    with pytest.raises(RankingError, match=r"All replies in the log are of one kind \(article\)"):
        train([each for each in log if each.source == "article"])


def test_that_a_policy_that_hides_its_training_is_refused(log: list[LoggedDecision]) -> None:
    hidden = replace(train(log), trained_on={})

    with pytest.raises(RankingError, match="does not say what it was trained on"):
        training.unseen(log, hidden)
