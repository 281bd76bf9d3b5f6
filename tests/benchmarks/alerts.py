"""How often alerts are wrong by nothing but chance, and how soon a real rise is told.

    python -m tests.benchmarks.alerts --days 180                   (make bench-alerts)

Customers are drawn: every intent has its own steady share, fewer write at night and at weekends,
one in twelve is handed on. The log is looked through every hour, and what rises goes through the
same test, and the same memory of what was told, as in the running program.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from bot.alerts_upkeep import BY_CHANCE, PERIOD, risen
from bot.cli.tables import print_table
from bot.log import alerts
from bot.log.analysis import Message
from bot.log.migrations import migrations

BEGAN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
INTENTS = 40
HOUR = timedelta(hours=1)
WEEKEND, NIGHT = 0.4, 0.2
AWAKE = range(7, 23)
LIMITS = (0.05, BY_CHANCE, 0.001)


def customers(rng: random.Random, a_day: float, days: int, grows: float) -> Iterator[Message]:
    """Yield what is asked, the oldest first; of the last seven days `grows` times as much of one.

    That one is the tenth intent by how often it is asked.
    """
    weights = [1 / (place + 1) for place in range(INTENTS)]
    grown = [weight * (grows if place == 9 else 1) for place, weight in enumerate(weights)]
    for hour in range(24 * days):
        at = BEGAN + hour * HOUR
        usual = a_day / 24 * (WEEKEND if at.weekday() > 4 else 1)
        usual *= 1 if at.hour in AWAKE else NIGHT
        drawn = grown if hour >= 24 * (days - 7) else weights
        number = sum(rng.random() < usual * sum(drawn) / sum(weights) / 100 for _ in range(100))
        for place in rng.choices(range(INTENTS), drawn, k=number):
            yield _message(rng, at, f"intent {place}")


def told(
    messages: Sequence[Message], days: int, by_chance: float, since: datetime
) -> list[tuple[datetime, str]]:
    """Return when what was told, of looks at every hour from `since` on."""
    db = Database(memory=True)
    migrations.apply(db)
    found: list[tuple[datetime, str]] = []
    low = high = 0
    now = since
    while now < BEGAN + timedelta(days=days):
        while high < len(messages) and messages[high].at < now.isoformat():
            high += 1
        while messages[low].at < (now - PERIOD).isoformat():
            low += 1
        found_now = risen(messages[low:high], now, by_chance)
        found += [(now, each.intent or each.of) for each in alerts.tell(db, found_now, now)]
        now += HOUR
    return found


def _message(rng: random.Random, at: datetime, intent: str) -> Message:
    return Message(
        turn="",
        conversation="",
        customer="",
        channel="web",
        language="en",
        intent=intent,
        at=at.isoformat(),
        is_solved=True,
        handoff="no_article" if rng.random() < 1 / 12 else "",
        verdict="",
        reply_ms=None,
        wait_minutes=None,
        sentiment=0,
        concern=None,
    )


def by_chance_alone(days: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each limit: alerts in a month where nothing changed."""
    for a_day in (20, 200):
        messages = list(customers(random.Random(seed), a_day, days, 1.0))
        for limit in LIMITS:
            found = told(messages, days, limit, BEGAN + PERIOD)
            months = (days - PERIOD.days) / 30
            yield {
                "messages a day": a_day,
                "limit": limit,
                "alerts": len(found),
                "a month": f"{len(found) / months:.1f}",
            }


def of_a_rise(seeds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each size of a rise: how many were told, and after how many hours."""
    days = PERIOD.days + 7
    begins = BEGAN + PERIOD
    for a_day in (20, 200):
        for grows in (2.0, 3.0, 5.0, 10.0):
            hours = []
            for seed in range(seeds):
                messages = list(customers(random.Random(seed), a_day, days, grows))
                found = told(messages, days, BY_CHANCE, begins)
                hours += [(at - begins) / HOUR for at, name in found if name == "intent 9"][:1]
            hours.sort()
            yield {
                "messages a day": a_day,
                "times as much": grows,
                "told within a week": f"{len(hours)} of {seeds}",
                "hours, median": f"{hours[len(hours) // 2]:.0f}" if hours else "–",
            }


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--days", type=int, default=180, help="without a change")
    parser.add_argument("--seeds", type=int, default=10, help="rises of each size")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print_table(list(by_chance_alone(options.days, options.seed)))
    print_table(list(of_a_rise(options.seeds)))


if __name__ == "__main__":
    main()
