"""Replies that people rated, and talks whose outcome is known, as examples to learn from.

mtrag_human_eval (IBM, Apache-2.0): three replies to each question from passages, rated by three
people from 1 to 4 on four scales. tau_service (Sierra, MIT): talks of an airline's agent, four for
each task, with the reward 1 where the task was done right.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.words import content_words
from bot.ranking.rewards import Aftermath, is_same_question, reward, signals
from bot.ranking.scorer.examples import Example
from tests.benchmarks.star import read

Numbers = NDArray[np.float64]

PASSAGES = 3_000  # characters of the passages, which stand before the question


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """Replies to one question; `ratings` are means over people and scales."""

    conversation: str
    context: tuple[str, ...]
    passages: str
    replies: tuple[str, ...]
    ratings: tuple[float, ...]

    def pairs(self) -> list[Example]:
        """Return each two replies that were rated differently, the better one chosen."""
        found = []
        for first, second in itertools.permutations(range(len(self.replies)), 2):
            apart = self.ratings[first] - self.ratings[second]
            if apart > 0 and self.replies[first] != self.replies[second]:
                two = (self.replies[first], self.replies[second])
                found.append(Example(context=self.context, candidates=two, chosen=0, reward=apart))
        return found


def rated(folder: Path) -> list[Rated]:
    """Return the rated replies of mtrag_human_eval."""
    found = []
    for task in read(folder / "tasks.jsonl.gz"):
        *before, last = [turn["text"] for turn in task["history"]]
        passages = "\n".join(each["text"] for each in task["contexts"])
        found.append(
            Rated(
                conversation=task["id"].split("<")[0],
                context=(*before, *([passages[:PASSAGES]] if passages else []), last),
                passages=passages,
                replies=tuple(each["text"] for each in task["replies"]),
                ratings=tuple(_mean(each["ratings"]) for each in task["replies"]),
            )
        )
    return found


def _mean(ratings: dict[str, list[float]]) -> float:
    return float(np.mean([np.mean(values) for values in ratings.values()]))


def overlap(text: str, source: str) -> float:
    """Return the share of a text's content words that the source has."""
    own = set(content_words(text))
    return len(own & set(content_words(source))) / len(own) if own else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A logged talk of an agent: what of it can be counted, and whether the task was done."""

    task: int
    features: dict[str, float]
    is_done: bool


WRITES = ("update_", "book_", "cancel_", "send_")


def talks(folder: Path) -> list[Talk]:
    """Return the airline's logged talks."""
    return [
        Talk(task=each["task_id"], features=_counted(each["turns"]), is_done=each["reward"] == 1)
        for each in read(folder / "airline_logs.jsonl.gz")
    ]


def _counted(turns: Sequence[Any]) -> dict[str, float]:
    calls = [call["name"] for turn in turns for call in turn.get("calls") or []]
    said = [turn for turn in turns if turn.get("text") and turn["role"] != "tool"]
    asked = [turn["text"] for turn in said if turn["role"] == "user"]
    told = [turn["text"] for turn in said if turn["role"] == "agent"]
    writes = sum(name.startswith(WRITES) for name in calls)
    return {
        "guessed": _guessed(said),
        "turns": math.log1p(len(said)),
        "calls": math.log1p(len(calls)),
        "writes": math.log1p(writes),
        "handed_off": float("transfer_to_human_agents" in calls),
        "errors": math.log1p(
            sum("error" in str(turn["text"]).lower() for turn in turns if turn["role"] == "tool")
        ),
        "customer_words": math.log1p(sum(len(text.split()) for text in asked)),
        "agent_words": math.log1p(sum(len(text.split()) for text in told)),
        "thanked": float(any("thank" in text.lower() for text in asked[-1:])),
        "refused": math.log1p(
            sum("unable" in text.lower() or "cannot" in text.lower() for text in told)
        ),
        "asked_again": float(any(is_same_question(*two) for two in itertools.pairwise(asked))),
    }


def _guessed(said: Sequence[Any]) -> float:
    """Return the mean reward of a talk's replies, as the log is read in bot/ranking/rewards.py."""
    found = []
    for asked, _, then in zip(said, said[1:], said[2:], strict=False):
        if asked["role"] == then["role"] == "user":
            after = Aftermath(next_text=then["text"].removesuffix("###STOP###"))
            found.append(reward(signals(asked["text"], "draft", after)))
    known = [each for each in found if each is not None]
    return float(np.mean(known)) if known else 0.0
