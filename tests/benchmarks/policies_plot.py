"""The figures of tests/benchmarks/policies.py as curves: what each policy has lost by then."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

STYLES: Mapping[str, tuple[str, str]] = {
    "random": ("#b8b8b8", "-"),
    "fixed order": ("#555555", "-"),
    "epsilon-greedy": ("#7a9cc6", "-"),
    "softmax": ("#2f5d8a", "--"),
    "Thompson": ("#2f5d8a", "-"),
    "Q-learning": ("#4c9a6a", "-"),
    "vowpalwabbit": ("#d9822b", "-"),
    "vowpalwabbit, each turn": ("#d9822b", ":"),
}

Regrets = Mapping[str, Mapping[str, Sequence[Mapping[int, float]]]]


def draw(figures: Regrets, path: Path) -> None:
    """Write regret by turns as an SVG, the same bytes for the same figures.

    `figures`: by world and policy, for each seed the regret up to so many turns.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(figures), 4.4))
    each = figure.subplots(1, len(figures), squeeze=False)[0]
    for axes, (kind, policies) in zip(each, figures.items(), strict=True):
        for name, seeds in policies.items():
            places = sorted(seeds[0])
            means = [statistics.mean(one[place] for one in seeds) for place in places]
            colour, style = STYLES[name]
            axes.plot(places, means, color=colour, linestyle=style, label=name)
            low = [min(one[place] for one in seeds) for place in places]
            high = [max(one[place] for one in seeds) for place in places]
            axes.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(kind, fontsize="medium")
        axes.set_xlabel("turns")
        axes.spines[["top", "right"]].set_visible(False)
    each[0].set_ylabel("regret, in rewards")
    figure.legend(*each[0].get_legend_handles_labels(), loc="upper center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.87))
    with mpl.rc_context({"svg.hashsalt": "regret", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
