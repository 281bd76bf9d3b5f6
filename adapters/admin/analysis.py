"""The pages of the analysis: what customers wanted in a period, how it went, and what rose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.admin import guard
from adapters.admin.approved import Page
from adapters.admin.plots import Curve, curve, spark
from bot.analysis_figures import AnalysisFigures, Period
from bot.intents.report import DAY, DIMENSIONS, WEEK, Dimension, Line, Report, Rise, Step
from bot.intents.report_page import as_csv, steps_as_csv
from bot.log import alerts
from bot.log.accounts import Accounts, Clock
from bot.log.alerts import Alert
from bot.log.analysis import UNKNOWN_INTENT
from bot.log.asked import ANY, CONCERN
from bot.log.store import Store

FOLDER = f"{guard.PREFIX}/analysis"
PERIODS = (7, 28, 90)  # days
USUAL_PERIOD = 28
LONGEST_PERIOD = 3660
MOST_LINES = 50
MOST_ALERTS = 20
MOST_COHORTS = 14  # the newest: a table of ten years would keep everybody waiting for a minute

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which figures the address asks for; `name` is one line of the dimension, or empty for all.

    `days` is set where the period is the last so many days.
    """

    period: Period
    days: int | None
    by: Dimension
    name: str

    def query(self, **changes: str) -> str:
        """Return the query of an address with these figures, but for the changes."""
        told = {
            "days": str(self.days or ""),
            "from": "" if self.days else self.period.first.isoformat(),
            "to": "" if self.days else self.period.last.isoformat(),
            "by": self.by,
            "name": self.name,
        }
        return "?" + urlencode({key: each for key, each in (told | changes).items() if each})


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A figure over time: its name among the labels, its drawing, and the text of each step.

    `filters` are those of the list that lead to what it counts.
    """

    field: str
    filters: Mapping[str, str]
    curve: Curve
    texts: Sequence[str]


class AnalysisPages:
    """What stands below `/admin/analysis`; `figures` are made beside the requests."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        clock: Clock,
        page: Page,
        figures: AnalysisFigures,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._page = page
        self._figures = figures

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, below the prefix of all admin pages."""
        return [
            Route("/analysis", self.analysis),
            Route("/analysis/table.csv", self.table),
            Route("/analysis/steps.csv", self.steps),
        ]

    async def analysis(self, request: Request) -> Response:
        """Show what customers wanted in a period, by intent, language or channel."""
        wanted = self._wanted(request)
        account = guard.current_session(request).account
        await self._accounts.record(account, "view_analysis", _told(wanted))
        latest = await self._figures.latest(wanted.period)
        period = wanted.period
        told = await self._store.browse(lambda db: alerts.alerts(db, period.since, period.end))
        found = latest.figures.report if latest.figures else None
        line = _line(found, wanted) if found else None
        return self._page(
            request,
            "analysis.html",
            wanted=wanted,
            periods=PERIODS,
            dimensions=DIMENSIONS,
            today=self._clock().date().isoformat(),
            latest=latest,
            report=found,
            line=line,
            steps=drawn(line.steps) if line else (),
            alerts=told[:MOST_ALERTS],
            links=Links(wanted, found) if found else None,
            most_lines=MOST_LINES,
            most_cohorts=MOST_COHORTS,
            spark=spark,
            line_name=line_name,
            alert_link=alert_link,
        )

    async def table(self, request: Request) -> Response:
        """Hand over the table that the page shows, with all its rows."""
        wanted = self._wanted(request)
        return await self._download(
            request, wanted, wanted.by, lambda found: as_csv(found, (wanted.by,))
        )

    async def steps(self, request: Request) -> Response:
        """Hand over what the plots show, day by day or week by week."""
        wanted = self._wanted(request)

        def written(found: Report) -> str:
            return steps_as_csv(found, _line(found, wanted) or found.whole)

        return await self._download(request, wanted, "steps", written)

    async def _download(
        self, request: Request, wanted: Wanted, part: str, written: Callable[[Report], str]
    ) -> Response:
        """Return a file of the figures; where there are none yet, the page that says so."""
        account = guard.current_session(request).account
        await self._accounts.record(account, "export_analysis", f"{part} {_told(wanted)}")
        latest = await self._figures.latest(wanted.period)
        if latest.figures is None or latest.figures.report is None:
            return RedirectResponse(FOLDER + wanted.query(), status_code=303)
        period = wanted.period
        name = f"frontdesk-{part}-{period.first}-{period.last}.csv"
        return Response(
            # With a byte order mark: spreadsheets take a file without one for Latin-1.
            written(latest.figures.report).encode("utf-8-sig"),
            media_type="text/csv",
            headers={
                "Content-Disposition": f"attachment; filename={name}",
                "X-Content-Type-Options": "nosniff",
            },
        )

    def _wanted(self, request: Request) -> Wanted:
        """Return what the address asks for; what doesn't exist counts as not given."""
        params, today = request.query_params, self._clock().date()
        first, last = as_date(params.get("from", "")), as_date(params.get("to", ""))
        days = next((each for each in PERIODS if params.get("days") == str(each)), USUAL_PERIOD)
        period, is_last_days = Period.until(today, days), True
        if first and last:
            first, last = sorted((first, last))
            period = Period(max(first, _earlier(last, LONGEST_PERIOD - 1)), last)
            is_last_days = False
        return Wanted(
            period=period,
            days=days if is_last_days else None,
            by=next((each for each in DIMENSIONS if params.get("by") == each), "intent"),
            name=params.get("name", ""),
        )


