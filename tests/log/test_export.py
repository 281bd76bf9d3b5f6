"""A customer's own data: all of it, and nothing of anybody else."""

import json
from typing import Any

from sqlite_utils import Database

from bot.log import export, feedback, inbox, preferences, usage
from bot.log import intents as labels
from bot.messages import Attachment, Feedback, Withdrawal
from tests.log.writing import LATER, exchange, receive
from tests.small_shop import NOW, incoming


def data(db: Database, customer: str = "customer-ada") -> Any:
    return json.loads(export.customer_data(db, "test", customer))


def test_that_nobody_has_no_data(db: Database) -> None:
    assert data(db) == {
        "channel": "test",
        "customer": "customer-ada",
        "conversations": [],
        "messages": [],
        "feedback": [],
        "usage": [],
        "actions": [],
        "corrections": [],
        "intents": [],
        "groups": [],
    }


def test_that_everything_of_a_customer_is_in_it(db: Database) -> None:
    voice = Attachment(kind="voice", id="file-1", name="a.ogg", media_type="audio/ogg", size=5)
    outgoing = exchange(db, incoming("怎么退货？", key="first", attachments=(voice,)))
    exchange(db, incoming("Where is it?", address="elsewhere", customer="customer-ada"))
    inbox.withdraw(db, Withdrawal(channel="test", event_key="first"), NOW)
    receive(db, incoming("还在吗"))
    press = Feedback(
        channel="test",
        event_key="p",
        customer="customer-ada",
        verdict="down",
        origin="button",
        turn=outgoing.turn,
        complaint="wrong",
        comment="不对",
    )
    feedback.rate(db, press, LATER)

    usage.add(db, "test", "customer-ada", LATER, calls=2, tokens=300)

    found = data(db)

    assert found["usage"] == [{"day": "2026-03-01", "calls": 2, "tokens": 300}]
    assert [[turn["text"] for turn in each["turns"]] for each in found["conversations"]] == [
        ["怎么退货？", "Yes. 可以。"],
        ["Where is it?", "Yes. 可以。"],
    ]
    assert [message["text"] for message in found["messages"]] == [
        "怎么退货？",
        "Where is it?",
        "还在吗",
    ]
    first = found["messages"][0]
    assert first["deleted"] == NOW.isoformat()
    assert first["files"] == [
        {"kind": "voice", "name": "a.ogg", "media_type": "audio/ogg", "size": 5}
    ]
    [verdict] = found["feedback"]
    assert (verdict["verdict"], verdict["complaint"], verdict["comment"]) == (
        "down",
        "wrong",
        "不对",
    )


def test_that_a_shared_thread_gives_each_their_own_part(db: Database) -> None:
    for name, text in (("ada", "Ada's question"), ("bo", "阿波的问题")):
        reply = exchange(db, incoming(text, address="thread", customer=name))
        preferences.correct(db, reply.turn, f"To {name}", "admin", LATER)
        [asked] = db.execute("SELECT id FROM turns WHERE text = ?", [text]).fetchone()
        assert labels.label(db, asked, f"for {name}", "admin", LATER)

    ada, bo = data(db, "ada"), data(db, "bo")

    assert [turn["text"] for turn in ada["conversations"][0]["turns"]] == [
        "Ada's question",
        "Yes. 可以。",
    ]
    assert "阿波" not in json.dumps(ada, ensure_ascii=False)
    assert bo["conversations"] == []
    assert [(m["text"], m["reply"]) for m in bo["messages"]] == [("阿波的问题", "Yes. 可以。")]
    assert "Ada" not in json.dumps(bo)
    assert ada["corrections"] == [{"time": LATER.isoformat(), "text": "To ada"}]
    assert bo["corrections"] == [{"time": LATER.isoformat(), "text": "To bo"}]
    assert bo["intents"] == [
        {
            "time": NOW.isoformat(),
            "message": "阿波的问题",
            "intent": "for bo",
            "probability": 1.0,
            "source": "person",
        }
    ]


def test_that_channels_are_kept_apart(db: Database) -> None:
    exchange(db, incoming("slack's", channel="slack"))

    assert data(db)["messages"] == []
