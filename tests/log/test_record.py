"""What is written about messages, answers and deliveries, and read back to go on."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest
from sqlite_utils import Database

from bot.conversation import Answer
from bot.knowledge import index
from bot.knowledge.articles import Article
from bot.log import inbox, outbox, record
from bot.log.inbox import Received
from bot.log.record import Context
from bot.messages import (
    Candidate,
    Citation,
    Decision,
    Generation,
    HandoffReason,
    Incoming,
    Language,
    Outgoing,
    Turn,
)
from bot.understanding import understand
from tests.small_shop import NOW, RETURNS_EN, RETURNS_ZH, hit, incoming, passage

LATER = NOW + timedelta(minutes=5)
SOURCE: dict[Language, tuple[str, str]] = {
    "en": ("Can I return it?", RETURNS_EN),
    "zh": ("可以退货吗？", RETURNS_ZH),
}
GENERATION = Generation(
    model="small-model",
    prompt="answer/zh",
    prompt_version="abc123",
    sampling={"n": 2, "temperature": 0.3},
    texts=("一", "二"),
    log_probabilities=(-0.1, -0.2),
    input_tokens=100,
    output_tokens=20,
    latency_ms=12.5,
    error=None,
)


@pytest.fixture
def db(db: Database) -> Database:
    """A database that knows an article in each language."""
    articles = [
        Article(
            id=language,
            title="Returns",
            language=language,
            url="",
            questions=(),
            passages=(passage(SOURCE[language][1], language, language),),
        )
        for language in SOURCE
    ]
    index.sync(db, articles, NOW)
    return db


def answer(language: Language = "en", handoff: HandoffReason | None = None) -> Answer:
    """Return an answer with a refused draft, an article answer and a hand-off on the slate."""
    question, text = SOURCE[language]
    found = hit(passage(text, language, language))
    slate = (
        Candidate(source="draft", text="90", refusal="number:90", features={"support": 0.5}),
        Candidate(
            source="article",
            text=text,
            citations=(Citation(article=language, title="Returns 退货", url="https://a.example"),),
        ),
        Candidate(source="handoff", text="A person.", handoff_reason=handoff or "no_article"),
    )
    chosen = 2 if handoff else 1
    return Answer(
        message=understand(question),
        decision=Decision(
            candidates=slate,
            propensities=tuple(float(position == chosen) for position in range(3)),
            chosen=chosen,
            policy="fixed-order/1",
        ),
        hits=(found,),
        generation=GENERATION,
        latency_ms=42.0,
    )


def receive(db: Database, message: Incoming) -> Received:
    receipt = inbox.receive(db, message, NOW)
    assert receipt.is_new
    assert receipt.waiting is not None
    return receipt.waiting


def exchange(
    db: Database,
    language: Language = "en",
    address: str = "ada",
    handoff: HandoffReason | None = None,
) -> Outgoing:
    received = receive(db, incoming(SOURCE[language][0], address=address))
    outgoing = record.exchange(db, [received], answer(language, handoff), LATER)
    assert outgoing is not None
    return outgoing


def rows(db: Database, table: str) -> list[dict[str, object]]:
    return list(db.query(f"SELECT * FROM {table}"))


@pytest.mark.parametrize("text", ["Where is it?", "包裹呢？", "", "a" * 10_000])
def test_that_a_message_is_stored_as_it_came(db: Database, text: str) -> None:
    message = replace(incoming(text), language="zh")

    received = receive(db, message)

    assert (received.text, received.language, received.attempts) == (text, "zh", 0)
    assert (received.event_key, received.received_at) == (message.event_keys[0], NOW.isoformat())
    assert inbox.unanswered(db) == [received]


@pytest.mark.parametrize(
    ("second", "is_duplicate"),
    [
        pytest.param(("a", "b"), True, id="the-same"),
        pytest.param(("b",), True, id="second-key"),
        pytest.param(("c", "a"), True, id="first-key-among-others"),
        pytest.param(("c", "d"), False, id="other-keys"),
    ],
)
def test_that_any_known_key_makes_a_duplicate(
    db: Database, second: tuple[str, ...], is_duplicate: bool
) -> None:
    receive(db, replace(incoming(), event_keys=("a", "b")))

    again = inbox.receive(db, replace(incoming("changed"), event_keys=second), LATER)

    assert again.is_new != is_duplicate
    assert again.waiting is not None
    assert len(rows(db, "inbox")) == 2 - is_duplicate


def test_that_a_key_of_a_duplicate_is_known_from_then_on(db: Database) -> None:
    receive(db, replace(incoming(), event_keys=("a",)))
    inbox.receive(db, replace(incoming(), event_keys=("a", "b")), NOW)

    assert not inbox.receive(db, replace(incoming(), event_keys=("b",)), NOW).is_new


def test_that_an_answered_message_waits_no_more(db: Database) -> None:
    message = incoming()
    record.exchange(db, [receive(db, message)], answer("en", None), LATER)

    assert inbox.receive(db, message, LATER) == inbox.Receipt(is_new=False, waiting=None)


def test_that_a_key_given_twice_is_one_key(db: Database) -> None:
    receive(db, replace(incoming(), event_keys=("a", "a")))

    assert [row["event_key"] for row in rows(db, "inbox_keys")] == ["a"]


def test_that_channels_have_keys_of_their_own(db: Database) -> None:
    receive(db, incoming(key="1", channel="telegram"))

    assert receive(db, incoming(key="1", channel="slack")).channel == "slack"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_an_exchange_writes_every_table(db: Database, language: Language) -> None:
    outgoing = exchange(db, language)

    [conversation] = rows(db, "conversations")
    asked, replied = rows(db, "turns")
    assert conversation["language"] == language
    assert (asked["role"], asked["text"]) == ("customer", SOURCE[language][0])
    assert (replied["role"], replied["text"]) == ("assistant", SOURCE[language][1])
    assert (replied["replied_to"], replied["number"]) == (asked["id"], 2)
    assert (asked["created_at"], replied["created_at"]) == (NOW.isoformat(), LATER.isoformat())
    assert rows(db, "inbox")[0]["turn"] == asked["id"]
    assert (outgoing.turn, outgoing.conversation) == (replied["id"], conversation["id"])
    assert inbox.unanswered(db) == []


def test_that_the_whole_decision_is_kept(db: Database) -> None:
    exchange(db)

    slate = rows(db, "candidates")
    assert [row["source"] for row in slate] == ["draft", "article", "handoff"]
    assert [row["refusal"] for row in slate] == ["number:90", None, None]
    assert [row["propensity"] for row in slate] == [0.0, 1.0, 0.0]
    assert [row["shown"] for row in slate] == [0, 1, 0]
    assert json.loads(str(slate[0]["features"])) == {"support": 0.5}
    assert {row["policy"] for row in slate} == {"fixed-order/1"}


def test_that_passages_and_the_call_of_the_model_are_kept(db: Database) -> None:
    exchange(db, "zh")

    [retrieval] = rows(db, "retrievals")
    [generation] = rows(db, "generations")
    assert (retrieval["rank"], retrieval["passage"]) == (1, "zh-passage")
    assert (generation["prompt"], generation["prompt_version"]) == ("answer/zh", "abc123")
    assert (generation["input_tokens"], generation["output_tokens"]) == (100, 20)
    assert json.loads(str(generation["sampling"])) == {"n": 2, "temperature": 0.3}


@pytest.mark.parametrize("reason", ["no_article", "asked_for_person", "failure"])
def test_that_a_handoff_is_noted_with_its_reason(db: Database, reason: HandoffReason) -> None:
    outgoing = exchange(db, handoff=reason)

    [row] = rows(db, "handoffs")
    assert (row["turn"], row["reason"]) == (outgoing.turn, reason)
    assert outgoing.handed_off is True


def test_that_an_answer_without_handoff_notes_none(db: Database) -> None:
    assert exchange(db).handed_off is False
    assert rows(db, "handoffs") == []


def test_that_chinese_turns_are_found_by_their_words(db: Database) -> None:
    exchange(db, "zh")

    found = db.execute("SELECT turn FROM turn_search WHERE turn_search MATCH '\"退货\"'").fetchall()

    assert len(found) == 2


def test_that_the_waiting_reply_is_the_stored_one(db: Database) -> None:
    outgoing = exchange(db, "zh")

    assert outbox.unsent(db) == [outgoing]
    assert outgoing.citations == answer("zh").decision.candidate.citations
    assert (outgoing.candidates, outgoing.language, outgoing.source) == (3, "zh", "article")


def test_that_the_same_address_is_the_same_conversation(db: Database) -> None:
    first, second = exchange(db, "en"), exchange(db, "zh")
    other = exchange(db, address="bob")

    numbers = [row["number"] for row in rows(db, "turns")]
    assert first.conversation == second.conversation != other.conversation
    assert numbers == [1, 2, 3, 4, 1, 2]
    assert len(rows(db, "customers")) == 2


def test_that_the_context_is_in_order_and_limited(db: Database) -> None:
    exchange(db, "en")
    exchange(db, "zh")

    context = record.context(db, receive(db, incoming()), 3)

    assert context.language == "zh"
    assert context.history == (
        Turn(role="assistant", text=RETURNS_EN, source="article"),
        Turn(role="customer", text=SOURCE["zh"][0]),
        Turn(role="assistant", text=RETURNS_ZH, source="article"),
    )


@pytest.mark.parametrize(("channel", "address"), [("test", "bob"), ("slack", "ada")])
def test_that_nobody_sees_the_context_of_another(db: Database, channel: str, address: str) -> None:
    exchange(db)

    received = receive(db, incoming(channel=channel, address=address))
    assert record.context(db, received, 10) == Context()


def test_that_a_delivery_is_noted_step_by_step(db: Database) -> None:
    outgoing = exchange(db)

    outbox.start_sending(db, outgoing, [])
    [sending] = rows(db, "outbox")
    outbox.sent(db, outgoing, ("platform-7",), LATER)
    [sent] = rows(db, "outbox")

    assert (sending["state"], sending["attempts"], sending["settled_at"]) == ("sending", 1, None)
    assert (sent["state"], sent["platform_id"]) == ("sent", "platform-7")
    assert sent["settled_at"] == LATER.isoformat()
    assert outbox.unsent(db) == []


@pytest.mark.parametrize("state", ["ready", "failed", "in_doubt"])
def test_that_a_failed_delivery_waits_or_is_settled(
    db: Database, state: Literal["ready", "failed", "in_doubt"]
) -> None:
    outgoing = exchange(db)
    outbox.start_sending(db, outgoing, [])

    outbox.not_sent(db, outgoing, "错误: blocked", state, LATER)

    [row] = rows(db, "outbox")
    assert (row["state"], row["error"]) == (state, "错误: blocked")
    assert (row["settled_at"] is None) == (state == "ready")
    assert len(outbox.unsent(db)) == (state == "ready")


def test_that_only_interrupted_deliveries_are_doubtful(db: Database) -> None:
    waiting, interrupted, done = (exchange(db, address=name) for name in "abc")
    outbox.start_sending(db, interrupted, [])
    outbox.start_sending(db, done, [])
    outbox.sent(db, done, ("p",), NOW)

    assert outbox.doubt_interrupted(db) == 1
    states = {row["id"]: (row["state"], row["is_doubtful"]) for row in rows(db, "outbox")}
    assert states == {waiting.id: ("ready", 0), interrupted.id: ("ready", 1), done.id: ("sent", 0)}
    assert outbox.doubt_interrupted(db) == 0


def test_that_attempts_are_counted(db: Database) -> None:
    received = receive(db, incoming())

    inbox.start_attempt(db, [received.id], [received.id])
    [second] = inbox.start_attempt(db, [received.id], [received.id])

    assert second.attempts == 1
    assert [waiting.attempts for waiting in inbox.unanswered(db)] == [2]


def test_that_a_restart_is_no_attempt_of_its_own(db: Database) -> None:
    received = receive(db, incoming())

    [first] = inbox.start_attempt(db, [received.id], [received.id])
    [restarted] = inbox.start_attempt(db, [received.id], [])

    assert (first.attempts, restarted.attempts) == (0, 0)
    assert inbox.unanswered(db)[0].attempts == 1


def test_that_what_waits_comes_oldest_first(db: Database) -> None:
    texts = [f"{number} 号" for number in range(5)]
    for text in texts:
        receive(db, incoming(text))

    assert [received.text for received in inbox.unanswered(db)] == texts
