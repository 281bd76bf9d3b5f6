"""The bars of benchmarks, by the figures of retrieval."""

from pathlib import Path

from bot.retrieval_evaluation import SEARCHES
from tests.benchmarks.retrieval import PICTURE


def test_that_the_same_figures_are_the_same_picture(tmp_path: Path) -> None:
    rows = [
        {"set": name, "search": search, "mrr": 0.5 + place / 10}
        for name in ("shop en", "shop zh")
        for place, search in enumerate(SEARCHES)
    ]

    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        PICTURE.draw(rows, tmp_path / folder / "a.svg")

    picture = (tmp_path / "first" / "a.svg").read_text()
    assert all(text in picture for text in (*SEARCHES, "shop en", "shop zh"))
    assert picture == (tmp_path / "second" / "a.svg").read_text()
