"""A long passage is cut to what answers: whole pieces, with what they depend on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.candidates.trimming import is_long, pieces, texts_to_encode, trimmed, trimmed_texts
from bot.messages import Language
from tests.small_shop import Desk, hit, passage

LONG: dict[Language, str] = {
    "en": (
        "Parcels leave our warehouse on the day of the order when it comes before two o'clock. "
        "Returns are free of charge within the country. But bulky goods are excluded from this. "
        "Gift cards can be bought in the shop, and they are sent by e-mail within the hour. "
        "Our shop is open on weekdays from nine to five, and on Saturdays until noon."
    ),
    "zh": (
        "下午两点之前的订单当天从仓库发出，之后的订单下一个工作日发出。在国内退货不收任何费用。"
        "但大件商品除外。礼品卡可以在门店购买，一小时之内通过邮件发送给您。"
        "门店周一到周五九点到五点营业，周六营业到中午，法定节假日不营业，具体安排以门口公告为准。"
    ),
}
KEPT: dict[Language, str] = {
    "en": "Returns are free of charge within the country. But bulky goods are excluded from this.",
    "zh": "在国内退货不收任何费用。但大件商品除外。",
}
QUESTION: dict[Language, str] = {"en": "Are returns free of charge?", "zh": "国内退货收费用吗？"}


@given(st.text(alphabet="Ab. \n-|1:。；！但", max_size=80))
def test_that_pieces_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_that_a_list_stays_whole_with_what_leads_into_it() -> None:
    text = "It is free. You need:\n\n- a label\n- a box\n\nThat is all."

    assert pieces(text) == ["It is free. ", "You need:\n\n- a label\n- a box\n\n", "That is all."]


def test_that_a_table_is_one_piece() -> None:
    table = "| A | B |\n|---|---|\n| 1 | 2 |"

    assert pieces(f"Prices. Here.\n\n{table}") == ["Prices. ", "Here.\n\n", table]


def test_that_a_sentence_that_leans_back_brings_the_one_before() -> None:
    parts = ["You get a code. ", "Then enter it. ", "We are open late."]

    assert trimmed(parts, [0.1, 0.9, 0.1], 0.05) == "You get a code. Then enter it."


@pytest.mark.parametrize("limit", ["But sale items are excluded.", "特价商品除外。"])
def test_that_a_condition_is_never_lost(limit: str) -> None:
    parts = ["Returns are free. ", limit, "We are open late."]

    assert trimmed(parts, [0.9, 0.1, 0.1], 0.05) == f"Returns are free. {limit}"


def test_that_short_passages_stay_whole() -> None:
    assert not is_long(passage("Yes. No. Maybe."))
    assert texts_to_encode([passage("Yes. No. Maybe.")]) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("has_vectors", [True, False])
async def test_that_a_long_passage_is_cut_by_meaning_or_else_by_words(
    desk: Desk, language: Language, has_vectors: bool
) -> None:
    long = passage(LONG[language], language=language)
    meaning = desk.knowledge.meaning
    if has_vectors:
        await meaning.prepare(texts_to_encode([long]))

    found = await trimmed_texts([hit(long)], QUESTION[language], meaning, 5.0)

    assert KEPT[language] in found[long.id]
    assert len(found[long.id]) < len(long.text)
