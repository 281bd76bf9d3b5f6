"""What customers wanted in a period, how it went, what rose, and who came back.

What rose is tested against chance: of an intent's messages of the last seven days and the weeks
before, the share of the last is binomial if nothing changed but the volume as a whole. The p-values
of all intents are adjusted together (Benjamini and Hochberg 1995).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Literal

from bot.log.analysis import Message

Dimension = Literal["intent", "language", "channel"]
DIMENSIONS: tuple[Dimension, ...] = ("intent", "language", "channel")
WEEK = timedelta(days=7)
_BY_CHANCE = 0.05
_FEWEST = 5  # messages of the last week: fewer are no rise worth a look


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Messages that have something in common; shares are of them, None where nothing is known.

    `weeks` has how many there were in each week of the period, the oldest first.
    """

    name: str
    messages: int
    customers: int
    share: float
    solved: float
    thumbs_up: int
    thumbs_down: int
    handed_on: float
    top_reason: str
    reply_ms: float | None
    wait_minutes: float | None
    annoyed: float
    complaints: int
    weeks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """An intent asked more often: `week` times in the last seven days, `expected` from before."""

    intent: str
    week: int
    expected: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Customers whose first message of the period was in the week that begins on `week`.

    `returned` has the share of them that wrote in each week after it.
    """

    week: date
    customers: int
    returned: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What happened from `since` to `until`; `returning` is the share with several visits."""

    since: datetime
    until: datetime
    whole: Line
    lines: dict[Dimension, list[Line]]
    rises: list[Rise]
    cohorts: list[Cohort]
    reasons: list[tuple[str, int]]
    returning: float


def report(messages: Sequence[Message], since: datetime, until: datetime) -> Report:
    """Sum up the messages of a period; there must be one."""
    weeks = _weeks(since, until)
    whole = line("all", messages, len(messages), weeks)
    return Report(
        since=since,
        until=until,
        whole=whole,
        lines={name: _lines(messages, name, weeks) for name in DIMENSIONS},
        rises=rises(messages, until),
        cohorts=cohorts(messages, weeks),
        reasons=Counter(each.handoff for each in messages if each.handoff).most_common(),
        returning=_returning(messages),
    )


def line(name: str, messages: Sequence[Message], of: int, weeks: Sequence[tuple[str, str]]) -> Line:
    """Sum up messages that have something in common, `of` so many in all."""
    number = len(messages)
    reasons = Counter(each.handoff for each in messages if each.handoff)
    replies = [each.latency_ms for each in messages if each.latency_ms is not None]
    waits = [each.wait_minutes for each in messages if each.wait_minutes is not None]
    return Line(
        name=name,
        messages=number,
        customers=len({each.customer for each in messages}),
        share=number / of,
        solved=sum(each.is_solved for each in messages) / number,
        thumbs_up=sum(each.verdict == "up" for each in messages),
        thumbs_down=sum(each.verdict == "down" for each in messages),
        handed_on=reasons.total() / number,
        top_reason=reasons.most_common(1)[0][0] if reasons else "",
        reply_ms=median(replies) if replies else None,
        wait_minutes=median(waits) if waits else None,
        annoyed=sum(each.sentiment < 0 for each in messages) / number,
        complaints=sum(each.concern is not None for each in messages),
        weeks=tuple(sum(low <= each.at < high for each in messages) for low, high in weeks),
    )


def rises(messages: Sequence[Message], until: datetime) -> list[Rise]:
    """Return the intents that rose in the last seven days more than chance would explain."""
    week = (until - WEEK).isoformat()
    now = Counter(each.intent for each in messages if each.at >= week)
    before = Counter(each.intent for each in messages if each.at < week)
    if not now or not before:
        return []
    share = now.total() / (now.total() + before.total())
    found = [
        Rise(
            intent=intent,
            week=count,
            expected=before[intent] * now.total() / before.total(),
            p_value=at_least(count, count + before[intent], share),
        )
        for intent, count in now.items()
    ]
    kept = [each for each in adjusted(found) if each.p_value < _BY_CHANCE and each.week >= _FEWEST]
    return sorted(kept, key=lambda each: (each.p_value, -each.week))


def at_least(count: int, trials: int, chance: float) -> float:
    """Return the probability of `count` or more successes in so many trials, each with `chance`."""
    if count == 0:
        return 1.0
    whole = math.lgamma(trials + 1)
    logs = [
        whole
        - math.lgamma(number + 1)
        - math.lgamma(trials - number + 1)
        + number * math.log(chance)
        + (trials - number) * math.log1p(-chance)
        for number in range(count, trials + 1)
    ]
    return min(1.0, math.fsum(math.exp(each) for each in logs))


def adjusted(found: Iterable[Rise]) -> list[Rise]:
    """Return rises with p-values for all of them together, after Benjamini and Hochberg."""
    ordered = sorted(found, key=lambda each: -each.p_value)
    least, result = 1.0, []
    for place, each in enumerate(ordered):
        least = min(least, each.p_value * len(ordered) / (len(ordered) - place))
        result.append(
            Rise(intent=each.intent, week=each.week, expected=each.expected, p_value=least)
        )
    return result


def cohorts(messages: Sequence[Message], weeks: Sequence[tuple[str, str]]) -> list[Cohort]:
    """Return for each week who came first in it, and how many of them came back later."""
    seen: dict[str, set[int]] = defaultdict(set)
    for each in messages:
        for number, (low, high) in enumerate(weeks):
            if low <= each.at < high:
                seen[each.customer].add(number)
    found = []
    for number, (low, _) in enumerate(weeks):
        members = [there for there in seen.values() if min(there) == number]
        returned = tuple(
            sum(later in there for there in members) / len(members)
            for later in range(number + 1, len(weeks))
            if members
        )
        found.append(
            Cohort(
                week=datetime.fromisoformat(low).date(), customers=len(members), returned=returned
            )
        )
    return found


def _lines(
    messages: Sequence[Message], dimension: Dimension, weeks: Sequence[tuple[str, str]]
) -> list[Line]:
    grouped: dict[str, list[Message]] = defaultdict(list)
    for each in messages:
        grouped[getattr(each, dimension)].append(each)
    lines = [line(name, members, len(messages), weeks) for name, members in grouped.items()]
    return sorted(lines, key=lambda each: (-each.messages, each.name))


def _weeks(since: datetime, until: datetime) -> list[tuple[str, str]]:
    """Return the weeks that end with `until`, the oldest first; the first may be shorter."""
    weeks = []
    end = until
    while end > since:
        start = max(since, end - WEEK)
        weeks.append((start.astimezone(UTC).isoformat(), end.astimezone(UTC).isoformat()))
        end = start
    return weeks[::-1]


def _returning(messages: Sequence[Message]) -> float:
    """Return the share of customers who wrote on more than one day."""
    days: dict[str, set[str]] = defaultdict(set)
    for each in messages:
        days[each.customer].add(each.at[:10])
    return sum(len(each) > 1 for each in days.values()) / len(days)
