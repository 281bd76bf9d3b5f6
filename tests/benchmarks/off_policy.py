"""Estimates of a policy from another one's log, against the truth.

python -m tests.benchmarks.off_policy --data FOLDER     (make bench-off-policy DATA=FOLDER)

Two parts. Open Bandit (FOLDER/obd): what the log of one policy says about the other, beside what
the other's own log has. Simulated customers: how often the intervals of 500 logs cover the truth,
by their size, where 5% of the turns explore; docs/images/coverage.svg is drawn anew unless --quick.
"""

import argparse
import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.cli.tables import print_table
from bot.ranking import linear
from bot.ranking.exploration import Exploring
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.off_policy import Estimate, Rounds, evaluate, gain
from tests.benchmarks.coverage import Population, padded, population, trained
from tests.benchmarks.coverage_plot import draw
from tests.benchmarks.learners import SHARE, Unlimited
from tests.ranking.worlds import Kind

Numbers = NDArray[np.float64]

PLOT = Path("docs") / "images" / "coverage.svg"
CONFIDENCES = (0.5, 0.8, 0.9, 0.95)
SIZES = (200, 1_000, 5_000)  # conversations
LOGS = 500
# A policy trained on one world of customers, evaluated from the logs of another.
CASES: tuple[tuple[Kind, str], ...] = (("linear", "greedy"), ("interactions", "softmax"))
FOLDS = 2
ITEMS, POSITIONS = 34, 3


def coverage(of: Population, conversations: int, logs: int) -> dict[str, dict[float, float]]:
    """Return how often each estimator's interval covers the truth, by what it says."""
    old = padded([np.array(FixedOrder().propensities(v.context, v.slate)) for v in of.visits])
    truths = {"gain": of.truth - of.worth_of(old)}
    covered: dict[str, dict[float, float]] = {}
    for seed in range(logs):
        log = of.log(conversations, np.random.default_rng(seed))
        rounds, before = of.rounds(log), of.rounds(log, old)
        for confidence in CONFIDENCES:
            found: dict[str, Estimate] = {
                **evaluate(rounds, confidence=confidence).estimates,
                "gain": gain(rounds, before, confidence=confidence),
            }
            for name, each in found.items():
                is_covered = each.low <= truths.get(name, of.truth) <= each.high
                shares = covered.setdefault(name, dict.fromkeys(CONFIDENCES, 0.0))
                shares[confidence] += is_covered / logs
    return covered


def open_bandit(folder: Path) -> list[dict[str, Any]]:
    """Return a row for each estimator of each of the two policies from the other's log."""
    random_log, thompson_log = (_read(folder / f"men_{name}.csv.gz") for name in ("random", "bts"))
    even = np.full((len(random_log["item"]), ITEMS), 1 / ITEMS)
    now, then = (_interpolated(thompson_log, each) for each in (thompson_log, random_log))
    return [
        *_judged("random, from Thompson's log", thompson_log, now, even, random_log["click"]),
        *_judged("Thompson, from the random log", random_log, even, then, thompson_log["click"]),
    ]


def _read(path: Path) -> dict[str, Numbers]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    times = np.array([row["timestamp"][:26] for row in rows], dtype="datetime64[us]")
    return {
        "time": times.astype(np.float64),
        "item": np.array([float(row["item_id"]) for row in rows]),
        "position": np.array([float(row["position"]) - 1 for row in rows]),
        "click": np.array([float(row["click"]) for row in rows]),
        "propensity": np.array([float(row["propensity_score"]) for row in rows]),
    }


