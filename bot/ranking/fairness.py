"""How customers of each language, channel and kind are served, side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.errors import RankingError
from bot.ranking import off_policy
from bot.ranking.experience import LoggedDecision, Numbers, conversations_of, rewards_of
from bot.ranking.gate import COMPLAINED, groups
from bot.ranking.off_policy import Estimate
from bot.ranking.rewards import WORTH, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What the replies to a group were worth to it.

    `reward`, and the shares of replies that were `liked`, `handed_off` or complained of
    (`complaints`), are None where too few conversations tell. `is_apart`: its reward is lower than
    everybody's beyond what chance explains.
    """

    group: str
    replies: int
    conversations: int
    reward: Estimate | None
    liked: Estimate | None
    handed_off: Estimate | None
    complaints: Estimate | None
    tried: int
    is_apart: bool = False


def served(
    decisions: Sequence[LoggedDecision], worth: Mapping[Signal, float] = WORTH
) -> list[Served]:
    """Return everybody, and then each language, channel and kind of customer by itself."""
    if not decisions:
        return []
    everybody = _served("everybody", decisions, worth)
    rows = [everybody]
    for name, belongs in groups(decisions).items():
        own = [decisions[i] for i in np.flatnonzero(belongs)]
        if own:
            rows.append(_served(name, own, worth, everybody.reward))
    return rows


def _served(
    group: str,
    decisions: Sequence[LoggedDecision],
    worth: Mapping[Signal, float],
    all_reward: Estimate | None = None,
) -> Served:
    reward = _mean(decisions, lambda log: rewards_of(log, worth))
    return Served(
        group=group,
        replies=len(decisions),
        conversations=len({each.conversation for each in decisions}),
        reward=reward,
        liked=_mean(decisions, _thumbs),
        handed_off=_mean(decisions, _handed_off),
        complaints=_mean(decisions, lambda log: -rewards_of(log, COMPLAINED)),
        tried=sum(_is_tried(each) for each in decisions),
        is_apart=bool(reward and all_reward and reward.high < all_reward.value),
    )


def _mean(
    decisions: Sequence[LoggedDecision], measure: Callable[[Sequence[LoggedDecision]], Numbers]
) -> Estimate | None:
    values = measure(decisions)
    is_known = ~np.isnan(values)
    try:
        return off_policy.mean(values[is_known], conversations_of(decisions)[is_known])
    except RankingError:
        return None


def _thumbs(log: Sequence[LoggedDecision]) -> Numbers:
    return np.array([_thumb(each) for each in log], dtype=np.float64)


def _thumb(decision: LoggedDecision) -> float:
    given = [verdict == "up" for verdict, _ in decision.after.verdicts if verdict != "withdrawn"]
    return float(np.mean(given)) if given else np.nan


def _handed_off(log: Sequence[LoggedDecision]) -> Numbers:
    return np.array([float(each.source == "handoff") for each in log])


def _is_tried(decision: LoggedDecision) -> bool:
    chances = [each.propensity for each in decision.candidates]
    return chances[decision.shown] < max(chances)
