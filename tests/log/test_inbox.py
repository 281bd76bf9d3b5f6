"""What customers sent, as it reads after edits and deletions."""

from dataclasses import replace

import pytest
from sqlite_utils import Database

from bot.log import inbox, record
from bot.log.record import Context
from bot.messages import Attachment, Incoming, Withdrawal
from tests.log.writing import LATER, answer, exchange, receive, reply
from tests.small_shop import NOW, incoming

DELETED = Withdrawal(channel="test", event_key="first")


def test_that_files_are_stored_with_their_message(db: Database) -> None:
    files = (
        Attachment(kind="voice", id="v1", media_type="audio/ogg", size=2048),
        Attachment(kind="document", id="d1", name="发票.pdf"),
    )

    assert receive(db, incoming("", attachments=files)).attachments == files
    assert inbox.unanswered(db)[0].attachments == files


def test_that_a_waiting_message_is_changed_in_its_place(db: Database) -> None:
    first = receive(db, incoming("退活", key="first"))
    edit = incoming("退货", key="edit:1", edits="first")

    receipt = inbox.receive(db, edit, LATER)

    assert receipt.is_new
    assert receipt.waiting == replace(first, text="退货")
    assert inbox.receive(db, edit, LATER).is_new is False
    assert inbox.unanswered(db) == [receipt.waiting]


def picture(number: int, text: str = "") -> Incoming:
    """Return one picture of an album, with or without a caption."""
    files = (Attachment(kind="photo", id=f"p{number}"),)
    return replace(incoming(text, key=f"picture-{number}", attachments=files), album="album-7")


@pytest.mark.parametrize("captioned", [0, 1, 2])
def test_that_an_album_is_one_message_with_all_its_files(db: Database, captioned: int) -> None:
    for number in range(3):
        words = "坏了吗？" if number == captioned else ""
        inbox.receive(db, picture(number, words), NOW)

    [waiting] = inbox.unanswered(db)

    assert waiting.text == "坏了吗？"
    assert sorted(file.id for file in waiting.attachments) == ["p0", "p1", "p2"]
    assert inbox.receive(db, picture(2), NOW).is_new is False


def test_that_two_captions_of_an_album_are_one_message(db: Database) -> None:
    inbox.receive(db, picture(1, "Is this broken?"), NOW)
    inbox.receive(db, picture(2, "And this?"), NOW)

    assert [each.text for each in inbox.unanswered(db)] == ["Is this broken?\nAnd this?"]


def test_that_a_caption_after_the_answer_is_a_new_version_of_the_album(db: Database) -> None:
    first = receive(db, picture(1))
    reply(db, [first])

    late = inbox.receive(db, picture(2, "Is this broken?"), LATER).waiting

    assert late is not None
    assert (late.edits, late.text) == (first.id, "Is this broken?")
    assert inbox.receive(db, picture(3), LATER) == inbox.Receipt(is_new=False, waiting=late)


def test_that_an_answer_to_what_was_changed_meanwhile_is_not_stored(db: Database) -> None:
    first = receive(db, incoming("old", key="first"))
    inbox.receive(db, incoming("new", edits="first"), NOW)

    assert record.exchange(db, [first], answer("old"), LATER) is None
    assert db.table("turns").count == 0


def test_that_an_answer_to_what_was_deleted_meanwhile_is_not_stored(db: Database) -> None:
    first, second = receive(db, incoming(key="first")), receive(db, incoming())
    inbox.withdraw(db, DELETED, NOW)

    assert record.exchange(db, [first, second], answer("x"), LATER) is None
    assert [message.id for message in inbox.unanswered(db)] == [second.id]


def test_that_a_message_is_not_answered_twice(db: Database) -> None:
    first = receive(db, incoming())
    reply(db, [first])

    assert record.exchange(db, [first], answer("x"), LATER) is None
    assert inbox.start_attempt(db, [first.id], [first.id]) == []


