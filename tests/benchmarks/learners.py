"""Who chooses in tests/benchmarks/policies.py: ours, and vowpalwabbit.

Each begins with the same nights of the fixed order that explores, and learns from its own log.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bot.messages import Candidate
from bot.ranking import bandit, features, q_learning
from bot.ranking.context import Context
from bot.ranking.experience import Experience
from bot.ranking.exploration import Exploring
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.linear import LinearModel
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

    def __len__(self) -> int:
        return len(self.visits)

    def add(
        self, visit: Visit, shown: int, propensity: float, reward: float, *, is_new: bool
    ) -> None:
        """Note a turn; `is_new`: a conversation begins with it."""
        if self.follows and not is_new:
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


class ByDay:
    """Asks a learner once a day for each visit: between nights it says the same."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._said: dict[int, Sequence[float]] = {}

    def propensities(self, visit: Visit) -> Sequence[float]:
        key = id(visit)
        if key not in self._said:
            self._said[key] = self._learner.propensities(visit)
        return self._said[key]

    def night(self, book: Book) -> None:
        self._learner.night(book)
        self._said.clear()


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

    def __init__(self, train: Callable[[Experience], Policy], begin: Policy | None = None) -> None:
        self._train = train
        self._policy = begin or Exploring(FixedOrder(), SHARE, Unlimited())

    def propensities(self, visit: Visit) -> Sequence[float]:
        return self._policy.propensities(visit.context, visit.slate)

    def night(self, book: Book) -> None:
        self._policy = self._train(book.experience())


class Library:
    """vowpalwabbit's contextual bandit over candidates, with the same features and the channel."""

    def __init__(self, seed: int) -> None:
        import vowpalwabbit

        self._begin: Policy = Exploring(FixedOrder(), SHARE, Unlimited())
        self._model = vowpalwabbit.Workspace(f"{LIBRARY} --random_seed {seed}")
        self._has_begun = False
        self._learned = 0
        self._texts: dict[tuple[int, int], str] = {}

    def propensities(self, visit: Visit) -> Sequence[float]:
        if not self._has_begun:
            return self._begin.propensities(visit.context, visit.slate)
        known = np.zeros(len(visit.slate))
        known[visit.allowed] = self._model.predict(self._lines(visit))
        return [float(each) for each in known / known.sum()]

    def night(self, book: Book) -> None:
        """Learn from what is new in the log."""
        self._has_begun = True
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
            lines.append(f"{cost}|a {self._text(visit, int(i))}")
        return lines

    def _text(self, visit: Visit, place: int) -> str:
        key = id(visit), place
        if key not in self._texts:
            named = zip(features.NAMES[1:], visit.seen[place, 1:].tolist(), strict=True)
            self._texts[key] = " ".join(f"{name}:{value:.4f}" for name, value in named if value)
        return self._texts[key]


def _exploring(model: LinearModel) -> Policy:
    return Exploring(Greedy("greedy/1", model), SHARE, Unlimited())


def learner(name: str, seed: int) -> Learner:
    """Return one of NAMES that has learned nothing yet."""
    made: Mapping[str, Callable[[], Learner]] = {
        "random": lambda: Unchanging(Uniform()),
        "fixed order": lambda: Unchanging(FixedOrder()),
        "epsilon-greedy": lambda: Ours(lambda known: _exploring(bandit.fit(known))),
        "softmax": lambda: Ours(lambda known: Softmax("softmax/1", bandit.fit(known))),
        "Thompson": lambda: Ours(lambda known: ThompsonSampling("thompson/1", bandit.fit(known))),
        "Q-learning": lambda: Ours(lambda known: _exploring(q_learning.fit(known))),
        LIBRARY_BY_NIGHT: lambda: Library(seed),
        LIBRARY_BY_TURN: lambda: Library(seed),
    }
    return made[name]()


LIBRARY_BY_NIGHT, LIBRARY_BY_TURN = "vowpalwabbit", "vowpalwabbit, each turn"
NAMES = (
    "random",
    "fixed order",
    "epsilon-greedy",
    "softmax",
    "Thompson",
    "Q-learning",
    LIBRARY_BY_NIGHT,
    LIBRARY_BY_TURN,
)
