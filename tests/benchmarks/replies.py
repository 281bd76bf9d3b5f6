"""How well replies are ranked, on public sets: what people picked, rated, and what came of talks.

python -m tests.benchmarks.replies --data FOLDER     (make bench-replies DATA=FOLDER)

Vectors are kept in .cache/bench-replies: a second run doesn't encode again. Without --quick,
docs/images/replies.svg is drawn anew from the picks of STAR.
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.cli.tables import print_table
from bot.ranking.scorer import combiner, training
from bot.ranking.scorer.combiner import Slates, Terms
from bot.ranking.scorer.examples import Example
from bot.ranking.scorer.measures import rank, ranking
from bot.ranking.scorer.parts import NAMES
from bot.ranking.scorer.scorer import Scorer
from bot.ranking.scorer.texts import Texts, encoded
from tests.benchmarks import rated, star
from tests.benchmarks.bars import Bars
from tests.benchmarks.kept_vectors import KeptVectors

Numbers = NDArray[np.float64]

KEPT = Path(".cache") / "bench-replies"
PLOT = Path("docs") / "images" / "replies.svg"
PICTURE = Bars(
    of="slates",
    way="method",
    value="mrr",
    label="mean reciprocal rank",
    colours={
        "TF-IDF": "#d9d9d9",
        "encoder, cosine": "#b8b8b8",
        "popular in the log": "#a9c1dc",
        "nearest conversations": "#7a9cc6",
        "nets alone": "#2f5d8a",
        "scorer": "#d9822b",
    },
)
SPLIT_SEED = 7
UNSEEN_TASKS = 6  # of 24
EIGHT = 8  # candidates
SLATES = ("task", "100, any", "100, hard", "new tasks")
FOLDS = 5
# What each way to rank looks at; the last one is the scorer.
ALONE = {
    "popular in the log": "popular",
    "encoder, cosine": "close_to_last",
    "nearest conversations": "near",
    "nets alone": "fits",
}


def picked(
    data: Path, kept: Path, seed: int, slates: Sequence[str], *, quick: bool
) -> list[dict[str, Any]]:
    """Return a row for each way to rank STAR's picks, on each set of slates."""
    folder = data / "star"
    train, test = star.split(folder, SPLIT_SEED)
    if quick:
        train, test = train[:300], test[:75]
    tasks = sorted({each["tasks"][0] for each in [*train, *test]})[:: 24 // UNSEEN_TASKS]
    known, unknown = _parted(train, tasks), _parted(test, tasks)
    seen, other = 1, 2  # seeds of the other replies: not the same for both files
    sets: dict[str, tuple[list[Example], list[Example]]] = {
        "task": (star.of_task(train, folder), star.of_task(test, folder)),
        "100, any": (
            star.wide(train, folder, seen, same_task=False),
            star.wide(test, folder, other, same_task=False),
        ),
        "100, hard": (
            star.wide(train, folder, seen, same_task=True),
            star.wide(test, folder, other, same_task=True),
        ),
        "new tasks": (star.of_task(known[0], folder), star.of_task(unknown[1], folder)),
    }
    encoder = KeptVectors(kept / "star.npz")
    found = []
    for name in slates:
        learned, ranked = sets[name]
        started, processor = time.perf_counter(), time.process_time()
        scorer = training.fit(learned, encoder, seed, _progress(f"STAR, {name}"))
        encoder.keep()
        took = {
            "seconds": time.perf_counter() - started,
            "processor_s": time.process_time() - processor,
        }
        for method, ranks in _ranked(scorer, learned, ranked, encoder).items():
            measures = ranking(ranks)
            found.append(
                {
                    "slates": name,
                    "method": method,
                    "learned": len(learned),
                    "rows": measures.rows,
                    "recall@1": measures.recall_at_1,
                    "recall@5": measures.recall_at_5,
                    "mrr": measures.mrr,
                    **(took if method == "scorer" else dict.fromkeys(took)),
                    "combiner": scorer.trained_on["combiner"] if method == "scorer" else None,
                }
            )
            print(json.dumps(found[-1]), flush=True)
    return found


def _parted(dialogues: Sequence[Any], tasks: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """Return dialogues of other tasks, and of these."""
    of_these = [each for each in dialogues if each["tasks"][0] in tasks]
    return [each for each in dialogues if each["tasks"][0] not in tasks], of_these


def _ranked(
    scorer: Scorer, learned: Sequence[Example], ranked: Sequence[Example], encoder: KeptVectors
) -> dict[str, list[int]]:
    """Return the chosen replies' ranks by each way."""
    texts = _texts(ranked, encoder)
    found: dict[str, list[int]] = {name: [] for name in (*ALONE, "TF-IDF", "scorer")}
    words = _Words(learned)
    for row in ranked:
        parts = scorer.knowledge.parts(row.context, row.candidates, texts)
        for name, part in ALONE.items():
            found[name].append(rank(parts[:, NAMES.index(part)], row.chosen))
        found["TF-IDF"].append(rank(words.cosines(row, texts), row.chosen))
        found["scorer"].append(rank(scorer.combiner.scores(parts), row.chosen))
    return found


class _Words:
    """Cosines of words that are weighed by how few of the log's texts have them (TF-IDF)."""

    def __init__(self, learned: Sequence[Example]) -> None:
        said = {text for each in learned for text in (*each.context, *each.candidates)}
        texts = Texts(1)
        self._count = len(said)
        self._having = Counter(word for text in said for word in texts.wording(text).stems)

    def cosines(self, row: Example, texts: Texts) -> Numbers:
        """Return how like the last three turns each candidate is."""
        asked = frozenset[str]().union(*(texts.wording(turn).stems for turn in row.context[-3:]))
        replies = [texts.wording(each).stems for each in row.candidates]
        return np.array(
            [
                self._size(reply & asked)
                / max(math.sqrt(self._size(reply) * self._size(asked)), 1e-9)
                for reply in replies
            ]
        )

    def _size(self, words: frozenset[str]) -> float:
        return sum(math.log((1 + self._count) / (1 + self._having[each])) ** 2 for each in words)


def timed(data: Path, kept: Path, seed: int) -> list[dict[str, Any]]:
    """Return the processor's time to rank eight candidates whose vectors are there."""
    folder = data / "star"
    train, test = star.split(folder, SPLIT_SEED)
    learned, ranked = star.of_task(train[:300], folder), star.of_task(test[:75], folder)
    encoder = KeptVectors(kept / "star.npz")
    scorer = training.fit(learned, encoder, seed)
    texts, took = _texts(ranked, encoder), []
    for row in (each for each in ranked if len(each.candidates) >= EIGHT):
        started = time.process_time()
        scorer.scores(row.context, row.candidates[:EIGHT], texts)
        took.append((time.process_time() - started) * 1000)
    return [
        {
            "candidates": EIGHT,
            "logged": len(learned),
            "slates": len(took),
            "median_ms": float(np.median(took)),
            "p95_ms": float(np.percentile(took, 95)),
        }
    ]


def ratings(data: Path, kept: Path, seed: int, *, quick: bool) -> list[dict[str, Any]]:
    """Return how well scores agree with people's ratings of replies, by conversation."""
    questions = rated.rated(data / "mtrag_human_eval")
    conversations = sorted({each.conversation for each in questions})
    if quick:
        questions = [each for each in questions if each.conversation in conversations[:10]]
    encoder = KeptVectors(kept / "mtrag.npz")
    fold = {each: place % FOLDS for place, each in enumerate(conversations)}
    scores: dict[str, list[Numbers]] = {"length": [], "shared with passages": [], "scorer": []}
    of: list[rated.Rated] = []
    for number in range(FOLDS):
        own = [each for each in questions if fold[each.conversation] == number]
        pairs = [
            pair for each in questions if fold[each.conversation] != number for pair in each.pairs()
        ]
        scorer = training.fit(pairs, encoder, seed, _progress(f"mtrag, fold {number}"))
        encoder.keep()
        for each in own:
            texts = encoded([*each.context, *each.replies], encoder)
            of.append(each)
            scores["length"].append(np.array([float(len(reply)) for reply in each.replies]))
            shared = [rated.overlap(reply, each.passages) for reply in each.replies]
            scores["shared with passages"].append(np.array(shared))
            scores["scorer"].append(scorer.scores(each.context, each.replies, texts))
    return [
        {
            "method": name,
            "questions": len(of),
            "pairs": sum(len(each.pairs()) for each in of),
            "pairs_right": _agreement(of, found),
            "rank_correlation": _correlation(of, found),
        }
        for name, found in scores.items()
    ]


def _agreement(of: Sequence[rated.Rated], scores: Sequence[Numbers]) -> float:
    """Return the share of pairs in which the better rated one scores higher; ties count half."""
    hits = []
    for each, found in zip(of, scores, strict=True):
        for pair in each.pairs():
            better, worse = (each.replies.index(text) for text in pair.candidates)
            apart = found[better] - found[worse]
            hits.append(0.5 if apart == 0 else float(apart > 0))
    return float(np.mean(hits))


def _correlation(of: Sequence[rated.Rated], scores: Sequence[Numbers]) -> float:
    """Return Spearman's correlation of scores and ratings, each less its question's mean."""
    given = np.concatenate([np.array(each.ratings) - np.mean(each.ratings) for each in of])
    found = np.concatenate([each - each.mean() for each in scores])
    return float(np.corrcoef(_ranks(given), _ranks(found))[0, 1])


def _ranks(values: Numbers) -> Numbers:
    """Return ranks; equal values share their mean rank."""
    order, counts = np.unique(values.round(9), return_inverse=True, return_counts=True)[1:]
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[order], dtype=np.float64)


def outcomes(data: Path, seed: int) -> list[dict[str, Any]]:
    """Return how well it is foretold whether a talk's task was done, by task (AUC)."""
    talks = rated.talks(data / "tau_service")
    names = list(talks[0].features)
    values = np.array([[each.features[name] for name in names] for each in talks])
    done = np.array([each.is_done for each in talks])
    tasks = np.array([each.task for each in talks])
    rng = np.random.default_rng(seed)
    alone: Mapping[str, Callable[[Numbers], Numbers]] = {
        "fewer turns": lambda rows: -rows[:, names.index("turns")],
        "guessed reward": lambda rows: rows[:, names.index("guessed")],
    }
    found: dict[str, list[float]] = {name: [] for name in (*alone, "learned")}
    for _ in range(10):
        fold = rng.permutation(np.arange(tasks.max() + 1) % FOLDS)[tasks]
        for number in range(FOLDS):
            own, others = fold == number, fold != number
            model = combiner.fit(
                _against(values[others], done[others], rng),
                Terms(
                    rising=np.zeros(len(names), dtype=bool),
                    curved=np.zeros(len(names), dtype=bool),
                    penalties=np.full(len(names), 0.1),
                ),
            )
            for name, score in (*alone.items(), ("learned", model.scores)):
                found[name].append(_area(score(values[own]), done[own]))
    return [
        {
            "method": name,
            "talks": len(talks),
            "done": int(done.sum()),
            "auc": float(np.mean(each)),
            "spread_over_folds": float(np.std(each)),
        }
        for name, each in found.items()
    ]


def _against(values: Numbers, done: NDArray[np.bool_], rng: np.random.Generator) -> Slates:
    """Return slates of a talk that went well and one that didn't."""
    well = np.repeat(np.flatnonzero(done), 5)
    badly = rng.choice(np.flatnonzero(~done), len(well))
    both = np.stack([well, badly], axis=1).reshape(-1)
    return Slates(values[both], np.arange(len(well)) * 2, np.ones(len(well)))


def _area(scores: Numbers, done: NDArray[np.bool_]) -> float:
    """Return how often a talk that went well scores above one that didn't; ties count half."""
    apart = scores[done][:, None] - scores[~done]
    return float((apart > 0).mean() + (apart == 0).mean() / 2)


def _texts(rows: Sequence[Example], encoder: KeptVectors) -> Texts:
    return encoded((text for each in rows for text in (*each.context, *each.candidates)), encoder)


def _progress(name: str) -> Callable[[str, int, int], None]:
    def show(what: str, done: int, total: int) -> None:
        if done * 5 // max(total, 1) != (done - 64) * 5 // max(total, 1):
            print(f"{name}: {what.lower()}, {done} of {total}", flush=True)

    return show


def _main(options: argparse.Namespace) -> None:
    figures: dict[str, Any] = {}
    if "picked" in options.only:
        figures["picked"] = picked(
            options.data, options.kept, options.seed, options.slates, quick=options.quick
        )
    if "ratings" in options.only:
        figures["ratings"] = ratings(options.data, options.kept, options.seed, quick=options.quick)
    if "outcomes" in options.only:
        figures["outcomes"] = outcomes(options.data, options.seed)
    if "speed" in options.only:
        figures["speed"] = timed(options.data, options.kept, options.seed)
    for rows in figures.values():
        print_table(rows)
    if "picked" in figures and not options.quick and set(options.slates) == set(SLATES):
        PICTURE.draw(figures["picked"], PLOT)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of the vectors")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a part of each set")
    parser.add_argument("--slates", nargs="*", default=SLATES)
    parser.add_argument("--only", nargs="*", default=["picked", "ratings", "outcomes", "speed"])
    _main(parser.parse_args())
