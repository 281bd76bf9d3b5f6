"""What customers wanted in a period, worked out by hand, and how it is written down."""

import csv
import io
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.intents.report import Rise, Step, adjusted, at_least, report, spikes
from bot.intents.report_page import as_csv, as_html, harmless
from bot.log.analysis import UNKNOWN_INTENT, Message

UNTIL = datetime(2026, 3, 29, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=28)
MESSAGE = Message(
    turn="t",
    conversation="c",
    customer="ann",
    channel="web",
    language="en",
    intent="parcel",
    at="",
    is_solved=True,
    handoff="",
    verdict="",
    reply_ms=1000.0,
    wait_minutes=None,
    sentiment=0,
    concern=None,
)


def asked(days_ago: float, **differs: object) -> Message:
    at = (UNTIL - timedelta(days=days_ago)).isoformat()
    return replace(MESSAGE, at=at, **differs)  # type: ignore[arg-type]


def test_that_figures_are_those_of_the_messages() -> None:
    found = report(
        [
            asked(20, verdict="up"),
            asked(3, verdict="down", is_solved=False, reply_ms=3000.0, sentiment=-1),
            asked(
                2,
                customer="bob",
                intent="refund",
                is_solved=False,
                handoff="requested",
                reply_ms=None,
                wait_minutes=12.0,
                concern="complaint",
            ),
        ],
        SINCE,
        UNTIL,
    )

    [parcel, refund] = found.lines["intent"]
    assert (parcel.name, parcel.messages, parcel.solved, parcel.weeks) == (
        "parcel",
        2,
        0.5,
        (0, 1, 0, 1),
    )
    assert (parcel.thumbs_up, parcel.thumbs_down, parcel.reply_ms) == (1, 1, 2000.0)
    assert (refund.handed_on, refund.top_reason, refund.wait_minutes) == (1.0, "requested", 12.0)
    assert (refund.complaints, parcel.annoyed, refund.reply_ms) == (1, 0.5, None)
    assert found.reasons == [("requested", 1)]
    assert found.returning == 0.5


def test_that_each_day_is_told_apart_and_each_week_of_a_long_period() -> None:
    messages = [
        asked(27.5, is_solved=False, handoff="risk", concern="risk"),
        asked(0.5),
        asked(0.25, sentiment=-1),
    ]

    found = report(messages, SINCE, UNTIL)
    steps = found.whole.steps
    assert (found.starts[0], found.starts[-1]) == (SINCE, UNTIL - timedelta(days=1))
    assert (len(steps), sum(each.messages for each in steps)) == (28, 3)
    assert steps[0] == Step(messages=1, solved=0, handed_on=1, annoyed=0, complaints=1)
    assert steps[-1] == Step(messages=2, solved=2, handed_on=0, annoyed=1, complaints=0)

    long = report(messages, UNTIL - timedelta(days=200), UNTIL)
    assert [each.messages for each in long.whole.steps] == [0] * 25 + [1, 0, 0, 2]
    assert long.whole.weeks == tuple(each.messages for each in long.whole.steps)


def test_that_customers_are_followed_from_their_first_week() -> None:
    found = report(
        [asked(26), asked(12), asked(25, customer="bob"), asked(5, customer="eve")], SINCE, UNTIL
    )

    assert [each.customers for each in found.cohorts] == [2, 0, 0, 1]
    assert found.cohorts[0].returned == (0.0, 0.5, 0.0)
    assert found.cohorts[3].returned == ()