class Links:
    """The addresses of the conversations behind each number of the page."""

    def __init__(self, wanted: Wanted, report: Report) -> None:
        self._wanted = wanted
        self._report = report
        self._weeks = _weeks(report)

    def line(self, name: str | None, **more: str) -> str:
        """Return the conversations of a line, None for all of them."""
        period = self._wanted.period
        told = {"from": period.first.isoformat(), "to": period.last.isoformat()}
        if name is not None:
            told[self._wanted.by] = name
        return _list(told | more)

    def shown(self, **more: str) -> str:
        """Return the conversations of what the page shows above its table."""
        return self.line(self._wanted.name or None, **more)

    def reason(self, reason: str) -> str:
        """Return the conversations that were handed on for a reason."""
        return self.line(None, reason=reason)

    def rise(self, rise: Rise) -> str:
        """Return what rose, in the last seven days of the period."""
        until = self._report.until
        return _list(_days(until - WEEK, until) | _risen(rise))

    def step(self, place: int, filters: Mapping[str, str]) -> str:
        """Return the conversations of a day, or a week, of what the page shows."""
        starts = self._report.starts
        end = starts[place + 1] if place + 1 < len(starts) else self._report.until
        return self.shown(**_days(starts[place], end), **filters)

    def cohort(self, place: int, later: int) -> str:
        """Return the conversations, in a later week, of those who came first in one."""
        came = [self._report.since.date(), *(_days(*self._weeks[place]).values())]
        told = {"cohort": "..".join(str(each) for each in came)}
        return _list(_days(*self._weeks[place + later]) | told)


def alert_link(alert: Alert) -> str:
    """Return the conversations of which an alert told: those of the days before it."""
    at = datetime.fromisoformat(alert.created_at)
    return _list(_days(at - alert.days * DAY, at + DAY) | _risen(alert))


def drawn(steps: Sequence[Step]) -> list[Drawn]:
    """Return the figures over time: how many messages, and shares of them."""
    found = []
    for field, filters, value, written in _OVER_TIME:
        values = [value(step) for step in steps]
        if drawing := curve(values, written, is_whole=field == "messages"):
            texts = ["–" if each is None else written(each) for each in values]
            found.append(Drawn(field=field, filters=filters, curve=drawing, texts=texts))
    return found


def line_name(by: Dimension, name: str, labels: Labels) -> str:
    """Return the name of a line in words."""
    if name == UNKNOWN_INTENT and by == "intent":
        return labels["analysis_no_intent"]
    return name if by == "intent" else labels.get(f"{by}_{name}", name)


def as_date(text: str) -> date | None:
    """Return the day that an address names, None where it is none."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if date(1970, 1, 1) <= found <= date(2999, 12, 31) else None


def _line(report: Report, wanted: Wanted) -> Line | None:
    """Return the line that the page shows, None where the period has none of the name."""
    if not wanted.name:
        return report.whole
    return next((each for each in report.lines[wanted.by] if each.name == wanted.name), None)


def _risen(what: Rise | Alert) -> dict[str, str]:
    """Return the list's filters for what rose."""
    more = {"handoffs": {"reason": ANY}, "complaints": {"reason": CONCERN}}
    return more.get(what.of, {"intent": what.intent})


def _told(wanted: Wanted) -> str:
    return f"{wanted.period.first}..{wanted.period.last} {wanted.by}"


def _list(told: Mapping[str, str]) -> str:
    return f"{guard.PREFIX}/?{urlencode(told)}"


def _days(start: datetime, end: datetime) -> dict[str, str]:
    """Return the first and the last day of a part of the period."""
    last = (end - timedelta(days=1)).date()
    return {"from": start.date().isoformat(), "to": last.isoformat()}


def _weeks(report: Report) -> list[tuple[datetime, datetime]]:
    """Return when the weeks of the cohorts begin and end."""
    ends = [report.until - WEEK * number for number in range(len(report.cohorts))][::-1]
    return [(max(report.since, end - WEEK), end) for end in ends]


def _earlier(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))


def _share(field: str) -> Callable[[Step], float | None]:
    return lambda step: getattr(step, field) / step.messages if step.messages else None


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{value:.0%}"


class _Figure(NamedTuple):
    """A figure over time: its name, the list's filters for what it counts, and how it is told."""

    field: str
    filters: Mapping[str, str]
    value: Callable[[Step], float | None]
    written: Callable[[float], str]


_OVER_TIME = (
    _Figure("messages", {}, lambda step: step.messages, _count),
    _Figure("solved", {"outcome": "solved"}, _share("solved"), _percent),
    _Figure("handed_on", {"reason": ANY}, _share("handed_on"), _percent),
    _Figure("annoyed", {"mood": "annoyed"}, _share("annoyed"), _percent),
)
