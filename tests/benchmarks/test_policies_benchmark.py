"""The benchmarks of policies and estimators, on a small scale."""

from pathlib import Path

import pytest

from bot.ranking.exploration import Exploring
from tests.benchmarks import coverage_plot, policies_plot
from tests.benchmarks.coverage import population, trained
from tests.benchmarks.learners import NAMES, SHARE, Unlimited
from tests.benchmarks.off_policy import CASES, coverage
from tests.benchmarks.policies import exploring, interval, plotted, regrets

OURS = [name for name in NAMES if "vowpal" not in name]


@pytest.mark.parametrize("name", OURS)
def test_that_regret_only_grows(name: str) -> None:
    found = regrets("linear", name, 1, 500)

    assert list(found) == plotted(500) == [100, 200, 300, 500]
    assert list(found.values()) == sorted(found.values())
    assert found == regrets("linear", name, 1, 500)


def test_that_learning_pays_where_the_fixed_order_is_wrong() -> None:
    learned, fixed = (
        regrets("interactions", name, 1, 2000)[2000] for name in ("epsilon-greedy", "fixed order")
    )

    assert learned < fixed


def test_that_a_library_that_learns_beats_chance() -> None:
    pytest.importorskip("vowpalwabbit")
    library, chance = (
        regrets("linear", name, 1, 2000)[2000] for name in ("vowpalwabbit", "random")
    )

    assert library < chance


def test_that_a_budget_bounds_what_is_tried() -> None:
    assert exploring(0.2, 2, 1)["tried"] <= 2 * 50  # days


def test_that_an_interval_is_students() -> None:
    assert interval([1.0, 2.0, 3.0]) == pytest.approx(4.303 / 3**0.5, rel=0.02)


def test_that_coverage_is_a_share() -> None:
    kind, name = CASES[0]
    of = population(kind, 2, Exploring(trained(kind, 1)[name], SHARE, Unlimited()), visits=200)

    found = coverage(of, 100, 5)

    assert set(found) == {"ips", "snips", "dr", "gain"}
    assert all(0 <= share <= 1 for shares in found.values() for share in shares.values())
    assert all(list(shares.values()) == sorted(shares.values()) for shares in found.values())


def test_that_the_same_figures_are_the_same_pictures(tmp_path: Path) -> None:
    lost = {"linear": {name: [{100: 1.0, 200: 3.0}, {100: 2.0, 200: 2.5}] for name in NAMES}}
    rows = [
        {"world": "linear", "conversations": 200, "estimator": name, "50%": 0.5, "95%": 0.94}
        for name in coverage_plot.COLOURS
    ]
    for number in ("1", "2"):
        policies_plot.draw(lost, tmp_path / f"regret{number}.svg")
        coverage_plot.draw(rows, tmp_path / f"coverage{number}.svg")

    for picture in ("regret", "coverage"):
        first, second = ((tmp_path / f"{picture}{n}.svg").read_text() for n in ("1", "2"))
        assert first == second
    assert all(name in (tmp_path / "regret1.svg").read_text() for name in NAMES)
