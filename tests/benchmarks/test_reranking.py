"""The training of the reranker: what it learns from, and what its limits cost."""

import numpy as np
import pytest

from bot.knowledge.scoring import Evidence
from tests.benchmarks.reranking import auc, costs, fit, trained
from tests.benchmarks.reranking_cases import Case, Kind


def case(share: float, kind: Kind, *, is_right: bool = False) -> Case:
    return Case("shop", kind, Evidence(share=share), is_right)


def test_that_a_logistic_regression_finds_the_chances_of_groups() -> None:
    features = np.array([[0.0]] * 4 + [[1.0]] * 4)
    truth = np.array([1.0, 0, 0, 0, 1, 1, 1, 0])

    bias, weight = fit(features, truth, np.ones(8), penalty=0.0)

    assert 1 / (1 + np.exp(-np.array([bias, bias + weight]))) == pytest.approx([0.25, 0.75])


def test_that_clear_articles_are_learnt_to_answer_and_the_same_cases_give_the_same() -> None:
    cases = [case(-0.1, "answered", is_right=True), case(-2, "removed"), case(-3, "unanswerable")]

    made = trained(cases, ("share",))

    assert made["weights"]["share"] > 0
    assert made == trained(cases, ("share",))


def test_that_an_article_without_a_rival_can_be_learnt_to_say_little() -> None:
    cases = [case(-0.1, "answered", is_right=True), case(-2, "removed"), case(-3, "unanswerable")]

    assert trained(cases, ("share",), 0.5)["bias"] < trained(cases, ("share",))["bias"]


def test_that_a_wrong_answer_costs_two_needless_hand_offs() -> None:
    cases = [
        case(1.0, "answered", is_right=True),
        case(-1.0, "answered", is_right=True),
        case(1.0, "unanswerable"),
        case(9.0, "removed"),
    ]

    rows = costs(cases, {"bias": 0.0, "weights": {"share": 1.0}})

    [half] = [row for row in rows if row["limit"] == 0.5]
    assert (half["right"], half["wrong"], half["unanswerable_shown"]) == (0.5, 0, 1)
    assert half["cost"] == pytest.approx((1 + 2) / 3)


def test_that_the_area_under_the_curve_counts_pairs() -> None:
    assert auc([0.9, 0.5], [0.5, 0.1]) == (1 + 1 + 0.5 + 1) / 4
