"""Groups found beside those that were decided about."""

from bot.intents.encodings import Encodings
from bot.intents.grouping import Task, group
from tests.intents.small_set import texts

ENCODINGS = Encodings()
INVOICES, RETURNS = texts("invoice")[:6], texts("return")[:6]


def test_that_other_messages_are_not_put_to_the_one_group_that_is_confirmed() -> None:
    task = Task(texts=[*INVOICES, *RETURNS, "Where is the invoice?"], confirmed={"7": range(6)})

    found = group(task, ENCODINGS)
    [(invoices, key)] = found.keys.items()
    assert key == "7"
    assert set(found.groups[:6]) == {invoices}
    assert invoices not in found.groups[6:12]
    assert found.groups[12] == invoices


def test_that_a_message_joins_a_group_that_was_confirmed_in_the_other_language() -> None:
    chinese = ["我要发票", "发票在哪里下载", "发票抬头写错了", "我的发票没有收到"]
    task = Task(
        texts=[*INVOICES, *RETURNS, *chinese],
        confirmed={"7": range(6), "8": range(6, 12)},
        number=2,
    )

    found = group(task, ENCODINGS)
    by_key = {key: number for number, key in found.keys.items()}
    assert by_key["7"] in found.groups[12:]


def test_that_every_group_is_described() -> None:
    found = group(Task(texts=[*INVOICES, *RETURNS], confirmed={"7": [0, 6]}), ENCODINGS)

    assert len(found.described) == max(found.groups) + 1
    assert all(each.name and each.examples for each in found.described)
