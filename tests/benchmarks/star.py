"""STAR as slates: which reply a person picked, among the replies of the task (RasaHQ/STAR, MIT).

Rows are the picks of completed, single-task dialogues without complications. Candidates are reply
templates, the right one as well: its filled form would stand out. What the agent first typed and
the order of what they were offered are left out, since the picked reply was found by them.
"""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.ranking.scorer.examples import Example

WIDE = 100  # candidates
HELD_OUT = 5  # every so many dialogues


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def split(folder: Path, seed: int) -> tuple[list[Any], list[Any]]:
    """Return the dialogues to learn from and those held out."""
    dialogues = [
        each
        for each in read(folder / "dialogues.jsonl.gz")
        if each["happy"] and not each["multi_task"] and each["completion"] == "Complete"
    ]
    random.Random(seed).shuffle(dialogues)
    held_out = len(dialogues) // HELD_OUT
    return dialogues[held_out:], dialogues[:held_out]


def of_task(dialogues: list[Any], folder: Path) -> list[Example]:
    """Return every pick among all replies of its dialogue's task."""
    pools = _pools(folder)
    return [
        Example(context=context, candidates=tuple(pool), chosen=pool.index(right))
        for context, right, pool in _picks(dialogues, pools)
    ]


def wide(dialogues: list[Any], folder: Path, seed: int, *, same_task: bool) -> list[Example]:
    """Return every pick among 100 replies: all of the task, or any, filled up from other tasks."""
    pools, rng, found = _pools(folder), random.Random(seed), []
    everything = sorted({text for pool in pools.values() for text in pool.values()})
    for context, right, pool in _picks(dialogues, pools):
        first = list(dict.fromkeys([right, *(pool if same_task else ())]))
        others = rng.sample(everything, WIDE + len(first))
        slate = list(dict.fromkeys([*first, *others]))[:WIDE]
        rng.shuffle(slate)
        found.append(Example(context=context, candidates=tuple(slate), chosen=slate.index(right)))
    return found


def _pools(folder: Path) -> dict[str, dict[str, str]]:
    return {each["task"]: each["replies"] for each in read(folder / "responses.jsonl.gz")}


def _picks(
    dialogues: list[Any], pools: dict[str, dict[str, str]]
) -> Iterator[tuple[tuple[str, ...], str, list[str]]]:
    """Yield the turns before, the picked template, and the task's templates, each once."""
    for dialogue in dialogues:
        replies, before = pools[dialogue["tasks"][0]], []
        for turn in dialogue["turns"]:
            if turn["role"] == "agent" and turn.get("label") in replies and before:
                pool = list(dict.fromkeys(replies.values()))
                yield tuple(before), replies[turn["label"]], pool
            if turn["role"] != "agent_draft":
                before.append(_said(turn))


def _said(turn: Any) -> str:
    if turn["role"] != "kb":
        return str(turn["text"])
    item = turn["item"] or {}
    return "; ".join(f"{name}: {value}" for name, value in item.items()) or "nothing found"
