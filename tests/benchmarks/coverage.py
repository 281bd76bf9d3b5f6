"""How often intervals of an off-policy evaluation cover the truth, in a world where it is known.

A population has a world's visits, and what the logging and the evaluated policy would show in each.
Many logs are drawn from it, and each is evaluated as a real one would be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.ranking import bandit
from bot.ranking.evaluation import predictions
from bot.ranking.experience import Numbers
from bot.ranking.exploration import Exploring
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.off_policy import Rounds
from bot.ranking.policy import Policy
from bot.ranking.softmax import Softmax
from tests.benchmarks.learners import SHARE, Book, Unchanging, Unlimited
from tests.benchmarks.policies import turns
from tests.ranking.worlds import CONTENT, NOT_CONTENT, Kind, Visit, world

Places = NDArray[np.int64]

MOOD = 0.1  # added to a customer's contentment in all of a conversation, or taken from it
QUESTIONS = ((1, 2, 3), (0.6, 0.3, 0.1))  # how many a conversation has, and how often
LEARNED_FROM = 2_000  # turns


@dataclass(frozen=True, eq=False, slots=True)
class Log:
    """Turns: which visit, the place of what was shown, its reward, the conversation's number."""

    came: Places
    shown: Places
    rewards: Numbers
    conversation: Places


@dataclass(frozen=True, eq=False, slots=True)
class Population:
    """Visits, each as likely, with the probabilities of the logging and of the evaluated policy.

    `logged`, `target` and `content` are of shape (visits, candidates), 0 where there is none.
    `fixed`: what is worth the same whatever comes after; not a number for all else.
    """

    visits: Sequence[Visit]
    logged: Numbers
    target: Numbers
    content: Numbers
    fixed: Numbers

    @property
    def truth(self) -> float:
        """What a turn is worth under the evaluated policy."""
        return self.worth_of(self.target)

    def worth_of(self, shares: Numbers) -> float:
        """Return what a turn is worth with such probabilities."""
        return float((shares * padded([visit.at_once for visit in self.visits])).sum(axis=1).mean())

    def log(self, conversations: int, rng: np.random.Generator) -> Log:
        """Return a log; turns whose reward stays unknown are left out."""
        each = rng.choice(QUESTIONS[0], p=QUESTIONS[1], size=conversations)
        conversation = np.repeat(np.arange(conversations), each)
        mood = np.repeat(rng.choice([-MOOD, MOOD], size=conversations), each)
        came = rng.integers(len(self.visits), size=len(conversation))
        shown = _drawn(self.logged[came], rng)
        content = self.content[came, shown]
        # As much is added in one mood as is taken in the other, so the mean stays what it is.
        content += np.sign(mood) * np.minimum(np.abs(mood), np.minimum(content, 1 - content))
        rewards = np.where(
            rng.random(len(came)) < content,
            _outcome(CONTENT, len(came), rng),
            _outcome(NOT_CONTENT, len(came), rng),
        )
        fixed = self.fixed[came, shown]
        rewards = np.where(np.isnan(fixed), rewards, fixed)
        known = ~np.isnan(rewards)
        return Log(came[known], shown[known], rewards[known], conversation[known])

    def rounds(self, log: Log, target: Numbers | None = None) -> Rounds:
        """Return a log's rounds, seen from the evaluated policy or another."""
        shares = self.target if target is None else target
        slates = [self.visits[i].seen for i in log.came]
        logged, target = self.logged[log.came], shares[log.came]
        shown = np.array([slate[i] for slate, i in zip(slates, log.shown, strict=True)])
        of_each = [row[: len(slate)] for row, slate in zip(target, slates, strict=True)]
        predicted, expected = predictions(shown, slates, of_each, log.rewards, log.conversation)
        places = np.arange(len(log.came))
        return Rounds(
            reward=log.rewards,
            logged=logged[places, log.shown],
            target=target[places, log.shown],
            conversation=log.conversation,
            unsupported=np.where(logged == 0, target, 0.0).sum(axis=1),
            predicted=predicted,
            expected=expected,
            slate_logged=logged,
            slate_target=target,
        )


def padded(rows: Sequence[Numbers], filler: float = 0.0) -> Numbers:
    """Return rows of different lengths as one array."""
    found = np.full((len(rows), max(map(len, rows))), filler)
    for i, row in enumerate(rows):
        found[i, : len(row)] = row
    return found


def _drawn(shares: Numbers, rng: np.random.Generator) -> Places:
    """Return a place for each row, drawn by its probabilities."""
    below = np.cumsum(shares, axis=1)[:, :-1] <= rng.random((len(shares), 1)) * (1 - 1e-12)
    return below.sum(axis=1)


def _outcome(
    outcomes: Sequence[tuple[float, float]], count: int, rng: np.random.Generator
) -> Numbers:
    [*shares], [*worths] = zip(*outcomes, strict=True)
    return rng.choice(worths, p=shares, size=count)


def _fixed(visit: Visit) -> Numbers:
    """Return what is worth the same whatever comes after, not a number for all else."""
    is_fixed = [each.source == "handoff" for each in visit.slate]
    return np.where(is_fixed, visit.at_once, np.nan)


def logging() -> Policy:
    """Return the fixed order with rare exploration."""
    return Exploring(FixedOrder(), SHARE, Unlimited())


def trained(kind: Kind, seed: int) -> dict[str, Policy]:
    """Return policies that were trained on another log of the fixed order that explores."""
    book = Book()
    begun = turns(world(kind, seed), Unchanging(logging()), seed, book=book)
    for _ in zip(range(LEARNED_FROM), begun, strict=False):
        pass
    model = bandit.fit(book.experience())
    return {
        "greedy": Greedy("greedy/1", model),
        "softmax": Softmax("softmax/1", model),
    }


def population(kind: Kind, seed: int, policy: Policy, visits: int = 1_000) -> Population:
    """Return the visits in which the log tries all that the policy may show."""
    logger, found = logging(), []
    for visit in world(kind, seed, visits).visits:
        logged = np.array(logger.propensities(visit.context, visit.slate))
        target = np.array(policy.propensities(visit.context, visit.slate))
        if not target[logged == 0].any():
            found.append((visit, logged, target))
    kept = [visit for visit, _, _ in found]
    return Population(
        visits=kept,
        logged=padded([logged for _, logged, _ in found]),
        target=padded([target for _, _, target in found]),
        content=padded([visit.content for visit in kept]),
        fixed=padded([_fixed(visit) for visit in kept], np.nan),
    )
