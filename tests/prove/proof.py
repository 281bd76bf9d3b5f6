"""What a proof is, and the line it adds to the table."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Scale = Literal["short", "long"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `reached` are figures that were measured, in the words of `aim`."""

    proof: str
    what: str
    aim: str
    reached: str
    holds: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a proof is run: how long, with which seed, in which empty folder, told to whom."""

    scale: Scale
    seed: int
    folder: Path
    progress: Callable[[str], None] = print
    soak_minutes: float = 120.0


# The same seed tries the same things; the machine's own timing stays its own.
Proof = Callable[[Setup], Awaitable[Sequence[Row]]]
