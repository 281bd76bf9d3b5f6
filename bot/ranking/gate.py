"""The gate: a policy comes into force only if the log shows that it is better, for everybody.

What it is held against is the policy in force, on the same logged replies, none of which it was
trained on (bot/ranking/training.py). It is refused where its gain may be chance, where the log says
too little about it, and where a guard figure gets worse: hand-offs, complaints, how well replies
are grounded, and the gain in each language, channel and group of customers by itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bot.errors import RankingError
from bot.ranking import off_policy
from bot.ranking.evaluation import Seen, look, rounds_of
from bot.ranking.experience import LoggedDecision, Numbers, conversations_of, rewards_of
from bot.ranking.off_policy import Estimate, Evaluation, evaluate
from bot.ranking.policy import Policy
from bot.ranking.rewards import WORTH, Signal

# A guard figure may be worse by so much before it counts without regard to chance.
TOLERANCE = 0.02
# The same of the gain in a group, whose rounds are few.
GROUP_TOLERANCE = 0.05

# What says that a reply did not help, as a reward of -1.
COMPLAINED: Mapping[Signal, float] = {
    "liked": 0.0,
    "disliked": -1.0,
    "half_liked": -1.0,
    "thanked": 0.0,
    "asked_again": -1.0,
    "asked_for_person": -1.0,
    "taken_over": -1.0,
    "handed_off": 0.0,
    "went_on": 0.0,
    "silence": 0.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A figure that must not get worse: its change, where more is better.

    `change` is None where there are too few conversations to say; then it does not hold a policy
    back, and the watch after the promotion (bot/ranking/watch.py) stands alone.
    """

    name: str
    change: Estimate | None
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether it is neither worse beyond chance nor worse by more than is tolerated."""
        if self.change is None:
            return True
        return self.change.high >= 0 and self.change.value >= -self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the log says about a policy beside the one in force (`against`).

    `gain` is its advantage in mean reward a reply; `objections` say why it may not come into force,
    and are empty where it may.
    """

    policy: str
    against: str
    value: Evaluation
    value_against: Evaluation
    gain: Estimate
    guards: tuple[Guard, ...]
    objections: tuple[str, ...]

    @property
    def passes(self) -> bool:
        """Whether it may come into force."""
        return not self.objections


def judge(
    decisions: Sequence[LoggedDecision],
    policy: Policy,
    in_force: Policy,
    worth: Mapping[Signal, float] = WORTH,
    *,
    seen_in_force: Sequence[LoggedDecision] | None = None,
    confidence: float = 0.95,
) -> Judgement:
    """Hold a policy against the one in force on a log that it was not trained on.

    `seen_in_force` are the same decisions as the other policy sees them, where that differs.

    Raises RankingError when the log says too little about either.
    """
    new = look(decisions, policy)
    old = new.through(in_force)
    rewards = rewards_of(decisions, worth)
    value = evaluate(rounds_of(new, rewards), confidence=confidence)
    value_against = evaluate(rounds_of(old, rewards), confidence=confidence)
    gain = _gain(new, old, rewards, confidence)
    guards = tuple(_guards(new, old, rewards, confidence))
    return Judgement(
        policy=policy.version,
        against=in_force.version,
        value=value,
        value_against=value_against,
        gain=gain,
        guards=guards,
        objections=tuple(_objections(value, gain, guards)),
    )


def _objections(value: Evaluation, gain: Estimate, guards: Sequence[Guard]) -> Iterator[str]:
    if gain.low <= 0:
        yield (
            f"Its gain of {gain.value:+.3f} may be chance: the interval begins at {gain.low:+.3f}."
        )
    yield from value.warnings
    for guard in guards:
        if not guard.holds:
            assert guard.change
            yield f"{guard.name} would get worse ({guard.change.value:+.3f})."


def _gain(new: Seen, old: Seen, rewards: Numbers, confidence: float) -> Estimate:
    return off_policy.gain(rounds_of(new, rewards), rounds_of(old, rewards), confidence=confidence)


def _guards(new: Seen, old: Seen, rewards: Numbers, confidence: float) -> Iterator[Guard]:
    decisions = new.decisions
    handed_off = _handed_off(old) - _handed_off(new)
    yield _guard("hand-offs", partial(_mean, handed_off, decisions, confidence))
    complained = rewards_of(decisions, COMPLAINED)
    yield _guard("complaints", partial(_gain, new, old, complained, confidence))
    grounded = np.array([_grounded(each) for each in decisions])
    yield _guard("grounding", partial(_gain, new, old, grounded, confidence))
    for name, belongs in groups(decisions).items():
        parts = new.of(belongs), old.of(belongs), rewards[belongs]
        yield _guard(name, partial(_gain, *parts, confidence), GROUP_TOLERANCE)


def _guard(name: str, change: Callable[[], Estimate], tolerance: float = TOLERANCE) -> Guard:
    try:
        return Guard(name=name, change=change(), tolerance=tolerance)
    except RankingError:  # too few conversations
        return Guard(name=name, change=None, tolerance=tolerance)


def groups(decisions: Sequence[LoggedDecision]) -> dict[str, NDArray[np.bool_]]:
    """Return the groups that figures are told apart by: which decisions belong to each."""
    languages = np.array([each.language for each in decisions])
    channels = np.array([each.channel for each in decisions])
    is_returning = np.array([each.is_returning for each in decisions], dtype=np.bool_)
    return {
        **{f"language {each}": languages == each for each in np.unique(languages)},
        **{f"channel {each}": channels == each for each in np.unique(channels)},
        "new customers": ~is_returning,
        "returning customers": is_returning,
    }


def _handed_off(seen: Seen) -> Numbers:
    """Return how likely a policy hands each question off."""
    return np.array(
        [
            sum(
                p for p, each in zip(share, one.candidates, strict=True) if each.source == "handoff"
            )
            for one, share in zip(seen.decisions, seen.shares, strict=True)
        ]
    )


def _grounded(decision: LoggedDecision) -> float:
    """Return how well the articles support what was shown; the team's own words stand."""
    shown = decision.candidates[decision.shown]
    return shown.features.get("support", 1.0) if shown.source == "draft" else 1.0


def _mean(values: Numbers, decisions: Sequence[LoggedDecision], confidence: float) -> Estimate:
    return off_policy.mean(values, conversations_of(decisions), confidence=confidence)
