"""Every policy: probabilities that add up, nothing refused; then what each is for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from bot.errors import RankingError
from bot.messages import Candidate, Decision
from bot.ranking import features
from bot.ranking.exploration import DailyBudget, Exploring
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.linear import LinearModel, fit
from bot.ranking.policy import Policy
from bot.ranking.softmax import Softmax
from bot.ranking.thompson import ThompsonSampling
from tests.ranking.slates import APPROVED, ARTICLE, ASKED, DRAFT, HANDOFF, REFUSED, SLATE, model

LIKES_ARTICLES = model(is_article=0.5, is_draft=0.2)
MONDAY = date(2026, 3, 2)


def today() -> date:
    return MONDAY


def exploring(share: float = 0.1, most: int = 10, spent: int = 0) -> Exploring:
    budget = DailyBudget(most, today)
    budget.resume(spent)
    return Exploring(Greedy("greedy/7", LIKES_ARTICLES), share, budget)


POLICIES: dict[str, Callable[[], Policy]] = {
    "fixed": FixedOrder,
    "greedy": lambda: Greedy("greedy/7", LIKES_ARTICLES),
    "softmax": lambda: Softmax("softmax/7", LIKES_ARTICLES),
    "thompson": lambda: ThompsonSampling("thompson/7", LIKES_ARTICLES),
    "exploring": exploring,
}


def shares(policy: Policy, slate: Sequence[Candidate]) -> list[float]:
    return list(policy.propensities(ASKED, features.described(ASKED, slate)))


@pytest.mark.parametrize("make", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize(
    "slate",
    [SLATE, [HANDOFF], [REFUSED, HANDOFF], [APPROVED, *SLATE], [ARTICLE] * 8],
    ids=["full", "alone", "refused", "approved", "many"],
)
def test_that_propensities_add_up_and_spare_what_is_refused(
    make: Callable[[], Policy], slate: list[Candidate]
) -> None:
    found = shares(make(), slate)

    assert sum(found) == pytest.approx(1.0)
    assert all(0 <= each <= 1 for each in found)
    assert all(share == 0 for share, each in zip(found, slate, strict=True) if each.refusal)


@pytest.mark.parametrize("make", POLICIES.values(), ids=POLICIES)
def test_that_the_same_slate_has_the_same_propensities(make: Callable[[], Policy]) -> None:
    assert shares(make(), SLATE) == shares(make(), SLATE)


def test_that_greedy_shows_the_highest_score() -> None:
    assert shares(Greedy("greedy/7", LIKES_ARTICLES), SLATE) == [0, 0, 1, 0]


def test_that_softmax_prefers_by_the_difference() -> None:
    draft, _, article, _ = shares(Softmax("softmax/7", LIKES_ARTICLES, temperature=0.1), SLATE)

    assert article / draft == pytest.approx(np.exp(0.3 / 0.1))


def test_that_thompson_shows_each_as_often_as_it_may_be_the_best() -> None:
    unsure = ThompsonSampling("t/1", model(is_article=0.5, is_draft=0.2))
    sure = ThompsonSampling(
        "t/1", LinearModel(unsure.model.weights, np.zeros((len(features.NAMES),) * 2))
    )

    assert 0.02 < shares(unsure, SLATE)[0] < 0.4
    assert shares(sure, SLATE) == [0, 0, 1, 0]


def test_that_exploration_gives_its_share_to_every_answer() -> None:
    assert shares(exploring(0.1), SLATE) == pytest.approx([0.05, 0, 0.95, 0])


@pytest.mark.parametrize("spent", [pytest.param(10, id="spent"), pytest.param(11, id="overspent")])
def test_that_nothing_is_tried_once_the_budget_is_spent(spent: int) -> None:
    assert shares(exploring(most=10, spent=spent), SLATE) == [0, 0, 1, 0]


def test_that_the_budget_is_there_again_on_the_next_day() -> None:
    days = [MONDAY]
    budget = DailyBudget(1, lambda: days[-1])
    for propensities, is_left in (((0.9, 0.1), True), ((0.1, 0.9), False)):
        budget.note(
            Decision(candidates=(DRAFT, ARTICLE), propensities=propensities, chosen=0, policy="p/1")
        )
        assert budget.is_left() == is_left

    days.append(date(2026, 3, 3))
    assert budget.is_left()


def test_that_the_teams_own_words_are_never_passed_over_to_try_others() -> None:
    policy = Exploring(FixedOrder(), 0.5, DailyBudget(10, today))

    assert shares(policy, [APPROVED, *SLATE]) == [1, 0, 0, 0, 0]


def test_that_nothing_is_tried_in_a_sensitive_conversation() -> None:
    slate = features.described(ASKED, SLATE)
    sensitive = replace(ASKED, is_sensitive=True)

    assert list(exploring().propensities(sensitive, slate)) == [0, 0, 1, 0]


def test_that_a_handoff_is_never_tried() -> None:
    liked = Softmax("softmax/7", model(is_handoff=0.1), temperature=1.0)
    policy = Exploring(liked, 0.2, DailyBudget(10, today))

    assert shares(policy, [DRAFT, ARTICLE, HANDOFF]) == [0, 0, 1]
    often = Exploring(Softmax("s/1", LIKES_ARTICLES), 0.2, DailyBudget(10, today))
    assert shares(often, SLATE)[3] == 0


def test_that_a_model_learns_what_pays() -> None:
    rng = np.random.default_rng(7)
    shown = rng.random((500, len(features.NAMES)))
    truth = np.zeros(len(features.NAMES))
    truth[:2] = [0.3, -0.6]
    found = fit(shown, shown @ truth + rng.normal(0, 0.1, 500))

    assert found.weights == pytest.approx(truth, abs=0.1)
    assert np.sqrt(np.diag(found.covariance)).max() < 0.05


def test_that_a_model_survives_being_written() -> None:
    found = LinearModel.from_json(LIKES_ARTICLES.as_json())

    assert (found.weights == LIKES_ARTICLES.weights).all()
    assert (found.covariance == LIKES_ARTICLES.covariance).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"features": 99}, "version 99 of the features, and this is version 2; train it anew"),
        ({"features": None}, "train it anew"),
        ({"weights": {"constant": 1.0}}, "damaged"),
        ({"weights": "none"}, "damaged"),
        ({"covariance": [[1.0]]}, "damaged"),
        ({"covariance": [[float("nan")] * len(features.NAMES)] * len(features.NAMES)}, "damaged"),
    ],
)
def test_that_a_foreign_or_damaged_model_is_refused(
    change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(RankingError, match=sentence):
        LinearModel.from_json({**LIKES_ARTICLES.as_json(), **change})


def test_that_contributions_add_up_to_the_score() -> None:
    [row] = features.seen(features.described(ASKED, [ARTICLE]))
    liking = model(is_article=0.5, score=1.0, length=-2.0)

    parts = liking.contributions(row)

    assert sum(parts.values()) == pytest.approx(liking.scores(row[None])[0])
    assert list(parts)[:2] == ["score", "is_article"]
