"""The figures of a period, on a real log of dialogues that can be counted by hand."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.analysis_figures import AnalysisFigures, Period
from bot.intents.classifier import Found
from bot.intents.report import Line, Report
from bot.intents.wanted import Wanted
from bot.kept_figures import MOST_KEPT
from bot.log import feedback, inbox, outbox, record
from bot.log import intents as labels
from bot.log.store import Store
from bot.log.turns import add_turn
from bot.messages import Feedback, HandoffReason, Outgoing, TurnId, Verdict
from tests.adapters.web.dialogues import Clock
from tests.log.writing import answer
from tests.small_shop import incoming

FIRST = date(2026, 11, 2)  # a Monday; the period are two weeks from it
PERIOD = Period(FIRST, date(2026, 11, 15))


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """Return a time of the period's days, which count from 0."""
    return datetime(2026, 11, 2, hour, minute, tzinfo=UTC) + timedelta(days=day)


class Shop:
    """Customers who write to a shop, one message after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ask(
        self,
        customer: str,
        text: str,
        intent: str,
        when: datetime,
        *,
        seconds: float = 2,
        handoff: HandoffReason | None = None,
        channel: str = "test",
        edits: str | None = None,
        key: str | None = None,
    ) -> Outgoing:
        """Let a customer ask, and be answered so many seconds later."""
        message = incoming(text, address=customer, channel=channel, edits=edits, key=key)
        waiting = (await self._store.write(lambda db: inbox.receive(db, message, when))).waiting
        assert waiting
        answered = when + timedelta(seconds=seconds)
        reply = await self._store.write(
            lambda db: record.exchange(db, [waiting], answer(text, handoff=handoff), answered)
        )
        assert reply
        posts = (f"{reply.turn}",)
        await self._store.write(lambda db: outbox.start_sending(db, reply, posts))
        await self._store.write(lambda db: outbox.sent(db, reply, posts, answered))
        [turn] = await self._store.read(
            lambda db: db.execute(
                "SELECT replied_to FROM turns WHERE id = ?", [reply.turn]
            ).fetchone()
        )
        wanted = Wanted(found=(Found(intent, 0.9),), model="m")
        await self._store.write(lambda db: labels.tell(db, {TurnId(turn): wanted}, answered))
        return reply

    async def rate(self, reply: Outgoing, verdict: Verdict) -> None:
        """Let a customer press a thumb."""
        press = Feedback(
            channel=reply.channel,
            event_key=f"{reply.turn}:{verdict}",
            customer=reply.customer,
            verdict=verdict,
            origin="button",
            turn=reply.turn,
        )
        await self._store.write(lambda db: feedback.rate(db, press, at(13)))

    async def write_as_agent(self, reply: Outgoing, when: datetime) -> None:
        """Let somebody of the team write in a conversation."""
        await self._store.write(
            lambda db: add_turn(
                db,
                reply.conversation,
                role="agent",
                text="Mira here.",
                language="en",
                created_at=when.isoformat(),
            )
        )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "frontdesk.db") as opened:
        yield opened


async def reported(store: Store, period: Period = PERIOD) -> Report | None:
    """Return the report once it is made."""
    figures = AnalysisFigures(store, Clock(at(13, 12)))
    async with asyncio.timeout(30):
        while (latest := await figures.latest(period)).is_being_made:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
    assert latest.figures
    return latest.figures.report


def counted(line: Line) -> tuple[int, int, float, tuple[int, int], float]:
    return (
        line.messages,
        line.customers,
        round(line.solved * line.messages),
        (line.thumbs_up, line.thumbs_down),
        round(line.handed_on * line.messages),
    )


async def test_that_figures_are_what_a_hand_counts(store: Store) -> None:
    shop = Shop(store)
    # The day before the period, and the first moment after it: neither counts.
    await shop.ask("eve", "Where is my parcel?", "parcel", at(-1, 23, 59))
    await shop.ask("eve", "Where is my parcel?", "parcel", at(14, 0))
    # Ada: answered and liked; a week later handed on, and Mira writes after 30 minutes.
    liked = await shop.ask("ada", "Where is my parcel?", "parcel", at(0, 0), seconds=4)
    await shop.rate(liked, "up")
    handed = await shop.ask(
        "ada", "This is terrible", "parcel", at(7), seconds=6, handoff="complaint"
    )
    await shop.write_as_agent(handed, at(7, 9, 30))
    # Bob, in Chinese: not liked; the same day asks for a person, whose hand-off is settled at ten.
    rated = await shop.ask("bob", "可以退货吗？", "refund", at(1), channel="web")
    await shop.rate(rated, "down")
    asked = await shop.ask(
        "bob", "转人工", "refund", at(1, 9, 50), handoff="asked_for_person", channel="web"
    )
    await store.write(lambda db: record.settle(db, asked.conversation, at(1, 10)))
    # Cleo asks for a person and edits that away; what she asks then is answered after an hour.
    await shop.ask("cleo", "A person!", "parcel", at(2), handoff="asked_for_person", key="edit:1")
    await shop.ask("cleo", "Do you sell tents?", "tents", at(2, 9, 5), seconds=3600, edits="edit:1")

    found = await reported(store)

    assert found
    parcel, refund, tents = (
        next(each for each in found.lines["intent"] if each.name == name)
        for name in ("parcel", "refund", "tents")
    )
    assert counted(found.whole) == (5, 3, 2, (1, 1), 2)
    assert counted(parcel) == (2, 1, 1, (1, 0), 1)
    assert counted(refund) == (2, 1, 0, (0, 1), 1)
    assert counted(tents) == (1, 1, 1, (0, 0), 0)
    assert (parcel.reply_ms, parcel.wait_minutes) == (5000, 30)
    assert (refund.reply_ms, refund.wait_minutes) == (2000, 10)
    assert (tents.reply_ms, tents.wait_minutes) == (3_600_000, None)
    assert (parcel.annoyed, parcel.complaints, found.whole.complaints) == (0.5, 1, 1)
    assert sorted(found.reasons) == [("asked_for_person", 1), ("complaint", 1)]
    chinese = next(each for each in found.lines["language"] if each.name == "zh")
    web = next(each for each in found.lines["channel"] if each.name == "web")
    assert (counted(chinese), counted(web)) == (counted(refund), counted(refund))
    assert found.whole.weeks == (4, 1)
    assert [each.messages for each in found.whole.steps] == [1, 2, 1, 0, 0, 0, 0, 1, *[0] * 6]
    assert [(each.week, each.customers, each.returned) for each in found.cohorts] == [
        (FIRST, 3, (1 / 3,)),
        (FIRST + timedelta(days=7), 0, ()),
    ]
    assert found.returning == pytest.approx(1 / 3)


async def test_that_a_period_without_messages_has_no_report(store: Store) -> None:
    assert await reported(store) is None
    assert await reported(store, Period(date(2031, 1, 1), date(2031, 1, 1))) is None


def test_that_a_period_is_whole_days() -> None:
    period = Period.until(date(2026, 11, 15), 14)

    assert period == PERIOD
    assert (period.days, period.since, period.end) == (14, at(0, 0), at(14, 0))


async def test_that_few_periods_are_kept(store: Store) -> None:
    figures = AnalysisFigures(store, Clock(at(13, 12)))
    periods = [Period.until(PERIOD.last, days) for days in range(1, MOST_KEPT + 3)]
    async with asyncio.timeout(30):
        for period in periods:
            while (await figures.latest(period)).figures is None:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)

    assert list(figures._made) == periods[2:]
