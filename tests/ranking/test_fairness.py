"""How groups of customers are served, side by side."""

import random
from dataclasses import replace

from bot.ranking.experience import LoggedDecision
from bot.ranking.fairness import Served, served
from bot.ranking.fixed_order import FixedOrder
from tests.ranking.shoppers import Uniform, log_of


def by_group(log: list[LoggedDecision]) -> dict[str, Served]:
    return {row.group: row for row in served(log)}


def test_that_a_group_served_worse_is_told_apart() -> None:
    log = list(log_of(FixedOrder(), random.Random(7), 600))
    unhappy = [
        replace(each, language="zh", after=replace(each.after, verdicts=[("down", None)]))
        for each in log[:150]
    ]

    found = by_group([*unhappy, *log[150:]])

    assert found["language zh"].is_apart
    assert not found["language en"].is_apart
    assert found["language zh"].liked is not None
    assert found["language zh"].liked.value == 0.0


def test_that_everybody_is_counted_once_in_each_kind_of_group() -> None:
    log = list(log_of(Uniform(), random.Random(7), 100))
    mixed = [replace(each, is_returning=i % 2 == 0) for i, each in enumerate(log)]

    found = by_group(mixed)

    everybody = found["everybody"].replies
    assert found["new customers"].replies + found["returning customers"].replies == everybody
    assert found["language en"].replies == found["channel web"].replies == everybody == len(log)


def test_that_a_group_too_small_to_say_has_no_figures() -> None:
    found = by_group(list(log_of(Uniform(), random.Random(7), 10)))

    assert (found["everybody"].reward, found["everybody"].complaints) == (None, None)
    assert served([]) == []
