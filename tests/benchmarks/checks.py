"""How well the two checks of a draft tell right from wrong: `make bench-checks DATA=folder`.

*Answers the question*: pairs of tests/benchmarks/answer_pairs.py, three tenths of the groups (a
hotel, an article, a dialogue, a sight) held out. With `--train` the coefficients in
bot/checks/answers.json are made anew from the other seven. "unseen" is
what a model says that was trained without any pair of that set.

*Grounded*: pairs of tests/benchmarks/grounded_pairs.py, right ones and ones changed mechanically.
"""

import argparse
import hashlib
import json
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from bot.checks.answers import FEATURES, FILE, measure
from bot.knowledge.encoder import E5Encoder, Vectors
from bot.messages import LANGUAGES, Language
from tests.benchmarks.answer_pairs import Pair, pairs
from tests.benchmarks.grounded_pairs import report as grounded_report

SEED = 7
CACHE = Path(".cache/bench-checks.npz")
HELD_OUT_TENTHS = 3
RIDGE = 1e-3
STEPS = 50
# Of the wrong replies that it was trained on. One that is refused costs little, since the article's
# own words are shown instead.
FALSE_ACCEPTS = 0.1
ENCODED_AT_ONCE = 64

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """All pairs as numbers, a row each."""

    features: Numbers
    is_right: Numbers
    sets: NDArray[np.str_]
    languages: NDArray[np.str_]
    is_held_out: NDArray[np.bool_]

    def where(self, mask: NDArray[np.bool_]) -> "Measured":
        """Return the rows of a mask."""
        return Measured(
            self.features[mask],
            self.is_right[mask],
            self.sets[mask],
            self.languages[mask],
            self.is_held_out[mask],
        )


def measured(found: Sequence[Pair]) -> Measured:
    """Return the pairs with their features; vectors are kept in `.cache` for the next time."""
    vectors = _vectors(found)
    rows = [
        measure(
            pair.judged,
            np.stack([vectors[_digest("q", text)] for text in pair.judged.questions]),
            np.stack([vectors[_digest("p", text)] for text in pair.judged.texts]),
        )
        for pair in found
    ]
    return Measured(
        np.array(rows),
        np.array([float(pair.is_right) for pair in found]),
        np.array([pair.set for pair in found]),
        np.array([pair.language for pair in found]),
        np.array([_is_held_out(pair.group) for pair in found]),
    )


def fit(rows: Measured) -> Numbers:
    """Return the coefficients of a logistic regression, every set and both classes weighing alike.

    Newton's method with a small ridge on standardised features (Hastie, Tibshirani and Friedman,
    The Elements of Statistical Learning, 4.4.1).
    """
    mean, scale = rows.features.mean(axis=0), rows.features.std(axis=0) + 1e-9
    mean[0], scale[0] = 0.0, 1.0
    x = (rows.features - mean) / scale
    weight = _balanced(rows)
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weight * (p - rows.is_right)) + RIDGE * beta
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(len(beta))
        beta -= np.linalg.solve(curvature, gradient)
    plain = beta / scale
    plain[0] = beta[0] - float((beta * mean / scale)[1:].sum())
    return np.asarray(plain)


def roc_auc(scores: Numbers, is_right: Numbers) -> float:
    """Return the chance that a right pair scores above a wrong one (Mann-Whitney U over n1 n0)."""
    ranks = scores.argsort().argsort() + 1
    right = is_right.sum()
    above = ranks[is_right == 1].sum() - right * (right + 1) / 2
    return float(above / (right * (len(is_right) - right)))


def train(rows: Measured) -> dict[str, Any]:
    """Return what answers.json holds, from the pairs that are not held out."""
    stored = {}
    for language in LANGUAGES:
        known = rows.where((rows.languages == language) & ~rows.is_held_out)
        beta = fit(known)
        probability = _probabilities(known, beta)
        weight = _balanced(known)
        stored[language] = {
            "coefficients": dict(zip(FEATURES, beta.round(4).tolist(), strict=True)),
            "threshold": quantile(probability, weight, known, 0, 1 - FALSE_ACCEPTS),
        }
    return stored


