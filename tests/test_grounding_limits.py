"""What a draft may not change of its passages, limits and subjects, and what it may."""

import pytest

from bot.grounding import check
from bot.messages import Language
from bot.understanding import language_of
from tests.small_shop import passage

DELIVERY = (
    "Standard delivery is free for orders from 60 EUR. Express delivery costs 9.90 EUR per order. "
    "Parcels to Spain take 5 days, parcels to Italy take 7 days."
)
ZH_DELIVERY = "标准配送订单满60欧元免运费。快递配送每单9.90欧元。寄往北京需要5天，寄往上海需要7天。"


def refusal(draft: str, source: str, question: str = "?", **more: str) -> str | None:
    language: Language = language_of(source)
    return check(draft, [passage(source, language=language, **more)], question, language).refusal


@pytest.mark.parametrize(
    ("draft", "source"),
    [
        ("All jackets can be returned.", "Some jackets can be returned."),
        ("Jackets can be returned.", "Most jackets can be returned."),
        ("Some jackets can be returned.", "All jackets can be returned."),
        ("Jackets can only be returned.", "Jackets can be returned."),
        ("Parcels always arrive on Friday.", "Parcels usually arrive on Friday."),
        ("所有外套可以退货。", "部分外套可以退货。"),
        ("外套可以退货。", "部分外套可以退货。"),
        ("部分外套可以退货。", "所有外套可以退货。"),
        ("外套只可以退货。", "外套可以退货。"),
    ],
)
def test_that_all_and_some_are_not_confused(draft: str, source: str) -> None:
    assert refusal(source, source) is None
    assert refusal(draft, source) in ("quantity", "condition", "unsupported")


@pytest.mark.parametrize(
    ("draft", "source"),
    [
        ("You must show the receipt.", "You can show the receipt."),
        ("You may show the receipt.", "You must show the receipt."),
        ("The parcel arrives on Friday.", "The parcel might arrive on Friday."),
        ("The parcel will arrive on Friday.", "The parcel may arrive on Friday."),
        ("A receipt is required.", "A receipt is recommended."),
        ("您必须出示收据。", "您可以出示收据。"),
        ("您可以出示收据。", "您必须出示收据。"),
        ("包裹周五送达。", "包裹可能周五送达。"),
    ],
)
def test_that_must_and_may_are_not_confused(draft: str, source: str) -> None:
    assert refusal(source, source) is None
    assert refusal(draft, source) in ("modality", "quantity")


@pytest.mark.parametrize(
    ("draft", "source"),
    [
        ("You can return the jacket.", "You can return the jacket within 30 days."),
        ("You can return the jacket.", "You can return the jacket before the summer ends."),
        ("We repair the jacket.", "When the warranty is valid, we repair the jacket."),
        ("Repairs take 3 days.", "Repairs take up to 3 days."),
        ("Repairs take up to 3 days.", "Repairs take 3 days."),
        ("您可以退货。", "您可以在30天内退货。"),
        ("我们维修外套。", "如果在保修期内，我们维修外套。"),
        ("维修需要3天。", "维修最多需要3天。"),
    ],
)
def test_that_a_limit_is_neither_left_out_nor_put_in(draft: str, source: str) -> None:
    assert refusal(source, source) is None
    assert refusal(draft, source) == "condition"


def test_that_a_limit_which_the_question_names_need_not_be_said_again() -> None:
    source = "When the warranty is valid, we repair the jacket at our workshop."

    asked = "Is it repaired when the warranty is valid?"
    assert refusal("We repair the jacket at our workshop.", source, asked) is None


