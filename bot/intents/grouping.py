"""Messages grouped and described in one step, also as a program of its own.

Beside a running Frontdesk it is a child process (`in_child`): the encoders' memory goes with it, it
is nice to the answers, and ends with the program that started it.

    python -m bot.intents.grouping < task > outcome
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.errors import IntentsError
from bot.intents.discovery import Discovered, discover
from bot.intents.encodings import Encodings
from bot.intents.naming import Described, describe
from bot.intents.neighbours import Part, Rows, nearest
from bot.intents.parts import parts_of
from bot.knowledge.encoder import Vectors

_NEAR = 5  # texts that are looked at around each
_NICE = 10
_LONGEST_COMPLAINT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Different `texts` to group, into `number` groups or as many as there seem to be.

    `confirmed` has the places of texts that stay together, by a key of their group.
    """

    texts: Sequence[str]
    confirmed: Mapping[str, Collection[int]] = field(default_factory=dict)
    number: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """The group of each text, from 0, what each group is about, and the keys of confirmed ones."""

    groups: Sequence[int]
    described: Sequence[Described]
    keys: Mapping[int, str]


GroupTexts = Callable[[Task], Awaitable[Grouped]]


def group(task: Task, encodings: Encodings) -> Grouped:
    """Group and describe some texts; there must be one."""
    parts = parts_of(task.texts, encodings)
    found = discover(parts, task.number, task.confirmed, task.seed)
    groups = _without_strays(parts, found, task.confirmed) if task.confirmed else found.groups
    described = describe(task.texts, groups, shared_vectors(parts, len(task.texts)))
    return Grouped(groups=groups.tolist(), described=described, keys=found.names)


def shared_vectors(parts: Sequence[Part], size: int) -> Vectors:
    """Return the vectors that compare texts of all languages, in the texts' order."""
    vectors = np.empty((size, parts[0].shared.shape[1]), dtype=np.float32)
    for part in parts:
        vectors[part.rows] = part.shared
    return vectors


def _without_strays(
    parts: Sequence[Part], found: Discovered, confirmed: Mapping[str, Collection[int]]
) -> Rows:
    """Return the groups, with texts that are near to none of their confirmed group's set apart.

    A new group that is small, or one too many, would else be put to whatever is confirmed. Near
    means: one of the group's confirmed texts is among the nearest of the same language, or, where
    it has none of that language, of another one.
    """
    held = np.full(len(found.groups), -1, dtype=np.intp)
    for number, key in found.names.items():
        held[list(confirmed[key])] = number
    is_stray = np.isin(found.groups, list(found.names)) & (held < 0)
    for part in parts:
        groups, own = found.groups[part.rows], held[part.rows]
        is_near = _has_near(part.own, part.own, own, groups)
        for other in parts:
            if other is not part:
                is_foreign = ~np.isin(groups, own)
                near = _has_near(part.shared, other.shared, held[other.rows], groups)
                is_near |= is_foreign & near
        is_stray[part.rows] &= ~is_near
    places = np.unique(found.groups[is_stray], return_inverse=True)[1]
    groups = found.groups.copy()
    groups[is_stray] = found.number + places
    return groups


def _has_near(vectors: Vectors, others: Vectors, held: Rows, groups: Rows) -> NDArray[np.bool_]:
    """Return whether a text of each one's group is among the nearest of `others`."""
    # One more, since a text among the others is its own nearest.
    places, _ = nearest(vectors, others, min(_NEAR + 1, len(others)))
    return np.asarray((held[places] == groups[:, None]).any(axis=1))


async def in_child(task: Task) -> Grouped:
    """Group some texts in a process of its own, on one core, which ends when this is cancelled.

    Raises IntentsError where it fails.
    """
    given = json.dumps(asdict(task) | {"confirmed": _as_lists(task.confirmed)}).encode()
    child = await _child()
    try:
        out, err = await child.communicate(given)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        said = err.decode(errors="replace").strip()[-_LONGEST_COMPLAINT:]
        raise IntentsError(f"The messages could not be grouped ({said or child.returncode}).")
    return _as_grouped(json.loads(out))


async def _child() -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot.intents.grouping",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # numpy would take all cores for a product.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    except OSError as err:
        raise IntentsError(f"The messages could not be grouped ({err.strerror}).") from err


def _as_lists(confirmed: Mapping[str, Collection[int]]) -> dict[str, list[int]]:
    return {key: sorted(places) for key, places in confirmed.items()}


def _as_grouped(found: Mapping[str, Any]) -> Grouped:
    described = [
        Described(name=each["name"], terms=tuple(each["terms"]), examples=tuple(each["examples"]))
        for each in found["described"]
    ]
    keys = {int(number): key for number, key in found["keys"].items()}
    return Grouped(groups=found["groups"], described=described, keys=keys)


def main() -> None:
    """Group what standard input asks for."""
    os.nice(_NICE)
    grouped = group(Task(**json.load(sys.stdin.buffer)), Encodings(threads=1))
    sys.stdout.write(json.dumps(asdict(grouped)))


if __name__ == "__main__":
    main()
