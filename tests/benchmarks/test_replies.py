"""The benchmark of replies: its measures, its slates, and its plot."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import replies, star
from tests.benchmarks.rated import Rated

TURNS: list[dict[str, Any]] = [
    {"role": "user", "text": "Hello"},
    {"role": "agent_draft", "text": "hi there"},
    {"role": "agent", "text": "Hello, Ben!", "label": "hello", "options": ["hello"]},
    {"role": "kb", "item": {"City": "Detroit", "Weather": "Sunny"}},
    {"role": "agent", "text": "It is sunny in Detroit.", "label": "inform"},
    {"role": "agent", "text": "Something else.", "label": "custom"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pools = [{"task": "weather", "replies": {"hello": "Hello!", "inform": "It is {Weather}."}}]
    pools.append({"task": "other", "replies": {f"r{n}": f"Reply {n}." for n in range(200)}})
    with gzip.open(tmp_path / "responses.jsonl.gz", "wt", encoding="utf-8") as out:
        out.write("\n".join(json.dumps(each) for each in pools))
    return tmp_path


def test_that_slates_hold_templates_and_nothing_the_agent_typed(folder: Path) -> None:
    talk = {"tasks": ["weather"], "turns": TURNS}
    first, second = star.of_task([talk], folder)
    assert (first.context, first.right) == (("Hello",), "Hello!")
    assert second.right == "It is {Weather}."
    assert second.context == ("Hello", "Hello, Ben!", "City: Detroit; Weather: Sunny")
    assert second.candidates == ("Hello!", "It is {Weather}.")
    [wide, _] = star.wide([talk], folder, 1, same_task=True)
    assert len(set(wide.candidates)) == star.WIDE
    assert {"Hello!", "It is {Weather}."} <= set(wide.candidates)


def test_that_pairs_are_of_replies_rated_apart() -> None:
    one = Rated(
        conversation="a",
        context=("q",),
        passages="",
        replies=("good", "bad", "fair"),
        ratings=(4.0, 1.0, 4.0),
    )
    assert [(pair.right, pair.reward) for pair in one.pairs()] == [("good", 3.0), ("fair", 3.0)]
    assert replies._agreement([one], [np.array([2.0, 1.0, 1.0])]) == 0.75


def test_that_ties_share_their_rank_and_count_half() -> None:
    assert replies._ranks(np.array([3.0, 1.0, 3.0])).tolist() == [2.5, 1.0, 2.5]
    done = np.array([True, False, False])
    assert replies._area(np.array([1.0, 0.0, 1.0]), done) == 0.75


def test_that_the_same_figures_make_the_same_plot(tmp_path: Path) -> None:
    rows = [{"slates": "task", "method": name, "mrr": 0.5} for name in replies.PICTURE.colours]
    pictures = [tmp_path / name / "replies.svg" for name in ("one", "two")]
    for path in pictures:
        path.parent.mkdir()
        replies.PICTURE.draw(rows, path)
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert "scorer" in pictures[0].read_text(encoding="utf-8")
