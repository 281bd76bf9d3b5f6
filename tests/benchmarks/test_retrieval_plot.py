"""The retrieval benchmark's plot."""

from pathlib import Path

from bot.retrieval_evaluation import SEARCHES
from tests.benchmarks.retrieval_plot import draw


def test_that_the_same_figures_are_the_same_picture(tmp_path: Path) -> None:
    rows = [
        {"set": name, "search": search, "mrr": 0.5 + place / 10}
        for name in ("shop en", "shop zh")
        for place, search in enumerate(SEARCHES)
    ]

    for file in ("first.svg", "second.svg"):
        draw(rows, tmp_path / file)

    picture = (tmp_path / "first.svg").read_text()
    assert all(text in picture for text in (*SEARCHES, "shop en", "shop zh"))
    assert picture == (tmp_path / "second.svg").read_text()
