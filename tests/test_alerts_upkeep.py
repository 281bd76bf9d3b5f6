"""What rises beyond chance is told once, also over a restart."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from bot.alerts_upkeep import LOOK_SECONDS, AlertsUpkeep
from bot.console import Console
from bot.intents.classifier import Found
from bot.intents.report import Rise
from bot.intents.wanted import Wanted
from bot.log import alerts, inbox, record
from bot.log import intents as labels
from bot.log.alerts import Alert
from bot.log.store import Store
from bot.messages import HandoffReason, TurnId
from tests.log.writing import answer
from tests.small_shop import NOW, incoming

DAY = timedelta(days=1)
SECRET = "My name is Ada Lovelace"


class Heard(Console):
    """A console that remembers what it warned of."""

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Running:
    """A Frontdesk as far as its alerts go, with a clock that is set."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        self.console = Heard()
        self.counted: list[str] = []
        self.pauses: list[float] = []
        self.restart()

    def restart(self) -> None:
        self.upkeep = AlertsUpkeep(
            self.store, self.console, lambda: self.now, self.counted.append, self.pause
        )

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) > 1:
            raise StopAsyncIteration

    async def ask(self, intent: str, number: int, days_ago: float, model: str = "m") -> None:
        at = self.now - days_ago * DAY
        await self.store.write(lambda db: ask(db, intent, number, at, model))

    async def looked(self) -> list[str]:
        """Look, and return what was told new."""
        before = len(self.console.warnings)
        await self.upkeep.look()
        return self.console.warnings[before:]


def ask(
    db: Database,
    intent: str,
    number: int,
    at: datetime,
    model: str = "m",
    handoff: HandoffReason | None = None,
) -> None:
    """Let that many customers write about an intent, none of them where it is empty."""
    for _ in range(number):
        waiting = inbox.receive(db, incoming(SECRET), at).waiting
        assert waiting
        assert record.exchange(db, [waiting], answer(SECRET, handoff=handoff), at)
        [turn] = db.execute(
            "SELECT id FROM turns WHERE role = 'customer' ORDER BY rowid DESC LIMIT 1"
        ).fetchone()
        if intent:
            wanted = Wanted(found=(Found(intent, 0.9),), model=model)
            labels.tell(db, {TurnId(turn): wanted}, at)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with Store(tmp_path / "frontdesk.db") as store:
        yield Running(store)


async def steady(running: Running) -> None:
    for day in range(1, 28):
        await running.ask("tents", 3, day)


async def test_that_a_rise_is_told_once_with_its_name_and_counts(running: Running) -> None:
    await steady(running)
    await running.ask("parcel", 2, 10)
    assert await running.looked() == []
    await running.ask("parcel", 20, 0.1)

    [told] = await running.looked()
    assert told.startswith("Rose: parcel, 20 in the last 24 hours, where 0.0 were")
    assert SECRET not in told
    assert running.counted == ["intent"]
    assert await running.looked() == []
    running.restart()
    assert await running.looked() == []
    stored = await running.store.read(lambda db: alerts.alerts(db, NOW - DAY, NOW + DAY))
    assert [(each.of, each.intent, each.number) for each in stored] == [("intent", "parcel", 20)]


async def test_that_a_slow_rise_is_told_by_its_week(running: Running) -> None:
    await steady(running)
    await running.ask("parcel", 1, 15)
    for day in range(1, 7):
        await running.ask("parcel", 3, day)

    [told] = await running.looked()
    assert told.startswith("Rose: parcel, 18 in the last seven days, where 0.")


async def test_that_hand_offs_and_complaints_are_told_too(running: Running) -> None:
    await steady(running)
    at = running.now - 0.2 * DAY
    before = running.now - 9 * DAY
    await running.store.write(lambda db: ask(db, "tents", 1, before, handoff="no_article"))
    await running.store.write(lambda db: ask(db, "tents", 1, before, handoff="complaint"))
    await running.store.write(lambda db: ask(db, "tents", 15, at, handoff="complaint"))

    told = await running.looked()
    assert sorted(each.split(",")[0] for each in told) == [
        "Rose: complaints and risks",
        "Rose: hand-offs",
    ]
    assert sorted(running.counted) == ["complaints", "handoffs"]


