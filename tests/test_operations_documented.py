"""Every figure at /metrics is explained to operators, and none that is not there."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from adapters.web.metrics import RequestCounter
from bot.metrics import Metrics

OPERATIONS = Path(__file__).parent.parent / "docs" / "operations.md"


async def nothing(*_: object) -> None:
    """Stand for the application."""


def test_that_the_documented_figures_are_those_that_are_served() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.watch_answers(waiting=lambda: 0, running=lambda: 0, oldest_seconds=lambda: 0)
    metrics.watch_encoder(lambda: 0)
    RequestCounter(nothing, registry)
    served = {
        f"{metric.name}_info" if metric.type == "info" else metric.name
        for metric in registry.collect()
    }

    documented = re.findall(r"^\| `(\w+)", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(documented) == sorted(served)
