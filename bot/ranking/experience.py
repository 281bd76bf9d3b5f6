"""What a log teaches: choices with their rewards, as numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bot.messages import Language, Source
from bot.ranking import features
from bot.ranking.rewards import WORTH, Aftermath, Signal, reward, signals

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCandidate:
    """A candidate as a policy saw it."""

    source: Source
    features: Mapping[str, float]
    propensity: float
    is_refused: bool
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDecision:
    """One choice of a reply to a question; `shown` is its place on the slate.

    `is_returning`: its customer had written on an earlier day. `before` are the texts of the turns
    before the question, oldest first, where they were asked for.
    """

    turn: str
    conversation: str
    channel: str
    language: Language
    at: datetime
    policy: str
    question: str
    candidates: tuple[LoggedCandidate, ...]
    shown: int
    after: Aftermath
    is_returning: bool = False
    before: tuple[str, ...] = ()

    @property
    def source(self) -> Source:
        """Where the reply that was shown came from."""
        return self.candidates[self.shown].source

    @property
    def is_tried(self) -> bool:
        """Whether the policy thought more of another candidate than of the one it showed."""
        chances = [each.propensity for each in self.candidates]
        return chances[self.shown] < max(chances)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Experience:
    """Decisions in order, each with its slate as the policy saw it.

    `slates` are arrays of shape (candidates, names); `allowed` says what might be shown; `shown`
    are places on the slates, `rewards` of shape (decisions,), not a number where nothing is known;
    `follows` is the next decision of the same conversation, or -1.
    """

    slates: Sequence[Numbers]
    allowed: Sequence[NDArray[np.bool_]]
    shown: NDArray[np.int64]
    rewards: Numbers
    follows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.slates)

    @property
    def seen(self) -> Numbers:
        """What was shown, shape (decisions, names)."""
        return np.array([slate[i] for slate, i in zip(self.slates, self.shown, strict=True)])


def experience(
    decisions: Iterable[LoggedDecision], worth: Mapping[Signal, float] = WORTH
) -> Experience:
    """Return the numbers of decisions, which come by conversation, in order.

    Those that were logged under another version of the features are left out.
    """
    known = [each for each in decisions if is_of_this_version(each)]
    follows = [
        i + 1 if i + 1 < len(known) and known[i + 1].conversation == each.conversation else -1
        for i, each in enumerate(known)
    ]
    return Experience(
        slates=[slate_of(each) for each in known],
        allowed=[np.array([not one.is_refused for one in each.candidates]) for each in known],
        shown=np.array([each.shown for each in known], dtype=np.int64),
        rewards=rewards_of(known, worth),
        follows=np.array(follows, dtype=np.int64),
    )


def slate_of(decision: LoggedDecision) -> Numbers:
    """Return the features of a slate, shape (candidates, names)."""
    return features.matrix([(one.source, one.features) for one in decision.candidates])


def rewards_of(
    decisions: Sequence[LoggedDecision], worth: Mapping[Signal, float] = WORTH
) -> Numbers:
    """Return the reward of each decision, not a number where nothing is known."""
    found = (reward(signals(each.question, each.source, each.after), worth) for each in decisions)
    return np.array([np.nan if each is None else each for each in found], dtype=np.float64)


def conversations_of(decisions: Sequence[LoggedDecision]) -> NDArray[np.int64]:
    """Return a number for the conversation of each decision, shape (decisions,)."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(e.conversation for e in decisions))}
    return np.array([numbers[each.conversation] for each in decisions], dtype=np.int64)


def is_of_this_version(decision: LoggedDecision) -> bool:
    """Whether a decision was logged with the features that policies see now."""
    version = decision.candidates[decision.shown].features.get("feature_version")
    return version == features.VERSION
