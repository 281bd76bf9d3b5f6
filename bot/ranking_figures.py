"""How customers are served under the policies, worked out beside the requests that show it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.kept_figures import KeptFigures
from bot.log.decisions import decisions
from bot.log.store import Store
from bot.ranking.fairness import Served, served
from bot.ranking.rewards import Signal
from bot.ranking.usage import PolicyUse, used


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How customers were served in a period, and by which policies, told at `made_at`."""

    made_at: datetime
    served: Sequence[Served]
    used: Sequence[PolicyUse]


class RankingFigures(KeptFigures[int, Figures]):
    """Keeps the figures of the last so many days."""

    def __init__(
        self, store: Store, worth: Mapping[Signal, float], now: Callable[[], datetime]
    ) -> None:
        super().__init__(store, lambda db, days, at: _figures(db, days, at, worth), now)


def _figures(db: Database, days: int, now: datetime, worth: Mapping[Signal, float]) -> Figures:
    since = now - timedelta(days=days)
    found = list(decisions(db, now, since=since, with_features=False))
    return Figures(made_at=now, served=served(found, worth), used=used(found))
