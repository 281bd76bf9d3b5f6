"""How well groups found without labels agree with people's intents, on public sets.

python -m tests.benchmarks.discovery --data FOLDER     (make bench-discovery DATA=FOLDER)

Each set is grouped with the number of intents given and with the number found, beside k-means on
the same vectors; seconds are the processor's. Vectors stay in .cache/bench-discovery: a second run
groups only. Without --quick, docs/images/discovery.svg is drawn anew.
"""

import argparse
import gzip
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bot.cli.tables import print_table
from bot.intents.agreement import agreement
from bot.intents.discovery import discover
from bot.intents.encodings import Encodings
from bot.intents.linkage import small_groups
from bot.intents.neighbours import Part, Rows
from bot.intents.parts import parts_of
from bot.intents.weights import BaseName, has_bge
from bot.knowledge.encoder import Vectors
from tests.benchmarks.bars import Bars

KEPT = Path(".cache") / "bench-discovery"
PLOT = Path("docs") / "images" / "discovery.svg"
QUICK = 400  # rows of a set
RESTARTS = 3  # of k-means
Labelled = Sequence[tuple[str, str]]
PICTURE = Bars(
    of="set",
    way="way",
    value="acc",
    label="ACC: share of messages in the group of their intent",
    colours={
        "k-means, number given": "#b8b8b8",
        "number given": "#2f5d8a",
        "number found": "#d9822b",
    },
)


class KeptEncodings(Encodings):
    """Keeps the vectors of a set in a file."""

    def vectors(self, name: BaseName, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
        path = KEPT / f"{name}-{digest}.npy"
        if not path.exists():
            found = super().vectors(name, texts)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, found)
        return np.asarray(np.load(path), dtype=np.float32)


def read(path: Path, text: str = "text") -> Labelled:
    """Return the texts of a set with their intents, each text once."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return list({row[text]: row["intent"] for row in rows}.items())


def mixed(data: Path) -> Labelled:
    """Return one half of the commands in Chinese, and in English those of the other half."""
    path = data / "xsid_zh" / "valid.jsonl.gz"
    return [*read(path)[::2], *read(path, "text_en")[1::2]]


SETS: Mapping[str, Callable[[Path], Labelled]] = {
    "DSTC11 insurance": lambda data: read(
        data / "dstc11_intent_induction" / "insurance_dev.jsonl.gz"
    ),
    "Banking77": lambda data: read(data / "banking77" / "train.jsonl.gz"),
    "CLINC150, validation": lambda data: read(data / "clinc150" / "val.jsonl.gz"),
    "xSID Chinese": lambda data: read(data / "xsid_zh" / "valid.jsonl.gz"),
    "xSID half Chinese, half English": mixed,
}


def measured(name: str, rows: Labelled, encodings: Encodings) -> list[dict[str, Any]]:
    """Return the figures of one set, a row for each way of grouping it."""
    intents = [intent for _, intent in rows]
    number = len(set(intents))
    started = time.process_time()
    parts = parts_of([text for text, _ in rows], encodings)
    encoded = time.process_time() - started
    ways: dict[str, Callable[[], Rows]] = {
        "k-means, number given": lambda: plain(parts, number),
        "number given": lambda: discover(parts, number).groups,
        "number found": lambda: discover(parts).groups,
    }
    lines = []
    for way, grouped in ways.items():
        started = time.process_time()
        groups = grouped()
        figures = asdict(agreement(groups.tolist(), intents))
        lines.append(
            {
                "set": name,
                "texts": len(rows),
                "intents": number,
                "way": way,
                "groups": len(set(groups.tolist())),
                **figures,
                "grouping": f"{time.process_time() - started:.1f} s",
                "encoding": f"{encoded:.1f} s",
            }
        )
    return lines


def plain(parts: Sequence[Part], number: int) -> Rows:
    """Group by k-means on the vectors of one language, or on those that languages share."""
    own = parts[0].own if len(parts) == 1 else np.concatenate([part.shared for part in parts])
    rows = np.concatenate([part.rows for part in parts])
    tried = [small_groups(own, number, seed) for seed in range(RESTARTS)]
    best = max(tried, key=lambda groups: _tightness(own, groups))
    found = np.empty(len(rows), dtype=np.intp)
    found[rows] = best
    return found


def _tightness(vectors: Vectors, groups: Rows) -> float:
    sums = [vectors[groups == group].sum(axis=0) for group in np.unique(groups)]
    sizes = np.unique(groups, return_counts=True)[1]
    return float(sum((each @ each) / size for each, size in zip(sums, sizes, strict=True)))


def main(options: argparse.Namespace) -> None:
    """Measure, print and draw."""
    encodings = KeptEncodings()
    lines = []
    for name, rows_of in SETS.items():
        if options.sets and name not in options.sets:
            continue
        rows = rows_of(options.data)
        rows = rows[:: max(1, len(rows) // QUICK)] if options.quick else rows
        lines += measured(name, rows, encodings)
        print(json.dumps(lines[-3:]), flush=True)
    print(f"English with {'bge and e5' if has_bge() else 'e5 alone'}")
    print_table(lines)
    if not options.quick and not options.sets:
        PICTURE.draw(lines, PLOT)
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="a part of each set")
    parser.add_argument("--sets", nargs="*", help="these alone, by name")
    main(parser.parse_args())
