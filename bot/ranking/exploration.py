"""Trying out other replies, at no customer's cost: what makes a log fit for learning.

A share of the probability goes evenly to every answer that passed all checks, so that a later
policy can be judged from the log (bot/ranking/off_policy.py). Nothing is tried where the team's own
words are on the slate, in conversations that are sensitive, or once the day's budget is spent.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Protocol

from bot.messages import Candidate, Decision, Source
from bot.ranking.context import Context
from bot.ranking.policy import Policy

ANSWERS: frozenset[Source] = frozenset({"draft", "article", "clarification"})


class Budget(Protocol):
    """Says whether more may be tried today."""

    def is_left(self) -> bool:
        """Whether another customer may see what is not thought best."""
        ...


class DailyBudget:
    """So many tries a day."""

    def __init__(self, most: int, today: Callable[[], date]) -> None:
        self._most = most
        self._today = today
        self._day = today()
        self._spent = 0

    def resume(self, spent: int) -> None:
        """Go on with a day of which so many were spent before a restart."""
        self._spent += spent

    def is_left(self) -> bool:
        """Whether another customer may see what is not thought best."""
        self._turn_over()
        return self._spent < self._most

    def note(self, decision: Decision) -> None:
        """Count a reply that was not what is thought best."""
        self._turn_over()
        self._spent += decision.is_exploration

    def _turn_over(self) -> None:
        if self._day != self._today():
            self._day, self._spent = self._today(), 0


class Exploring:
    """Gives `share` of a policy's probability evenly to all answers that may be tried."""

    def __init__(self, policy: Policy, share: float, budget: Budget) -> None:
        self._policy = policy
        self._share = share
        self._budget = budget

    @property
    def version(self) -> str:
        """The version of the policy that explores."""
        return self._policy.version

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Return one probability a candidate; what is not tried is shown only as the best."""
        own = self._policy.propensities(context, candidates)
        best = max(range(len(own)), key=lambda i: own[i])
        tried = [i for i, candidate in enumerate(candidates) if may_be_tried(candidate)]
        is_teams = any(each.source == "approved" and not each.refusal for each in candidates)
        if context.is_sensitive or is_teams or not self._budget.is_left() or best not in tried:
            return [float(i == best) for i in range(len(own))]
        kept = sum(own[i] for i in tried)
        return [
            (1 - self._share) * own[i] / kept + self._share / len(tried) if i in tried else 0.0
            for i in range(len(own))
        ]


def may_be_tried(candidate: Candidate) -> bool:
    """Whether a candidate is an answer that passed every check."""
    return candidate.refusal is None and candidate.source in ANSWERS
