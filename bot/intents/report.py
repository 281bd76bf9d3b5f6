"""What customers wanted in a period, how it went, what rose, and who came back.

What rose is tested against chance: of an intent's messages of the last seven days and the weeks
before, the share of the last is binomial if nothing changed but the volume as a whole. The p-values
of all intents are adjusted together (Benjamini and Hochberg 1995).
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Literal, TypeVar

from bot.log.analysis import UNKNOWN_INTENT, Message

T = TypeVar("T", str, bool)
Dimension = Literal["intent", "language", "channel"]
DIMENSIONS: tuple[Dimension, ...] = ("intent", "language", "channel")
RiseOf = Literal["intent", "handoffs", "complaints"]
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
MOST_DAYS = 100  # that are counted one by one; longer periods by the week
_BY_CHANCE = 0.05
_FEWEST = 5  # messages of the last week: fewer are no rise worth a look


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How many messages there were in a day or a week, and how many of them were what."""

    messages: int
    solved: int
    handed_on: int
    annoyed: int
    complaints: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Messages that have something in common; shares are of them, None where nothing is known.

    `weeks` has how many there were in each week of the period, the oldest first; `steps` tells more
    of each day, or of each week of a long period.
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
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """What came more often: `number` times in the last `days`, `expected` from before.

    `of` says what: messages with `intent`, hand-offs, or complaints and risks.
    """

    of: RiseOf = "intent"
    intent: str = ""
    days: int = 7
    number: int
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
    """What happened from `since` to `until`; `returning` is the share with several visits.

    `starts` has when each step of the lines begins.
    """

    since: datetime
    until: datetime
    starts: tuple[datetime, ...]
    whole: Line
    lines: dict[Dimension, list[Line]]
    rises: list[Rise]
    cohorts: list[Cohort]
    reasons: list[tuple[str, int]]
    returning: float


@dataclass(frozen=True, slots=True)
class _Calendar:
    """When the weeks of a period begin, and its steps: UTC in ISO 8601, the oldest first."""

    weeks: Sequence[str]
    steps: Sequence[str]


def report(messages: Sequence[Message], since: datetime, until: datetime) -> Report:
    """Sum up the messages of a period; there must be one."""
    calendar = _calendar(since, until)
    return Report(
        since=since,
        until=until,
        starts=tuple(datetime.fromisoformat(start) for start in calendar.steps),
        whole=_line("all", messages, len(messages), calendar),
        lines={name: _lines(messages, name, calendar) for name in DIMENSIONS},
        rises=rises(messages, until),
        cohorts=cohorts(messages, calendar.weeks),
        reasons=Counter(each.handoff for each in messages if each.handoff).most_common(),
        returning=_returning(messages),
    )


def rises(
    messages: Sequence[Message], until: datetime, by_chance: float = _BY_CHANCE
) -> list[Rise]:
    """Return what rose in the last seven days more than chance would explain.

    `by_chance` is how likely one of what is listed may be a matter of chance.
    """
    week = (until - WEEK).isoformat()
    now = [each for each in messages if each.at >= week]
    before = [each for each in messages if each.at < week]
    return _risen(now, before, WEEK.days, by_chance)


def spikes(messages: Sequence[Message], until: datetime, by_chance: float) -> list[Rise]:
    """Return what rose in the last 24 hours against the same hours of the weeks before.

    What is asked on Sundays alone is no rise on a Sunday.
    """
    now: list[Message] = []
    before: list[Message] = []
    oldest = min((each.at for each in messages), default=until.isoformat())
    end = until
    while end.isoformat() > oldest:
        low, high = (end - DAY).isoformat(), end.isoformat()
        found = [each for each in messages if low <= each.at < high]
        (now if end == until else before).extend(found)
        end -= WEEK
    return _risen(now, before, DAY.days, by_chance)


def _risen(
    now: Sequence[Message], before: Sequence[Message], days: int, by_chance: float
) -> list[Rise]:
    """Hold messages of so many days against those before, by intent and by what came of them.

    Intents are compared among messages that one classifier, or a person, labelled.
    """
    intents = _compared(_intents(now), _intents(before))
    handoffs = _compared([bool(each.handoff) for each in now], [bool(e.handoff) for e in before])
    complaints = _compared([bool(each.concern) for each in now], [bool(e.concern) for e in before])
    found = [replace(rise, intent=str(intent)) for intent, rise in intents.items()]
    found += [replace(handoffs[True], of="handoffs")] if True in handoffs else []
    found += [replace(complaints[True], of="complaints")] if True in complaints else []
    kept = [
        replace(each, days=days)
        for each in adjusted(found)
        if each.p_value < by_chance and each.number >= _FEWEST
    ]
    return sorted(kept, key=lambda each: (each.p_value, -each.number))


