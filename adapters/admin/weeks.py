"""How many messages came week by week, as small bars laid out for an SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

# In units of the drawing.
HEIGHT = 28.0
BAR = 9.0
GAP = 3.0
LEAST = 1.5  # a week without a message is a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One week: where its bar stands and how high it is."""

    x: float
    y: float
    height: float
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Weeks:
    """A drawing of `width` by `height`, the oldest week first."""

    bars: Sequence[Bar]
    width: float
    height: float = HEIGHT
    bar: float = BAR


def weeks(numbers: Sequence[int]) -> Weeks:
    """Lay out numbers of messages by week."""
    most = max([*numbers, 1])
    heights = [max(LEAST, round(number / most * HEIGHT, 1)) for number in numbers]
    bars = [
        Bar(x=place * (BAR + GAP), y=HEIGHT - height, height=height, number=number)
        for place, (height, number) in enumerate(zip(heights, numbers, strict=True))
    ]
    return Weeks(bars=bars, width=max(0.0, len(bars) * (BAR + GAP) - GAP))
