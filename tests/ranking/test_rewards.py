"""Rewards: which signals an aftermath gives, and what they add up to."""

from typing import Any

import pytest

from bot.messages import Source
from bot.ranking.rewards import SIGNALS, WORTH, Aftermath, Signal, is_same_question, reward, signals

QUESTION = "Can I return an opened tent?"


@pytest.mark.parametrize(
    ("after", "found"),
    [
        pytest.param({}, [], id="nothing-yet"),
        pytest.param({"verdicts": [("up", None)]}, ["liked"], id="up"),
        pytest.param({"verdicts": [("down", "wrong")]}, ["disliked"], id="wrong"),
        pytest.param({"verdicts": [("down", None)]}, ["disliked"], id="down"),
        pytest.param({"verdicts": [("down", "unclear")]}, ["half_liked"], id="unclear"),
        pytest.param({"verdicts": [("withdrawn", None)]}, [], id="withdrawn"),
        pytest.param({"next_text": "Thanks!"}, ["thanked"], id="thanks"),
        pytest.param({"next_text": "谢谢"}, ["thanked"], id="thanks-zh"),
        pytest.param({"next_text": "Return an opened tent, can I?"}, ["asked_again"], id="again"),
        pytest.param({"next_text": "How much is express delivery?"}, ["went_on"], id="other"),
        pytest.param({"next_text": "Hello"}, [], id="greeting"),
        pytest.param(
            {"next_text": "/human", "next_asked_for_person": True},
            ["asked_for_person"],
            id="person",
        ),
        pytest.param({"agent_spoke": True}, ["taken_over"], id="agent"),
        pytest.param({"hours": 23.0}, [], id="too-early"),
        pytest.param({"hours": 24.0}, ["silence"], id="silence"),
        pytest.param(
            {"verdicts": [("up", None)], "next_text": "Thanks!"}, ["liked", "thanked"], id="both"
        ),
    ],
)
def test_that_what_follows_an_answer_says_what_it_was(
    after: dict[str, Any], found: list[Signal]
) -> None:
    assert list(signals(QUESTION, "article", Aftermath(**after))) == found


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ({}, ["handed_off"]),
        ({"agent_spoke": True}, ["handed_off"]),
        ({"hours": 100.0}, ["handed_off"]),
        ({"next_text": "Can I return an opened tent"}, ["handed_off", "asked_again"]),
    ],
)
def test_that_a_hand_off_costs_a_person_whatever_follows(
    after: dict[str, Any], found: list[Signal]
) -> None:
    source: Source = "handoff"

    assert list(signals(QUESTION, source, Aftermath(**after))) == found


@pytest.mark.parametrize(
    ("found", "worth"),
    [
        pytest.param([], None, id="unknown"),
        pytest.param(["liked"], 1.0, id="liked"),
        pytest.param(["liked", "asked_again"], 1.0, id="explicit-outweighs-guessed"),
        pytest.param(["liked", "disliked"], 0.0, id="people-differ"),
        pytest.param(["asked_for_person", "taken_over"], -1.0, id="adds-up"),
        pytest.param(["asked_for_person", "taken_over", "handed_off"], -1.0, id="not-below"),
    ],
)
def test_that_signals_make_one_reward(found: list[Signal], worth: float | None) -> None:
    assert reward(found) == (worth if worth is None else pytest.approx(worth))


def test_that_other_worths_can_be_set() -> None:
    assert reward(["silence"], {**WORTH, "silence": 0.0}) == 0.0


def test_that_every_signal_has_a_worth() -> None:
    assert set(WORTH) == set(SIGNALS)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("特价商品可以退货吗？", "请问特价商品能退货吗", True),
        ("特价商品可以退货吗？", "运费多少？", False),
        ("Where is my order?", "where's my order???", True),
        ("?", "!", False),
    ],
)
def test_that_the_same_question_is_known_again(one: str, other: str, same: bool) -> None:
    assert is_same_question(one, other) is same
