"""No statement of everyday work reads a table from end to end, however long the log is."""

from collections.abc import Callable

import pytest
from sqlite_utils import Database

from bot.intents.classifier import Found
from bot.intents.report import Rise
from bot.intents.wanted import Wanted
from bot.log import (
    alerts,
    conversations,
    dialogues,
    erasure,
    export,
    feedback,
    gaps,
    group_runs,
    groups,
    inbox,
    outbox,
    preferences,
    record,
)
from bot.log import intents as labels
from bot.log.asked import AskedFilters, Cohort
from bot.log.group_runs import FoundGroup
from bot.messages import Feedback, Withdrawal
from tests.log.writing import LATER, exchange, receive
from tests.small_shop import NOW, incoming

PARTIAL = (
    "inbox_unanswered",
    "inbox_withdrawn",
    "outbox_unsettled",
    "erasures_",
    "handoffs_urgent",
)
# What was told once a day at most, and groups, which are read at once with all in them.
SMALL = ("SCAN alerts", "SCAN intent_group", "SCAN intents")
FOUND = ("SCAN asked", "SCAN found")  # by the query itself
# Rare, and SQLite's search index has no other way; or a list that was given, or what was found.
UNAVOIDABLE = ("turn_search", "erased", "sqlite_master", "CONSTANT ROW", "json_each", "(subquery-")


HANDED_ON = "a person, please"


def settle(db: Database) -> None:
    outgoing = outbox.unsent(db)[-1]
    outbox.waiting(db, outgoing)
    outbox.start_sending(db, outgoing, ("p1",))
    outbox.doubt_interrupted(db)
    outbox.sent(db, outgoing, ("p1",), LATER)
    outbox.not_sent(db, outgoing, "down", "ready", LATER)


def rate(db: Database) -> None:
    for named in ({"turn": "t"}, {"post": "p1"}):
        rating = Feedback(
            channel="test",
            event_key="k",
            customer="c",
            verdict="up",
            origin="button",
            **named,  # type: ignore[arg-type]
        )
        feedback.rate(db, rating, NOW)


def edit(db: Database) -> None:
    exchange(db, incoming("edited", key="edit:1", edits="first"), ("p1",))


def withdraw(db: Database) -> None:
    message = inbox.withdraw(db, Withdrawal(channel="test", event_key="first"), LATER)
    assert message is not None
    inbox.withdrawn(db)
    record.retraction(db, message, LATER)


def forget(db: Database) -> None:
    erasure.request(db, "test", "customer-ada", NOW.isoformat())
    for outgoing in outbox.unsent(db):
        outbox.not_sent(db, outgoing, "x", "failed", LATER)
    erasure.is_requested(db)
    assert erasure.erase_requested(db, LATER) == 1
    erasure.sweep(db, LATER, is_first=True)


def read(db: Database) -> None:
    dialogues._takes_part(db, "test", "ada", "customer-ada")
    dialogues._open_questions(db, "test", "customer-ada")
    inbox.customer_language(db, "test", "customer-ada")
    outbox.reply_of(db, "test", outbox.unsent(db)[-1].turn)


def look_at_gaps(db: Database) -> None:
    exchange(db, incoming("Dogs?"), handoff="no_article")
    [question] = gaps.open_questions(db, NOW)
    gaps.article_text(db, question.nearest)


def tell(db: Database) -> None:
    exchange(db, incoming("Dogs?"))
    [*_, asked] = labels.unlabelled(db, "m", "", labels.newest(db), 8)
    assert labels.label(db, asked.id, "dogs", "admin", NOW)
    wanted = Wanted(found=(Found("dogs", 0.9),), model="m")
    labels.tell(db, {asked.id: wanted}, NOW)


def look_closer(db: Database) -> None:
    cohort = Cohort(origin=NOW, since=NOW, until=LATER)
    for wanted in (
        AskedFilters(since=NOW, intent="dogs", reason="any", verdict="down", is_annoyed=True),
        AskedFilters(since=NOW, until=LATER, intent="?", reason="concern", outcome="solved"),
        AskedFilters(since=NOW, until=LATER, cohort=cohort),
    ):
        conversations.conversations(db, conversations.Filters(asked=wanted, channel="test"))


def put_together(db: Database) -> None:
    for text in ("Are dogs welcome?", "Dogs allowed?"):
        exchange(db, incoming(text))
    read = group_runs.known(db, NOW, is_trained=False).messages
    turns = [each.id for each in read]
    found = FoundGroup(id=None, name="dogs", terms=(), turns=turns, examples=turns)
    group_runs.keep(db, [found], turns, NOW, NOW)
    group_runs.known(db, NOW, is_trained=True)
    [group] = groups.groups(db)
    assert groups.confirm(db, group.id, "dogs", "admin", NOW)
    assert groups.reopen(db, group.id, "admin", NOW)
    gaps.questions_of_group(db, group.id)


def judge(db: Database) -> None:
    reply = exchange(db, incoming("Dogs?")).turn
    assert preferences.correct(db, reply, "Welcome.", "admin", NOW)
    assert preferences.correction(db, reply) == "Welcome."
    assert not preferences.choose(db, reply, (0, 1), "first", "admin", NOW)


WORK: dict[str, Callable[[Database], object]] = {
    "receive": lambda db: receive(db, incoming()),
    "attempt": lambda db: inbox.start_attempt(db, [1], [1]),
    "unanswered": inbox.unanswered,
    "context": lambda db: record.context(db, inbox.received(db, 1), 12),
    "exchange": lambda db: exchange(db, incoming(HANDED_ON)),
    "edit": edit,
    "settle": settle,
    "rate": rate,
    "withdraw": withdraw,
    "export": lambda db: export.customer_data(db, "test", "customer-ada"),
    "forget": forget,
    "dialogues": read,
    "gaps": look_at_gaps,
    "groups": put_together,
    "judge": judge,
    "closer": look_closer,
    "alert": lambda db: alerts.tell(db, [Rise(number=9, expected=1.0, p_value=0.0)], NOW),
    "intents": tell,
}


@pytest.mark.parametrize("work", [pytest.param(WORK[name], id=name) for name in WORK])
def test_that_no_table_is_read_from_end_to_end(
    db: Database, work: Callable[[Database], object]
) -> None:
    exchange(db, incoming(key="first"), ("p1",))
    exchange(db, incoming(HANDED_ON), handoff="asked_for_person")
    seen: list[str] = []

    db.conn.set_trace_callback(seen.append)
    work(db)
    db.conn.set_trace_callback(None)

    assert [(sql, step) for sql in seen for step in scans(db, sql)] == []


def scans(db: Database, sql: str) -> list[str]:
    """Return the steps of a statement that read a whole table."""
    if not sql.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
        return []
    rows = db.conn.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    steps = [row[3] for row in rows if row[3].startswith("SCAN") or "(channel=?)" in row[3]]
    return [
        step
        for step in steps
        if not any(name in step for name in (*PARTIAL, *SMALL, *FOUND, *UNAVOIDABLE))
    ]
