"""A policy learned from the older part of the log, so that the newer part can judge it.

What a policy was trained on praises it. So the newest replies are kept apart (`split`); how far the
training went is kept with the policy, and the gate reads what came after (bot/ranking/gate.py).
Where replies' texts are read as well, the scorer learns from the first half of the older part and
the policy from the second, so that it sees what the scorer says of replies that are new to it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from bot.errors import RankingError
from bot.knowledge.encoder import Encoder
from bot.ranking import bandit, features, preference, q_learning
from bot.ranking.experience import (
    Experience,
    LoggedDecision,
    experience,
    is_of_this_version,
    rewards_of,
)
from bot.ranking.linear import LinearModel
from bot.ranking.pairs import Pair
from bot.ranking.rewards import WORTH, Signal
from bot.ranking.scorer.scorer import Scorer
from bot.ranking.trained import Kind, TrainedPolicy

Learner = Literal["bandit", "q-learning"]
LEARNERS: tuple[Learner, ...] = get_args(Learner)
_FIT: Mapping[Learner, Callable[[Experience], LinearModel]] = {
    "bandit": bandit.fit,
    "q-learning": q_learning.fit,
}

HELD_OUT = 0.4  # of the replies, the newest; intervals are wide, and weights are few


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Reading:
    """What it takes to learn from texts: what people told apart, and an encoder."""

    pairs: Sequence[Pair]
    encoder: Encoder
    progress: preference.Progress


def train(
    decisions: Sequence[LoggedDecision],
    *,
    kind: Kind,
    learner: Learner,
    now: datetime,
    worth: Mapping[Signal, float] = WORTH,
    reading: Reading | None = None,
) -> tuple[TrainedPolicy, Scorer | None]:
    """Return a policy learned from the older part of the log, and its scorer with `reading`.

    The decisions have their texts then. Raises RankingError where the log has too few choices, or
    never had one to make.
    """
    older, _ = split(usable(decisions))
    scorer = None
    if reading:
        first, older = split(older, 0.5)
        scorer, older = _read(first, older, worth, reading)
    model = _FIT[learner](experience(older, worth))
    _require_choices(older)
    name = f"{now:%Y%m%dT%H%M%S}"
    trained = TrainedPolicy(
        version=f"{kind}/{name}",
        kind=kind,
        model=model,
        trained_on=_told(older, learner, worth),
        scorer=f"scorer-{name}.npz" if scorer else None,
    )
    return trained, scorer


def _read(
    first: Sequence[LoggedDecision],
    second: Sequence[LoggedDecision],
    worth: Mapping[Signal, float],
    reading: Reading,
) -> tuple[Scorer, list[LoggedDecision]]:
    """Return the scorer of the first decisions, and the second as it sees them."""
    last = max((each.at for each in first), default=datetime.max.replace(tzinfo=UTC))
    pairs = [pair for pair in reading.pairs if pair.at <= last]
    learned = preference.learn(
        first, rewards_of(first, worth).tolist(), pairs, reading.encoder, reading.progress
    )
    seen = preference.seen_by(
        learned.scorer, second, reading.encoder, reading.progress, learned.texts
    )
    return learned.scorer, seen


def usable(decisions: Sequence[LoggedDecision]) -> list[LoggedDecision]:
    """Return the decisions that were logged with today's features."""
    return [each for each in decisions if is_of_this_version(each)]


def split(
    decisions: Sequence[LoggedDecision], newest: float = HELD_OUT
) -> tuple[list[LoggedDecision], list[LoggedDecision]]:
    """Return the older decisions and the share of the newest, each still in order."""
    times = sorted(each.at for each in decisions)
    if not times:
        return [], []
    last = times[max(int(len(times) * (1 - newest)) - 1, 0)]
    return [each for each in decisions if each.at <= last], after(decisions, last)


def after(decisions: Sequence[LoggedDecision], last: datetime) -> list[LoggedDecision]:
    """Return the decisions that are newer."""
    return [each for each in decisions if each.at > last]


def unseen(decisions: Sequence[LoggedDecision], trained: TrainedPolicy) -> list[LoggedDecision]:
    """Return the decisions that a policy was not trained on.

    Raises RankingError where its file does not say until when it was trained.
    """
    try:
        last = datetime.fromisoformat(trained.trained_on["until"])
        return after(usable(decisions), last)
    except (KeyError, TypeError, ValueError) as err:
        raise RankingError(
            f"The policy {trained.version} does not say what it was trained on; train it anew."
        ) from err


def _require_choices(decisions: Sequence[LoggedDecision]) -> None:
    """Raise RankingError where all replies are of one kind, so that none can be better."""
    sources = {each.source for each in decisions}
    if len(sources) == 1:
        raise RankingError(f"All replies in the log are of one kind ({sources.pop()}).")


def _told(
    decisions: Sequence[LoggedDecision], learner: Learner, worth: Mapping[Signal, float]
) -> dict[str, Any]:
    return {
        "learner": learner,
        "features": features.VERSION,
        "from": min(each.at for each in decisions).isoformat(),
        "until": max(each.at for each in decisions).isoformat(),
        "decisions": len(decisions),
        "conversations": len({each.conversation for each in decisions}),
        "languages": dict(Counter(each.language for each in decisions)),
        "channels": dict(Counter(each.channel for each in decisions)),
        "worths": dict(worth),
    }
