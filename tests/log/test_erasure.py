"""Erasing a customer: nothing of theirs stays, nothing of others' goes."""

from datetime import timedelta

import pytest
from sqlite_utils import Database

from bot.log import (
    erasure,
    feedback,
    gaps,
    group_runs,
    inbox,
    outbox,
    preferences,
    usage,
)
from bot.log import intents as labels
from bot.log.group_runs import FoundGroup
from bot.messages import Attachment, Feedback, Outgoing, Withdrawal
from tests.log.writing import LATER, exchange, receive, reply
from tests.small_shop import NOW, incoming

SOON = (NOW + timedelta(days=1)).isoformat()
PERSONAL = (
    "turns",
    "candidates",
    "conversations",
    "customers",
    "outbox",
    "posts",
    "feedback",
    "usage",
    "gap_marks",
    "corrections",
    "preferences",
    "intent_labels",
    "intent_group_members",
)


def rate(db: Database, of: Outgoing, customer: str) -> None:
    press = Feedback(
        channel="test",
        event_key=f"{of.turn}:{customer}",
        customer=customer,
        verdict="up",
        origin="button",
        turn=of.turn,
    )
    assert feedback.rate(db, press, NOW)


def a_whole_life(db: Database, name: str) -> None:
    """Let a customer ask, edit, delete, send a file, be handed on, rate and wait."""
    photo = Attachment(kind="photo", id=f"photo-{name}")
    customer = f"customer-{name}"
    first = exchange(
        db,
        incoming(f"{name} 1", key=f"{name}:1", address=name, attachments=(photo,)),
        (f"{name}p",),
    )
    rate(db, first, customer)
    preferences.correct(db, first.turn, f"{name} should hear this", "admin", LATER)
    prefer_another(db, first)
    exchange(db, incoming(f"{name} 2", key=f"{name}:e", address=name, edits=f"{name}:1"))
    exchange(db, incoming(f"{name} 3", address=name), handoff="asked_for_person")
    batch = [receive(db, incoming(f"{name} {n}", address=name)) for n in "45"]
    reply(db, batch)
    exchange(db, incoming(f"{name} 6", key=f"{name}:6", address=name))
    inbox.withdraw(db, Withdrawal(channel="test", event_key=f"{name}:6"), NOW)
    for outgoing in outbox.unsent(db):
        outbox.start_sending(db, outgoing, outgoing.replaces)
        outbox.sent(db, outgoing, (f"{name}:{outgoing.id}",), LATER)
    receive(db, incoming(f"{name} 7", address=name))
    usage.add(db, "test", customer, NOW, calls=1, tokens=300)
    [asked] = db.execute("SELECT id FROM turns WHERE text = ?", [f"{name} 3"]).fetchone()
    gaps.mark(db, [asked], "ignored", "admin", NOW)
    assert labels.label(db, asked, f"{name} wants", "admin", NOW)
    put_together(db, name)


def put_together(db: Database, name: str) -> None:
    """Let two of a customer's messages be a group that is named by their words."""
    turns = [
        db.execute("SELECT id FROM turns WHERE text = ?", [f"{name} {n}"]).fetchone()[0]
        for n in "45"
    ]
    before = group_runs.known(db, NOW, is_trained=False).before
    others = {
        number: [turn for turn, of in before.items() if of == number]
        for number in {*before.values()}
    }
    found = [
        FoundGroup(id=number, name="", terms=(), turns=each, examples=each)
        for number, each in others.items()
    ]
    new = FoundGroup(id=None, name=f"what {name} says", terms=(name,), turns=turns, examples=turns)
    group_runs.keep(db, [*found, new], turns, NOW, NOW)


def prefer_another(db: Database, reply: Outgoing) -> None:
    """Let the team say that another candidate would have been better."""
    db.execute(
        "INSERT INTO candidates SELECT turn, 1, source, text || '!', citations, features, refusal,"
        " 0, policy, 0 FROM candidates WHERE turn = ?",
        [reply.turn],
    )
    assert preferences.choose(db, reply.turn, (0, 1), "second", "admin", LATER)


def count(db: Database) -> dict[str, int]:
    return {table: db.table(table).count for table in PERSONAL}


def everything(db: Database) -> str:
    tables = [name for name in db.table_names() if not name.startswith("_")]
    return repr([db.execute(f"SELECT * FROM [{table}]").fetchall() for table in tables])


def test_that_only_the_others_are_left(db: Database) -> None:
    a_whole_life(db, "bo")
    before = count(db)
    a_whole_life(db, "nora")  # no name that an id's hexadecimal digits can spell

    erasure.erase(db, "test", "customer-nora", SOON)
    while erasure.sweep(db, LATER, is_first=True):
        pass

    assert count(db) == before
    assert "nora" not in everything(db)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [message.text for message in inbox.unanswered(db)] == ["bo 7"]


