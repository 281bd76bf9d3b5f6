"""What people prefer, told by choices, corrections and customers' thumbs."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import count

import pytest
from sqlite_utils import Database

from bot.log import erasure, feedback, preferences
from bot.log.preferences import Preference
from bot.messages import Candidate, Complaint, Feedback, Language, Outgoing, TurnId, Verdict
from bot.ranking.pairs import Pair
from tests.adapters.web.dialogues import START, message, write_exchange

LONG = Candidate(source="article", text="Within 30 days of delivery.", features={"score": 0.9})
SHORT = Candidate(source="draft", text="Yes, within 30 days.", features={"support": 0.8})
BLOCKED = Candidate(source="draft", text="Yes, for ever.", refusal="unsupported")
PLANNED = Candidate(source="draft", text="")
SLATE = (LONG, SHORT, BLOCKED, PLANNED)
ADA = "A" * 32
LATER = START + timedelta(hours=1)
PRESSES = count()


def ask(
    db: Database,
    text: str = "Can I return it?",
    slate: Sequence[Candidate] = SLATE,
    *,
    shown: int = 0,
    address: str = ADA,
    language: Language = "en",
) -> Outgoing:
    """Let a customer ask, and get one of a slate."""
    asked = message(text, address=address, id=f"{text}{next(PRESSES)}")
    return write_exchange(db, asked, slate, shown=shown, language=language)


def rate(
    db: Database, reply: Outgoing, verdict: Verdict, complaint: Complaint | None = None
) -> None:
    press = Feedback(
        channel="web",
        event_key=f"press-{next(PRESSES)}",
        customer=reply.customer,
        verdict=verdict,
        origin="button",
        turn=reply.turn,
        complaint=complaint,
    )
    assert feedback.rate(db, press, LATER)


def texts(found: Sequence[Pair]) -> list[tuple[str, str]]:
    return [(pair.better.text, pair.worse.text) for pair in found]


def all_pairs(db: Database) -> list[Pair]:
    return list(preferences.pairs(db))


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        pytest.param("first", [(LONG.text, SHORT.text)], id="first"),
        pytest.param("second", [(SHORT.text, LONG.text)], id="second"),
        pytest.param("equal", [], id="equal"),
        pytest.param("neither", [], id="neither"),
    ],
)
def test_that_a_choice_is_a_pair_if_it_tells_two_apart(
    db: Database, verdict: Preference, expected: list[tuple[str, str]]
) -> None:
    reply = ask(db)

    assert preferences.choose(db, reply.turn, (0, 1), verdict, "admin", LATER)

    assert texts(all_pairs(db)) == expected


def test_that_a_pair_has_all_that_was_logged(db: Database) -> None:
    ask(db, "Hello", [Candidate(source="courtesy", text="Good day.")])
    reply = ask(db)
    preferences.choose(db, reply.turn, (0, 1), "second", "mia", LATER, stood_first=1)

    [pair] = all_pairs(db)

    assert (pair.turn, pair.question, pair.source) == (reply.turn, "Can I return it?", "choice")
    assert [(turn.role, turn.text) for turn in pair.history] == [
        ("customer", "Hello"),
        ("assistant", "Good day."),
    ]
    assert (pair.better.source, pair.better.features) == ("draft", {"support": 0.8})
    assert (pair.worse.source, pair.worse.features) == ("article", {"score": 0.9})
    assert (pair.account, pair.at) == ("mia", LATER)
    assert db.execute("SELECT stood_first FROM preferences").fetchall() == [(1,)]


def test_that_an_account_may_change_its_mind(db: Database) -> None:
    reply = ask(db)
    for verdict in ("first", "second"):
        preferences.choose(db, reply.turn, (0, 1), verdict, "admin", LATER)
    preferences.choose(db, reply.turn, (0, 1), "first", "mia", LATER)

    assert sorted((pair.account, pair.better.text) for pair in all_pairs(db)) == [
        ("admin", SHORT.text),
        ("mia", LONG.text),
    ]


@pytest.mark.parametrize(
    "places",
    [
        pytest.param((0, 2), id="refused"),
        pytest.param((0, 3), id="not-written"),
        pytest.param((0, 4), id="not-there"),
        pytest.param((0, 0), id="itself"),
        pytest.param((1, 0), id="out-of-order"),
        pytest.param((0, 5), id="same-text"),
    ],
)
def test_that_what_can_not_be_compared_is_not_stored(db: Database, places: tuple[int, int]) -> None:
    twin = Candidate(source="draft", text="Within 30 days\nof delivery.")
    reply = ask(db, slate=[*SLATE[:3], PLANNED, BLOCKED, twin])

    assert not preferences.choose(db, reply.turn, places, "first", "admin", LATER)
    assert not preferences.choose(db, "nothing", (0, 1), "first", "admin", LATER)

    assert db.table("preferences").count == 0


def test_that_the_newest_correction_is_better_than_what_was_shown(db: Database) -> None:
    reply = ask(db)
    for text in ("Yes.", "Yes, in the shop."):
        assert preferences.correct(db, reply.turn, text, "admin", LATER)

    [pair] = all_pairs(db)

    assert texts([pair]) == [("Yes, in the shop.", LONG.text)]
    assert (pair.source, pair.turn, pair.better.source) == ("correction", reply.turn, None)
    assert pair.better.features == {}
    assert preferences.correction(db, reply.turn) == "Yes, in the shop."
    assert db.table("corrections").count == 2


def test_that_only_a_reply_can_be_corrected(db: Database) -> None:
    reply = ask(db)
    [question] = db.execute("SELECT id FROM turns WHERE role = 'customer'").fetchone()

    assert not preferences.correct(db, question, "Yes.", "admin", LATER)
    assert not preferences.correct(db, "nothing", "Yes.", "admin", LATER)
    assert preferences.correction(db, reply.turn) is None


def test_that_a_correction_that_changes_nothing_is_no_pair(db: Database) -> None:
    reply = ask(db)
    preferences.correct(db, reply.turn, LONG.text + "\n", "admin", LATER)

    assert all_pairs(db) == []


def test_that_what_no_longer_stands_is_no_pair(db: Database) -> None:
    reply = ask(db)
    preferences.choose(db, reply.turn, (0, 1), "first", "admin", LATER)
    preferences.correct(db, reply.turn, "Yes.", "admin", LATER)
    db.execute("UPDATE turns SET withdrawn_at = 'now' WHERE role = 'customer'")

    assert all_pairs(db) == []
    assert not preferences.choose(db, reply.turn, (0, 1), "second", "admin", LATER)
    assert not preferences.correct(db, reply.turn, "No.", "admin", LATER)


def test_that_liked_and_disliked_answers_to_one_question_are_a_pair(db: Database) -> None:
    rate(db, ask(db, shown=1), "up")
    worse = ask(db, "can I return it", address="bo")
    rate(db, worse, "down", "wrong")

    [pair] = all_pairs(db)

    assert texts([pair]) == [(SHORT.text, LONG.text)]
    assert (pair.source, pair.turn, pair.account) == ("feedback", worse.turn, "")
    assert (pair.question, pair.at) == ("can I return it", LATER)
    assert (pair.better.features, pair.worse.features) == ({"support": 0.8}, {"score": 0.9})


def test_that_a_question_asked_again_counts_as_the_same(db: Database) -> None:
    rate(db, ask(db), "down")
    rate(db, ask(db, shown=1), "up")

    [pair] = all_pairs(db)

    assert texts([pair]) == [(SHORT.text, LONG.text)]
    assert pair.history == ()


@pytest.mark.parametrize(
    ("before", "text", "language", "verdict"),
    [
        pytest.param((), "Can I return a tent?", "en", "down", id="another question"),
        pytest.param((), "Can I return it?", "zh", "down", id="another language"),
        pytest.param((), "Can I return it?", "en", "up", id="both liked"),
        pytest.param((), "Can I return it?", "en", "withdrawn", id="taken back"),
        pytest.param(("I bought shoes.",), "Can I return it?", "en", "down", id="after another"),
    ],
)
def test_that_other_answers_are_not_compared(
    db: Database, before: Sequence[str], text: str, language: Language, verdict: Verdict
) -> None:
    rate(db, ask(db, shown=1), "up")
    for each in before:
        ask(db, each, address="bo")
    rate(db, ask(db, text, address="bo", language=language), verdict)

    assert all_pairs(db) == []


def test_that_a_text_is_weighed_over_all_who_rated_it(db: Database) -> None:
    for number, verdict in enumerate(("up", "up", "down")):
        rate(db, ask(db, shown=1, address=f"c{number}"), verdict)  # type: ignore[arg-type]
    for number, verdict in enumerate(("up", "down")):
        rate(db, ask(db, shown=0, address=f"d{number}"), verdict)  # type: ignore[arg-type]
    assert all_pairs(db) == []  # one is liked, the other neither

    rate(db, ask(db, shown=0, address="d2"), "down")

    assert texts(all_pairs(db)) == [(SHORT.text, LONG.text)]


def test_that_only_what_came_since_is_read(db: Database) -> None:
    reply = ask(db)
    preferences.choose(db, reply.turn, (0, 1), "first", "admin", START)
    preferences.correct(db, reply.turn, "Yes.", "admin", START)
    rate(db, reply, "down")
    rate(db, ask(db, shown=1), "up")

    assert len(all_pairs(db)) == 3
    assert [pair.source for pair in preferences.pairs(db, LATER)] == ["feedback"]
    assert list(preferences.pairs(db, LATER + timedelta(seconds=1))) == []


def test_that_who_waits_for_being_erased_is_left_out(db: Database) -> None:
    preferred(db, ADA)
    preferred(db, "bo")
    assert len(all_pairs(db)) == 6

    erasure.request(db, "web", ADA, LATER.isoformat())
    assert len(all_pairs(db)) == 3

    erasure.erase(db, "web", ADA, LATER.isoformat())
    assert len(all_pairs(db)) == 3
    assert [db.table(name).count for name in ("preferences", "corrections")] == [1, 1]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def preferred(db: Database, address: str) -> TurnId:
    """Let a customer be answered, and say what is better in all three ways."""
    reply = ask(db, f"{address}?", address=address)
    preferences.choose(db, reply.turn, (0, 1), "first", "admin", LATER)
    preferences.correct(db, reply.turn, f"{address}: yes.", "admin", LATER)
    rate(db, reply, "down")
    rate(db, ask(db, f"{address}?", shown=1, address=address), "up")
    return reply.turn