def report(rows: Measured, stored: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row a set, on the pairs held out."""
    lines = []
    for name in dict.fromkeys(rows.sets.tolist()):
        of_set = rows.where((rows.sets == name) & rows.is_held_out)
        language: Language = of_set.languages[0]
        model = stored[language]
        beta = np.array([model["coefficients"][feature] for feature in FEATURES])
        others = rows.where((rows.languages == language) & (rows.sets != name))
        lines.append(
            {
                "set": name,
                "language": language,
                "pairs": len(of_set.is_right),
                "auc": roc_auc(of_set.features @ beta, of_set.is_right),
                "auc_unseen": roc_auc(of_set.features @ fit(others), of_set.is_right),
                "auc_cosine": roc_auc(of_set.features[:, 1], of_set.is_right),
                **_rates(of_set, beta, model["threshold"]),
            }
        )
    return lines


def _rates(rows: Measured, beta: Numbers, threshold: float) -> dict[str, float]:
    passed = _probabilities(rows, beta) >= threshold
    return {
        "accuracy": float((passed == rows.is_right).mean()),
        "false_accepts": float(passed[rows.is_right == 0].mean()),
        "false_refusals": float((~passed[rows.is_right == 1]).mean()),
    }


def _probabilities(rows: Measured, beta: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-rows.features @ beta)))


def quantile(
    values: Numbers, weight: Numbers, rows: Measured, of_class: int, share: float
) -> float:
    """Return the value below which a share of a class lies, every set weighing alike."""
    mine = rows.is_right == of_class
    order = values[mine].argsort()
    sums = weight[mine][order].cumsum()
    found = values[mine][order][np.searchsorted(sums, share * sums[-1])]
    return round(float(found), 3)


def _balanced(rows: Measured) -> Numbers:
    weight = np.zeros(len(rows.is_right))
    for name in set(rows.sets.tolist()):
        for each in (0, 1):
            mine = (rows.sets == name) & (rows.is_right == each)
            weight[mine] = 1 / max(mine.sum(), 1)
    return weight / weight.sum()


def _vectors(found: Sequence[Pair]) -> dict[str, Vectors]:
    encoder = E5Encoder()
    known = dict(np.load(CACHE)) if CACHE.exists() else {}
    wanted = {_digest("q", text): text for pair in found for text in pair.judged.questions}
    known |= _encoded(wanted, known, encoder.questions, "questions")
    wanted = {_digest("p", text): text for pair in found for text in pair.judged.texts}
    known |= _encoded(wanted, known, encoder.passages, "sentences")
    CACHE.parent.mkdir(exist_ok=True)
    np.savez(CACHE, **known)
    return known


def _encoded(
    wanted: dict[str, str], known: Iterable[str], encode: Any, what: str
) -> dict[str, Vectors]:
    missing = list(wanted.keys() - set(known))
    made: dict[str, Vectors] = {}
    starts = range(0, len(missing), ENCODED_AT_ONCE)
    for start in track(starts, f"Encoding {len(missing)} {what}", console=Console(stderr=True)):
        batch = missing[start : start + ENCODED_AT_ONCE]
        made |= dict(zip(batch, encode([wanted[key] for key in batch]), strict=True))
    return made


def _digest(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}\x00{text}".encode()).hexdigest()


def _is_held_out(group: str) -> bool:
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % 10 >= 10 - HELD_OUT_TENTHS


def main() -> None:
    """Measure, and train where asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    options.add_argument("--train", action="store_true", help="make answers.json anew")
    options.add_argument("--json", action="store_true", help="print the results as JSON")
    asked = options.parse_args()
    started = time.perf_counter()
    rows = measured(list(pairs(asked.data, random.Random(SEED))))
    if asked.train:
        FILE.write_text(json.dumps(train(rows), indent=1) + "\n", encoding="utf-8")
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    results = {"answers": report(rows, stored), "grounded": grounded_report(asked.data)}
    if asked.json:
        print(json.dumps(results, indent=1))
        return
    console = Console(width=170)
    for name, lines in results.items():
        console.rule(name)
        for line in lines:
            shown = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in line.values())
            row = "  ".join(f"{k} {v}" for k, v in zip(line, shown, strict=True))
            console.print(row, markup=False)
    console.print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
