"""What the log knows of each message: from real exchanges to facts."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlite_utils import Database

from bot.intents.classifier import Found
from bot.intents.wanted import Wanted
from bot.log import feedback, inbox, notices, outbox, record
from bot.log import intents as labels
from bot.log.analysis import (
    UNKNOWN_INTENT,
    Message,
    first_id,
    labelled_intents,
    messages,
    outdated,
)
from bot.log.migrations import migrations
from bot.log.turns import add_turn
from bot.messages import (
    Candidate,
    ConversationId,
    Dialogue,
    Feedback,
    TurnId,
    Verdict,
    Withdrawal,
)
from tests.log.writing import answer, exchange, receive, reply
from tests.small_shop import NOW, incoming

DAY = timedelta(days=1)


def found(db: Database, intents: dict[str, str] | None = None) -> list[Message]:
    return messages(db, NOW - DAY, NOW + DAY, intents or {})


def rate(db: Database, turn: TurnId, verdict: Verdict, key: str = "k") -> None:
    press = Feedback(
        channel="test",
        event_key=key,
        customer="customer-ada",
        verdict=verdict,
        origin="button",
        turn=turn,
    )
    assert feedback.rate(db, press, NOW)


def test_that_an_answered_question_is_solved(db: Database) -> None:
    exchange(db, incoming("Where is my parcel?"))

    [message] = found(db)

    assert (message.channel, message.language, message.is_solved) == ("test", "en", True)
    assert (message.handoff, message.verdict, message.wait_minutes) == ("", "", None)
    assert message.intent == UNKNOWN_INTENT


def test_that_intents_are_taken_by_turn(db: Database) -> None:
    exchange(db, incoming("Where is my parcel?"))
    [message] = found(db)

    assert found(db, {message.turn: "parcel"})[0].intent == "parcel"


def test_that_a_hand_off_waits_for_a_person(db: Database) -> None:
    exchange(db, incoming("I want to complain"), handoff="complaint")
    [message] = found(db)
    answered_at = datetime.fromisoformat(message.at) + timedelta(minutes=30)
    add_turn(
        db,
        ConversationId(message.conversation),
        role="agent",
        text="I am on it.",
        language="en",
        created_at=answered_at.isoformat(),
    )

    [message] = found(db)

    assert (message.is_solved, message.handoff, message.concern) == (
        False,
        "complaint",
        "complaint",
    )
    assert message.wait_minutes == pytest.approx(30)


def test_that_a_person_soon_after_means_the_answer_did_not_solve_it(db: Database) -> None:
    exchange(db, incoming("Where is my parcel?"))
    exchange(db, incoming("Get me a person"), handoff="asked_for_person")
    exchange(db, incoming("Do you sell tents?", address="bob"))

    assert [message.is_solved for message in found(db)] == [False, False, True]


@pytest.mark.parametrize(
    ("verdicts", "verdict", "is_solved"),
    [
        pytest.param(["down"], "down", False, id="down"),
        pytest.param(["down", "up"], "up", True, id="changed"),
        pytest.param(["down", "withdrawn"], "", True, id="withdrawn"),
    ],
)
def test_that_the_newest_verdict_counts(
    db: Database, verdicts: list[Verdict], verdict: str, is_solved: bool
) -> None:
    outgoing = exchange(db, incoming("Where is my parcel?"))
    for number, each in enumerate(verdicts):
        rate(db, outgoing.turn, each, str(number))

    [message] = found(db)

    assert (message.verdict, message.is_solved) == (verdict, is_solved)


def test_that_only_the_period_is_read(db: Database) -> None:
    exchange(db, incoming("Where is my parcel?"))

    assert messages(db, NOW + DAY, NOW + 2 * DAY, {}) == []
    assert messages(db, NOW - 2 * DAY, NOW - DAY, {}) == []


def test_that_the_pass_over_the_turns_begins_where_the_period_does(db: Database) -> None:
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM turns WHERE id >= ? ORDER BY id", ["x"]
    ).fetchall()

    assert "SEARCH turns USING" in plan[0][3]


def test_that_an_id_of_a_time_is_not_above_those_given_then() -> None:
    before, after = (datetime(2026, 3, 1, 9, minute, tzinfo=UTC) for minute in (0, 1))

    assert first_id(before) < first_id(after)
    assert first_id(datetime(1970, 1, 1, tzinfo=UTC)).startswith("00000000-0000-7")


def test_that_intents_come_from_the_log(db: Database) -> None:
    exchange(db, incoming("Where is my parcel?"))
    [turn] = db.execute("SELECT id FROM turns WHERE role = 'customer'").fetchone()
    assert labelled_intents(db, NOW) == {}

    found = Found("likely", 0.8), Found("less", 0.1)
    labels.tell(db, {turn: Wanted(found=found, model="m")}, NOW)
    assert labelled_intents(db, NOW) == {turn: "likely"}

    labels.label(db, turn, "tracking", "admin", NOW)
    assert labelled_intents(db, NOW) == {turn: "tracking"}


def test_that_a_log_of_before_labels_can_be_read() -> None:
    before = Database(memory=True)
    migrations.apply(before, stop_before="m012_intents")

    assert labelled_intents(before, NOW) == {}


def test_that_all_messages_of_a_burst_got_the_answer(db: Database) -> None:
    batch = [receive(db, incoming(text)) for text in ("Hello", "where is", "my parcel?")]
    reply(db, batch, handoff="no_article")

    assert [(each.handoff, each.reply_ms) for each in found(db)] == [("no_article", 300_000)] * 3


def test_that_the_time_to_the_reply_counts_from_the_messages_arrival(db: Database) -> None:
    waiting = receive(db, incoming("Where is my parcel?"))
    assert record.exchange(db, [waiting], answer(waiting.text), NOW + timedelta(hours=2))

    assert [each.reply_ms for each in found(db)] == [2 * 3_600_000]


def test_that_an_edited_message_counts_once_and_its_hand_off_is_over(db: Database) -> None:
    exchange(db, incoming("Do you sell tents?"))
    exchange(db, incoming("Get me a person", key="edit:1"), ("p1",), handoff="asked_for_person")
    exchange(db, incoming("Do you sell boots?", key="edit:2", edits="edit:1"), ("p1",))

    told = [(each.handoff, each.is_solved) for each in found(db)]
    assert told == [("", True), ("", True)]


def test_that_the_rest_of_a_burst_has_the_answer_to_its_edited_part(db: Database) -> None:
    texts = [incoming("My parcel", key="part:1"), incoming("a person!", key="part:2")]
    first = reply(db, [receive(db, text) for text in texts], handoff="asked_for_person")
    outbox.start_sending(db, first, ("p1",))
    outbox.sent(db, first, ("p1",), NOW)
    exchange(db, incoming("where is it?", key="part:3", edits="part:2"), ("p1",))

    assert [(each.handoff, each.is_solved) for each in found(db)] == [("", True), ("", True)]


def test_that_a_deleted_message_is_not_counted(db: Database) -> None:
    exchange(db, incoming("Where is my parcel?", key="first"), ("p1",), handoff="no_article")
    withdrawn = inbox.withdraw(db, Withdrawal(channel="test", event_key="first"), NOW)
    assert withdrawn
    record.retraction(db, withdrawn, NOW)

    assert found(db) == []


def test_that_what_is_told_later_leaves_the_first_replys_time_and_reason(db: Database) -> None:
    first = exchange(db, incoming("Cancel my order"), ("p1",), handoff="approval")
    dialogue = Dialogue(channel="test", address="ada", customer="customer-ada")
    told = Candidate(source="action", text="It is cancelled.")
    later = NOW + timedelta(minutes=30)
    assert notices.notice(db, dialogue, first.turn, told, "en", "test/1", later)
    rate(db, first.turn, "up")

    [message] = found(db)

    assert (message.handoff, message.verdict, message.is_solved) == ("approval", "up", False)
    assert message.reply_ms == 300_000
    assert message.wait_minutes == pytest.approx(30)


def test_that_a_settled_hand_off_waits_no_longer(db: Database) -> None:
    exchange(db, incoming("I want to complain"), handoff="complaint")
    exchange(db, incoming("Do you sell tents?", address="bob"))
    [waiting, other] = found(db)
    assert (waiting.wait_minutes, other.wait_minutes) == (None, None)
    record.settle(db, waiting.conversation, NOW + timedelta(minutes=45))

    assert [each.wait_minutes for each in found(db)] == [45, None]


def test_that_a_thumb_stands_when_another_way_of_telling_it_is_taken_back(db: Database) -> None:
    outgoing = exchange(db, incoming("Where is my parcel?"))
    rate(db, outgoing.turn, "up", "a")
    reaction = Feedback(
        channel="test",
        event_key="b",
        customer="customer-ada",
        verdict="withdrawn",
        origin="reaction",
        turn=outgoing.turn,
    )
    assert feedback.rate(db, reaction, NOW)

    assert [each.verdict for each in found(db)] == ["up"]


def test_that_labels_of_an_older_classifier_are_told_apart(db: Database) -> None:
    for text in ("Tents?", "Boots?", "Maps?"):
        exchange(db, incoming(text))
    turns = [each.turn for each in found(db)]
    told = Found("likely", 0.8)
    for turn, model in zip(turns, ("old", "old", "new"), strict=True):
        labels.tell(db, {TurnId(turn): Wanted(found=(told,), model=model)}, NOW)
    labels.label(db, turns[1], "boots", "admin", NOW)

    assert outdated(db, NOW - DAY) == {turns[0]}
    read = messages(db, NOW - DAY, NOW + DAY, {}, outdated(db, NOW - DAY))
    assert [each.is_outdated for each in read] == [True, False, False]
