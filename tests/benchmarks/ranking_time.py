"""What ranking and training cost: a choice among eight, and learning from a log on the disk.

    python -m tests.benchmarks.ranking_time --decisions 100000     (make bench-ranking-time)

The log is made by the log's own functions (made_log.py), in a temporary folder.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlite_utils import Database

from bot.cli.tables import print_table
from bot.log.decisions import decisions
from bot.log.store import open_read_only
from bot.messages import Candidate
from bot.ranking import bandit, features, q_learning
from bot.ranking.context import Context
from bot.ranking.experience import LoggedDecision, experience
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.linear import LinearModel
from bot.ranking.policy import Policy, decide
from bot.ranking.softmax import Softmax
from bot.ranking.thompson import ThompsonSampling
from tests.benchmarks.made_log import EXAMPLE, fill

TIMED = 500
CONTEXT = Context(question="How long do I have to return an opened tent?", language="en")


def choices() -> list[dict[str, Any]]:
    """Return a row for each policy: describing, asking, drawing among eight real texts."""
    files = sorted((EXAMPLE / "articles").rglob("*.md"))[:6]
    texts = [path.read_text(encoding="utf-8")[:1500] for path in files]
    slate = [
        *(Candidate(source="article", text=text, features={"score": 0.8}) for text in texts),
        Candidate(source="draft", text=texts[0][:300], features={"support": 0.9, "answers": 0.8}),
        Candidate(source="handoff", text="A person will look.", handoff_reason="no_article"),
    ]
    size = len(features.NAMES)
    model = LinearModel(np.linspace(0, 0.3, size), np.eye(size) * 0.01)
    policies: Sequence[Policy] = (
        FixedOrder(),
        Greedy("greedy/1", model),
        Softmax("softmax/1", model),
        ThompsonSampling("thompson/1", model),
    )
    return [_choice(policy, slate) for policy in policies]


def _choice(policy: Policy, slate: Sequence[Candidate]) -> dict[str, Any]:
    rng, wall, processor = random.Random(1), [], []
    for _ in range(TIMED):
        began = time.perf_counter(), time.process_time()
        decide(policy, CONTEXT, slate, rng)
        wall.append((time.perf_counter() - began[0]) * 1000)
        processor.append((time.process_time() - began[1]) * 1000)
    return {
        "policy": policy.version,
        "candidates": len(slate),
        "median_ms": f"{np.median(wall):.2f}",
        "p95_ms": f"{np.percentile(wall, 95):.2f}",
        "processor_ms": f"{np.mean(processor):.2f}",
    }


def training(count: int, folder: Path) -> list[dict[str, Any]]:
    """Return a row for each step from the log on the disk to a model."""
    path = folder / "frontdesk.db"
    fill(path, 2 * count, lambda said: print(said, flush=True))
    db = Database(path)
    # The made candidates have few features; those of this version are what policies learn from.
    with db.atomic():
        db.execute(
            "UPDATE candidates SET features = json_set(features, '$.feature_version', ?)",
            [features.VERSION],
        )
    db.close()
    readable = open_read_only(path)
    rows: list[dict[str, Any]] = []
    found: list[LoggedDecision] = _timed(
        rows, "read the log", lambda: list(decisions(readable, datetime.now(UTC)))
    )
    known = _timed(rows, "make numbers of it", lambda: experience(found))
    _timed(rows, "fit the bandit", lambda: bandit.fit(known))
    _timed(rows, "fit Q", lambda: q_learning.fit(known))
    readable.close()
    return [{"decisions": len(found), **row} for row in rows]


def _timed(rows: list[dict[str, Any]], name: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter(), time.process_time()
    found = work()
    rows.append(
        {
            "step": name,
            "seconds": f"{time.perf_counter() - began[0]:.1f}",
            "processor_seconds": f"{time.process_time() - began[1]:.1f}",
            "peak_memory_mb": f"{_peak_megabytes():.0f}",
        }
    )
    return found


def _peak_megabytes() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--decisions", type=int, default=100_000)
    options = parser.parse_args()
    print_table(choices())
    with tempfile.TemporaryDirectory(prefix="frontdesk-ranking-") as folder:
        print_table(training(options.decisions, Path(folder)))


if __name__ == "__main__":
    main()
