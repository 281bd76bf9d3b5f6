"""The figures of tests/benchmarks/replies.py as bars: how well each way ranks replies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

METHODS = (
    "TF-IDF",
    "encoder, cosine",
    "popular in the log",
    "nearest conversations",
    "nets alone",
    "scorer",
)
COLOURS = ("#d9d9d9", "#b8b8b8", "#a9c1dc", "#7a9cc6", "#2f5d8a", "#d9822b")
THICKNESS = 0.14  # of a bar; six of them and a gap are 1


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the MRR of each way on each set of slates as an SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(str(row["slates"]) for row in rows))
    figure = Figure(figsize=(8, 1.0 * len(names) + 1))
    axes = figure.subplots()
    for number, (method, colour) in enumerate(zip(METHODS, COLOURS, strict=True)):
        found = {row["slates"]: row["mrr"] for row in rows if row["method"] == method}
        places = [place + (number - 2.5) * THICKNESS for place in range(len(names))]
        values = [found[name] for name in names]
        axes.barh(places, values, height=THICKNESS, color=colour, label=method)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("mean reciprocal rank")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="upper center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.9))
    with mpl.rc_context({"svg.hashsalt": "replies", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
