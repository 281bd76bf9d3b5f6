"""Questions that need the turns before: what they name, and what is put before them."""

import pytest

from bot.knowledge.followups import in_context, names_nothing


@pytest.mark.parametrize(
    "question",
    [
        "And how long?",
        "and how much does it cost",
        "How long does that take?",
        "Where is that?",
        "那要等多久？",
        "那要多少钱？",
        "多久能到？",
        "费用呢",
        "？",
    ],
)
def test_that_a_question_can_name_nothing(question: str) -> None:
    assert names_nothing(question)


@pytest.mark.parametrize(
    "question",
    [
        "How long does shipping take?",
        "and on Fridays?",
        "How much is a colour print?",
        "那安装费呢？",
        "书多久要还？",
        "退款要多久",
    ],
)
def test_that_a_topic_is_something(question: str) -> None:
    assert not names_nothing(question)


def test_that_the_last_turns_begin_what_is_searched() -> None:
    history = ["first", "second", "third " * 100, "fourth", "fifth"]

    assert in_context("how long?", history, "en").startswith("second third")
    assert in_context("how long?", history, "en").endswith("fourth fifth how long?")
