"""The conversations that a figure leads to are those that it was counted from."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache

import pytest
from sqlite_utils import Database

from bot.log.analysis import Message, labelled_intents, messages
from bot.log.asked import AskedFilters, Cohort, intents_asked
from bot.log.conversations import Filters, conversations
from bot.log.migrations import migrations
from tests.log.busy_log import BusyLog, decide
from tests.small_shop import NOW

DAYS = 21
BEGAN = NOW - timedelta(days=DAYS)
UNTIL = NOW + timedelta(days=3)
WEEK = timedelta(days=7)


@cache
def logged(seed: int) -> tuple[Database, list[Message]]:
    """Write a log once, and return it with what its figures are counted from."""
    db = Database(memory=True)
    migrations.apply(db)
    BusyLog(db, random.Random(seed)).fill(60, BEGAN, DAYS)
    decide(db, NOW)
    return db, messages(db, BEGAN, UNTIL, labelled_intents(db, BEGAN))


def found(db: Database, asked: AskedFilters, **more: object) -> set[str]:
    filters = Filters(asked=asked, **more)  # type: ignore[arg-type]
    return {each.id for each in conversations(db, filters, limit=1000).conversations}


def first_in(message: Message, counted: list[Message], since: datetime, until: datetime) -> bool:
    first = min(each.at for each in counted if each.customer == message.customer)
    return since.isoformat() <= first < until.isoformat()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("asked", "is_counted"),
    [
        pytest.param({"intent": "parcel"}, lambda m: m.intent == "parcel", id="intent"),
        pytest.param({"intent": "gift"}, lambda m: m.intent == "gift", id="rare-intent"),
        pytest.param({"intent": "refund"}, lambda m: m.intent == "refund", id="renamed"),
        pytest.param({"intent": "over"}, lambda m: m.intent == "over", id="retired"),
        pytest.param({"intent": "?"}, lambda m: m.intent == "?", id="no-intent"),
        pytest.param({"reason": "any"}, lambda m: m.handoff, id="handed-on"),
        pytest.param({"reason": "no_article"}, lambda m: m.handoff == "no_article", id="reason"),
        pytest.param({"reason": "concern"}, lambda m: m.concern, id="concern"),
        pytest.param({"verdict": "up"}, lambda m: m.verdict == "up", id="up"),
        pytest.param({"verdict": "down"}, lambda m: m.verdict == "down", id="down"),
        pytest.param({"outcome": "solved"}, lambda m: m.is_solved, id="solved"),
        pytest.param({"outcome": "unsolved"}, lambda m: not m.is_solved, id="unsolved"),
        pytest.param({"is_annoyed": True}, lambda m: m.sentiment < 0, id="annoyed"),
        pytest.param(
            {"intent": "refund", "reason": "any", "is_annoyed": True},
            lambda m: m.intent == "refund" and m.handoff and m.sentiment < 0,
            id="together",
        ),
    ],
)
def test_that_a_figure_leads_to_what_it_was_counted_from(
    asked: dict[str, object], is_counted: Callable[[Message], object], seed: int
) -> None:
    db, counted = logged(seed)

    for since, until in ((BEGAN, UNTIL), (BEGAN + WEEK, BEGAN + 2 * WEEK)):
        within = [m for m in counted if since.isoformat() <= m.at < until.isoformat()]
        wanted = AskedFilters(since=since, until=until, **asked)  # type: ignore[arg-type]
        assert found(db, wanted) == {m.conversation for m in within if is_counted(m)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_that_languages_and_channels_are_those_of_the_messages(seed: int) -> None:
    db, counted = logged(seed)
    asked = AskedFilters(since=BEGAN)

    for language in ("en", "zh"):
        expected = {m.conversation for m in counted if m.language == language}
        assert found(db, asked, language=language) == expected
    telegram = {m.conversation for m in counted if m.channel == "telegram"}
    assert found(db, asked, channel="telegram") == telegram


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_that_customers_who_came_back_are_found(seed: int) -> None:
    db, counted = logged(seed)
    came = Cohort(origin=BEGAN, since=BEGAN, until=BEGAN + WEEK)

    for later in (0, 1, 2):
        since, until = BEGAN + later * WEEK, BEGAN + (later + 1) * WEEK
        expected = {
            m.conversation
            for m in counted
            if since.isoformat() <= m.at < until.isoformat()
            and first_in(m, counted, came.since, came.until)
        }
        assert found(db, AskedFilters(since=since, until=until, cohort=came)) == expected


def test_that_the_names_of_intents_are_todays() -> None:
    db, _ = logged(1)

    assert intents_asked(db) == ("gift", "parcel", "refund", "tents")


def test_that_pages_follow_each_other() -> None:
    db, _ = logged(1)
    filters = Filters(asked=AskedFilters(outcome="solved"))
    whole = conversations(db, filters, limit=1000).conversations

    page = conversations(db, filters, limit=10)
    read = [*page.conversations]
    while page.next_key:
        page = conversations(db, filters, after=page.next_key, limit=10)
        read += page.conversations

    assert tuple(read) == whole
    assert len(whole) > 20
