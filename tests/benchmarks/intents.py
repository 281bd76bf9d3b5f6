"""How well intents are learned from few labels and many, on public sets.

python -m tests.benchmarks.intents --data FOLDER     (make bench-intents DATA=FOLDER)

Each row trains a classifier as `frontdesk intents benchmark` does, by one method or by the one that
cross-validation chooses, and measures what runs live. A set is encoded once, before, so `seconds`
are those of learning alone.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.cli.tables import print_table
from bot.errors import IntentsError
from bot.intents.benchmark import measure, with_shots
from bot.intents.encodings import Encodings
from bot.intents.language import is_english
from bot.intents.method_names import METHODS
from bot.intents.training import train
from tests.benchmarks.intent_sets import SETS, IntentSet
from tests.benchmarks.intents_plot import draw

SHOTS = (5, 10, None)  # None: every label
SEEDS = (0, 1, 2)
CHOSEN = "chosen"
FEW_SHOT = {"Banking77", "CLINC150"}


def measured(
    of: IntentSet,
    shots: int | None,
    method: str,
    seed: int,
    seconds: float | None,
    encodings: Encodings,
) -> dict[str, Any]:
    """Train and measure once."""
    rows = with_shots(of.training, shots, seed) if shots else of.training
    trained = train(
        rows,
        seed=seed,
        clock=time.monotonic,
        seconds=seconds,
        methods=None if method == CHOSEN else [method],
        encodings=encodings,
    )
    started = time.perf_counter()
    found = measure(trained.classifier, of.test)
    took = time.perf_counter() - started
    return {
        "set": of.name,
        "shots": shots,
        "method": method,
        "learned": trained.reports[0].method,
        "seed": seed,
        **asdict(found),
        "seconds": trained.seconds,
        "messages_a_second": (found.rows + found.out_of_scope_rows) / took,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def runs(
    sets: Sequence[IntentSet], methods: Sequence[str], seeds: Sequence[int]
) -> Iterator[tuple[IntentSet, int | None, str, int]]:
    """Yield what to measure; only two sets have enough rows for the few-label ones."""
    for of in sets:
        for shots in SHOTS if of.name in FEW_SHOT else (None,):
            for method in methods:
                for seed in seeds if shots else seeds[:1]:
                    yield of, shots, method, seed


def encoded(of: IntentSet) -> Encodings:
    """Return the vectors of a set's messages, by the encoders that will be asked for them."""
    encodings = Encodings()
    texts = [row.text for row in of.training]
    started = time.perf_counter()
    encodings.vectors("e5", texts)
    if english := [text for text in texts if is_english(text)]:
        encodings.vectors("bge", english)
    took = time.perf_counter() - started
    print(f"{of.name}: {len(texts)} messages encoded in {took:.0f} s", flush=True)
    return encodings


def main(options: argparse.Namespace) -> None:
    """Measure, print, draw."""
    wanted = [each for each in SETS if not options.only or each.__name__ in options.only]
    sets = [each(options.data) for each in wanted]
    methods = options.method or [*METHODS, CHOSEN]
    rows = []
    encodings: dict[str, Encodings] = {}
    for of, shots, method, seed in runs(sets, methods, options.seeds):
        if options.shots and (shots or 0) not in options.shots:
            continue
        if of.name not in encodings:
            encodings = {of.name: encoded(of)}
        try:
            rows.append(measured(of, shots, method, seed, options.seconds, encodings[of.name]))
        except IntentsError as err:
            print(f"{of.name}, {method}: {err}", flush=True)
            continue
        print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    print_table(rows)
    if options.plot:
        draw(rows, options.plot)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--plot", type=Path, help="draw the few-label sets there, as SVG")
    parser.add_argument("--only", nargs="*", help="sets, by the names of their functions")
    parser.add_argument("--method", nargs="*", choices=[*METHODS, CHOSEN])
    parser.add_argument("--shots", type=int, nargs="*", help="5, 10, or 0 for every label")
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--seconds", type=float, help="time for choosing and learning")
    main(parser.parse_args())
