"""Examples from a file of JSON lines: context, candidates, chosen and perhaps a reward.

{"context": ["Where is my parcel?"], "candidates": ["On its way.", "Hello!"], "chosen": 0}

A turn is a text or {"role": ..., "text": ...}; roles are not learned from.
"""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.errors import RankingError
from bot.ranking.scorer.examples import Example


def read_examples(file: Path, fewest: int = 1) -> list[Example]:
    """Return the examples of a file, in order; empty lines are passed over.

    Raises RankingError naming the line that is wrong, or where there are fewer than `fewest`.
    """
    try:
        stored = file.read_bytes()
    except OSError as err:
        raise RankingError(f"{file} can't be read ({os.strerror(err.errno or 0)}).") from err
    found = []
    for number, line in enumerate(stored.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            try:
                found.append(_example(line))
            except ValueError as err:
                raise RankingError(f"Line {number} of {file} {err}.") from err
    if len(found) < fewest:
        raise RankingError(f"{file} has {len(found)} rows, and at least {fewest} are needed.")
    return found


def _example(line: bytes) -> Example:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as err:
        raise ValueError("is not UTF-8") from err
    try:
        row = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (json.JSONDecodeError, RecursionError) as err:
        raise ValueError("is not JSON") from err
    if not isinstance(row, dict):
        raise ValueError("is not an object with context, candidates and chosen")
    context = tuple(turn for turn in map(_turn, _list(row, "context")) if turn.strip())
    if not context:
        raise ValueError("has a context without text")
    candidates = tuple(_candidate(each) for each in _list(row, "candidates"))
    if len(candidates) < 2:
        raise ValueError(f"has {len(candidates)} candidates; a choice needs two")
    return Example(
        context=context,
        candidates=candidates,
        chosen=_chosen(row, len(candidates)),
        reward=_reward(row.get("reward")),
    )


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"has {twice!r} twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"has {name}, which is no number")


def _list(row: dict[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    if not isinstance(value, list):
        raise ValueError(f"has no list of {name}")
    return value


def _turn(turn: Any) -> str:
    text = turn.get("text") if isinstance(turn, dict) else turn
    if not isinstance(text, str):
        raise ValueError("has a turn that is no text")
    return _whole(text)


def _candidate(text: Any) -> str:
    if isinstance(text, dict):
        text = text.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("has a candidate without text")
    return _whole(text)


def _whole(text: str) -> str:
    """Return a text without halves of characters, which JSON can hold and UTF-8 can't."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _chosen(row: dict[str, Any], count: int) -> int:
    chosen = row.get("chosen")
    if type(chosen) is not int:
        raise ValueError("doesn't say which candidate was chosen, as a whole number")
    if not 0 <= chosen < count:
        raise ValueError(f"chose candidate {chosen}; they are numbered from 0 to {count - 1}")
    return chosen


def _reward(reward: Any) -> float | None:
    if reward is None:
        return None
    if type(reward) not in (int, float) or not math.isfinite(reward):
        raise ValueError("has a reward that is no number")
    return float(reward)