def _interpolated(known: Mapping[str, Numbers], asked: Mapping[str, Numbers]) -> Numbers:
    """Return the propensities that a policy would have had in rounds of another's log.

    Only what it showed is known. Its propensities hang on the position and the time alone, so each
    item's is taken from the round of its own log that is nearest in time.
    """
    found = np.zeros((len(asked["item"]), ITEMS))
    for position in range(POSITIONS):
        rows = np.flatnonzero(asked["position"] == position)
        for item in range(ITEMS):
            own = (known["position"] == position) & (known["item"] == item)
            times, shares = known["time"][own], known["propensity"][own]
            if len(times):
                distance = np.abs(asked["time"][rows][:, None] - times[None, :])
                found[rows, item] = shares[np.argmin(distance, axis=1)]
    return found / found.sum(axis=1, keepdims=True)


def _judged(
    name: str, log: Mapping[str, Numbers], logged: Numbers, target: Numbers, truth: Numbers
) -> list[dict[str, Any]]:
    """Return a row for each estimator."""
    count, item = len(log["item"]), log["item"].astype(int)
    predicted, expected = _predictions(log, target)
    rounds = Rounds(
        reward=log["click"],
        logged=log["propensity"],
        target=target[np.arange(count), item],
        conversation=np.arange(count),
        unsupported=np.zeros(count),
        predicted=predicted,
        expected=expected,
        slate_logged=logged,
        slate_target=target,
    )
    found = evaluate(rounds)
    away = 1.96 * float(np.std(truth)) / len(truth) ** 0.5
    return [
        {
            "policy": name,
            "estimator": estimator,
            "per_mille": f"{1000 * each.value:.2f}",
            "interval": f"{1000 * each.low:.1f} to {1000 * each.high:.1f}",
            "its_own_log": f"{1000 * truth.mean():.2f} ± {1000 * away:.2f}",
            "own_log_in_the_interval": str(each.low <= truth.mean() <= each.high),
            "effective": f"{found.effective:.0f}",
            "warnings": " ".join(found.warnings) or "none",
        }
        for estimator, each in found.estimates.items()
    ]


def _predictions(log: Mapping[str, Numbers], target: Numbers) -> tuple[Numbers, Numbers]:
    """Return the clicks foretold of what was shown, and their mean over the policy's choices."""
    count = len(log["item"])
    item, position = np.eye(ITEMS), np.eye(POSITIONS)[log["position"].astype(int)]
    shown, fold = item[log["item"].astype(int)], np.arange(count) % FOLDS
    predicted, expected = np.zeros(count), np.zeros(count)
    for number in range(FOLDS):
        others, own = fold != number, fold == number
        model = linear.fit(np.hstack([shown, position])[others], log["click"][others])
        by_item, by_position = model.weights[:ITEMS], position[own] @ model.weights[ITEMS:]
        predicted[own] = shown[own] @ by_item + by_position
        expected[own] = target[own] @ by_item + by_position
    return predicted, expected


def _cases(logs: int, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Return a row for each world, policy, size and estimator."""
    rows = []
    for kind, name in CASES:
        policy = Exploring(trained(kind, 1)[name], SHARE, Unlimited())
        of = population(kind, 2, policy)
        for size in sizes:
            seen = evaluate(of.rounds(of.log(size, np.random.default_rng(0))))
            for estimator, shares in coverage(of, size, logs).items():
                told = {f"{said:.0%}": share for said, share in shares.items()}
                case = {"world": kind, "policy": name, "conversations": size}
                effective = {"effective": f"{seen.effective:.0f}"}
                rows.append({**case, "estimator": estimator, **told, **effective})
            print(f"{kind}, {name}: {logs} logs of {size} conversations", flush=True)
    return rows


def main() -> None:
    """Measure, print the tables, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public sets")
    parser.add_argument("--logs", type=int, default=LOGS)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--quick", action="store_true", help="50 logs, no plot")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    if options.data:
        figures["open_bandit"] = open_bandit(options.data / "obd")
        print_table(figures["open_bandit"])
    figures["coverage"] = _cases(50 if options.quick else options.logs, options.sizes)
    print_table(figures["coverage"])
    if not options.quick:
        draw(figures["coverage"], PLOT)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
