"""Replies that need no article, in both languages."""

import pytest

from bot.candidates.fixed import handoff, reply_without_articles
from bot.messages import HandoffReason, Language
from bot.understanding import understand
from prompts import Prompts


@pytest.mark.parametrize(
    ("text", "source", "task"),
    [
        pytest.param("Hello!", "courtesy", "greeting", id="greeting"),
        pytest.param("您好", "courtesy", "greeting", id="greeting-zh"),
        pytest.param("Thank you", "courtesy", "thanks", id="thanks"),
        pytest.param("谢谢", "courtesy", "thanks", id="thanks-zh"),
        pytest.param("bye", "courtesy", "farewell", id="farewell"),
        pytest.param("再见", "courtesy", "farewell", id="farewell-zh"),
        pytest.param("🎉", "clarification", "no_words", id="no-words"),
        pytest.param("Let me talk to a person", "handoff", "handoff_requested", id="person"),
        pytest.param("转人工", "handoff", "handoff_requested", id="person-zh"),
    ],
)
def test_that_a_message_that_asks_nothing_gets_its_reply(
    prompts: Prompts, text: str, source: str, task: str
) -> None:
    message = understand(text)

    reply = reply_without_articles(message, prompts)

    assert reply is not None
    assert (reply.source, reply.refusal) == (source, None)
    assert reply.text == prompts.text(task, message.language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_a_message_without_words_is_answered_in_the_language_so_far(
    prompts: Prompts, language: Language
) -> None:
    reply = reply_without_articles(understand("👍", language), prompts)

    assert reply is not None
    assert reply.text == prompts.text("no_words", language)


@pytest.mark.parametrize(("letter", "language"), [("a", "en"), ("退", "zh")])
def test_that_a_too_long_message_is_told_the_limit(
    prompts: Prompts, letter: str, language: Language
) -> None:
    reply = reply_without_articles(understand(letter * 4001), prompts)

    assert reply is not None
    assert reply.source == "clarification"
    assert reply.text == prompts.text("too_long", language, limit="4,000")


@pytest.mark.parametrize("text", ["Where is my parcel?", "包裹到哪了", "Hello, where is it?"])
def test_that_a_question_has_no_fixed_reply(prompts: Prompts, text: str) -> None:
    assert reply_without_articles(understand(text), prompts) is None


@pytest.mark.parametrize(
    ("reason", "task"),
    [
        ("no_article", "handoff"),
        ("not_grounded", "handoff_not_grounded"),
        ("complaint", "handoff_complaint"),
        ("risk", "handoff_risk"),
        ("asked_for_person", "handoff_requested"),
        ("failure", "handoff_failure"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_every_reason_of_a_handoff_has_its_words(
    prompts: Prompts, reason: HandoffReason, task: str, language: Language
) -> None:
    reply = handoff(reason, language, prompts)

    assert (reply.source, reply.handoff_reason) == ("handoff", reason)
    assert reply.text == prompts.text(task, language)
    assert reply.citations == ()
