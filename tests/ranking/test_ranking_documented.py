"""docs/ranking.md names every feature, each signal with its worth, and the scorer's parts."""

from pathlib import Path

import pytest

from bot.ranking import features
from bot.ranking.rewards import WORTH, Signal
from bot.ranking.scorer import parts

DOCUMENT = (Path(__file__).parents[2] / "docs" / "ranking.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", features.NAMES)
def test_that_a_feature_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENT


@pytest.mark.parametrize("signal", WORTH)
def test_that_a_worth_is_documented(signal: Signal) -> None:
    assert f"| `{signal}` | {WORTH[signal]:g} |" in DOCUMENT


@pytest.mark.parametrize("name", parts.NAMES)
def test_that_a_part_of_the_scorer_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENT
