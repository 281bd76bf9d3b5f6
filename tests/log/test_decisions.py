"""What policies learn from: choices in order, with what came after each."""

from datetime import timedelta

import pytest
from sqlite_utils import Database

from bot.log import feedback
from bot.log.decisions import decisions
from bot.messages import Feedback, HandoffReason, Outgoing, Verdict
from bot.ranking.experience import LoggedDecision
from tests.log.writing import LATER, exchange
from tests.small_shop import NOW, incoming

MUCH_LATER = LATER + timedelta(days=3)


def asked(db: Database, text: str, address: str = "ada", **more: HandoffReason) -> Outgoing:
    """Let a customer ask, and an article or a hand-off answer."""
    reply = exchange(db, incoming(text, address=address), **more)
    db.execute("UPDATE candidates SET source = 'article' WHERE source = 'courtesy'")
    return reply


def logged(db: Database) -> list[LoggedDecision]:
    return list(decisions(db, MUCH_LATER))


def test_that_an_empty_log_has_no_choices(db: Database) -> None:
    assert logged(db) == []


def test_that_a_choice_has_its_slate_and_question(db: Database) -> None:
    reply = asked(db, "Dogs?")
    db.execute("UPDATE candidates SET features = ?, propensity = 0.75", ['{"score": 0.9}'])

    [found] = logged(db)

    assert (found.turn, found.question, found.channel, found.language) == (
        reply.turn,
        "Dogs?",
        "test",
        "en",
    )
    [candidate] = found.candidates
    assert (candidate.source, candidate.features, candidate.propensity) == (
        "article",
        {"score": 0.9},
        0.75,
    )
    assert (found.source, found.policy, candidate.is_refused) == ("article", "test/1", False)


def test_that_the_next_message_comes_after(db: Database) -> None:
    asked(db, "Dogs?")
    asked(db, "Cats?")
    asked(db, "Elsewhere?", address="bob")

    first, second, other = sorted(logged(db), key=lambda found: found.turn)

    assert (first.after.next_text, first.after.next_source) == ("Cats?", "article")
    assert second.after.next_text is other.after.next_text is None
    assert second.after.hours == pytest.approx(72)


def test_that_asking_for_a_person_comes_after(db: Database) -> None:
    asked(db, "Dogs?")
    asked(db, "/human", handoff="asked_for_person")

    first, second = logged(db)

    assert first.after.next_asked_for_person
    assert not second.after.next_asked_for_person


@pytest.mark.parametrize(
    ("verdicts", "counted"),
    [
        ([], []),
        (["up"], ["up"]),
        (["up", "down"], ["down"]),  # the newest of one customer counts
        (["down", "withdrawn"], ["withdrawn"]),
    ],
)
def test_that_the_newest_verdict_counts(
    db: Database, verdicts: list[Verdict], counted: list[Verdict]
) -> None:
    reply = asked(db, "Dogs?")
    for number, verdict in enumerate(verdicts):
        press = Feedback(
            channel="test",
            event_key=f"press-{number}",
            customer="customer-ada",
            verdict=verdict,
            origin="button",
            turn=reply.turn,
        )
        assert feedback.rate(db, press, NOW)

    [found] = logged(db)

    assert [verdict for verdict, _ in found.after.verdicts] == counted


def test_that_an_agents_words_come_after(db: Database) -> None:
    reply = asked(db, "Dogs?")
    db.execute(
        "INSERT INTO turns (id, conversation, number, role, text, language, created_at)"
        " VALUES ('x', ?, 99, 'agent', 'I can help.', 'en', ?)",
        [reply.conversation, LATER.isoformat()],
    )

    [found] = logged(db)

    assert found.after.agent_spoke


@pytest.mark.parametrize("column", ["superseded_by", "withdrawn_at"])
def test_that_what_no_longer_stands_is_left_out(db: Database, column: str) -> None:
    reply = asked(db, "Dogs?")
    db.execute(f"UPDATE turns SET {column} = id WHERE id = ?", [reply.turn])

    assert logged(db) == []


def test_that_courtesies_are_no_choices(db: Database) -> None:
    exchange(db, incoming("Hello"))

    assert logged(db) == []


def test_that_only_what_is_new_enough_is_read(db: Database) -> None:
    asked(db, "Dogs?")
    newest = asked(db, "Cats?")
    db.execute("UPDATE turns SET created_at = '2020-01-01' WHERE text = 'Dogs?'")
    db.execute(
        "UPDATE turns SET created_at = '2020-01-01' WHERE role = 'assistant' AND id <> ?",
        [newest.turn],
    )

    assert [each.question for each in decisions(db, MUCH_LATER, since=NOW)] == ["Cats?"]


def test_that_a_long_log_is_read_from_its_newest_replies(db: Database) -> None:
    for number in range(5):
        reply = asked(db, f"Dogs {number}?")
        at = (NOW + timedelta(minutes=number)).isoformat()
        db.execute("UPDATE turns SET created_at = ? WHERE id = ?", [at, reply.turn])

    assert [each.question for each in decisions(db, MUCH_LATER, most=1)] == ["Dogs 3?", "Dogs 4?"]


def test_that_one_reply_is_read_with_what_came_after_it(db: Database) -> None:
    asked(db, "Dogs?")
    reply = asked(db, "Cats?")
    asked(db, "Birds?")

    [found] = decisions(db, MUCH_LATER, turn=reply.turn)

    assert (found.question, found.after.next_text) == ("Cats?", "Birds?")


@pytest.mark.parametrize(("days", "is_returning"), [(0, False), (2, True)])
def test_that_customers_who_came_back_are_known(
    db: Database, days: int, is_returning: bool
) -> None:
    asked(db, "Dogs?")
    db.execute("UPDATE turns SET created_at = ?", [(NOW + timedelta(days=days)).isoformat()])

    [found] = logged(db)

    assert found.is_returning == is_returning