@pytest.mark.parametrize("question", ["?", "How much is express delivery?", "快递配送要多少钱？"])
@pytest.mark.parametrize(
    "draft",
    [
        "Express delivery is free for orders from 60 EUR.",
        "Standard delivery costs 9.90 EUR per order.",
        "Express delivery costs 9.90 EUR per order. It is free for orders from 60 EUR.",
        "Express delivery costs 9.90 EUR per order, and it is free for orders from 60 EUR.",
        "Express delivery costs 9.90 EUR per order and is free for orders from 60 EUR.",
        "Parcels to Italy take 5 days.",
        "Parcels take 7 days to Spain.",
        "快递配送订单满60欧元免运费。",
        "标准配送每单9.90欧元。",
        "快递配送每单9.90欧元。它订单满60欧元免运费。",
        "寄往上海需要5天。",
    ],
)
def test_that_a_predicate_stays_with_its_subject(draft: str, question: str) -> None:
    source = DELIVERY if draft.isascii() else ZH_DELIVERY

    assert refusal(draft, source, question)


def test_that_the_title_gives_no_other_subject() -> None:
    source = "Standard delivery is free for orders from 60 EUR."
    draft = "Express delivery is free for orders from 60 EUR."

    assert refusal(draft, source, title="Express and standard delivery") == "subject"


@pytest.mark.parametrize(
    ("draft", "source"),
    [
        pytest.param(
            "However, please note that parcels to Spain take 5 days.", DELIVERY, id="lead"
        ),
        pytest.param(
            "For orders from 60 EUR, standard delivery is free.", DELIVERY, id="phrases-move"
        ),
        pytest.param(
            "Standard delivery is free for orders from 60 EUR, and express delivery costs 9.90 EUR "
            "per order.",
            DELIVERY,
            id="two-sentences-joined",
        ),
        pytest.param(
            "It arrives on Monday.", "Parcels ship daily. They arrive on Monday.", id="it"
        ),
        pytest.param("We offer free parking.", "We have free parking.", id="light-verb"),
        pytest.param("Payment needs a card.", "To pay you need a card.", id="derived"),
        pytest.param(
            "See [delivery times](/delivery).", "See [delivery times](/delivery).", id="link"
        ),
        pytest.param("标准配送，订单满60欧元免运费。", ZH_DELIVERY, id="zh-comma"),
        pytest.param("大概可以玩2小时。", "建议游玩时间：2小时", id="zh-label"),
        pytest.param("这里是8:00-16:30营业的。", "营业时间：8:00-16:30", id="zh-hours"),
        pytest.param("8:00-16:30。", "营业时间：8:00-16:30", id="zh-hours-alone"),
        pytest.param("门票价格是30元。", "门票：30元", id="zh-price"),
    ],
)
def test_that_a_true_sentence_in_other_words_is_shown(draft: str, source: str) -> None:
    assert refusal(draft, source) is None


@pytest.mark.parametrize(
    "link", ["/refunds", "#delivery", "mailto:ada@shop.example", "x:/delivery"]
)
def test_that_what_a_link_leads_to_stands_in_the_passages(link: str) -> None:
    source = "See [delivery times](/delivery)."

    assert (refusal(f"See [delivery times]({link}).", source) or "").startswith("reference:")


def test_that_the_line_which_leads_into_a_sentence_is_no_source_of_it() -> None:
    source = "You may come across this error while compiling:\n- Error: no port was found."

    assert refusal("You may come across this error while compiling.", source) is None
    assert refusal("You must come across this error while compiling.", source) == "modality"


def test_that_what_is_not_mandatory_does_not_become_so() -> None:
    source = "It is not mandatory but recommended for all new customers."

    assert refusal(source, source) is None
    draft = "It is mandatory but recommended for all new customers."
    assert refusal(draft, source) == "negation"


def test_that_a_suspended_service_is_not_said_to_run() -> None:
    assert refusal("维修服务营业。", "维修服务暂停营业。") == "negation"


@pytest.mark.parametrize(
    ("draft", "refused"),
    [("Delivery.", True), ("Express.", True), ("配送。", True), ("9.90 EUR.", False)],
)
def test_that_a_single_word_claims_nothing(draft: str, refused: bool) -> None:
    source = ZH_DELIVERY if draft == "配送。" else DELIVERY

    assert refusal(draft, source) == ("unsupported" if refused else None)
