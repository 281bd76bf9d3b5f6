"""After a promotion: is the policy as good as the one before it? Else it is taken back.

Both are judged by what really followed their own replies, so that no weights are needed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.errors import RankingError
from bot.ranking import off_policy
from bot.ranking.experience import LoggedDecision, Numbers, conversations_of, rewards_of
from bot.ranking.gate import COMPLAINED, TOLERANCE
from bot.ranking.off_policy import Estimate
from bot.ranking.rewards import WORTH, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A figure under two policies, one after the other; more is better."""

    name: str
    before: Estimate
    since: Estimate

    @property
    def is_worse(self) -> bool:
        """Whether it is worse beyond what chance and a small tolerance explain."""
        error = np.hypot(self.since.high - self.since.value, self.before.value - self.before.low)
        fall = self.before.value - self.since.value
        return bool(fall > error and fall > TOLERANCE)


def changes(
    before: Sequence[LoggedDecision],
    since: Sequence[LoggedDecision],
    worth: Mapping[Signal, float] = WORTH,
) -> list[Change]:
    """Return the figures of two policies' own replies; empty while there are too few of either."""
    measures: Mapping[str, Callable[[Sequence[LoggedDecision]], Numbers]] = {
        "the mean reward": lambda log: rewards_of(log, worth),
        "the share without a hand-off": _answered,
        "the share without a complaint": lambda log: 1 + rewards_of(log, COMPLAINED),
    }
    try:
        return [
            Change(name=name, before=_mean(before, measure), since=_mean(since, measure))
            for name, measure in measures.items()
        ]
    except RankingError:
        return []


def objection(found: Sequence[Change]) -> str | None:
    """Return why the policy in force is to be taken back, in one sentence, or None."""
    for change in found:
        if change.is_worse:
            return (
                f"Since it is in force, {change.name} fell from {change.before.value:.3f} to "
                f"{change.since.value:.3f}."
            )
    return None


def _answered(log: Sequence[LoggedDecision]) -> Numbers:
    return np.array([float(each.source != "handoff") for each in log])


def _mean(
    log: Sequence[LoggedDecision], measure: Callable[[Sequence[LoggedDecision]], Numbers]
) -> Estimate:
    values = measure(log)
    is_known = ~np.isnan(values)
    return off_policy.mean(values[is_known], conversations_of(log)[is_known])