class TestRises:
    def test_that_a_rise_beyond_chance_is_told(self) -> None:
        steady = [asked(day, intent="steady") for day in range(28) for _ in range(10)]
        rising = [asked(day, intent="rising") for day in (1, 8, 15, 22)] + [
            asked(1, intent="rising") for _ in range(20)
        ]

        [rise] = report([*steady, *rising], SINCE, UNTIL).rises

        assert (rise.intent, rise.number) == ("rising", 21)
        assert rise.p_value < 0.001

    def test_that_messages_not_labelled_yet_are_not_held_against_those_that_are(self) -> None:
        unread = [asked(day, intent=UNKNOWN_INTENT) for day in range(7, 28) for _ in range(10)]
        read = [asked(day, intent="parcel") for day in range(9) for _ in range(10)]
        older = [asked(day, intent="old", is_outdated=True) for day in range(28) for _ in range(9)]

        assert report([*unread, *read, *older], SINCE, UNTIL).rises == []

    def test_that_hand_offs_and_complaints_can_rise_too(self) -> None:
        steady = [asked(day) for day in range(28) for _ in range(20)]
        handed_on = [asked(1, handoff="no_article") for _ in range(12)]
        angry = [asked(2, handoff="complaint", concern="complaint") for _ in range(30)]

        found = report([*steady, asked(20, handoff="risk"), *handed_on, *angry], SINCE, UNTIL)

        told = {(each.of, each.intent): each.number for each in found.rises}
        assert told == {("handoffs", ""): 42, ("complaints", ""): 30}

    def test_that_a_spike_of_one_day_is_told_on_it(self) -> None:
        steady = [asked(day + 0.5) for day in range(28) for _ in range(10)]
        spike = [asked(0.2, intent="outage") for _ in range(9)]

        [rise] = spikes([*steady, *spike], UNTIL, 0.01)
        assert (rise.intent, rise.days, rise.number, rise.expected) == ("outage", 1, 9, 0.0)
        assert spikes([*steady, *spike], UNTIL + timedelta(days=1), 0.01) == []
        assert spikes([], UNTIL, 0.01) == []

    def test_that_what_sundays_always_bring_is_no_spike(self) -> None:
        steady = [asked(day + 0.5) for day in range(28) for _ in range(10)]
        sundays = [asked(week * 7 + 0.3, intent="opening") for week in range(4) for _ in range(9)]

        assert spikes([*steady, *sundays], UNTIL, 0.01) == []

    def test_that_growth_of_everything_is_no_rise(self) -> None:
        messages = [
            asked(day, intent=intent)
            for intent in ("a", "b")
            for day in range(28)
            for _ in range(30 if day < 7 else 10)
        ]

        assert report(messages, SINCE, UNTIL).rises == []

    def test_that_chance_is_what_the_binomial_says(self) -> None:
        assert at_least(0, 9, 0.3) == 1
        assert at_least(3, 3, 0.5) == pytest.approx(1 / 8)
        assert at_least(8, 10, 0.4) == pytest.approx(
            sum(math.comb(10, k) * 0.4**k * 0.6 ** (10 - k) for k in (8, 9, 10))
        )

    def test_that_many_intents_need_stronger_signs(self) -> None:
        values = [0.01, 0.04, 0.03, 0.5]
        found = adjusted(
            [Rise(intent=str(n), number=9, expected=1, p_value=p) for n, p in enumerate(values)]
        )

        by_intent = {each.intent: each.p_value for each in found}
        assert [by_intent[str(n)] for n in range(4)] == pytest.approx(
            [0.04, 0.16 / 3, 0.16 / 3, 0.5]
        )


class TestWritten:
    @pytest.mark.parametrize("name", ["=1+1", "+A1", "-2", "@sum", "\t=1", "\r=1"])
    def test_that_no_cell_runs_as_a_formula(self, name: str) -> None:
        text = as_csv(report([asked(1, intent=name)], SINCE, UNTIL))

        row = list(csv.reader(io.StringIO(text, newline="")))[1]
        assert row[:3] == ["intent", f"'{name}", "1"]

    def test_that_numbers_stay_numbers(self) -> None:
        assert (harmless(-0.5), harmless(None), harmless("退货")) == (-0.5, "", "退货")

    def test_that_hostile_names_are_escaped_and_nothing_is_fetched(self) -> None:
        page = as_html(report([asked(1, intent="<script>alert(1)</script>")], SINCE, UNTIL))

        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert "http" not in page
