"""How customers of each language, channel and kind are served, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError
from bot.ranking import off_policy
from bot.ranking.experience import LoggedDecision, Numbers, conversations_of
from bot.ranking.gate import COMPLAINED, groups
from bot.ranking.off_policy import Estimate
from bot.ranking.rewards import WORTH, Signal, reward, signals


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


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Measured:
    """What is told of each reply, arrays of shape (decisions,); not a number where not known."""

    conversation: NDArray[np.int64]
    reward: Numbers
    liked: Numbers
    handed_off: Numbers
    complaints: Numbers
    tried: NDArray[np.bool_]

    def of(self, chosen: NDArray[np.bool_]) -> "_Measured":
        """Return those that are chosen."""
        return _Measured(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})


def served(
    decisions: Sequence[LoggedDecision], worth: Mapping[Signal, float] = WORTH
) -> list[Served]:
    """Return everybody, and then each language, channel and kind of customer by itself."""
    if not decisions:
        return []
    measured = _measured(decisions, worth)
    everybody = _served("everybody", measured)
    groups_of_some = [(name, own) for name, own in groups(decisions).items() if own.any()]
    return [
        everybody,
        *(_served(name, measured.of(own), everybody.reward) for name, own in groups_of_some),
    ]


def _measured(decisions: Sequence[LoggedDecision], worth: Mapping[Signal, float]) -> _Measured:
    # Telling what the next message says takes most of the time, so it is done once.
    found = [signals(each.question, each.source, each.after) for each in decisions]
    return _Measured(
        conversation=conversations_of(decisions),
        reward=_numbers(reward(each, worth) for each in found),
        liked=_numbers(_thumb(each) for each in decisions),
        handed_off=_numbers(float(each.source == "handoff") for each in decisions),
        complaints=-_numbers(reward(each, COMPLAINED) for each in found),
        tried=np.array([each.is_tried for each in decisions], dtype=np.bool_),
    )


def _served(group: str, told: _Measured, all_reward: Estimate | None = None) -> Served:
    own = _mean(told.reward, told.conversation)
    return Served(
        group=group,
        replies=len(told.conversation),
        conversations=len(np.unique(told.conversation)),
        reward=own,
        liked=_mean(told.liked, told.conversation),
        handed_off=_mean(told.handed_off, told.conversation),
        complaints=_mean(told.complaints, told.conversation),
        tried=int(told.tried.sum()),
        is_apart=bool(own and all_reward and own.high < all_reward.value),
    )


def _mean(values: Numbers, conversation: NDArray[np.int64]) -> Estimate | None:
    is_known = ~np.isnan(values)
    try:
        return off_policy.mean(values[is_known], conversation[is_known])
    except RankingError:
        return None


def _thumb(decision: LoggedDecision) -> float | None:
    given = [verdict == "up" for verdict, _ in decision.after.verdicts if verdict != "withdrawn"]
    return sum(given) / len(given) if given else None


def _numbers(values: Iterable[float | None]) -> Numbers:
    return np.array([np.nan if each is None else each for each in values], dtype=np.float64)
