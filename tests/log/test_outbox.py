"""Replies on their way, the posts that show them, and where their conversations go on."""

import json
from dataclasses import replace
from typing import Literal

import pytest
from sqlite_utils import Database

from bot.log import inbox, outbox, record
from bot.messages import Choice, Document, Outgoing
from tests.log.writing import LATER, exchange, receive, reply
from tests.small_shop import NOW, incoming


def queued(db: Database, **changes: object) -> Outgoing:
    """Queue a reply once more, with changes."""
    first = exchange(db, incoming())
    return outbox.queue(db, replace(first, **changes), NOW)  # type: ignore[arg-type]


def test_that_a_reply_is_read_back_as_it_was_queued(db: Database) -> None:
    outgoing = queued(
        db,
        choices=(Choice(label="转人工", command="/human"),),
        also_answers=("a", "b"),
        replaces=("p1", "p2"),
        document=Document(name="frontdesk.json", text="{}"),
    )

    assert outbox.unsent(db)[-1] == outgoing
    assert outgoing.id == 2


def test_that_a_reply_of_an_earlier_version_can_be_read(db: Database) -> None:
    outgoing = exchange(db, incoming())
    new = ("customer", "also_answers", "choices", "replaces", "is_retraction", "document")
    paths = ", ".join(f"'$.{name}'" for name in new)
    db.execute(f"UPDATE outbox SET reply = json_remove(reply, {paths})")

    assert outbox.unsent(db) == [replace(outgoing, customer="")]


def test_that_a_reply_leaves_once(db: Database) -> None:
    outgoing = exchange(db, incoming())

    assert outbox.start_sending(db, outgoing, ["p1"]).replaces == ("p1",)
    assert outbox.waiting(db, outgoing) is None


def test_that_posts_are_those_that_stand_now(db: Database) -> None:
    first = exchange(db, incoming(), ("c:1", "c:2", "c:3"))
    assert outbox.posts_of(db, first.turn) == ("c:1", "c:2", "c:3")

    newer = replace(queued(db), replaces=("c:1", "c:2", "c:3"))
    outbox.sent(db, newer, ("c:1", "c:4"), LATER)

    assert outbox.posts_of(db, newer.turn) == ("c:1", "c:4")
    assert outbox.posts_of(db, first.turn) == ()


def test_that_what_a_crash_interrupted_is_doubtful(db: Database) -> None:
    interrupted, untouched = queued(db), queued(db)
    outbox.start_sending(db, interrupted, ["p1"])

    assert outbox.doubt_interrupted(db) == 1
    doubtful = outbox.waiting(db, interrupted)
    assert doubtful is not None
    assert (doubtful.is_doubtful, doubtful.outgoing.replaces) == (True, ("p1",))
    ready = outbox.waiting(db, untouched)
    assert ready is not None
    assert not ready.is_doubtful


@pytest.mark.parametrize("is_doubtful", [True, False])
def test_that_a_failed_try_says_whether_to_look_first(db: Database, is_doubtful: bool) -> None:
    outgoing = outbox.start_sending(db, queued(db), [])
    outbox.not_sent(db, outgoing, "lost", "ready", LATER, is_doubtful=is_doubtful)

    again = outbox.waiting(db, outgoing)
    assert again is not None
    assert again.is_doubtful is is_doubtful


@pytest.mark.parametrize("end", ["sent", "failed", "in_doubt"])
def test_that_a_document_is_not_kept_once_it_is_settled(db: Database, end: str) -> None:
    outgoing = queued(db, document=Document(name="d", text="all my data"))
    outbox.start_sending(db, outgoing, [])

    if end == "sent":
        outbox.sent(db, outgoing, ("p",), LATER)
    else:
        state: Literal["failed", "in_doubt"] = "failed" if end == "failed" else "in_doubt"
        outbox.not_sent(db, outgoing, "error", state, LATER)

    replies = [row[0] for row in db.execute("SELECT reply FROM outbox").fetchall()]
    assert "all my data" not in "".join(replies)


def test_that_a_document_waits_with_its_reply(db: Database) -> None:
    outgoing = queued(db, document=Document(name="d", text="数据"))
    outbox.start_sending(db, outgoing, [])
    outbox.not_sent(db, outgoing, "down", "ready", LATER)

    assert outbox.unsent(db)[-1].document == outgoing.document


def test_that_a_reply_is_found_by_its_turn(db: Database) -> None:
    outgoing = exchange(db, incoming())

    assert outbox.reply_of(db, "test", outgoing.turn) == outgoing
    assert outbox.reply_of(db, "slack", outgoing.turn) is None


# Moving.


def addresses(db: Database, table: str) -> list[str]:
    return [row[0] for row in db.execute(f"SELECT address FROM {table} ORDER BY rowid").fetchall()]


@pytest.mark.parametrize("table", ["conversations", "inbox", "outbox"])
def test_that_an_address_and_what_is_below_it_moves(db: Database, table: str) -> None:
    for address in ("-5", "-5:7", "-55", "5"):
        exchange(db, incoming(address=address))
    exchange(db, incoming(address="-5", channel="slack"))

    record.move(db, "test", "-5", "-100")

    assert sorted(addresses(db, table)) == sorted(["-100", "-100:7", "-55", "5", "-5"])


def test_that_a_waiting_reply_goes_to_the_new_address(db: Database) -> None:
    ready, leaving = exchange(db, incoming(address="-5")), exchange(db, incoming(address="-5:7"))
    outbox.start_sending(db, leaving, [])

    record.move(db, "test", "-5", "-100")
    outbox.not_sent(db, leaving, "the group has moved", "ready", LATER)

    assert [outgoing.address for outgoing in outbox.unsent(db)] == ["-100", "-100:7"]
    again = outbox.waiting(db, ready)
    assert again is not None
    assert again.outgoing.address == "-100"


def test_that_a_conversation_goes_on_where_it_moved(db: Database) -> None:
    first = exchange(db, incoming(address="-5"))
    record.move(db, "test", "-5", "-100")

    assert exchange(db, incoming(address="-100")).conversation == first.conversation


def test_that_moving_to_where_one_writes_already_loses_nothing(db: Database) -> None:
    old, new = exchange(db, incoming(address="-5")), exchange(db, incoming(address="-100"))
    waiting = receive(db, incoming(address="-5"))

    record.move(db, "test", "-5", "-100")
    [moved] = list(db.execute("SELECT id, address FROM inbox WHERE turn IS NULL"))

    assert moved == (waiting.id, "-100")
    assert [json.loads(row[0])["address"] for row in db.execute("SELECT reply FROM outbox")] == [
        "-100",
        "-100",
    ]
    assert {old.conversation, new.conversation} == {
        row[0] for row in db.execute("SELECT id FROM conversations").fetchall()
    }
    received = inbox.received(db, waiting.id)
    assert reply(db, [received]).conversation == new.conversation
