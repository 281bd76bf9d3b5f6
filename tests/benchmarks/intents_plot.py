"""The figures of tests/benchmarks/intents.py as bars: accuracy by method and number of labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLOURS = ("#b8b8b8", "#7a9cc6", "#2f5d8a")


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the mean accuracy of each method as an SVG, the same bytes for the same figures."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    sets = [name for name in dict.fromkeys(row["set"] for row in rows) if _shots(rows, name)]
    figure = Figure(figsize=(8, 3.2 * max(1, len(sets))))
    for place, name in enumerate(sets, start=1):
        axes = figure.add_subplot(len(sets), 1, place)
        here = [row for row in rows if row["set"] == name]
        methods = list(dict.fromkeys(row["method"] for row in here))
        shots = list(dict.fromkeys(row["shots"] for row in here))
        thickness = 0.8 / len(shots)
        for number, (each, colour) in enumerate(zip(shots, COLOURS, strict=False)):
            values = [_mean(here, method, each) for method in methods]
            shift = (number - (len(shots) - 1) / 2) * thickness
            places = [row + shift for row in range(len(values))]
            label = f"{each} labels an intent" if each else "all labels"
            axes.barh(places, values, height=thickness, color=colour, label=label)
        axes.set_yticks(range(len(methods)), methods)
        axes.invert_yaxis()
        axes.set_xlim(0.5, 1)
        axes.set_title(name)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    with mpl.rc_context({"svg.hashsalt": "intents", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def _shots(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row["shots"] for row in rows if row["set"] == name)


def _mean(rows: Sequence[Mapping[str, Any]], method: str, shots: int | None) -> float:
    found = [row["accuracy"] for row in rows if row["method"] == method and row["shots"] == shots]
    return sum(found) / len(found) if found else 0.0
