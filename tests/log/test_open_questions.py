"""Which questions count as open, and what the team's marks do."""

from datetime import timedelta

import pytest
from sqlite_utils import Database

from bot.log import feedback, gaps
from bot.messages import Feedback, HandoffReason, TurnId, Verdict
from tests.log.writing import exchange
from tests.small_shop import NOW, incoming


def open_texts(db: Database) -> list[str]:
    return [question.text for question in gaps.open_questions(db, NOW)]


@pytest.mark.parametrize(
    ("reason", "is_open"),
    [
        ("no_article", True),
        ("not_grounded", True),
        ("asked_for_person", False),
        ("complaint", False),
        ("risk", False),
        ("failure", False),
        (None, False),
    ],
)
def test_that_only_what_no_article_answered_is_open(
    db: Database, reason: HandoffReason | None, is_open: bool
) -> None:
    exchange(db, incoming("Dogs?"), handoff=reason)

    assert open_texts(db) == ["Dogs?"] * is_open


def rate(db: Database, turn: TurnId, verdict: Verdict, key: str) -> None:
    press = Feedback(
        channel="test",
        event_key=key,
        customer="customer-ada",
        verdict=verdict,
        origin="button",
        turn=turn,
    )
    assert feedback.rate(db, press, NOW)


@pytest.mark.parametrize(
    ("verdicts", "is_open"),
    [(["down"], True), (["up"], False), (["down", "withdrawn"], False), (["up", "down"], True)],
)
def test_that_an_answer_that_did_not_help_leaves_its_question_open(
    db: Database, verdicts: list[Verdict], is_open: bool
) -> None:
    replied = exchange(db, incoming("Dogs?"))
    db.execute("UPDATE candidates SET source = 'article'")
    for number, verdict in enumerate(verdicts):
        rate(db, replied.turn, verdict, f"press-{number}")

    assert open_texts(db) == ["Dogs?"] * is_open


def test_that_a_question_with_both_counts_once(db: Database) -> None:
    replied = exchange(db, incoming("Dogs?"), handoff="no_article")
    db.execute("UPDATE candidates SET source = 'article'")
    rate(db, replied.turn, "down", "press")

    assert open_texts(db) == ["Dogs?"]


def test_that_what_is_older_than_a_year_is_left_out(db: Database) -> None:
    exchange(db, incoming("Dogs?"), handoff="no_article")

    assert gaps.open_questions(db, NOW + timedelta(days=364))
    assert not gaps.open_questions(db, NOW + timedelta(days=367))


def say(db: Database, role: str, text: str, **changes: str) -> None:
    """Add a turn to the only conversation."""
    [conversation, number] = db.execute(
        "SELECT conversation, max(number) + 1 FROM turns"
    ).fetchone()
    row = {"id": f"said-{number:03}", "conversation": conversation, "number": number}
    turn = {"role": role, "text": text, "language": "en", "created_at": NOW.isoformat()}
    db.table("turns").insert({**row, **turn, **changes})


def test_that_what_the_team_answered_belongs_to_the_question(db: Database) -> None:
    exchange(db, incoming("Dogs?"), handoff="no_article")
    say(db, "agent", "Yes, on a leash.")
    say(db, "customer", "Also at the café?")
    say(db, "agent", "A slip.", withdrawn_at=NOW.isoformat())
    say(db, "agent", "There, too.")
    exchange(db, incoming("Cats?"), handoff="no_article")
    say(db, "agent", "Cats stay outside.")

    cats, dogs = gaps.open_questions(db, NOW)

    assert (dogs.text, dogs.answers) == ("Dogs?", ("Yes, on a leash.", "There, too."))
    assert (cats.text, cats.answers) == ("Cats?", ("Cats stay outside.",))


def test_that_an_article_is_read_as_it_stands(db: Database) -> None:
    db.execute(
        "INSERT INTO articles (id, title, language, url, digest, updated_at)"
        " VALUES ('en/dogs', 'Dogs', 'en', '', 'd', 't')"
    )
    for number, (heading, retired) in enumerate([("In the shop", None), ("Before", "t")]):
        db.execute(
            "INSERT INTO passages (id, article, position, title, heading, text, language, url,"
            " retired_at) VALUES (?, 'en/dogs', ?, 'Dogs', ?, 'On a leash.', 'en', '', ?)",
            [str(number), number, heading, retired],
        )

    assert gaps.article_text(db, "en/dogs") == "# Dogs\n\n## In the shop\n\nOn a leash."
    assert gaps.article_text(db, "en/cats") == ""


def test_that_the_newest_come_first(db: Database) -> None:
    for text in ("One?", "Two?"):
        exchange(db, incoming(text), handoff="no_article")

    assert open_texts(db) == ["Two?", "One?"]


def test_that_marks_hide_ignore_and_are_taken_back(db: Database) -> None:
    exchange(db, incoming("Dogs?"), handoff="no_article")
    [question] = gaps.open_questions(db, NOW)

    gaps.mark(db, [question.turn], "ignored", "admin", NOW)
    assert [each.is_ignored for each in gaps.open_questions(db, NOW)] == [True]
    gaps.mark(db, [question.turn], "done", "admin", NOW + timedelta(days=1))
    assert open_texts(db) == []
    gaps.mark(db, [question.turn, "no such turn"], None, "admin", NOW)
    assert [each.is_ignored for each in gaps.open_questions(db, NOW)] == [False]
    gaps.mark(db, ["no such turn"], "done", "admin", NOW)
    assert db.table("gap_marks").count == 0