def _intents(messages: Sequence[Message]) -> list[str]:
    return [
        each.intent for each in messages if each.intent != UNKNOWN_INTENT and not each.is_outdated
    ]


def _compared(now: Sequence[T], before: Sequence[T]) -> dict[T, Rise]:
    """Hold what came against what came before; empty where there is no before."""
    if not now or not before:
        return {}
    earlier = Counter(before)
    share = len(now) / (len(now) + len(before))
    return {
        what: Rise(
            number=number,
            expected=earlier[what] * len(now) / len(before),
            p_value=at_least(number, number + earlier[what], share),
        )
        for what, number in Counter(now).items()
    }


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
        result.append(replace(each, p_value=least))
    return result


def cohorts(messages: Sequence[Message], weeks: Sequence[str]) -> list[Cohort]:
    """Return for each week who came first in it, and how many of them came back later."""
    seen: dict[str, set[int]] = defaultdict(set)
    for each in messages:
        seen[each.customer].add(_place(each.at, weeks))
    came: dict[int, list[set[int]]] = defaultdict(list)
    for there in seen.values():
        came[min(there)].append(there)
    found = []
    for number, start in enumerate(weeks):
        members = came[number]
        returned = tuple(
            sum(later in there for there in members) / len(members)
            for later in range(number + 1, len(weeks))
            if members
        )
        week = datetime.fromisoformat(start).date()
        found.append(Cohort(week=week, customers=len(members), returned=returned))
    return found


def _lines(messages: Sequence[Message], dimension: Dimension, calendar: _Calendar) -> list[Line]:
    grouped: dict[str, list[Message]] = defaultdict(list)
    for each in messages:
        grouped[getattr(each, dimension)].append(each)
    lines = [_line(name, members, len(messages), calendar) for name, members in grouped.items()]
    return sorted(lines, key=lambda each: (-each.messages, each.name))


def _line(name: str, messages: Sequence[Message], of: int, calendar: _Calendar) -> Line:
    """Sum up messages that have something in common, `of` so many in all."""
    number = len(messages)
    reasons = Counter(each.handoff for each in messages if each.handoff)
    replies = [each.reply_ms for each in messages if each.reply_ms is not None]
    waits = [each.wait_minutes for each in messages if each.wait_minutes is not None]
    weeks = Counter(_place(each.at, calendar.weeks) for each in messages)
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
        weeks=tuple(weeks[place] for place in range(len(calendar.weeks))),
        steps=tuple(_steps(messages, calendar.steps)),
    )


def _steps(messages: Sequence[Message], starts: Sequence[str]) -> Iterator[Step]:
    grouped: list[list[Message]] = [[] for _ in starts]
    for each in messages:
        grouped[_place(each.at, starts)].append(each)
    for group in grouped:
        yield Step(
            messages=len(group),
            solved=sum(each.is_solved for each in group),
            handed_on=sum(bool(each.handoff) for each in group),
            annoyed=sum(each.sentiment < 0 for each in group),
            complaints=sum(each.concern is not None for each in group),
        )


def _calendar(since: datetime, until: datetime) -> _Calendar:
    step = DAY if until - since <= MOST_DAYS * DAY else WEEK
    return _Calendar(_starts(since, until, WEEK), _starts(since, until, step))


def _starts(since: datetime, until: datetime, length: timedelta) -> list[str]:
    """Return when parts of that length begin, the last ending with `until`; the first is cut."""
    starts = []
    end = until
    while end > since:
        end = max(since, end - length)
        starts.append(end.astimezone(UTC).isoformat())
    return starts[::-1]


def _place(at: str, starts: Sequence[str]) -> int:
    """Return which of the parts of a period a time lies in."""
    return max(0, bisect_right(starts, at) - 1)


def _returning(messages: Sequence[Message]) -> float:
    """Return the share of customers who wrote on more than one day."""
    days: dict[str, set[str]] = defaultdict(set)
    for each in messages:
        days[each.customer].add(each.at[:10])
    return sum(len(each) > 1 for each in days.values()) / len(days)
