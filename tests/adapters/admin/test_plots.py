"""Dots with intervals, laid out."""

import pytest

from adapters.admin.plots import LEFT, MOST_TICKS, RIGHT, WIDTH, plot
from adapters.admin.weeks import HEIGHT, LEAST, weeks
from bot.ranking.off_policy import Estimate


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 1.0), (-1.0, 1.0), (0.31, 0.33), (0.5, 0.5), (-0.123, 0.777), (0.0, 1e-9)],
)
def test_that_everything_lies_inside_with_a_few_round_numbers(low: float, high: float) -> None:
    middle = (low + high) / 2

    found = plot([("all", Estimate(middle, low, high)), ("few", None)], "{:.4f}".format)

    assert found
    assert 2 <= len(found.ticks) <= MOST_TICKS
    dot = found.marks[0]
    assert dot.low is not None
    assert dot.high is not None
    assert dot.x == found.baseline is not None
    assert LEFT <= dot.low <= dot.x <= dot.high <= WIDTH - RIGHT
    assert all(LEFT <= tick.x <= WIDTH - RIGHT for tick in found.ticks)
    assert (found.marks[1].x, found.marks[1].low) == (None, None)


def test_that_numbers_stand_where_their_values_do() -> None:
    found = plot([("a", Estimate(0.5, 0.0, 1.0)), ("b", Estimate(0.2, 0.2, 0.2))], "{:.1f}".format)

    assert found
    at = {tick.text: tick.x for tick in found.ticks}
    assert list(at) == ["0.0", "0.5", "1.0"]
    first, second = found.marks
    assert (first.low, first.high) == (at["0.0"], at["1.0"])
    assert first.y < second.y < found.height


def test_that_there_is_nothing_to_draw_of_nothing() -> None:
    assert plot([("all", None)], str) is None
    assert plot([], str) is None


def test_that_weeks_are_bars_as_high_as_their_messages() -> None:
    drawn = weeks((0, 5, 10))

    assert [bar.number for bar in drawn.bars] == [0, 5, 10]
    assert [bar.height for bar in drawn.bars] == [LEAST, HEIGHT / 2, HEIGHT]
    assert all(bar.y + bar.height == HEIGHT for bar in drawn.bars)
    assert drawn.bars[-1].x + drawn.bar == drawn.width
    assert [bar.height for bar in weeks((0, 0)).bars] == [LEAST, LEAST]
    assert weeks(()).width == 0
