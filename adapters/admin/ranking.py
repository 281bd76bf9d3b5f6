"""The page of the ranking: the policy in force, and how each kind of customer is served."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.admin import guard
from adapters.admin.approved import Page
from adapters.admin.plots import Plot, plot
from bot.log import policies
from bot.log.accounts import Accounts
from bot.log.store import Store
from bot.ranking.fairness import Served
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.off_policy import Estimate
from bot.ranking_figures import Figures, RankingFigures

PERIODS = (7, 30, 90)  # days
USUAL_PERIOD = 30
MOST_CHANGES = 50
MOST_POLICIES = 20

Labels = Mapping[str, str]


class _Measure(NamedTuple):
    """A figure of the report: its field, its least and greatest value, and how it is written."""

    field: str
    least: float
    greatest: float
    written: Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A figure of all groups, its plot, and each group's value as text, by the group's name."""

    field: str
    plot: Plot | None
    texts: Mapping[str, tuple[str, str] | None]


class RankingPages:
    """What stands below `/admin/ranking`; `figures` tells how customers are served."""

    def __init__(
        self, store: Store, accounts: Accounts, page: Page, figures: RankingFigures
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._page = page
        self._figures = figures

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route, below the prefix of all admin pages."""
        return [Route("/ranking", self.ranking)]

    async def ranking(self, request: Request) -> Response:
        """Show what decides, what decided before, and how customers were served in a period."""
        days = _period(request.query_params.get("days", ""))
        account = guard.current_session(request).account
        await self._accounts.record(account, "view_ranking", f"days={days}")
        history = await self._store.browse(policies.history)
        latest = await self._figures.latest(days)
        return self._page(
            request,
            "ranking.html",
            days=days,
            periods=PERIODS,
            in_force=history[0] if history else None,
            fixed_order=FixedOrder.version,
            history=history[:MOST_CHANGES],
            latest=latest,
            figures=latest.figures,
            sources=_sources(latest.figures) if latest.figures else (),
            most_policies=MOST_POLICIES,
            drawn=drawn,
            group_name=group_name,
        )


def drawn(served: Sequence[Served], labels: Labels) -> list[Drawn]:
    """Return every figure of the report, drawn and in words."""
    names = {row.group: group_name(row.group, labels) for row in served}
    return [_drawn(measure, served, names) for measure in _MEASURES]


def group_name(group: str, labels: Labels) -> str:
    """Return a group of the report in words: "language en", "channel web", "new customers"."""
    kind, _, value = group.partition(" ")
    return labels.get(f"group_{kind}") or labels.get(f"{kind}_{value}", value)


def share(value: float) -> str:
    """Return a share as a percentage."""
    return f"{value:.0%}"


def signed(reward: float) -> str:
    """Return a reward, or a part of one, with its sign."""
    return f"{reward:+.2f}".replace("-", "\N{MINUS SIGN}")


_MEASURES = (
    _Measure("reward", -1.0, 1.0, signed),
    _Measure("liked", 0.0, 1.0, share),
    _Measure("handed_off", 0.0, 1.0, share),
    _Measure("complaints", 0.0, 1.0, share),
)


def _drawn(measure: _Measure, served: Sequence[Served], names: Mapping[str, str]) -> Drawn:
    found = {row.group: _within(getattr(row, measure.field), measure) for row in served}
    return Drawn(
        field=measure.field,
        plot=plot([(names[group], each) for group, each in found.items()], measure.written),
        texts={group: _texts(each, measure) for group, each in found.items()},
    )


def _texts(found: Estimate | None, measure: _Measure) -> tuple[str, str] | None:
    if found is None:
        return None
    low, high = measure.written(found.low), measure.written(found.high)
    return measure.written(found.value), f"{low} – {high}"


def _within(found: Estimate | None, measure: _Measure) -> Estimate | None:
    """Return an estimate whose interval ends where its values do."""
    if found is None:
        return None
    low, high = max(found.low, measure.least), min(found.high, measure.greatest)
    return Estimate(found.value, low, high)


def _sources(figures: Figures) -> list[str]:
    """Return where replies came from, the commonest first."""
    counts: dict[str, int] = {}
    for each in figures.used:
        for source, count in each.by_source.items():
            counts[source] = counts.get(source, 0) + count
    return sorted(counts, key=lambda source: -counts[source])


def _period(text: str) -> int:
    return next((days for days in PERIODS if text == str(days)), USUAL_PERIOD)
