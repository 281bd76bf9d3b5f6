"""What the log knows of intents: labels, and what the team decided about names."""

from dataclasses import replace

import pytest
from sqlite_utils import Database

from bot.intents.classifier import Found
from bot.intents.rows import Row
from bot.intents.wanted import Wanted
from bot.log import erasure, record
from bot.log import intents as labels
from bot.log.migrations import migrations
from tests.log.writing import answer, exchange, receive
from tests.small_shop import NOW, incoming

LABELS = {"Where is it?": "tracking", "发票呢": "bill", "Send it back": "return"}


@pytest.fixture
def labelled(db: Database) -> Database:
    for number, (text, intent) in enumerate(LABELS.items()):
        exchange(db, incoming(text, address=f"customer{number}"))
        assert labels.label(db, turn_of(db, text), intent, "admin", NOW)
    return db


def turn_of(db: Database, text: str) -> str:
    [found] = db.execute("SELECT id FROM turns WHERE text = ?", [text]).fetchone()
    return str(found)


def test_that_a_persons_label_takes_the_place_of_all_others(labelled: Database) -> None:
    turn = turn_of(labelled, "Where is it?")
    assert labels.label(labelled, turn, "delivery", "bo", NOW)

    rows = "SELECT intent, account FROM intent_labels WHERE turn = ?"
    assert labelled.execute(rows, [turn]).fetchall() == [("delivery", "bo")]


def test_that_only_a_customers_turn_gets_a_label(labelled: Database) -> None:
    [reply] = labelled.execute("SELECT id FROM turns WHERE role = 'assistant'").fetchone()

    assert not labels.label(labelled, reply, "return", "admin", NOW)
    assert not labels.label(labelled, "no such turn", "return", "admin", NOW)


def test_that_messages_teach_what_people_said_under_todays_names(labelled: Database) -> None:
    exchange(labelled, incoming("Not labelled by anybody"))
    told = Wanted(found=(Found("return", 0.9),), model="m")
    labels.tell(labelled, {turn_of(labelled, "Not labelled by anybody"): told}, NOW)  # type: ignore[dict-item]
    labels.decide(labelled, "bill", "admin", NOW, retired=True, becomes="invoices")
    labels.decide(labelled, "invoices", "admin", NOW, retired=True, becomes="invoice")
    labels.decide(labelled, "return", "admin", NOW, retired=True)

    assert labels.taught(labelled) == [
        Row("Where is it?", ("tracking",)),
        Row("发票呢", ("invoice",)),
        Row("Send it back"),
    ]


def test_that_the_newest_decision_counts(labelled: Database) -> None:
    labels.decide(labelled, "bill", "admin", NOW, retired=True, becomes="invoice")
    labels.decide(labelled, "bill", "bo", NOW, retired=False)

    assert labels.taught(labelled)[1] == Row("发票呢", ("bill",))


def test_that_names_in_a_circle_end_somewhere() -> None:
    circle = {
        "a": labels.Decided("a", "retired", "b"),
        "b": labels.Decided("b", "retired", "a"),
    }

    assert labels.current_name("a", circle) in ("a", "b")


def test_that_who_waits_for_being_erased_teaches_nothing(labelled: Database) -> None:
    erasure.request(labelled, "test", "customer-customer0", NOW.isoformat())

    assert [row.text for row in labels.taught(labelled)] == ["发票呢", "Send it back"]


def test_that_a_log_older_than_labels_teaches_nothing() -> None:
    older = Database(memory=True)
    migrations.apply(older, stop_before="m012_intents")

    assert labels.taught(older) == []
    assert labels.untaught(older, 10) == []


def test_that_what_nobody_labelled_teaches_without_a_label_the_newest_first(
    labelled: Database,
) -> None:
    asked = (
        "What does it cost?",
        "Hello",
        "/help",
        "太贵了吗？",
        "What does it cost?",
        "And when?",
    )
    for text in asked:
        exchange(labelled, incoming(text))
    told = Wanted(found=(Found("price", 0.9),), model="m")
    labels.tell(labelled, {turn_of(labelled, "太贵了吗？"): told}, NOW)  # type: ignore[dict-item]
    exchange(labelled, incoming("Forget me", address="bo"))
    erasure.request(labelled, "test", "customer-bo", NOW.isoformat())

    expected = [Row("And when?"), Row("What does it cost?"), Row("太贵了吗？")]
    assert labels.untaught(labelled, 10) == expected
    assert labels.untaught(labelled, 2) == expected[:2]


def test_that_messages_answered_together_wait_for_a_label_of_their_own(db: Database) -> None:
    wanted = Wanted(found=(Found("return", 0.9), Found("invoice", 0.8)), model="m")
    for texts in (["Send it back", "and an invoice"], ["Only this"]):
        batch = [receive(db, incoming(text)) for text in texts]
        together = replace(answer("\n".join(texts)), wanted=wanted)
        assert record.exchange(db, batch, together, NOW)

    told = db.execute("SELECT DISTINCT text FROM intent_labels JOIN turns ON id = turn").fetchall()
    assert told == [("Only this",)]
    waiting = labels.unlabelled(db, "m", "", "~", 10)
    assert [each.text for each in waiting] == ["and an invoice", "Send it back"]
