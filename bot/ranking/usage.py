"""What each policy showed: replies by where they came from, and how many were tries."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.messages import Source
from bot.ranking.experience import LoggedDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyUse:
    """The replies of a policy, by source, the commonest first; `tried` of them were tries."""

    policy: str
    replies: int
    by_source: Mapping[Source, int]
    tried: int


def used(decisions: Sequence[LoggedDecision]) -> list[PolicyUse]:
    """Return what each policy showed, the one that chose last first."""
    own: defaultdict[str, list[LoggedDecision]] = defaultdict(list)
    for each in decisions:
        own[each.policy].append(each)
    last = sorted(own, key=lambda policy: max(each.at for each in own[policy]), reverse=True)
    return [_use(policy, own[policy]) for policy in last]


def _use(policy: str, decisions: Sequence[LoggedDecision]) -> PolicyUse:
    return PolicyUse(
        policy=policy,
        replies=len(decisions),
        by_source=dict(Counter(each.source for each in decisions).most_common()),
        tried=sum(each.is_tried for each in decisions),
    )