def test_that_the_same_person_elsewhere_stays(db: Database) -> None:
    exchange(db, incoming("on slack", channel="slack"))
    exchange(db, incoming("on test"))

    erasure.erase(db, "test", "customer-ada", SOON)

    left = db.execute("SELECT text FROM turns WHERE role = 'customer'").fetchall()
    assert left == [("on slack",)]


def test_that_a_guest_in_a_thread_goes_and_its_owner_stays(db: Database) -> None:
    owners = exchange(db, incoming("owner", address="thread", customer="ada"), ("p1",))
    guests = exchange(db, incoming("guest", address="thread", customer="bo"), ("p2",))
    rate(db, owners, "bo")
    rate(db, guests, "ada")

    erasure.erase(db, "test", "bo", SOON)

    assert db.execute("SELECT text FROM turns WHERE role = 'customer'").fetchall() == [("owner",)]
    assert db.table("feedback").count == 0
    assert outbox.posts_of(db, owners.turn) == ("p1",)
    assert "bo" not in everything(db)


def test_that_a_thread_goes_over_to_who_else_wrote_in_it(db: Database) -> None:
    exchange(db, incoming("owner", address="thread", customer="ada"))
    conversation = exchange(db, incoming("guest", address="thread", customer="bo")).conversation

    erasure.erase(db, "test", "ada", SOON)

    owner = "SELECT external_id FROM customers JOIN conversations ON customer = customers.id"
    assert db.execute(owner).fetchall() == [("bo",)]
    assert exchange(db, incoming(address="thread", customer="bo")).conversation == conversation


@pytest.mark.parametrize(("key", "stays"), [("update:7", 1), ("event:E1", 1), ("chat:ada:7", 0)])
def test_that_keys_without_the_person_in_them_stay_known(
    db: Database, key: str, stays: int
) -> None:
    exchange(db, incoming("/forget yes", key=key))

    erasure.erase(db, "test", "customer-ada", SOON)

    assert db.table("inbox_keys").count == stays
    assert inbox.receive(db, incoming("/forget yes", key=key), NOW).is_new is not bool(stays)


def test_that_a_request_waits_until_its_customer_has_been_told(db: Database) -> None:
    outgoing = exchange(db, incoming())
    erasure.request(db, "test", "customer-ada", SOON)

    assert erasure.erase_requested(db, LATER) == 0
    outbox.start_sending(db, outgoing, outgoing.replaces)
    assert erasure.erase_requested(db, LATER) == 0
    outbox.sent(db, outgoing, (), LATER)
    assert erasure.is_requested(db)
    assert erasure.erase_requested(db, LATER) == 1
    assert not erasure.is_requested(db)
    rows = db.execute("SELECT customer, requested_at, erased_at FROM erasures").fetchall()
    assert rows == [("", SOON, LATER.isoformat())]


def test_that_another_customers_reply_delays_nothing(db: Database) -> None:
    exchange(db, incoming(address="bo"))
    erasure.request(db, "test", "customer-ada", SOON)

    assert erasure.erase_requested(db, LATER) == 1


def test_that_asking_twice_is_no_error(db: Database) -> None:
    exchange(db, incoming(), ("p",))
    for _ in "12":
        erasure.request(db, "test", "customer-ada", SOON)

    assert erasure.erase_requested(db, LATER) == 2


def test_that_what_came_after_the_request_waits_on(db: Database) -> None:
    exchange(db, incoming("before", key="first"), ("p",))
    receive(db, incoming("waits since before"))
    asked_at = (NOW + timedelta(seconds=1)).isoformat()
    after = inbox.receive(db, incoming("after"), LATER).waiting
    inbox.receive(db, incoming("edited", edits="first"), LATER)

    erasure.erase(db, "test", "customer-ada", asked_at)

    assert inbox.unanswered(db) == [after]
    assert "before" not in everything(db)
    assert "edited" not in everything(db)


def test_that_an_erased_message_in_the_making_is_not_answered(db: Database) -> None:
    waiting = receive(db, incoming())
    erasure.erase(db, "test", "customer-ada", SOON)

    assert inbox.start_attempt(db, [waiting.id], [waiting.id]) == []
    assert not inbox.is_as_read(db, waiting)


def test_that_a_post_that_shows_up_after_the_erasure_is_not_noted(db: Database) -> None:
    waiting = receive(db, incoming())
    erasure.erase(db, "test", "customer-ada", SOON)
    inbox.set_preview(db, waiting.id, "ada:77")

    assert "ada" not in everything(db)
    assert inbox.withdrawn(db) == []
