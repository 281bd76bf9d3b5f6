"""What people prefer: of two replies to one question, the better and the worse one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from bot.messages import Source, Turn

# Two candidates compared by a person of the team; what the reply should have said, written by one;
# two replies to the same question, of which customers liked one and disliked the other.
PairSource = Literal["choice", "correction", "feedback"]
PAIR_SOURCES: tuple[PairSource, ...] = get_args(PairSource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One of the two replies.

    `features` are those logged with the candidate; what a person wrote has none, and no source.
    """

    text: str
    source: Source | None = None
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A better and a worse reply to a question, which came after `history` (oldest first).

    `turn` is the reply that the log shows for it: for a choice the one with this slate, else the
    worse one. `account` is who of the team said it, empty where customers did; `at` is when.
    """

    turn: str
    question: str
    history: tuple[Turn, ...]
    better: Reply
    worse: Reply
    source: PairSource
    account: str
    at: datetime
