"""Why a reply was shown: what each feature added, and what another policy would have shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.messages import Source
from bot.ranking import features
from bot.ranking.evaluation import as_seen
from bot.ranking.experience import LoggedDecision
from bot.ranking.linear import LinearModel
from bot.ranking.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedCandidate:
    """One candidate of a slate.

    `score` is the reward that the policy in force then expected of it, and `parts` what each
    feature added to that, the largest first (None and empty for a policy that learned nothing).
    `others` are the probabilities that other policies give it, by version.
    """

    source: Source
    text: str
    is_refused: bool
    is_shown: bool
    propensity: float
    score: float | None
    parts: Mapping[str, float]
    others: Mapping[str, float]


def explain(
    decision: LoggedDecision, model: LinearModel | None, others: Sequence[Policy]
) -> list[ExplainedCandidate]:
    """Return the slate of a decision as its policy saw it; `model` is that policy's."""
    context, slate = as_seen(decision)
    seen = features.seen(slate)
    shares = {policy.version: policy.propensities(context, slate) for policy in others}
    return [
        ExplainedCandidate(
            source=each.source,
            text=each.text,
            is_refused=each.is_refused,
            is_shown=place == decision.shown,
            propensity=each.propensity,
            score=float(model.scores(seen[place : place + 1])[0]) if model else None,
            parts=_parts(model.contributions(seen[place])) if model else {},
            others={version: float(share[place]) for version, share in shares.items()},
        )
        for place, each in enumerate(decision.candidates)
    ]


def _parts(contributions: Mapping[str, float]) -> dict[str, float]:
    return {name: part for name, part in contributions.items() if part}
