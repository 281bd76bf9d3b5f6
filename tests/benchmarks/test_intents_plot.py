"""The picture of the figures on intents."""

from pathlib import Path

from tests.benchmarks.intents_plot import draw

ROWS = [
    {"set": "A bank", "method": method, "shots": shots, "accuracy": accuracy}
    for method, shots, accuracy in (("linear", 5, 0.8), ("linear", 10, 0.9), ("gan", 5, 0.7))
]


def test_that_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    once, again = tmp_path / "a.svg", tmp_path / "b.svg"
    draw(ROWS, once)
    draw(ROWS, again)

    assert once.read_bytes() == again.read_bytes()
    assert "5 labels an intent" in once.read_text(encoding="utf-8")


def test_that_a_set_without_few_label_rows_is_left_out(tmp_path: Path) -> None:
    draw(
        [*ROWS, {"set": "All of it", "method": "gan", "shots": None, "accuracy": 0.9}],
        tmp_path / "a.svg",
    )

    assert "All of it" not in (tmp_path / "a.svg").read_text(encoding="utf-8")
