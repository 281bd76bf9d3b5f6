"""Who chooses in tests/benchmarks/policies.py: ours, and vowpalwabbit.

Each begins with the same nights of the fixed order that explores, and learns from its own log.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bot.messages import Candidate
from bot.ranking import bandit, features, q_learning
from bot.ranking.context import Context
from bot.ranking.experience import Experience, Numbers
from bot.ranking.exploration import Exploring
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.policy import Policy
from bot.ranking.softmax import Softmax
from bot.ranking.thompson import ThompsonSampling
from tests.ranking.worlds import Visit

SHARE = 0.05  # of the probability that is given to exploring
LIBRARY = "--cb_explore_adf --squarecb --cb_type mtr -q ca --quiet"


class Unlimited:
    """A budget that is never spent."""

    def is_left(self) -> bool:
        return True


@dataclass(slots=True)
class Book:
    """What a learner's own log has, as arrays."""

    visits: list[Visit] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    propensities: list[float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    follows: list[int] = field(default_factory=list)

    def add(self, visit: Visit, shown: int, propensity: float, reward: float, *, new: bool) -> None:
        """Note a turn; `new`: a conversation begins with it."""
        if self.follows and not new:
            self.follows[-1] = len(self.follows)
        self.visits.append(visit)
        self.shown.append(shown)
        self.propensities.append(propensity)
        self.rewards.append(reward)
        self.follows.append(-1)

    def experience(self) -> Experience:
        return Experience(
            slates=[each.seen for each in self.visits],
            allowed=[each.allowed for each in self.visits],
            shown=np.array(self.shown, dtype=np.int64),
            rewards=np.array(self.rewards),
            follows=np.array(self.follows, dtype=np.int64),
        )


class Learner(Protocol):
    """Chooses, and learns from its log at night."""

    def propensities(self, visit: Visit) -> Sequence[float]: ...

    def night(self, book: Book) -> None: ...


class Uniform:
    """Shows whatever may be shown, each as often."""

    version = "uniform/1"

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        allowed = np.array([each.refusal is None for each in candidates])
        return list(allowed / allowed.sum())


class Unchanging:
    """A policy that learns nothing."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def propensities(self, visit: Visit) -> Sequence[float]:
        return self._policy.propensities(visit.context, visit.slate)

    def night(self, book: Book) -> None:
        """Learn nothing."""


class Ours:
    """The fixed order that explores, until a policy can be trained."""

    def __init__(self, train: Callable[[Experience], Policy]) -> None:
        self._train = train
        self.policy: Policy = Exploring(FixedOrder(), SHARE, Unlimited())

    def propensities(self, visit: Visit) -> Sequence[float]:
        return self.policy.propensities(visit.context, visit.slate)

    def night(self, book: Book) -> None:
        self.policy = self._train(book.experience())


class Library:
    """vowpalwabbit's contextual bandit over candidates, with the same features and the channel.

    `at_once`: it learns from each turn right after it, not at night.
    """

    def __init__(self, seed: int, *, at_once: bool) -> None:
        import vowpalwabbit

        self._begin: Policy = Exploring(FixedOrder(), SHARE, Unlimited())
        self._model = vowpalwabbit.Workspace(f"{LIBRARY} --random_seed {seed}")
        self._has_begun = False
        self._learned = 0
        self.at_once = at_once

    def propensities(self, visit: Visit) -> Sequence[float]:
        if not self._has_begun:
            return self._begin.propensities(visit.context, visit.slate)
        known = np.zeros(len(visit.slate))
        known[visit.allowed] = self._model.predict(self._lines(visit))
        return [float(each) for each in known / known.sum()]

    def night(self, book: Book) -> None:
        self._has_begun = True
        self.learn(book)

    def learn(self, book: Book) -> None:
        """Learn from what is new in the log."""
        for i in range(self._learned, len(book.visits)):
            if not np.isnan(book.rewards[i]):
                label = (book.shown[i], -book.rewards[i], book.propensities[i])
                self._model.learn(self._lines(book.visits[i], label))
        self._learned = len(book.visits)

    def _lines(self, visit: Visit, label: tuple[int, float, float] | None = None) -> list[str]:
        """Return the example as text; refused candidates are left out."""
        lines = [f"shared |c {visit.context.channel} {visit.context.language}"]
        for i in np.flatnonzero(visit.allowed):
            cost = f"0:{label[1]}:{label[2]} " if label and label[0] == i else ""
            lines.append(f"{cost}|a {_text(visit, int(i))}")
        return lines


_TEXTS: dict[tuple[int, int], str] = {}


def _text(visit: Visit, place: int) -> str:
    key = (id(visit), place)
    if key not in _TEXTS:
        named = zip(features.NAMES[1:], visit.seen[place, 1:].tolist(), strict=True)
        _TEXTS[key] = " ".join(f"{name}:{value:.4f}" for name, value in named if value)
    return _TEXTS[key]


def _exploring(model: Any) -> Policy:
    return Exploring(Greedy("greedy/1", model), SHARE, Unlimited())


LEARNERS: dict[str, Callable[[int], Learner]] = {
    "random": lambda _: Unchanging(Uniform()),
    "fixed order": lambda _: Unchanging(FixedOrder()),
    "epsilon-greedy": lambda _: Ours(lambda known: _exploring(bandit.fit(known))),
    "softmax": lambda _: Ours(lambda known: Softmax("softmax/1", bandit.fit(known))),
    "Thompson": lambda _: Ours(lambda known: ThompsonSampling("thompson/1", bandit.fit(known))),
    "Q-learning": lambda _: Ours(lambda known: _exploring(q_learning.fit(known))),
    "vowpalwabbit": lambda seed: Library(seed, at_once=False),
    "vowpalwabbit, each turn": lambda seed: Library(seed, at_once=True),
}
