"""What a message is before anything is looked up: clean text, language, kind."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages import Language
from bot.understanding import LONGEST_QUESTION, clean, language_of, understand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("  hello \n", "hello", id="spaces"),
        pytest.param("a\x00b\x07c\x7f", "abc", id="control-characters"),
        pytest.param("a\r\nb", "a\nb", id="windows-line-break"),
        pytest.param("a\rb", "a\nb", id="old-line-break"),
        pytest.param("a\tb\nc", "a\tb\nc", id="tabs-and-lines"),
        pytest.param("\x1b[31mred\x1b[0m", "red", id="ansi-colour"),
        pytest.param("\x1b]8;;http://evil.example\x07link\x1b]8;;\x07", "link", id="ansi-link"),
        pytest.param("\u202eevil\u2066x\u2069\u061c", "evilx", id="bidi-controls"),
        pytest.param("pass\u200bword\ufeff", "password", id="zero-width"),
        pytest.param("ok\U000e0068\U000e0069", "ok", id="tag-characters"),
        pytest.param("x\ud800y", "xy", id="lone-surrogate"),
        pytest.param("x\ufffey", "xy", id="noncharacter"),
        pytest.param("👨‍👩‍👧 ❤️ 👍🏽", "👨‍👩‍👧 ❤️ 👍🏽", id="emoji-sequences"),
        pytest.param("می‌خواهم", "می‌خواهم", id="persian-joiner"),
        pytest.param("退货\u3000怎么办？", "退货\u3000怎么办？", id="chinese"),
        pytest.param("<b>&amp;{x}", "<b>&amp;{x}", id="markup-is-text"),
        pytest.param("", "", id="empty"),
    ],
)
def test_that_a_text_is_cleaned(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_that_a_clean_text_can_be_stored_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)

    cleaned.encode("utf-8")
    assert clean(cleaned) == cleaned
    assert not {"\x00", "\x1b", "\u202e", "\r"} & set(cleaned)
    assert all(unicodedata.category(c) != "Cc" or c in "\n\t" for c in cleaned)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Where is my parcel?", "en", id="english"),
        pytest.param("我的包裹在哪里？", "zh", id="chinese"),
        pytest.param("iPhone 手机壳可以退吗", "zh", id="chinese-with-brand"),
        pytest.param("my order from 北京 has not arrived yet", "en", id="english-with-place"),
        pytest.param("繁體中文也可以嗎", "zh", id="traditional"),
        pytest.param("打不开 https://shop.example/en/returns/new", "zh", id="chinese-with-link"),
        pytest.param("Où est mon colis ?", "en", id="another-language"),
    ],
)
def test_that_the_language_is_told(text: str, expected: Language) -> None:
    assert language_of(text) == expected
    assert understand(text, "zh" if expected == "en" else "en").language == expected


@pytest.mark.parametrize("text", ["", "12345", "🎉", "???"])
@pytest.mark.parametrize("previous", ["en", "zh"])
def test_that_a_text_without_letters_keeps_the_language(text: str, previous: Language) -> None:
    assert language_of(text, previous) == previous
    assert language_of(text) == "en"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("Hi!", "greeting", id="hi"),
        pytest.param("good morning everyone", "greeting", id="morning"),
        pytest.param("/start", "command", id="telegram-start"),
        pytest.param("/start campaign", "command", id="telegram-deep-link"),
        pytest.param("你好！", "greeting", id="ni-hao"),
        pytest.param("在吗？", "greeting", id="zai-ma"),
        pytest.param("Thanks a lot!", "thanks", id="thanks"),
        pytest.param("OK thank you.", "thanks", id="ok-thanks"),
        pytest.param("好的谢谢", "thanks", id="xie-xie"),
        pytest.param("谢谢您！", "thanks", id="xie-xie-nin"),
        pytest.param("你好\n在吗", "greeting", id="two-greetings"),
        pytest.param("Hi\nThanks!", "thanks", id="greeting-and-thanks"),
        pytest.param("好的谢谢\n再见\n", "farewell", id="thanks-and-farewell"),
        pytest.param("Hello\nwhere is it", "question", id="greeting-and-question"),
        pytest.param("Goodbye", "farewell", id="goodbye"),
        pytest.param("再见", "farewell", id="zai-jian"),
        pytest.param("I want to speak to a human", "person", id="human"),
        pytest.param("talk to someone", "person", id="someone"),
        pytest.param("/human", "person", id="command"),
        pytest.param("Agent please", "person", id="agent"),
        pytest.param("转人工", "person", id="zhuan-ren-gong"),
        pytest.param("我要人工客服", "person", id="ren-gong"),
        pytest.param("人工", "person", id="ren-gong-alone"),
        pytest.param("", "no_words", id="empty"),
        pytest.param("🎉🎉", "no_words", id="emoji"),
        pytest.param("？？！", "no_words", id="punctuation"),
        pytest.param("Hello, where is my parcel?", "question", id="greeting-and-question"),
        pytest.param("你好，我的包裹呢", "question", id="ni-hao-and-question"),
        pytest.param("thanks but it is still broken", "question", id="thanks-and-question"),
        pytest.param("谢谢，但是还没到", "question", id="xie-xie-and-question"),
        pytest.param("is the travel agent discount still valid", "question", id="other-agent"),
        pytest.param("人工皮革能水洗吗", "question", id="artificial-leather"),
        pytest.param("/starter kit price", "question", id="not-the-command"),
        pytest.param("10482", "question", id="order-number"),
    ],
)
def test_that_the_kind_is_told(text: str, kind: str) -> None:
    assert understand(text).kind == kind


@pytest.mark.parametrize("letter", ["a", "退", "🎉", " x"])
def test_that_only_more_than_the_limit_is_too_long(letter: str) -> None:
    longest = (letter * LONGEST_QUESTION)[:LONGEST_QUESTION]

    assert understand(longest).kind != "too_long"
    assert understand(longest + "a").kind == "too_long"


@given(st.text(max_size=300))
def test_that_any_text_is_understood(text: str) -> None:
    found = understand(text)

    assert found.text == text
    assert found.language in ("en", "zh")
