"""What is read from the log: list, search, transcript, and a customer's own dialogue."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from bot.log import conversations, dialogues, transcripts
from bot.log.conversations import Filters, PageKey
from bot.log.migrations import migrations
from bot.log.store import Store, open_read_only
from bot.messages import Candidate
from tests.adapters.web.dialogues import (
    ANSWER,
    HANDOFF,
    RETURNS,
    START,
    message,
    write_exchange,
    write_message,
    write_turn,
)

HOSTILE = [
    "' OR 1=1 --",
    '" OR "',
    "*",
    "NEAR(a b)",
    "a* OR b",
    "(",
    ")",
    "^zeppelin",
    "words:return",
]
HOSTILE += [
    "%",
    "_",
    "\x00",
    ";DROP TABLE turns",
    "{}",
    "-zeppelin",
    "AND",
    "NOT",
    "🦔",
    "a" * 10_000,
]


@pytest.fixture
def db() -> Iterator[Database]:
    opened = Database(memory=True)
    migrations.apply(opened)
    yield opened
    opened.close()


def fill(db: Database, count: int) -> list[str]:
    """Write conversations a minute apart and return their ids, newest first."""
    outgoing = [
        write_exchange(
            db,
            message(f"Question number {n}", address=f"{n:032}"),
            at=START + timedelta(minutes=n),
        )
        for n in range(count)
    ]
    return [reply.conversation for reply in reversed(outgoing)]


def ids(db: Database, filters: Filters | None = None) -> list[str]:
    return [row.id for row in conversations.conversations(db, filters).conversations]


def test_that_an_empty_log_has_an_empty_list(db: Database) -> None:
    page = conversations.conversations(db)
    assert page.conversations == ()
    assert page.next_key is None


def test_that_the_list_says_what_each_conversation_is(db: Database) -> None:
    reply = write_exchange(db, message("Can I return it?", customer="ada"), [ANSWER])
    write_turn(db, reply.conversation, "agent", "Mira here.")
    [row] = conversations.conversations(db).conversations
    assert (row.id, row.channel, row.customer) == (reply.conversation, "web", "ada")
    assert (row.turns, row.question, row.last_text) == (3, "Can I return it?", "Mira here.")
    assert (row.language, row.handed_off, row.match) == ("en", False, None)
    assert row.last_turn_at == START.isoformat()


def test_that_the_newest_come_first(db: Database) -> None:
    expected = fill(db, 5)
    assert ids(db) == expected


def test_that_the_pages_together_are_the_whole_list(db: Database) -> None:
    expected = fill(db, 23)
    found, after = [], None
    while True:
        page = conversations.conversations(db, after=after, limit=5)
        found += [row.id for row in page.conversations]
        after = page.next_key
        if after is None:
            break
    assert found == expected


def test_that_conversations_of_the_same_moment_are_each_listed_once(db: Database) -> None:
    for n in range(7):
        write_exchange(db, message("?", address=f"{n:032}"), at=START)
    first = conversations.conversations(db, limit=4)
    second = conversations.conversations(db, limit=4, after=first.next_key)
    together = [row.id for row in first.conversations + second.conversations]
    assert len(together) == len(set(together)) == 7


def test_that_the_last_full_page_has_no_next(db: Database) -> None:
    fill(db, 4)
    assert conversations.conversations(db, limit=4).next_key is None


def test_that_a_page_is_read_through_the_index(db: Database) -> None:
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM conversations WHERE (last_turn_at, id) < ('a', 'b')"
        " ORDER BY last_turn_at DESC, id DESC LIMIT 5"
    ).fetchall()
    assert "conversations_by_time" in plan[0][3]
    assert not any("TEMP B-TREE" in step[3] for step in plan)


@pytest.fixture
def mixed(db: Database) -> dict[str, str]:
    """Return the ids of four conversations that differ, by a name."""
    refund = "When do I get my refund?"
    slack = message(refund, channel="slack", address="C1")
    chinese = message("退货要付运费吗", address="Z" * 32)
    tent = message("Is the tent waterproof?", address="T" * 32, customer="ada@example")
    person = message("I want a person", channel="telegram", address="7")
    written = {
        "slack": write_exchange(db, slack),
        "chinese": write_exchange(db, chinese, language="zh"),
        "tent": write_exchange(db, tent, [replace(HANDOFF, text="Our team will look.")]),
        "person": write_exchange(db, person, [replace(HANDOFF, handoff_reason="failure")]),
    }
    return {name: reply.conversation for name, reply in written.items()}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        pytest.param(Filters(channel="slack"), {"slack"}, id="channel"),
        pytest.param(Filters(channel="fax"), set(), id="unknown channel"),
        pytest.param(Filters(language="zh"), {"chinese"}, id="language"),
        pytest.param(Filters(handed_off=True), {"tent", "person"}, id="handed off"),
        pytest.param(Filters(handed_off=False), {"slack", "chinese"}, id="not handed off"),
        pytest.param(Filters(text="tent"), {"tent"}, id="word"),
        pytest.param(Filters(text="TENTS"), {"tent"}, id="other form of a word"),
        pytest.param(Filters(text="waterproof tent"), {"tent"}, id="both words"),
        pytest.param(Filters(text="tent refund"), set(), id="words of two turns"),
        pytest.param(Filters(text="运费"), {"chinese"}, id="Chinese word"),
        pytest.param(Filters(text="退货运费"), {"chinese"}, id="Chinese words"),
        pytest.param(Filters(text="运费 退货"), {"chinese"}, id="Chinese words with a space"),
        pytest.param(Filters(text="运费 密码"), set(), id="one Chinese word missing"),
        pytest.param(Filters(text="do i"), {"slack"}, id="small words alone"),
        pytest.param(Filters(text="ada@example"), {"tent"}, id="customer"),
        pytest.param(Filters(text="team"), {"tent", "person"}, id="word of a reply"),
        pytest.param(Filters(text="team", channel="telegram"), {"person"}, id="both filters"),
        pytest.param(Filters(text="  "), {"slack", "chinese", "tent", "person"}, id="blank"),
        pytest.param(Filters(text="zeppelin"), set(), id="nothing"),
        pytest.param(Filters(text="🦔"), set(), id="no words"),
    ],
)
def test_that_filters_find_what_fits(
    db: Database, mixed: dict[str, str], filters: Filters, names: set[str]
) -> None:
    assert set(ids(db, filters)) == {mixed[name] for name in names}


def test_that_a_conversation_is_found_by_its_id(db: Database, mixed: dict[str, str]) -> None:
    assert ids(db, Filters(text=f" {mixed['tent']} ")) == [mixed["tent"]]


def test_that_a_search_shows_the_first_turn_that_matches(
    db: Database, mixed: dict[str, str]
) -> None:
    [row] = conversations.conversations(db, Filters(text="team", channel="web")).conversations
    assert row.question == "Is the tent waterproof?"
    assert row.match == "Our team will look."


@pytest.mark.parametrize("text", HOSTILE)
def test_that_hostile_searches_find_nothing_more(
    db: Database, mixed: dict[str, str], text: str
) -> None:
    assert set(ids(db, Filters(text=text))) == set()
    assert ids(db, Filters(channel=text)) == []
    after = PageKey(last_turn_at=text, id=text)
    assert len(conversations.conversations(db, after=after).conversations) <= 4
    assert transcripts.transcript(db, text) is None
    assert dialogues.dialogue(db, text, text) is None
    assert dialogues.reply_to(db, text, text) is None


def test_that_all_channels_are_named_once(db: Database, mixed: dict[str, str]) -> None:
    assert conversations.channels(db) == ("slack", "telegram", "web")


def test_that_an_empty_log_has_no_channels(db: Database) -> None:
    assert conversations.channels(db) == ()


def test_that_there_is_no_transcript_of_nothing(db: Database) -> None:
    assert transcripts.transcript(db, "nothing") is None


def test_that_a_transcript_has_all_candidates_and_marks_the_shown_one(db: Database) -> None:
    refused = Candidate(source="draft", text="60 days.", refusal="number", features={"a": 0.5})
    reply = write_exchange(db, message(), [refused, ANSWER], shown=1)
    found = transcripts.transcript(db, reply.conversation)
    assert found
    question, answer = found.turns
    first, second = answer.candidates
    assert (question.role, question.candidates) == ("customer", ())
    assert (first.text, first.refusal, first.is_shown) == ("60 days.", "number", False)
    assert (first.features, first.propensity) == ({"a": 0.5}, 0.5)
    assert (second.is_shown, second.citations, second.refusal) == (True, (RETURNS,), None)
    assert (answer.policy, answer.latency_ms) == ("p1", 41.5)


def test_that_a_transcript_has_the_passages_as_they_read_then(db: Database) -> None:
    reply = write_exchange(db, message())
    write_passage(db, reply.turn, rank=2, passage="old", retired_at="2026-11-24")
    write_passage(db, reply.turn, rank=1, passage="new", similarity=0.9)
    found = transcripts.transcript(db, reply.conversation)
    assert found
    first, second = found.turns[1].passages
    assert (first.rank, first.passage, first.similarity) == (1, "new", 0.9)
    assert (second.passage, second.similarity, second.text) == ("old", None, "text of old")
    assert (bool(first.is_retired), bool(second.is_retired)) == (False, True)


def test_that_a_transcript_has_the_calls_of_the_model(db: Database) -> None:
    reply = write_exchange(db, message())
    db.execute(
        "INSERT INTO generations (turn, model, prompt, prompt_version, sampling, latency_ms, error)"
        " VALUES (?, 'm', 'answer', 'v1', ?, 8000.0, 'timed out')",
        [reply.turn, json.dumps({"n": 3})],
    )
    found = transcripts.transcript(db, reply.conversation)
    assert found
    [call] = found.turns[1].generations
    assert (call.model, call.prompt, call.prompt_version) == ("m", "answer", "v1")
    assert (call.sampling, call.error, call.output_tokens) == ('{"n": 3}', "timed out", None)


def test_that_a_transcript_says_where_it_was_handed_off_and_delivered(db: Database) -> None:
    reply = write_exchange(db, message(), [HANDOFF])
    db.execute("UPDATE outbox SET state = 'failed', attempts = 6, error = 'blocked'")
    found = transcripts.transcript(db, reply.conversation)
    assert found
    question, answer = found.turns
    assert question.handoff is None
    assert question.delivery is None
    assert answer.handoff
    assert answer.handoff.reason == "no_article"
    assert answer.delivery
    assert (answer.delivery.state, answer.delivery.attempts) == ("failed", 6)
    assert answer.delivery.error == "blocked"


def test_that_a_long_transcript_comes_in_pieces(db: Database) -> None:
    for n in range(4):
        reply = write_exchange(db, message(f"Question {n}"))
    latest = transcripts.transcript(db, reply.conversation, limit=5)
    assert latest
    assert [turn.number for turn in latest.turns] == [4, 5, 6, 7, 8]
    earlier = transcripts.transcript(db, reply.conversation, before=latest.earlier_than, limit=5)
    assert earlier
    assert [turn.number for turn in earlier.turns] == [1, 2, 3]
    assert earlier.earlier_than is None


def test_that_a_reply_is_found_by_its_messages_key(db: Database) -> None:
    first = write_exchange(db, message("one"), [ANSWER])
    second = write_exchange(db, message("two"), [HANDOFF])
    assert dialogues.reply_to(db, "web", first.in_reply_to) == first
    assert dialogues.reply_to(db, "web", second.in_reply_to) == second


def test_that_a_message_without_reply_has_none(db: Database) -> None:
    write_message(db, message())
    assert dialogues.reply_to(db, "web", message().event_keys[0]) is None
    assert dialogues.reply_to(db, "telegram", message().event_keys[0]) is None


def test_that_a_reply_is_found_through_indexes(db: Database) -> None:
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT 1 FROM inbox_keys JOIN inbox ON inbox.id = inbox_keys.inbox"
        " JOIN turns AS reply ON reply.replied_to = inbox.turn"
        " WHERE inbox_keys.channel = 'web' AND inbox_keys.event_key = 'k'"
    ).fetchall()
    assert not any(step[3].startswith("SCAN") for step in plan)


def test_that_a_customer_sees_the_dialogue_and_what_waits(db: Database) -> None:
    answered = write_exchange(db, message("one"), [HANDOFF])
    write_turn(db, answered.conversation, "agent", "Mira here.")
    write_message(db, message("two"))
    found = dialogues.dialogue(db, "web", "A" * 32)
    assert found
    assert [turn.text for turn in found.turns] == ["one", HANDOFF.text, "Mira here.", "two"]
    assert [turn.event_key for turn in found.turns] == [
        message("one").event_keys[0],
        None,
        None,
        message("two").event_keys[0],
    ]
    assert [turn.is_answered for turn in found.turns] == [True, True, True, False]
    assert [turn.handed_off for turn in found.turns] == [False, True, False, False]


def test_that_a_dialogue_has_the_sources_of_what_was_shown_alone(db: Database) -> None:
    write_exchange(db, message(), [ANSWER, replace(ANSWER, text="other", citations=())], shown=1)
    found = dialogues.dialogue(db, "web", "A" * 32)
    assert found
    assert [turn.citations for turn in found.turns] == [(), ()]
    assert found.turns[1].text == "other"


def test_that_a_very_long_dialogue_shows_its_end(db: Database) -> None:
    for n in range(dialogues.LONGEST_DIALOGUE // 2 + 5):
        write_exchange(db, message(f"Question {n}"))
    found = dialogues.dialogue(db, "web", "A" * 32)
    assert found
    assert len(found.turns) == dialogues.LONGEST_DIALOGUE
    assert found.turns[0].text == "Question 5"


def test_that_the_functions_need_no_right_to_write(tmp_path: Path) -> None:
    with Store(tmp_path / "f.db"):
        db = open_read_only(tmp_path / "f.db")
        assert conversations.conversations(db, Filters(text="tent")).conversations == ()
        db.close()


def write_passage(
    db: Database,
    turn: str,
    *,
    rank: int,
    passage: str,
    similarity: float | None = None,
    retired_at: str | None = None,
) -> None:
    db.execute(
        "INSERT OR IGNORE INTO articles (id, title, language, url, digest, updated_at)"
        " VALUES ('a', 'A', 'en', '', 'd', 't')"
    )
    db.execute(
        "INSERT INTO passages VALUES (?, 'a', 0, 'A', 'H', ?, 'en', '', ?)",
        [passage, f"text of {passage}", retired_at],
    )
    db.execute(
        "INSERT INTO retrievals (turn, rank, passage, score, closeness, similarity, coverage)"
        " VALUES (?, ?, ?, 0.5, 0.75, ?, 0.25)",
        [turn, rank, passage, similarity],
    )