def test_that_an_answered_message_gets_a_new_version(db: Database) -> None:
    outgoing = exchange(db, incoming("old", key="first"), ("p1", "p2"))

    version = receive(db, incoming("new", key="edit:1", edits="first"))
    newer = reply(db, [version])

    assert version.edits == 1
    assert newer.replaces == ("p1", "p2")
    assert newer.in_reply_to == "first"
    superseded = dict(db.execute("SELECT text, superseded_by IS NOT NULL FROM turns").fetchall())
    assert (superseded["old"], superseded["new"]) == (1, 0)
    assert db.execute("SELECT DISTINCT reply FROM inbox").fetchall() == [(newer.turn,)]
    assert newer.turn != outgoing.turn


def test_that_a_new_version_of_the_first_message_keeps_the_language(db: Database) -> None:
    exchange(db, incoming("你好", key="first"))
    version = receive(db, incoming("12345?", edits="first"))

    assert record.context(db, version, 12) == Context(history=(), language="zh")


def test_that_a_version_may_go_back_to_the_first_wording(db: Database) -> None:
    exchange(db, incoming("one", key="first"))
    exchange(db, incoming("two", edits="first"))

    assert receive(db, incoming("one", edits="first")).text == "one"


@pytest.mark.parametrize(
    ("edited", "wording"), [("first", "一！\n二\n三"), ("second", "一\n二！\n三")]
)
def test_that_a_version_stands_among_what_was_answered_with_it(
    db: Database, edited: str, wording: str
) -> None:
    batch = [
        receive(db, incoming(text, key=key))
        for text, key in (("一", "first"), ("二", "second"), ("三", "third"))
    ]
    outgoing = reply(db, batch)
    text = next(message.text for message in batch if message.event_key == edited)

    version = receive(db, incoming(f"{text}！", edits=edited))

    assert (outgoing.in_reply_to, outgoing.also_answers) == ("third", ("first", "second"))
    assert inbox.wording(db, batch) == "一\n二\n三"
    assert inbox.wording(db, [version]) == wording


def test_that_a_deleted_message_is_never_edited_nor_answered(db: Database) -> None:
    receive(db, incoming(key="first"))
    assert inbox.withdraw(db, DELETED, NOW) is not None

    assert inbox.receive(db, incoming("new", edits="first"), LATER) == inbox.Receipt(
        is_new=False, waiting=None
    )
    assert inbox.unanswered(db) == []
    assert inbox.withdrawn(db) == []


def test_that_a_deletion_reaches_every_version_and_its_turns(db: Database) -> None:
    exchange(db, incoming("one", key="first"), ("p1",))
    exchange(db, incoming("two", edits="first"), ("p1",))

    inbox.withdraw(db, DELETED, LATER)

    assert db.execute("SELECT count(*) FROM inbox WHERE withdrawn_at IS NULL").fetchone() == (0,)
    standing = db.execute("SELECT text FROM turns WHERE withdrawn_at IS NULL").fetchall()
    assert {text for (text,) in standing} == {"Yes. 可以。"}
    [left] = inbox.withdrawn(db)
    retraction = record.retraction(db, left, LATER)
    assert retraction is not None
    assert (retraction.replaces, retraction.is_retraction) == (("p1",), True)
    assert inbox.withdrawn(db) == []


def test_that_nothing_is_taken_back_that_was_never_shown(db: Database) -> None:
    exchange(db, incoming(key="first"))
    withdrawn = inbox.withdraw(db, DELETED, LATER)
    assert withdrawn is not None

    assert record.retraction(db, withdrawn, LATER) is None


def test_that_what_was_heard_is_stored_until_the_answer(db: Database) -> None:
    first = receive(db, incoming("", key="first"))
    inbox.set_text(db, first.id, "能退货吗")
    assert inbox.received(db, first.id).text == "能退货吗"
    reply(db, [inbox.received(db, first.id)])

    inbox.set_text(db, first.id, "too late")

    assert inbox.received(db, first.id).text == "能退货吗"


def test_that_the_log_is_whole_after_all_of_it(db: Database) -> None:
    batch = [receive(db, incoming(key=key)) for key in ("first", "second")]
    reply(db, batch)
    exchange(db, incoming("changed", edits="first"))
    inbox.withdraw(db, DELETED, LATER)

    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
