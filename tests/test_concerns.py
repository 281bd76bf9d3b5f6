"""Risks and complaints go to a person; ordinary questions with such words do not."""

import pytest

from bot.concerns import concern_of


@pytest.mark.parametrize(
    "text",
    [
        "I don't want to live, I want to die",
        "i will kill myself",
        "我不想活了",
        "The stove exploded and burned my hand",
        "炉子爆炸了",
        "充电宝自己着火了",
        "Refund me or I will sue you",
        "You will hear from my lawyer",
        "不退款我就起诉",
        "There is an unauthorized charge from your shop",
        "I have opened a chargeback with my bank",
        "我的卡被盗刷了",
    ],
)
def test_that_a_risk_is_seen(text: str) -> None:
    assert concern_of(text) == "risk"


@pytest.mark.parametrize(
    "text",
    [
        "I want to complain about your courier",
        "I need to file a complaint against your company",
        "this is a formal complaint",
        "complaint about the rude staff",
        "我要投诉你们的客服",
        "我要投诉",
    ],
)
def test_that_a_complaint_is_seen(text: str) -> None:
    assert concern_of(text) == "complaint"


@pytest.mark.parametrize(
    "text",
    [
        "How do I complain?",
        "Where can I file a complaint?",
        "怎么投诉？",
        "投诉电话是多少",
        "Can you fix the zip, I keep complaining about it",
        "How do I dispute a payment?",
        "炉头打不着火，能退吗",
        "The tent is not fire proof, is it?",
        "my card was declined, why?",
        "Is the lamp bright? My old one was dying",
        "我想死心塌地地用你们家的产品",
        "气死了，上礼拜刚买的今天你们就降价，差价退我不",
        "This jacket is killing it, do you have it in red?",
    ],
)
def test_that_an_ordinary_question_is_none(text: str) -> None:
    assert concern_of(text) is None
