"""What the team is asked about next."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlite_utils import Database

from bot.log import preferences
from bot.log.open_choices import Choices, PairKey, choice, choices
from bot.messages import Candidate, Citation, Language, Outgoing
from tests.adapters.web.dialogues import START
from tests.log.test_preferences import ADA, BLOCKED, LONG, PLANNED, SHORT, SLATE, ask, rate

NOW = START + timedelta(hours=1)
THIRD = Candidate(source="clarification", text="Do you mean shoes or tents?")


def asked(
    db: Database,
    text: str,
    slate: Sequence[Candidate] = (LONG, SHORT),
    *,
    language: Language = "en",
    odds: Sequence[float] = (1.0, 0.0),
) -> Outgoing:
    """Let a customer of their own ask; `odds` are the propensities."""
    reply = ask(db, text, slate, address=text, language=language)
    for place, propensity in enumerate(odds):
        db.execute(
            "UPDATE candidates SET propensity = ? WHERE turn = ? AND position = ?",
            [propensity, reply.turn, place],
        )
    return reply


def judge(db: Database, key: PairKey, account: str = "admin") -> None:
    assert preferences.choose(db, key.turn, (key.first, key.second), "equal", account, NOW)


def order(db: Database, account: str = "admin") -> list[str]:
    """Judge all that waits; return the questions in the order in which they came."""
    found = []
    while shown := choices(db, account).next:
        found.append(shown.question)
        judge(db, shown.key, account)
    return found


def test_that_an_empty_log_asks_nothing(db: Database) -> None:
    assert choices(db, "admin") == Choices(next=None, done=0, left=0)


def test_that_a_choice_shows_what_the_customer_would_see(db: Database) -> None:
    ask(db, "Hello", [Candidate(source="courtesy", text="Good day.")])
    cited = Citation(article="en/returns", title="Returns", url="https://help.example/r")
    slate = [Candidate(source="article", text=LONG.text, citations=(cited,)), *SLATE[1:]]
    reply = ask(db, slate=slate)

    found = choices(db, "admin")
    shown = found.next

    assert (found.done, found.left) == (0, 1)
    assert shown is not None
    assert shown.key == PairKey(reply.turn, 0, 1)
    assert (shown.question, shown.language, shown.number) == ("Can I return it?", "en", 4)
    assert [turn.text for turn in shown.history] == ["Hello", "Good day."]
    assert [(option.place, option.text) for option in shown.options] == [
        (0, LONG.text),
        (1, SHORT.text),
    ]
    assert shown.options[0].citations == (cited,)


@pytest.mark.parametrize(
    "slate",
    [
        pytest.param([LONG], id="one-only"),
        pytest.param([LONG, BLOCKED], id="refused"),
        pytest.param([LONG, PLANNED], id="not-written"),
        pytest.param([LONG, Candidate(source="draft", text=f" {LONG.text}\n")], id="same-text"),
    ],
)
def test_that_there_must_be_two_to_choose_from(db: Database, slate: list[Candidate]) -> None:
    reply = ask(db, slate=slate)

    assert choices(db, "admin") == Choices(next=None, done=0, left=0)
    assert choice(db, PairKey(reply.turn, 0, 1)) is None


def test_that_where_most_is_unsure_comes_first(db: Database) -> None:
    asked(db, "Sure", odds=(1.0, 0.0))
    asked(db, "Half", odds=(0.4, 0.6))
    asked(db, "Nearly", odds=(0.9, 0.1))
    rate(db, asked(db, "Disliked"), "down")
    rate(db, asked(db, "Liked"), "up")
    ask(db, "Do you sell tents here?", (LONG,), address="again")
    asked(db, "Tents sold in the shop")
    ask(db, "Tents sold in the shop?", (LONG,), address="Tents sold in the shop")

    assert order(db)[:4] == ["Tents sold in the shop", "Disliked", "Half", "Nearly"]


def test_that_a_verdict_that_was_taken_back_is_none(db: Database) -> None:
    taken_back = asked(db, "B taken back")
    rate(db, taken_back, "down")
    rate(db, taken_back, "withdrawn")
    rate(db, asked(db, "A disliked"), "down")

    assert order(db)[0] == "A disliked"


def test_that_each_slate_comes_once_before_any_comes_again(db: Database) -> None:
    three = asked(db, "Three", (LONG, SHORT, THIRD), odds=(0.4, 0.3, 0.3))
    asked(db, "Two", odds=(1.0, 0.0))

    first = choices(db, "admin")
    assert first.left == 4
    assert first.next is not None
    # The policy was least sure between the two that it did not show.
    assert first.next.key == PairKey(three.turn, 1, 2)

    assert order(db) == ["Three", "Two", "Three", "Three"]


def test_that_nothing_is_asked_twice_but_of_another_account(db: Database) -> None:
    asked(db, "One")
    assert order(db) == ["One"]

    assert choices(db, "admin") == Choices(next=None, done=1, left=0)
    assert choices(db, "mia").left == 1


def test_that_languages_take_turns(db: Database) -> None:
    for number in range(3):
        rate(db, asked(db, f"en{number}"), "down")
    for number in range(2):
        asked(db, f"中文{number}", language="zh")

    assert [text[:2] for text in order(db)] == ["en", "中文", "en", "中文", "en"]


def test_that_what_was_skipped_waits(db: Database) -> None:
    one, two = PairKey(asked(db, "1").turn, 0, 1), PairKey(asked(db, "2").turn, 0, 1)

    found = choices(db, "admin", {two})

    assert found.next is not None
    assert (found.next.key, found.left) == (one, 2)
    assert choices(db, "admin", {one, two}) == Choices(next=None, done=0, left=2)


@pytest.mark.parametrize("column", ["superseded_by", "withdrawn_at"])
@pytest.mark.parametrize("role", ["customer", "assistant"])
def test_that_what_no_longer_stands_is_not_asked(db: Database, column: str, role: str) -> None:
    reply = ask(db, address=ADA)
    db.execute(f"UPDATE turns SET {column} = id WHERE role = ?", [role])

    assert choices(db, "admin").left == 0
    assert choice(db, PairKey(reply.turn, 0, 1)) is None
