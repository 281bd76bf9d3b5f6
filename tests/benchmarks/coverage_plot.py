"""Coverage of tests/benchmarks/off_policy.py: what intervals say against what they cover."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLOURS = {"ips": "#b8b8b8", "snips": "#7a9cc6", "dr": "#2f5d8a", "gain": "#d9822b"}
MARKERS = ("o", "s")


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write actual against nominal coverage as an SVG, the same bytes for the same figures.

    Each row has a world, a number of conversations, an estimator, and the shares by percentages.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    sizes = list(dict.fromkeys(row["conversations"] for row in rows))
    worlds = list(dict.fromkeys(row["world"] for row in rows))
    figure = Figure(figsize=(3.6 * len(sizes), 4.2))
    each = figure.subplots(1, len(sizes), squeeze=False, sharey=True)[0]
    for axes, size in zip(each, sizes, strict=True):
        axes.plot([0.4, 1], [0.4, 1], color="#555555", linewidth=0.8)
        for row in rows:
            if row["conversations"] != size:
                continue
            said = {name: share for name, share in row.items() if name.endswith("%")}
            axes.plot(
                [int(name[:-1]) / 100 for name in said],
                list(said.values()),
                color=COLOURS[row["estimator"]],
                marker=MARKERS[worlds.index(row["world"])],
                label=f"{row['estimator']}, {row['world']}",
            )
        axes.set_title(f"{size} conversations", fontsize="medium")
        axes.set_xlabel("the interval says")
        axes.set_xlim(0.4, 1)
        axes.set_ylim(0.4, 1.01)
        axes.spines[["top", "right"]].set_visible(False)
    each[0].set_ylabel("it covers the truth")
    figure.legend(*each[0].get_legend_handles_labels(), loc="upper center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.86))
    with mpl.rc_context({"svg.hashsalt": "coverage", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
