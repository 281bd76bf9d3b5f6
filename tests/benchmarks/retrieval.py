"""How well and how fast articles are found, on public sets and on many made passages.

python -m tests.benchmarks.retrieval --data FOLDER     (make bench-retrieval DATA=FOLDER)

The sets are written as articles to .cache/bench-retrieval, where the index and the vectors stay as
well: a second run searches only, and one that was broken off goes on. Without --quick,
docs/images/retrieval.svg is drawn anew.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bot import retrieval_evaluation
from bot.cli.tables import print_table
from bot.evaluation import Question
from bot.knowledge.encoder import E5Encoder, Vectors
from bot.knowledge.search import Knowledge
from bot.log.accounts import utc_now
from bot.log.store import Store
from bot.retrieval_evaluation import SEARCHES
from tests.benchmarks.bars import Bars
from tests.benchmarks.retrieval_sets import SETS, RetrievalSet, shortened

KEPT = Path(".cache") / "bench-retrieval"
PLOT = Path("docs") / "images" / "retrieval.svg"
COLOURS = ("#b8b8b8", "#7a9cc6", "#2f5d8a", "#d9822b")
PICTURE = Bars(
    of="set",
    way="search",
    value="mrr",
    label="mean reciprocal rank",
    colours=dict(zip(SEARCHES, COLOURS, strict=True)),
)
SIZES = (1_000, 100_000)
SECTIONS = 100  # of a made article
TIMED = 100  # questions
# The most common English words beside what customers name: the full-text index must bear both.
COMMON = ["order", "delivery", "product", "account", "page", "email", "payment", "time", "day"]


class MadeVectors(E5Encoder):
    """Encodes questions as ever, and gives passages random vectors, which take no time."""

    name = "random/1"

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        rng = np.random.default_rng(len(texts))
        vectors = rng.normal(size=(len(texts), 384)).astype(np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@contextmanager
def opened(name: str, encoder: E5Encoder) -> Iterator[tuple[Knowledge, Path]]:
    """Open the kept index of a set, with the folder for its articles."""
    folder = KEPT / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    with Store(folder / "index.db") as store:
        knowledge = Knowledge(store, encoder)
        try:
            yield knowledge, folder / "articles"
        finally:
            knowledge.close()


def write_pages(of: RetrievalSet, folder: Path) -> None:
    """Write a set's articles as files."""
    for page in of.pages:
        path = folder / f"{page.name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        title = f"title: {json.dumps(page.title, ensure_ascii=False)}\n" if page.title else ""
        text = f"---\n{title}language: {page.language}\n---\n\n{page.text}\n"
        path.write_text(text, encoding="utf-8")


async def measured(of: RetrievalSet, encoder: E5Encoder) -> list[dict[str, Any]]:
    """Return a row for each search over a set."""
    with opened(of.name, encoder) as (knowledge, folder):
        write_pages(of, folder)
        await knowledge.sync(folder, utc_now())
        await knowledge.encode(_progress(f"{of.name}: encoded"))
        questions = [
            Question(question=each.question, articles=each.articles, history=each.history)
            for each in of.asked
        ]
        expected = retrieval_evaluation.expected_articles(questions, knowledge.articles)
        asked = _progress(f"{of.name}: asked")
        ranked = await retrieval_evaluation.rank(knowledge, expected, asked)
    # A set is asked in one language, whatever single questions look like.
    ranked = [replace(each, language=of.asked[0].language) for each in ranked]
    return [
        {"set": of.name, **{name.replace("hit@", "recall@"): row[name] for name in row}}
        for row in retrieval_evaluation.summary(ranked)
    ]


async def timed(size: int, questions: Sequence[str], encoder: E5Encoder) -> dict[str, Any]:
    """Return the time of a search among so many made passages."""
    with opened(f"made {size}", encoder) as (knowledge, folder):
        if not folder.exists():
            _make_articles(folder, size)
        await knowledge.sync(folder, utc_now())
        await knowledge.encode(_progress(f"{size} passages: encoded"))
        await knowledge.search(questions[0], "en")
        took, processor = [], time.process_time()
        for question in questions[:TIMED]:
            started = time.perf_counter()
            await knowledge.search(question, "en")
            took.append((time.perf_counter() - started) * 1000)
        processor = (time.process_time() - processor) / len(took) * 1000
    return {
        "passages": size,
        "median_ms": float(np.median(took)),
        "p95_ms": float(np.percentile(took, 95)),
        "processor_ms": processor,
        "memory_mb": _memory(),
    }


def _make_articles(folder: Path, size: int) -> None:
    """Write articles of made words, each as common as the words of a language are (Zipf)."""
    folder.mkdir(parents=True)
    rng = random.Random(7)
    known = [*COMMON, *(f"w{number}" for number in range(20_000))]
    weights = [1 / rank for rank in range(1, len(known) + 1)]
    for number in range(size // SECTIONS):
        sections = (
            f"## Part {part}\n\n{' '.join(rng.choices(known, weights, k=60))}.\n"
            for part in range(SECTIONS)
        )
        head = f"---\ntitle: Article {number}\nlanguage: en\n---\n\n"
        (folder / f"{number}.md").write_text(head + "\n".join(sections), encoding="utf-8")


def _memory() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def _progress(text: str) -> Any:
    def show(done: int, total: int) -> None:
        if done * 10 // total != (done - 1) * 10 // total:
            print(f"{text} {done} of {total}", flush=True)

    return show


async def _main(options: argparse.Namespace) -> None:
    encoder = E5Encoder()
    found = [one for each in SETS for one in each(options.data)]
    if options.quick:
        found = [shortened(each) for each in found]
    rows = [row for each in found for row in await measured(each, encoder)]
    print_table(rows)
    if not options.quick:
        PICTURE.draw(rows, PLOT)
    questions = [
        f"{each.question} {COMMON[number % len(COMMON)]}"
        for number, each in enumerate(found[0].asked)
    ]
    made = MadeVectors()
    speed = [await timed(size, questions, made) for size in options.sizes]
    if speed:
        print_table(speed)
    if options.json:
        figures = {"sets": rows, "speed": speed}
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="a part of each set")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="made passages")
    asyncio.run(_main(parser.parse_args()))
