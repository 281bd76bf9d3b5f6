"""Why the replies of a transcript were shown, told by the policies as the log keeps them.

So it can be told of policies whose files are gone, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlite_utils import Database

from bot.errors import RankingError
from bot.log import policies
from bot.log.policies import InForce
from bot.log.transcripts import Transcript, TurnRecord
from bot.messages import Language, Source
from bot.ranking.evaluation import as_seen
from bot.ranking.experience import LoggedCandidate, LoggedDecision
from bot.ranking.explaining import ExplainedCandidate, explain
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.folder import policy_before
from bot.ranking.policy import Policy
from bot.ranking.rewards import Aftermath
from bot.ranking.team_first import is_left_to_order
from bot.ranking.trained import TrainedPolicy

# The fixed order's versions, also those of earlier programs.
_FIXED_ORDERS = FixedOrder.version.partition("/")[0] + "/"

Decided = Literal["order", "team", "learned", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What decided a reply.

    `decided` is "order" for the fixed order, "team" where a learned policy left it to that, since
    the team's words were on the slate, "learned", and "unknown" where the log has no such policy or
    it was of other features. Only of "learned" there are `candidates`, by their place, and
    `before`, the version that the policy took the place of.
    """

    decided: Decided
    candidates: Sequence[ExplainedCandidate] = ()
    before: str = FixedOrder.version


def reasons(db: Database, transcript: Transcript) -> Mapping[str, Reason]:
    """Return why each reply of a transcript that was chosen was shown, by turn."""
    history = policies.history(db)[::-1]
    known = _Known({change.policy: change.trained for change in history})
    found, question = {}, ""
    for turn in transcript.turns:
        if turn.role == "customer":
            question = turn.text
        elif turn.policy and any(each.is_shown for each in turn.candidates):
            decision = _decision(turn, transcript.conversation.channel, question)
            found[turn.id] = _reason(decision, known, history)
    return found


def _reason(decision: LoggedDecision, known: "_Known", history: Sequence[InForce]) -> Reason:
    if decision.policy.startswith(_FIXED_ORDERS):
        return Reason(decided="order")
    trained = known.trained(decision.policy)
    if trained is None or all(each.is_refused for each in decision.candidates):
        return Reason(decided="unknown")
    if is_left_to_order(as_seen(decision)[1]):
        return Reason(decided="team")
    before = _before(decision, history)
    others = [FixedOrder(), *known.policies(before)]
    return Reason(
        decided="learned", candidates=explain(decision, trained.model, others), before=before
    )


def _before(decision: LoggedDecision, history: Sequence[InForce]) -> str:
    """Return what a decision's policy took the place of, the last time before it decided."""
    places = [
        place
        for place, change in enumerate(history)
        if change.policy == decision.policy and change.at <= decision.at
    ]
    return policy_before(history[: places[-1] + 1]) if places else FixedOrder.version


class _Known:
    """Learned policies by version, each read once."""

    def __init__(self, stored: Mapping[str, Mapping[str, Any] | None]) -> None:
        self._stored = stored
        self._trained: dict[str, TrainedPolicy | None] = {}
        self._policies: dict[str, list[Policy]] = {}

    def trained(self, version: str) -> TrainedPolicy | None:
        """Return what a policy learned, None where there is none that can be used."""
        if version not in self._trained:
            try:
                self._trained[version] = TrainedPolicy.from_json(self._stored.get(version))
            except RankingError:
                self._trained[version] = None
        return self._trained[version]

    def policies(self, version: str) -> Sequence[Policy]:
        """Return a policy to choose with, as a list that is empty where there is none."""
        if version not in self._policies:
            trained = self.trained(version)
            self._policies[version] = [trained.policy()] if trained else []
        return self._policies[version]


def _decision(turn: TurnRecord, channel: str, question: str) -> LoggedDecision:
    """Return the choice as policies see it; what came after a reply is no reason for it."""
    language: Language = "zh" if turn.language == "zh" else "en"
    return LoggedDecision(
        turn=turn.id,
        conversation="",
        channel=channel,
        language=language,
        at=datetime.fromisoformat(turn.created_at),
        policy=turn.policy or "",
        question=question,
        candidates=tuple(
            LoggedCandidate(
                source=cast("Source", each.source),
                features=each.features,
                propensity=each.propensity,
                is_refused=each.refusal is not None,
                text=each.text,
            )
            for each in turn.candidates
        ),
        shown=next(i for i, each in enumerate(turn.candidates) if each.is_shown),
        after=Aftermath(),
    )
