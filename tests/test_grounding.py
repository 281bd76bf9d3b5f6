"""The check of a draft against its passages: what may be shown, and why the rest may not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.grounding import check, sentences, unknown_quantity
from bot.messages import Language
from bot.understanding import language_of
from tests.small_shop import passage

RETURNS = "You can return an item within 30 days of delivery. A return costs 7.90 EUR."
SALE = "Sale items cannot be returned."
POINTS = "You get 1,000 points for a review. Points expire after 12 months."
CONTACT = "Write to ada@shop.example or call 020 7946 0958. Forms: https://shop.example/returns."
WORKING = "Delivery takes 2-4 working days. Express delivery costs $9.90."
CARDS = "Gift cards are non-refundable and valid for 3 years."
ZH_RETURNS = "商品送达后30天内可以退货。退货运费为 7.90 欧元。"
ZH_SALE = "特价商品不可以退货。"
ZH_WORKING = "标准配送需要 3 个工作日。满 100 元免运费。"
ZH_TWO = "退款需要两周。会员生日当月享受九折优惠，最多可以买三件。"
ZH_CONTACT = "请写信到 ada@shop.example，或打开 https://shop.example/returns ，填写退货申请。"
ZH_KINDS = "特别商品可以退货。不同商品可以一起退货。"
Table = list[object]

HOURS = "We are open Monday to Saturday, 10:00 to 18:00. We deliver to Spain from May to July."
SHOWN: Table = [
    pytest.param("We're open Monday to Saturday from 10:00 to 18:00.", HOURS, id="range"),
    pytest.param("You can return an item within 30 days of delivery.", RETURNS, id="copied"),
    pytest.param("You can return items within thirty days.", RETURNS, id="number-word"),
    pytest.param("A return costs €7.90.", RETURNS, id="currency-in-front"),
    pytest.param("A return costs 7,90 EUR.", RETURNS, id="decimal-comma"),
    pytest.param(
        "You can return an item within 30 days. It costs 7.90 EUR.", RETURNS, id="two-sentences"
    ),
    pytest.param("Sale items can't be returned.", SALE, id="other-negation"),
    pytest.param("You get 1000 points for a review.", POINTS, id="thousands-without-comma"),
    pytest.param("Points expire after a dozen months.", POINTS, id="dozen"),
    pytest.param("Express delivery costs 9.90 USD.", WORKING, id="dollar-sign-to-code"),
    pytest.param("Write to ada@shop.example.", CONTACT, id="address-copied"),
    pytest.param("Call 020-7946-0958.", CONTACT, id="phone-with-hyphens"),
    pytest.param("Forms: https://shop.example/returns.", CONTACT, id="link-copied"),
    pytest.param(
        "You can return within **30 days** of delivery:\n- an item", RETURNS, id="markdown"
    ),
    pytest.param("商品送达后30天内可以退货。", ZH_RETURNS, id="zh-copied"),
    pytest.param("商品送达后 30 天内可以退货。", ZH_RETURNS, id="zh-other-spaces"),
    pytest.param("商品送达后三十天内可以退货。", ZH_RETURNS, id="zh-numeral"),
    pytest.param("退货运费为€7.90。", ZH_RETURNS, id="zh-currency-in-front"),
    pytest.param("退货运费为７.９０欧元。", ZH_RETURNS, id="zh-full-width"),
    pytest.param("特价商品不可以退货。", ZH_SALE, id="zh-negation-kept"),
    pytest.param("标准配送需要三个工作日。", ZH_WORKING, id="zh-measure-word"),
    pytest.param("满¥100免运费。", ZH_WORKING, id="zh-yuan-sign"),
    pytest.param("满一百元免运费。", ZH_WORKING, id="zh-hundred"),
    pytest.param("退款需要2周。", ZH_TWO, id="zh-two"),
    pytest.param(
        "请打开https://shop.example/returns，填写退货申请。", ZH_CONTACT, id="zh-link-then-comma"
    ),
    pytest.param("请写信到ada@shop.example。", ZH_CONTACT, id="zh-address"),
]
REFUSED: Table = [
    pytest.param("You can return an item within 60 days.", RETURNS, "number", id="number"),
    pytest.param("You can return an item within 30 hours.", RETURNS, "number", id="unit"),
    pytest.param("Delivery takes 4 days.", WORKING, "number", id="days-for-working-days"),
    pytest.param("A return costs 8.90 EUR.", RETURNS, "number", id="price"),
    pytest.param("A return costs 79.0 EUR.", RETURNS, "number", id="decimal-moved"),
    pytest.param("A return costs £7.90.", RETURNS, "number", id="other-currency"),
    pytest.param("Express delivery costs £9.90.", WORKING, "number", id="pound-for-dollar"),
    pytest.param("A return costs 7.90 percent.", RETURNS, "number", id="percent-for-currency"),
    pytest.param("Return an item within seventy days.", RETURNS, "number", id="number-word"),
    pytest.param("Return an item within eighty days.", RETURNS, "number", id="number-word-80"),
    pytest.param("You get 1 point for a review.", POINTS, "number", id="thousand-is-not-one"),
    pytest.param("You get 1.000 points for a review.", POINTS, "number", id="dot-is-decimal"),
    pytest.param("Points expire after twenty months.", POINTS, "number", id="number-word-20"),
    pytest.param("Write to a@shop.example.", CONTACT, "reference", id="part-of-an-address"),
    pytest.param("Write to help@shop.example.", CONTACT, "reference", id="invented-address"),
    pytest.param("Call 020 7946 0959.", CONTACT, "reference", id="invented-phone"),
    pytest.param("Forms: https://shop.example/ret", CONTACT, "reference", id="part-of-a-link"),
    pytest.param("Forms: http://evil.example/returns", CONTACT, "reference", id="invented-link"),
    pytest.param("Forms: www.evil.example", CONTACT, "reference", id="link-without-scheme"),
    pytest.param("Forms: shop-returns.com", CONTACT, "reference", id="bare-domain"),
    pytest.param("Sale items can be returned.", SALE, "negation", id="negation-lost"),
    pytest.param("You can't return an item within 30 days.", RETURNS, "negation", id="negated"),
    pytest.param("Gift cards are refundable.", CARDS, "negation", id="non-lost"),
    pytest.param("We sell flying carpets.", RETURNS, "unsupported", id="invention"),
    pytest.param(
        "Return an item within 30 days. A courier collects it free.",
        RETURNS,
        "unsupported",
        id="half",
    ),
    pytest.param("We are open from 18:00 to 10:00 on Monday.", HOURS, "number", id="range-turned"),
    pytest.param("We deliver from Spain to July.", HOURS, "order", id="from-for-to"),
    pytest.param("NO ANSWER", RETURNS, "declined", id="no-answer"),
    pytest.param("**No answer.**", RETURNS, "declined", id="no-answer-marked-up"),
    pytest.param("  \n", RETURNS, "declined", id="blank"),
    pytest.param("商品送达后30天内可以退货。", RETURNS, "language", id="chinese-for-english"),
    pytest.param("商品送达后60天内可以退货。", ZH_RETURNS, "number", id="zh-number"),
    pytest.param("商品送达后六十天内可以退货。", ZH_RETURNS, "number", id="zh-numeral"),
    pytest.param("商品送达后两天内可以退货。", ZH_RETURNS, "number", id="zh-two"),
    pytest.param("商品送达后三百天内可以退货。", ZH_RETURNS, "number", id="zh-hundreds"),
    pytest.param("商品送达后30小时内可以退货。", ZH_RETURNS, "number", id="zh-unit"),
    pytest.param("退货运费为 7.90 元。", ZH_RETURNS, "number", id="zh-yuan-for-euro"),
    pytest.param("退货运费为 7.90 美元。", ZH_RETURNS, "number", id="zh-dollar-for-euro"),
    pytest.param("退货运费为 9.70 欧元。", ZH_RETURNS, "number", id="zh-price"),
    pytest.param("标准配送需要 3 个月。", ZH_WORKING, "number", id="zh-months-for-days"),
    pytest.param("标准配送需要 3 个小时。", ZH_WORKING, "number", id="zh-hours-for-days"),
    pytest.param("满 200 元免运费。", ZH_WORKING, "number", id="zh-threshold"),
    pytest.param("会员生日当月享受八折优惠。", ZH_TWO, "number", id="zh-discount"),
    pytest.param("最多可以买五件。", ZH_TWO, "number", id="zh-pieces"),
    pytest.param("请打开https://evil.example/returns。", ZH_CONTACT, "reference", id="zh-link"),
    pytest.param("请写信到bob@shop.example。", ZH_CONTACT, "reference", id="zh-address"),
    pytest.param("特价商品可以退货。", ZH_SALE, "negation", id="zh-negation-lost"),
    pytest.param("商品送达后30天内不能退货。", ZH_RETURNS, "negation", id="zh-negated"),
    pytest.param("特别商品不可以退货。", ZH_KINDS, "negation", id="zh-special-is-no-negation"),
    pytest.param("不同商品不可以一起退货。", ZH_KINDS, "negation", id="zh-other-is-no-negation"),
    pytest.param("我们出售飞毯和热气球。", ZH_RETURNS, "unsupported", id="zh-invention"),
    pytest.param("NO ANSWER", ZH_RETURNS, "declined", id="zh-no-answer"),
    pytest.param("You can return an item.", ZH_RETURNS, "language", id="english-for-chinese"),
]


def language_in(text: str) -> Language:
    return "zh" if any("一" <= c <= "鿿" for c in text) else "en"


@pytest.mark.parametrize(("draft", "source"), SHOWN)
def test_that_a_draft_which_says_what_the_passage_says_is_shown(draft: str, source: str) -> None:
    language = language_in(source)

    found = check(draft, [passage(source, language=language)], "?", language)

    assert found.refusal is None
    assert 0.75 <= found.support <= 1.0


@pytest.mark.parametrize(("draft", "source", "reason"), REFUSED)
def test_that_a_draft_which_says_something_else_is_refused(
    draft: str, source: str, reason: str
) -> None:
    language = language_in(source)

    found = check(draft, [passage(source, language=language)], "?", language)

    assert (found.refusal or "shown").partition(":")[0] == reason


@pytest.mark.parametrize(
    ("written", "known"),
    [
        pytest.param("1234568", "1234567", id="last-of-seven-digits"),
        pytest.param("20260301123", "20260301124", id="last-of-eleven-digits"),
        pytest.param("9" * 400, "9" * 401, id="hundreds-of-digits"),
        pytest.param("0.1000001", "0.1", id="last-decimal"),
    ],
)
def test_that_numbers_are_compared_to_the_last_digit(written: str, known: str) -> None:
    assert unknown_quantity(f"Article {written}", [passage(f"Article {known}")])
    assert unknown_quantity(f"Article {written}", [passage(f"Article {written}")]) is None


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("10％", "10%"),
        ("10.50 EUR", "€10.5"),
        ("¥5", "5元"),
        ("30 days", "30-day"),
        ("$5", "5 USD"),
    ],
)
def test_that_one_quantity_is_written_in_several_ways(written: str, known: str) -> None:
    assert unknown_quantity(f"It is {written}", [passage(f"It is {known}")]) is None


def test_that_the_title_and_the_heading_count_as_said() -> None:
    source = passage("Parcels go out daily.", title="Delivery in 24 hours", heading="From 5 EUR")

    assert unknown_quantity("24 hours, from 5 EUR", [source]) is None


def test_that_numbers_of_one_passage_do_not_support_another_unit_of_it() -> None:
    sources = [passage("Return within 30 days."), passage("Refund within 14 working days.")]

    assert unknown_quantity("Refund within 30 working days.", sources) == "30 work"


def test_that_phrases_may_change_places_and_words_of_one_may_not() -> None:
    source = [passage("You can return an item within 30 days of delivery.")]
    draft = "Within 30 days you can return an item."

    assert check(draft, source, "?", "en").refusal is None
    assert check("Deliver an item within 30 days of return.", source, "?", "en").refusal == "order"


def test_that_the_reason_is_that_of_the_sentence_which_has_the_numbers() -> None:
    attempts = "With standard delivery, the carrier makes 2 attempts on different working days."
    times = "If you order before noon, standard delivery takes 2 to 4 working days in all cities."
    draft = "Standard delivery takes 2 to 4 working days."

    assert check(draft, [passage(attempts), passage(times)], "?", "en").refusal == "condition"


def test_that_words_gathered_from_far_apart_are_refused() -> None:
    source = [
        passage(
            "An express order placed after 14:00 is shipped on the following working day: order on "
            "Friday at 16:00, for example, and the parcel arrives on Tuesday."
        )
    ]

    assert check("Express orders are shipped on Tuesday.", source, "?", "en").refusal


SWAPPED = [
    pytest.param(
        ["Refunds to your card take 5 days.", "You can return items within 30 days."],
        "Refunds to your card take 30 days.",
        "number",
        id="number-of-another-passage",
    ),
    pytest.param(
        ["Express delivery to other EU countries costs 14.90 EUR. Standard costs 4.90 EUR."],
        "Express delivery to other EU countries costs 4.90 EUR.",
        "number",
        id="number-of-another-sentence",
    ),
    pytest.param(
        ["退款到银行卡需要5天。", "商品可以在30天内退货。"],
        "退款到银行卡需要30天。",
        "number",
        id="number-zh",
    ),
    pytest.param(
        ["You cannot return underwear, but jackets can be returned."],
        "You cannot return jackets.",
        "negation",
        id="negation-of-another-clause",
    ),
    pytest.param(
        ["Gift cards can be paid with PayPal, but not by instalments."],
        "Gift cards cannot be paid with PayPal.",
        "negation",
        id="negation-behind-but",
    ),
    pytest.param(["外套可以退货，内衣不能退货。"], "外套不能退货。", "negation", id="negation-zh"),
    pytest.param(
        ["Delivery is free for orders over 50 EUR."],
        "Delivery is free.",
        "condition",
        id="condition-left-out",
    ),
    pytest.param(["订单满 60 欧元免运费。"], "订单免运费。", "condition", id="condition-zh"),
]


@pytest.mark.parametrize(("sources", "draft", "reason"), SWAPPED)
def test_that_parts_of_two_statements_make_no_third(
    sources: list[str], draft: str, reason: str
) -> None:
    language = language_in(draft)
    passages = [passage(source, language=language) for source in sources]

    found = check(draft, passages, "?", language)

    assert (found.refusal or "shown").partition(":")[0] in (reason, "unsupported", "order")


def test_that_the_supporting_article_is_named() -> None:
    passages = [
        replace(passage("Delivery takes 3 days."), article="delivery"),
        replace(passage("You can return an item within 30 days."), article="returns"),
    ]

    found = check("You can return an item within 30 days.", passages, "?", "en")

    assert found.articles == ("returns",)


def test_that_nothing_is_shown_without_passages() -> None:
    assert check("You can return an item.", [], "?", "en").refusal == "unsupported"
    assert check("商品可以退货。", [], "？", "zh").refusal == "unsupported"


def test_that_a_passage_without_words_supports_nothing() -> None:
    assert check("You can return an item.", [passage("![](x) 🎉")], "?", "en").refusal


def test_that_sentences_end_where_they_do_in_both_languages() -> None:
    assert sentences("It costs 7.90 EUR. Really!\n- one\n- two") == [
        "It costs 7.90 EUR.",
        "Really!",
        "- one",
        "- two",
    ]
    assert sentences("可以退货。运费7.90欧元；谢谢！") == ["可以退货。", "运费7.90欧元；", "谢谢！"]


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["en", "zh"]))
def test_that_any_draft_gets_a_verdict(draft: str, source: str, language: Language) -> None:
    found = check(draft, [passage(source, language=language)], draft, language)

    assert 0.0 <= found.support <= 1.0


@given(st.text(alphabet="0123456789一二三四五六七八九十百千万两半零.,/ 个天元$¥€%½²", max_size=40))
def test_that_what_a_passage_says_is_never_unknown(text: str) -> None:
    assert unknown_quantity(text, [passage(text)]) is None


@pytest.mark.parametrize(
    ("passages", "question", "draft"),
    [
        pytest.param(
            [
                "Standard delivery is free for orders from 60 EUR.",
                "Express delivery costs 9.90 EUR per order.",
            ],
            "How much does express delivery cost?",
            "Express delivery is free for orders from 60 EUR.",
            id="another-subject",
        ),
        pytest.param(
            ["Standard delivery is free for orders from 60 EUR."],
            "Is drone delivery free?",
            "Drone delivery is free for orders from 60 EUR.",
            id="unknown-subject",
        ),
        pytest.param(
            ["标准配送订单满60欧元免运费。", "快递配送每单9.90欧元。"],
            "快递配送要多少钱？",
            "快递配送订单满60欧元免运费。",
            id="another-subject-zh",
        ),
    ],
)
def test_that_a_statement_about_one_thing_is_none_about_another(
    passages: list[str], question: str, draft: str
) -> None:
    language = language_of(draft)
    told = [passage(text, f"article-{i}", language) for i, text in enumerate(passages)]

    assert check(draft, told, question, language).refusal is not None


TURNED_ROUND = [
    pytest.param(
        "The Leeds shop sends parcels to Dover.", "The Dover shop sends parcels to Leeds.", id="to"
    ),
    pytest.param("Upgrade from basic to premium.", "Upgrade from premium to basic.", id="from-to"),
    pytest.param("Silk is warmer than cotton.", "Cotton is warmer than silk.", id="than"),
    pytest.param("Open from 9:00 to 18:00.", "Open from 18:00 to 9:00.", id="hours"),
    pytest.param("Pay 5 EUR for 2 kg.", "Pay 5 EUR for 5 kg.", id="number-used-twice"),
    pytest.param("班车从北京到上海。", "班车从上海到北京。", id="from-to-zh"),
]


@pytest.mark.parametrize(("source", "draft"), TURNED_ROUND)
@pytest.mark.parametrize("is_asked", [True, False])
def test_that_the_same_words_turned_round_are_refused(
    source: str, draft: str, *, is_asked: bool
) -> None:
    language = language_in(source)

    found = check(draft, [passage(source, language=language)], draft if is_asked else "?", language)

    assert found.refusal


def test_that_may_is_a_month_beside_a_number() -> None:
    source = [passage("The sale ends on June 3, 2026.")]

    assert check("The sale ends on May 3, 2026.", source, "?", "en").refusal


def test_that_each_negation_counts() -> None:
    source = [passage("If you do not agree, you cannot order.")]

    assert check("If you do not agree, you can order.", source, "?", "en").refusal == "negation"


def test_that_a_condition_behind_a_comma_may_not_be_left_out() -> None:
    source = [passage("Returns are free within the country, unless the parcel is damaged.")]
    draft = "Returns are free within the country."

    assert check(draft, source, "Are returns free?", "en").refusal == "condition"
    assert (
        check(draft, source, "Are returns free if the parcel is not damaged?", "en").refusal is None
    )


@pytest.mark.parametrize(
    ("draft", "source"),
    [
        pytest.param(
            "The fee for a return is 7.90 EUR.", "The cost for a return is 7.90 EUR.", id="fee"
        ),
        pytest.param("Customers can buy gift cards.", "Clients can purchase gift cards.", id="buy"),
        pytest.param("Please also bring a picture.", "Bring a photo.", id="glue"),
        pytest.param(
            "Glad to help! Bring a photo. Anything else?", "Bring a photo.", id="courtesy"
        ),
        pytest.param("1. Open the page.\n2. Press Save.", "Open the page. Click Save.", id="list"),
        pytest.param("选购物品需付运费。", "购买商品需付运费。", id="zh"),
        pytest.param("感谢提问！购买商品需付运费。", "购买商品需付运费。", id="zh-courtesy"),
    ],
)
def test_that_other_words_for_the_same_are_shown(draft: str, source: str) -> None:
    language = language_in(source)

    assert check(draft, [passage(source, language=language)], "?", language).refusal is None


@pytest.mark.parametrize("draft", ["Glad to help!", "Thank you for asking.", "感谢您的提问！"])
def test_that_courtesy_alone_is_no_answer(draft: str) -> None:
    language = language_in(draft)
    source = [passage(RETURNS if language == "en" else ZH_RETURNS, language=language)]

    assert check(draft, source, "?", language).refusal == "unsupported"


@pytest.mark.parametrize(
    ("draft", "question", "refusal"),
    [
        pytest.param(
            "Yes, you can return an item within 30 days.", "Can I return an item?", None, id="yes"
        ),
        pytest.param(
            "Yes, you can return an item within 30 days.",
            "Can I return shoes?",
            "verdict",
            id="other",
        ),
        pytest.param(
            "No, you can return an item within 30 days.",
            "Can I return an item?",
            "verdict",
            id="no",
        ),
        pytest.param(
            "Yes! You can return an item within 30 days.", "Can I return an item?", None, id="alone"
        ),
        pytest.param(
            "No. You can return an item within 30 days.",
            "Can I return an item?",
            "verdict",
            id="no-alone",
        ),
        pytest.param("Yes.", "Can I return an item?", "unsupported", id="yes-and-no-more"),
        pytest.param(
            "Yes, of course! You can return an item within 30 days.",
            "Can I return shoes?",
            "verdict",
            id="courtesy-with-it",
        ),
        pytest.param(
            "Yes! Of course! You can return an item within 30 days.",
            "Can I return shoes?",
            "verdict",
            id="courtesy-between",
        ),
        pytest.param(
            "Yes, of course! You can return an item within 30 days.",
            "Can I return an item?",
            None,
            id="true-with-courtesy",
        ),
        pytest.param(
            "You can return an item within 30 days. No.",
            "Can I return an item?",
            "unsupported",
            id="no-at-the-end",
        ),
    ],
)
def test_that_yes_and_no_are_said_of_what_was_asked(
    draft: str, question: str, refusal: str | None
) -> None:
    assert check(draft, [passage(RETURNS)], question, "en").refusal == refusal


@pytest.mark.parametrize(
    "said",
    [
        "Your order LK-204816 was paid.",
        "Write to ben@mail.example.",
        "Your number is +44 20 7946 0123.",
        "您的订单 LK-204816 已付款。",
    ],
)
def test_that_nobodys_data_is_in_a_draft_but_the_passages(said: str) -> None:
    language = language_in(said)
    source = [
        passage(
            "Your order was paid." if language == "en" else "您的订单已付款。", language=language
        )
    ]

    assert check(said, source, said, language).refusal
