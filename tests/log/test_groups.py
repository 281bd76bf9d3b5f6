"""What the team decides about groups: labels, names of intents, and what erasure leaves."""

from datetime import timedelta

from sqlite_utils import Database

from bot.log import erasure, export, group_runs, groups
from bot.log import intents as labels
from bot.log.group_runs import FoundGroup
from tests.log.writing import exchange
from tests.small_shop import NOW, incoming

LATER = (NOW + timedelta(days=1)).isoformat()


def ask(db: Database, *texts: str, customer: str = "ada") -> list[str]:
    """Let a customer ask, and return the ids of the messages."""
    for text in texts:
        exchange(db, incoming(text, address=customer, customer=f"customer-{customer}"))
    found = [db.execute("SELECT id FROM turns WHERE text = ?", [text]) for text in texts]
    return [each.fetchone()[0] for each in found]


def put_together(db: Database, turns: list[str], name: str = "words") -> int:
    """Let a run find a group of messages, and return its id."""
    new = FoundGroup(id=None, name=name, terms=(name,), turns=turns, examples=turns)
    group_runs.keep(db, [new], turns, NOW, NOW)
    return max(each.id for each in groups.groups(db))


def goes_on_as(db: Database, name: str) -> str | None:
    return labels.current_name(name, labels.decisions(db))


def test_that_an_intent_keeps_its_new_name_when_more_of_its_group_is_labelled(
    db: Database,
) -> None:
    group = put_together(db, ask(db, "An invoice?", "The invoice?"))
    groups.confirm(db, group, "invoice", "ada", NOW)
    labels.decide(db, "invoice", "ada", NOW, retired=True, becomes="billing")

    assert groups.confirm(db, group, "invoice", "ada", NOW)
    assert goes_on_as(db, "invoice") == "billing"

    more = put_together(db, ask(db, "Invoice, please", "Invoices"))
    assert groups.merge(db, more, group, "ada", NOW)
    assert goes_on_as(db, "invoice") == "billing"
    [merged] = groups.groups(db)
    assert (merged.name, merged.label, merged.unlabelled) == ("billing", "invoice", 0)


def test_that_an_intent_that_was_retired_comes_back_when_a_group_is_confirmed_as_it(
    db: Database,
) -> None:
    labels.decide(db, "invoice", "ada", NOW, retired=True)
    group = put_together(db, ask(db, "An invoice?", "The invoice?"))
    groups.confirm(db, group, "invoice", "ada", NOW)

    assert goes_on_as(db, "invoice") == "invoice"


def test_that_a_name_which_a_person_gave_outlives_what_is_erased(db: Database) -> None:
    turns = [*ask(db, "An invoice?", customer="bo"), *ask(db, "The invoice?", "Invoices", "Bill")]
    group = put_together(db, turns)
    given = groups.split(db, group, turns[:2], "invoice", "ada", NOW)
    erasure.erase(db, "test", "customer-bo", LATER)

    assert [(each.id, each.name) for each in groups.groups(db) if each.id == given] == [
        (given, "invoice")
    ]


def test_that_a_name_of_words_goes_with_what_is_erased(db: Database) -> None:
    turns = [*ask(db, "I am Bo", customer="bo"), *ask(db, "The invoice?", "Invoices", "Bill")]
    group = put_together(db, turns)
    halved = groups.split(db, group, turns[:2], "Bo", "ada", NOW, is_named=False)
    erasure.erase(db, "test", "customer-bo", LATER)

    assert [each.name for each in groups.groups(db) if each.id == halved] == [""]


def test_that_a_run_keeps_no_words_of_what_was_erased_meanwhile(db: Database) -> None:
    turns = [*ask(db, "I am Bo", customer="bo"), *ask(db, "The invoice?", "Invoices")]
    erasure.erase(db, "test", "customer-bo", LATER)
    put_together(db, turns, name="I am Bo")

    [group] = groups.groups(db)
    assert (group.name, group.terms, len(group.members)) == ("", (), 2)


def test_that_an_export_has_no_words_of_others(db: Database) -> None:
    turns = [*ask(db, "I am Bo", customer="bo"), *ask(db, "The invoice?")]
    group = put_together(db, turns, name="I am Bo")
    assert "Bo" not in export.customer_data(db, "test", "customer-ada")

    groups.rename(db, group, "invoice", "ada", NOW)
    assert '"group": "invoice"' in export.customer_data(db, "test", "customer-ada")


def test_that_taking_a_group_back_leaves_the_labels_that_people_gave_before(db: Database) -> None:
    by_hand, other = ask(db, "An invoice?", "The invoice?")
    group = put_together(db, [by_hand, other])
    labels.label(db, by_hand, "invoice", "ada", NOW)
    groups.confirm(db, group, "invoice", "ada", NOW)

    groups.reopen(db, group, "ada", NOW)

    left = db.execute("SELECT turn FROM intent_labels WHERE intent = 'invoice'").fetchall()
    assert left == [(by_hand,)]
