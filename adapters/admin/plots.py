"""Figures of groups as dots with their intervals, and figures over time, laid out for an SVG."""

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
HEIGHT = 150.0  # of a figure over time
NUMBERS = 44.0  # beside one
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A figure of one day or week: where it stands, None without one, and its part of the width."""

    x: float
    y: float | None
    left: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A line across a drawing with its number."""

    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A figure over time; `lines` are the corners of its parts, which days without one divide."""

    width: float
    height: float
    bottom: float
    points: Sequence[Point]
    lines: Sequence[str]
    levels: Sequence[Level]


def curve(
    values: Sequence[float | None], written: Callable[[float], str], *, is_whole: bool = False
) -> Curve | None:
    """Lay out a figure over time, from 0 on; `written` makes a number's text.

    Numbers of what `is_whole` have no fractions. Returns None where there is nothing to draw.
    """
    known = [each for each in values if each is not None]
    if not known:
        return None
    most = max(*known, 1.0 if is_whole else LEAST_SPAN)
    bottom, step = HEIGHT - AXIS, (WIDTH - NUMBERS - RIGHT) / len(values)

    def height(value: float) -> float:
        return round(bottom - (bottom - TOP) * value / most, 1)

    points = [
        Point(
            x=round(NUMBERS + step * (place + 0.5), 1),
            y=None if value is None else height(value),
            left=round(NUMBERS + step * place, 1),
            width=round(step, 1),
        )
        for place, value in enumerate(values)
    ]
    return Curve(
        width=WIDTH,
        height=HEIGHT,
        bottom=bottom,
        points=points,
        lines=_lines(points),
        levels=[
            Level(y=height(value), text=written(value))
            for value in _ticks(0.0, most)
            if not is_whole or value == round(value)
        ],
    )


def spark(values: Sequence[int]) -> str:
    """Return the corners of a small line, in a drawing of 80 by 20."""
    most, steps = max(*values, 1), max(1, len(values) - 1)
    return " ".join(
        f"{2 + 76 * place / steps:.1f},{18 - 16 * value / most:.1f}"
        for place, value in enumerate(values)
    )


def _lines(points: Sequence[Point]) -> list[str]:
    lines: list[list[str]] = [[]]
    for point in points:
        if point.y is None:
            lines.append([])
        else:
            lines[-1].append(f"{point.x},{point.y}")
    return [" ".join(line) for line in lines if line]


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