async def test_that_a_new_classifier_raises_no_alarm(running: Running) -> None:
    await steady(running)
    await running.ask("camping", 25, 0.1, model="new")

    assert await running.looked() == []


async def test_that_unlabelled_messages_raise_none(running: Running) -> None:
    for day in range(8, 28):
        await running.ask("", 5, day)
    for day in range(8):
        await running.ask("tents", 5, day)

    assert await running.looked() == []


async def test_that_an_empty_and_a_new_log_raise_none(running: Running) -> None:
    assert await running.looked() == []
    await running.ask("tents", 40, 0.1)
    assert await running.looked() == []


async def test_that_it_looks_again_and_again(running: Running) -> None:
    await steady(running)
    await running.ask("parcel", 1, 10)
    await running.ask("parcel", 20, 0.1)

    with pytest.raises(StopAsyncIteration):
        await running.upkeep.run()

    assert running.pauses == [LOOK_SECONDS] * 2
    assert len(running.console.warnings) == 1


async def test_that_a_log_that_cannot_be_read_is_told_and_looked_at_again(
    running: Running,
) -> None:
    running.store.close()

    [told] = await running.looked()
    assert told.startswith("The log can't be looked through for rises now: ")


async def test_that_a_damaged_log_does_not_end_the_looking(running: Running) -> None:
    await running.store.write(lambda db: db.execute("ALTER TABLE feedback RENAME TO away"))
    assert [each[:42] for each in await running.looked()] == [
        "The log can't be looked through for rises "
    ]

    await running.store.write(lambda db: db.execute("ALTER TABLE away RENAME TO feedback"))
    assert await running.looked() == []


class TestTold:
    """What of the rises is news."""

    def told(
        self, db: Database, at: datetime, number: int = 10, intent: str = "parcel"
    ) -> list[Alert]:
        rise = Rise(intent=intent, number=number, expected=2.0, p_value=1e-4)
        return alerts.tell(db, [rise], at)

    def test_that_one_day_has_one_alert_of_an_intent(self, db: Database) -> None:
        assert [each.intent for each in self.told(db, NOW)] == ["parcel"]
        assert self.told(db, NOW + timedelta(hours=14), number=90) == []
        assert [each.intent for each in self.told(db, NOW, intent="tents")] == ["tents"]

    def test_that_a_rise_that_lasts_is_told_again_when_it_doubles(self, db: Database) -> None:
        self.told(db, NOW)

        assert self.told(db, NOW + DAY, number=19) == []
        assert len(self.told(db, NOW + DAY, number=20)) == 1
        assert self.told(db, NOW + 2 * DAY, number=30) == []

    def test_that_a_spike_that_goes_on_is_told_once(self, db: Database) -> None:
        spike = Rise(intent="parcel", days=1, number=10, expected=1.0, p_value=1e-9)
        week = Rise(intent="parcel", days=7, number=30, expected=9.0, p_value=1e-9)

        assert [each.days for each in alerts.tell(db, [spike, week], NOW)] == [1]
        assert alerts.tell(db, [spike, week], NOW + DAY) == []

    def test_that_a_rise_is_news_again_after_a_week(self, db: Database) -> None:
        self.told(db, NOW)

        assert self.told(db, NOW + 6.9 * DAY) == []
        assert len(self.told(db, NOW + 7 * DAY)) == 1

    def test_that_two_lookers_tell_it_once(self, db: Database) -> None:
        rise = Rise(of="handoffs", number=9, expected=1.0, p_value=1e-4)

        assert [each.of for each in alerts.tell(db, [rise, rise], NOW)] == ["handoffs"]

    def test_that_alerts_of_a_period_are_read_the_newest_first(self, db: Database) -> None:
        for day in range(3):
            self.told(db, NOW + day * DAY, intent=f"intent {day}")

        found = alerts.alerts(db, NOW, NOW + 2 * DAY)
        assert [each.intent for each in found] == ["intent 1", "intent 0"]
