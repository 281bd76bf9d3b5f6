"""Figures of several groups as dots with their intervals, laid out for an SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.ranking.off_policy import Estimate

# All in units of the drawing, which is scaled to the page.
WIDTH = 440.0
LEFT = 150.0  # the groups' names
RIGHT = 16.0
TOP = 12.0
ROW = 26.0
AXIS = 24.0  # the numbers below
MOST_TICKS = 5
_STEPS = (1.0, 2.0, 5.0)
LEAST_SPAN = 0.02  # what is all but equal is not drawn far apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One group: its name, how far down it stands, and where its dot and interval are."""

    name: str
    y: float
    x: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line of the axis with its number."""

    x: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing of `width` by `height`; `baseline` is where the first group's dot stands."""

    width: float
    height: float
    marks: Sequence[Mark]
    ticks: Sequence[Tick]
    baseline: float | None


def plot(
    estimates: Sequence[tuple[str, Estimate | None]], written: Callable[[float], str]
) -> Plot | None:
    """Lay out groups' names with their estimates; `written` makes a number's text.

    Returns None where no group has one.
    """
    known = [each for _, each in estimates if each]
    if not known:
        return None
    first, last = _span(min(each.low for each in known), max(each.high for each in known))
    scale = (WIDTH - LEFT - RIGHT) / (last - first)

    def place(value: float) -> float:
        return round(LEFT + (value - first) * scale, 1)

    marks = [
        Mark(
            name=name,
            y=TOP + ROW * (number + 0.5),
            x=place(each.value) if each else None,
            low=place(each.low) if each else None,
            high=place(each.high) if each else None,
        )
        for number, (name, each) in enumerate(estimates)
    ]
    return Plot(
        width=WIDTH,
        height=TOP + ROW * len(marks) + AXIS,
        marks=marks,
        ticks=[Tick(x=place(value), text=written(value)) for value in _ticks(first, last)],
        baseline=marks[0].x,
    )


def _span(low: float, high: float) -> tuple[float, float]:
    """Return where an axis begins and ends, with a little room."""
    room = max((high - low) * 0.06, LEAST_SPAN / 2)
    return low - room, high + room


def _ticks(first: float, last: float) -> list[float]:
    """Return round numbers between the ends of an axis, at most MOST_TICKS."""
    power = 10.0 ** math.floor(math.log10((last - first) / MOST_TICKS))
    steps = (step * power * ten for ten in (1, 10) for step in _STEPS)
    step = next(each for each in steps if (last - first) / each < MOST_TICKS)
    return [number * step for number in range(math.ceil(first / step), math.floor(last / step) + 1)]
