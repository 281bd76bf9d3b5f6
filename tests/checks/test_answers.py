"""Whether a reply answers: the trained scorer with the real encoder, and what surrounds it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from bot.checks.answers import (
    FEATURES,
    RIVALS,
    AnswerCheck,
    exchange,
    measure,
    scorer,
)
from bot.checks.asked import has_kind, kinds_asked
from bot.knowledge.encoder import E5Encoder, Vectors
from bot.messages import Language, Turn
from tests.small_shop import WordEncoder, passage

HOTEL = (
    "There is no wheelchair access. Guests can use the free WiFi in all rooms. "
    "Parking costs 10 EUR a day. Check-in is from 14:00."
)
RETURNS = (
    "You have 30 days to return items. A return costs 7.90 EUR. Sale items cannot be returned. "
    "We send the refund within 14 days."
)
ZH = "您可以在30天内退货。退货运费为7.90欧元。特价商品不能退货。退款会在14天内退回。"


async def at_once(work: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> Vectors:
    return work(texts)


@pytest.fixture(scope="module")
def encoder() -> E5Encoder:
    return E5Encoder()


async def refusal(encoder: Any, question: str, reply: str, source: str, **more: Any) -> str | None:
    language: Language = "zh" if any("一" <= c <= "鿿" for c in source) else "en"
    check = AnswerCheck(encoder, at_once, seconds=30.0)
    passages = [passage(source, language=language)]
    found = await check.verdict(
        question, more.pop("history", []), reply, passages, language, **more
    )
    return found.refusal


@pytest.mark.parametrize(
    ("question", "reply", "source"),
    [
        ("Any WiFi?", "Guests can use the free WiFi in all rooms.", HOTEL),
        ("How much is parking?", "Parking costs 10 EUR a day.", HOTEL),
        ("Can I return an item?", "You have 30 days to return items.", RETURNS),
        ("How much does a return cost?", "A return costs 7.90 EUR.", RETURNS),
        ("可以退货吗？", "您可以在30天内退货。", ZH),
        ("退货要多少钱？", "退货运费为7.90欧元。", ZH),
    ],
)
async def test_that_a_reply_to_what_was_asked_passes(
    encoder: E5Encoder, question: str, reply: str, source: str
) -> None:
    assert await refusal(encoder, question, reply, source) is None


@pytest.mark.parametrize(
    ("question", "reply", "source"),
    [
        ("Any WiFi?", "There is no wheelchair access.", HOTEL),
        ("Any WiFi?", "There is no wheelchair access.", "There is no wheelchair access."),
        ("How much is parking?", "Check-in is from 14:00.", HOTEL),
        ("Can I return an item?", "We send the refund within 14 days.", RETURNS),
        ("How much does a return cost?", "You have 30 days to return items.", RETURNS),
        ("退货要多少钱？", "您可以在30天内退货。", ZH),
        ("有停车场吗？", "特价商品不能退货。", ZH),
    ],
)
async def test_that_a_true_sentence_about_something_else_is_refused(
    encoder: E5Encoder, question: str, reply: str, source: str
) -> None:
    assert (await refusal(encoder, question, reply, source) or "").startswith("off_question:0.")


async def test_that_a_follow_up_is_read_with_the_question_before(encoder: E5Encoder) -> None:
    history = [Turn(role="customer", text="How much does a return cost?")]
    reply = "A return costs 7.90 EUR."

    assert await refusal(encoder, "And in euros?", reply, RETURNS, history=history) is None


async def test_that_a_busy_encoder_refuses() -> None:
    async def never(work: Any, texts: Any) -> Vectors:
        await asyncio.Event().wait()
        raise AssertionError

    check = AnswerCheck(WordEncoder(), never, seconds=0.01)

    found = await check.verdict("Why?", [], "So.", [passage()], "en")

    assert found.refusal == "off_question:unchecked"


async def test_that_a_text_is_encoded_once() -> None:
    encoder = WordEncoder()
    check = AnswerCheck(encoder, at_once)
    for _ in range(2):
        await check.probability("Returns?", [], "Return it.", [passage()], "en")

    assert len(encoder.encoded) == len(set(encoder.encoded))


async def test_that_only_the_reply_and_its_key_are_encoded_once_it_is_written() -> None:
    encoder = WordEncoder()
    check = AnswerCheck(encoder, at_once)
    passages = [passage(HOTEL), passage(RETURNS)]
    await check.prepare("Is the WiFi free?", [], passages)
    ahead = len(encoder.encoded)

    await check.probability("Is the WiFi free?", [], "The WiFi costs nothing.", passages, "en")

    assert encoder.encoded[ahead:] == ["free", "The WiFi costs nothing."]


async def test_that_nothing_is_prepared_of_no_passages() -> None:
    encoder = WordEncoder()
    await AnswerCheck(encoder, at_once).prepare("Is the WiFi free?", [], [])

    assert encoder.encoded == ["Is the WiFi free?"]


def test_that_rivals_are_few_near_and_none_that_the_reply_says() -> None:
    judged = exchange("Is there WiFi?", "The WiFi is free in all rooms.", [HOTEL, HOTEL, RETURNS])

    assert len(judged.rivals) == RIVALS
    assert not any("WiFi" in rival for rival in judged.rivals)


def test_that_features_are_numbers_whatever_is_said() -> None:
    width = 8
    for question, reply in (("", ""), ("?", "!"), ("a" * 5000, "b. " * 500), ("？", "。")):
        judged = exchange(question, reply, [])
        ones = np.full((len(judged.texts), width), width**-0.5, dtype=np.float32)
        asked = np.full((2, width), width**-0.5, dtype=np.float32)

        found = measure(judged, asked, ones)

        assert found.shape == (len(FEATURES),)
        assert np.isfinite(found).all()
        assert 0 <= scorer("en").probability(found) <= 1


@pytest.mark.parametrize(
    ("question", "kind", "yes", "no"),
    [
        ("How much is it?", "price", "It costs 5 EUR.", "It is blue."),
        ("How long does it take?", "period", "It takes two days.", "It costs 5 EUR."),
        ("When do you open?", "moment", "We open at 9:00.", "We sell shoes."),
        ("What is your phone number?", "contact", "Call 020 7946 0123.", "It is blue."),
        ("要多少钱？", "price", "5 元。", "需要两天。"),
        ("要多久？", "period", "需要两天。", "5 元。"),
        ("几点开门？", "moment", "9:00 开门。", "在三楼。"),
    ],
)
def test_that_a_question_asks_for_a_kind_of_thing(
    question: str, kind: Any, yes: str, no: str
) -> None:
    assert kind in kinds_asked(question)
    assert has_kind(yes, kind)
    assert not has_kind(no, kind)
