"""What customers wanted in a period and how it went, worked out beside the requests for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlite_utils import Database

from bot.intents.report import DAY, Report, report
from bot.kept_figures import KeptFigures
from bot.log.analysis import labelled_intents, messages, outdated
from bot.log.store import Store


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, in UTC: from `first` to `last`, both of them in it."""

    first: date
    last: date

    @classmethod
    def until(cls, last: date, days: int) -> "Period":
        """Return so many days, the last of which is `last`."""
        return cls(last - timedelta(days=days - 1), last)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    @property
    def since(self) -> datetime:
        """When it begins."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """When it is over."""
        return datetime.combine(self.last, time(), UTC) + DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The report of a period, told at `made_at`; None where nobody wrote in it."""

    made_at: datetime
    report: Report | None


class AnalysisFigures(KeptFigures[Period, Analysis]):
    """Keeps the report of each period."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        super().__init__(store, _analysis, now)


def _analysis(db: Database, period: Period, now: datetime) -> Analysis:
    since, until = period.since, period.end
    found = messages(db, since, until, labelled_intents(db, since), outdated(db, since))
    return Analysis(made_at=now, report=report(found, since, until) if found else None)
