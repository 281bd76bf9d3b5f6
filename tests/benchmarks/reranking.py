"""Make bot/knowledge/reranker.json from public questions and the example shop's tuning questions.

python -m tests.benchmarks.reranking --data FOLDER              (train)
python -m tests.benchmarks.reranking --data FOLDER --held-out   (measure)

Trained on the example shop's tuning questions (as it is, without the listed questions, and each
language against the articles of the other), on two made companies without listed questions
(tests/benchmarks/trades), on 1, 2 and 4 articles of the three, and on parts of help_arduino and
crosswoz_zh. The other sets of tests/benchmarks/retrieval_sets.py, the third company, and the shop's
held-out questions, are never seen.

A logistic regression learns from the first article of each question (by the fused sum) whether it
answers. Each set counts the same, the companies three times, since their questions are those of
customers; in each, the questions without an answer count two thirds of the others.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.cli.tables import print_table
from bot.knowledge.scoring import ENOUGH, rerankers
from tests.benchmarks.reranking_cases import TRADES, Case, Gathered

MADE = Path("bot") / "knowledge" / "reranker.json"
MEANING = (
    "share",
    "words",
    "own_level",
    "own_listed",
    "is_foreign",
    "foreign_level",
    "foreign_standing",
)
WORDS = ("share", "words", "is_foreign")
CUSTOMERS = ("shop", "shop plain", *TRADES)
CUSTOMERS_SHARE = 3.0
UNANSWERABLE_SHARE = 2 / 3
WRONG_COSTS = 2.0  # a needless hand-off costs 1
PENALTY = 0.3
# How much each case counts once more as if its article were the only one found: by words alone that
# happens often in a small collection, and having no rival says little there.
WORDS_ALONE_SHARE = 0.1

Numbers = NDArray[np.float64]


def fit(features: Numbers, truth: Numbers, shares: Numbers, penalty: float) -> Numbers:
    """Return bias and weights of a logistic regression (Newton's method, L2 on the weights).

    `features` has shape (rows, names), `truth` and `shares` (rows,); the result (1 + names,).
    """
    inputs = np.column_stack([np.ones(len(features)), features])
    shares = shares / shares.mean()
    penalties = np.array([0.0] + [penalty] * features.shape[1])
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (shares * (chance - truth)) + penalties * weights
        bend = (inputs * (shares * chance * (1 - chance))[:, None]).T @ inputs
        step = np.linalg.solve(bend + np.diag(penalties + 1e-9), slope)
        weights = weights - step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def trained(
    cases: Sequence[Case], names: Sequence[str], alone_share: float = 0.0
) -> dict[str, Any]:
    """Return one reranker as bot/knowledge/reranker.json holds it."""
    shares = _shares(cases)
    if alone_share:
        alone = [replace(case, first=replace(case.first, share=0.0)) for case in cases]
        cases, shares = [*cases, *alone], np.concatenate([shares, alone_share * shares])
    truth = np.array([case.is_right for case in cases], dtype=float)
    bias, *weights = fit(_features(cases, names), truth, shares, PENALTY).tolist()
    rounded = {name: round(weight, 4) for name, weight in zip(names, weights, strict=True)}
    return {"bias": round(bias, 4), "weights": rounded}


def costs(cases: Sequence[Case], made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each limit: what is shown of the shop's tuning questions, and its cost."""
    real = ("answered", "unanswerable")
    asked = [case for case in cases if case.of == "shop" and case.kind in real]
    weights = np.array(list(made["weights"].values()))
    logits = made["bias"] + _features(asked, list(made["weights"])) @ weights
    return [_cost(asked, 1 / (1 + np.exp(-logits)), limit / 20) for limit in range(2, 17)]


def measured(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return a row a set: how well right first articles are told from others, and what is shown.

    `auc_…` is the area under the curve against the first articles of each other kind of question.
    """
    return [
        _measured(of, [case for case in cases if case.of == of])
        for of in dict.fromkeys(case.of for case in cases)
    ]


def _measured(of: str, cases: Sequence[Case]) -> dict[str, Any]:
    reranker = rerankers()["meaning"]
    chances: dict[str, list[float]] = {}
    for case in cases:
        kind = "right" if case.is_right else case.kind
        chances.setdefault(kind, []).append(reranker.probability(case.first))
    answered = len(chances.get("right", ())) + len(chances.get("answered", ()))
    row: dict[str, Any] = {"set": of, "answered": answered}
    row["right"] = sum(chance >= ENOUGH for chance in chances["right"]) / answered
    row["wrong"] = sum(chance >= ENOUGH for chance in chances.get("answered", ())) / answered
    for kind in ("unanswerable", "removed", "stranger"):
        others = chances.get(kind)
        row[f"auc_{kind}"] = auc(chances["right"], others) if others else None
        row[f"{kind}_shown"] = float(np.mean(np.array(others) >= ENOUGH)) if others else None
    return row


def auc(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Return how often one of the first is above one of the second; ties count half."""
    first, second = np.array(higher)[:, None], np.array(lower)[None]
    return float(((first > second) + (first == second) / 2).mean())


def _cost(asked: Sequence[Case], chances: Numbers, limit: float) -> dict[str, Any]:
    shown = chances >= limit
    right = np.array([case.is_right for case in asked])
    answerable = np.array([case.kind == "answered" for case in asked])
    wrong, needless = (shown & ~right).sum(), (answerable & ~shown).sum()
    return {
        "limit": limit,
        "right": float((shown & right).sum() / answerable.sum()),
        "wrong": float((shown & ~right & answerable).sum() / answerable.sum()),
        "unanswerable_shown": float((shown & ~answerable).sum() / (~answerable).sum()),
        "cost": float((WRONG_COSTS * wrong + needless) / len(asked)),
    }


def _shares(cases: Sequence[Case]) -> Numbers:
    """Return how much each case counts; the kinds without an answer share theirs."""
    sizes = Counter((case.of, case.kind) for case in cases)
    kinds = Counter(of for of, kind in sizes if kind != "answered")
    shares = [
        (1.0 if case.kind == "answered" else UNANSWERABLE_SHARE / kinds[case.of])
        * (CUSTOMERS_SHARE if case.of in CUSTOMERS else 1.0)
        / sizes[case.of, case.kind]
        for case in cases
    ]
    return np.array(shares)


def _features(cases: Sequence[Case], names: Sequence[str]) -> Numbers:
    return np.array([[getattr(case.first, name) for name in names] for case in cases])


async def _main(data: Path, *, is_held_out: bool) -> None:
    gathered = Gathered(data, is_held_out=is_held_out)
    await gathered.gather()
    if not is_held_out:
        made = {
            "meaning": trained(gathered.meaning, MEANING),
            "words": trained(gathered.words, WORDS, WORDS_ALONE_SHARE),
        }
        print_table(costs(gathered.meaning, made["meaning"]))
        print_table(costs(gathered.words, made["words"]))
        MADE.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    print_table(measured(gathered.meaning))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--held-out", action="store_true", help="measure what was not trained on")
    options = parser.parse_args()
    asyncio.run(_main(options.data, is_held_out=options.held_out))
