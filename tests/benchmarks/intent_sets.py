"""Public sets of messages with intents, split anew: official tests are left for the end.

Also the example shop, whose articles list how customers ask in English and Chinese: an article is
an intent, its listed questions are the training part, the shop's question files the test.
"""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import frontmatter

from bot.intents.rows import OUT_OF_SCOPE, Row

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentSet:
    """Rows to learn from and rows to be tested with."""

    name: str
    training: Sequence[Row]
    test: Sequence[Row]


def banking77(data: Path) -> IntentSet:
    """Return 77 intents of a bank's customers; 1,500 rows of the training part are the test."""
    rows = [_single(row) for row in read(data / "banking77" / "train.jsonl.gz")]
    return _split("Banking77", rows, 1500)


def clinc150(data: Path) -> IntentSet:
    """Return 150 intents; the test is 1,500 training rows and all that are out of scope."""
    rows = [_single(row) for row in read(data / "clinc150" / "train.jsonl.gz")]
    found = _split("CLINC150", rows, 1500)
    files = ("oos_train.jsonl.gz", "oos_val.jsonl.gz")
    outside = [
        Row(row["text"], (OUT_OF_SCOPE,))
        for name in files
        for row in read(data / "clinc150" / name)
    ]
    return IntentSet(name=found.name, training=found.training, test=[*found.test, *outside])


def nlupp(data: Path) -> IntentSet:
    """Return a bank's callers with several intents each; folds 0 to 3 of 20 are the test."""
    rows = list(read(data / "nlupp" / "banking.jsonl.gz"))
    named = [(row["fold"], Row(row["text"], tuple(sorted(row["intents"])))) for row in rows]
    return IntentSet(
        name="NLU++ banking",
        training=[row for fold, row in named if fold > 3 and row.intents],
        test=[row for fold, row in named if fold <= 3 and row.intents],
    )


def multidogo(data: Path) -> IntentSet:
    """Return typed service talk of an airline; its first 3,000 turns, the dev part is the test."""
    training, test = (
        [_several(row) for row in read(data / "multidogo" / f"airline_{part}.jsonl.gz")]
        for part in ("train", "dev")
    )
    return IntentSet(name="MultiDoGO airline", training=training[:3000], test=test[:1000])


def xsid_zh(data: Path) -> IntentSet:
    """Return Chinese tasks for a voice assistant; a third of the 300 is the test."""
    rows = [_single(row) for row in read(data / "xsid_zh" / "valid.jsonl.gz")]
    return _split("xSID, Chinese", rows, 100)


def shop(data: Path) -> IntentSet:
    """Return the example shop's 33 intents, English and Chinese."""
    training = []
    for path in sorted((SHOP / "articles").glob("*/*.md")):
        listed: list[str] = frontmatter.load(str(path)).metadata["questions"]  # type: ignore[assignment]
        training += [Row(text, (path.stem,)) for text in listed]
    files = ("questions.jsonl", "questions-tuning.jsonl")
    asked = [
        json.loads(line)
        for name in files
        for line in (SHOP / name).read_text(encoding="utf-8").splitlines()
    ]
    test = [
        Row(each["question"], _article(each["articles"]))
        for each in asked
        if len(each["articles"]) < 2 and not each.get("history")
    ]
    return IntentSet(name="example shop", training=training, test=test)


SETS = (banking77, clinc150, nlupp, multidogo, xsid_zh, shop)


def read(path: Path) -> Iterator[Any]:
    """Yield the rows of a set's file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def _single(row: Any) -> Row:
    return Row(row["text"], (row["intent"],))


def _several(row: Any) -> Row:
    return Row(row["text"], tuple(sorted(set(row["intents"]))))


def _split(name: str, rows: list[Row], tested: int) -> IntentSet:
    random.Random(SEED).shuffle(rows)
    return IntentSet(name=name, training=rows[tested:], test=rows[:tested])


def _article(articles: Sequence[str]) -> tuple[str]:
    return (Path(articles[0]).name if articles else OUT_OF_SCOPE,)
