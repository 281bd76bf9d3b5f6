"""A policy that was trained: how it chooses, its model, and what it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bot.errors import RankingError
from bot.ranking.greedy import Greedy
from bot.ranking.linear import LinearModel
from bot.ranking.policy import Policy
from bot.ranking.softmax import Softmax
from bot.ranking.team_first import TeamFirst
from bot.ranking.thompson import ThompsonSampling

Kind = Literal["greedy", "softmax", "thompson"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_POLICIES: Mapping[Kind, Any] = {
    "greedy": Greedy,
    "softmax": Softmax,
    "thompson": ThompsonSampling,
}


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class TrainedPolicy:
    """What a policy's file holds.

    `version` is its kind and the time of its training, as logged with each decision;
    `trained_on` says what it learned from (learner, decisions, conversations, worths, ...);
    `scorer` is the name of its scorer's file beside it, or None.
    """

    version: str
    kind: Kind
    model: LinearModel
    trained_on: Mapping[str, Any]
    scorer: str | None = None

    def policy(self) -> Policy:
        """Return the policy itself."""
        return TeamFirst(_POLICIES[self.kind](self.version, self.model))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "version": self.version,
            "kind": self.kind,
            "model": self.model.as_json(),
            "trained_on": dict(self.trained_on),
            "scorer": self.scorer,
        }

    @classmethod
    def from_json(cls, data: Any) -> "TrainedPolicy":
        """Return what `as_json` gave.

        Raises RankingError when it is of another version of the features, or damaged.
        """
        try:
            version, kind = str(data["version"]), data["kind"]
            model, trained_on = LinearModel.from_json(data["model"]), dict(data["trained_on"])
            scorer = None if data["scorer"] is None else str(data["scorer"])
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise RankingError("The policy's file is damaged; train it anew.") from err
        if kind not in KINDS:
            raise RankingError(f"The policy is of the kind {kind!r}, which is not known here.")
        return cls(version=version, kind=kind, model=model, trained_on=trained_on, scorer=scorer)
