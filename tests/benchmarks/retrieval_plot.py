"""The figures of tests/benchmarks/retrieval.py as bars: how well each search ranks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.retrieval_evaluation import SEARCHES

COLOURS = ("#b8b8b8", "#7a9cc6", "#2f5d8a", "#d9822b")
THICKNESS = 0.2  # of a bar; four of them and a gap are 1


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the MRR of each search on each set as an SVG, the same bytes for the same figures."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(str(row["set"]) for row in rows))
    figure = Figure(figsize=(8, 0.7 * len(names) + 1))
    axes = figure.subplots()
    for number, (search, colour) in enumerate(zip(SEARCHES, COLOURS, strict=True)):
        found = {row["set"]: row["mrr"] for row in rows if row["search"] == search}
        places = [place + (number - 1.5) * THICKNESS for place in range(len(names))]
        values = [found[name] for name in names]
        axes.barh(places, values, height=THICKNESS, color=colour, label=search)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("mean reciprocal rank")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="upper center", ncols=len(SEARCHES), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.96))
    with mpl.rc_context({"svg.hashsalt": "retrieval", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
