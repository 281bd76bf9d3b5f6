"""Figures of several ways on several sets as bars side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BARS = 0.8  # of the height of a set; the rest is the gap to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """What to draw of rows: a group of bars for each `of`, in it one for each `way`, by colour.

    `value` names the column of the figure (0 to 1), `label` says it in words.
    """

    of: str
    way: str
    value: str
    label: str
    colours: Mapping[str, str]

    def draw(self, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Write them as an SVG, the same bytes for the same figures."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        names = list(dict.fromkeys(str(row[self.of]) for row in rows))
        thickness = BARS / len(self.colours)
        figure = Figure(figsize=(8, 0.17 * len(names) * len(self.colours) + 1.2))
        axes = figure.subplots()
        for number, (way, colour) in enumerate(self.colours.items()):
            found = {row[self.of]: row[self.value] for row in rows if row[self.way] == way}
            shift = (number - (len(self.colours) - 1) / 2) * thickness
            places = [place + shift for place in range(len(names))]
            values = [found[name] for name in names]
            axes.barh(places, values, height=thickness, color=colour, label=way)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel(self.label)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=min(len(self.colours), 4), frameon=False)
        figure.set_layout_engine("constrained")
        with mpl.rc_context({"svg.hashsalt": path.stem, "svg.fonttype": "none"}):
            figure.savefig(path, metadata={"Date": None})
