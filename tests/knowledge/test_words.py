"""Words as search and the grounding check see them, in both languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from bot.knowledge.words import content_words, fts_query, fts_text, stem, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Where is My Parcel?", ["where", "is", "my", "parcel"], id="english"),
        pytest.param("It’s the customer's", ["it", "s", "the", "customer", "s"], id="apostrophes"),
        pytest.param("重置密码", ["重置", "密码"], id="chinese"),
        pytest.param("ＡＢＣ１２３", ["abc123"], id="full-width"),
        pytest.param("snake_case", ["snake", "case"], id="underscore"),
        pytest.param("", [], id="empty"),
        pytest.param("🎉👍 …！？", [], id="no-words"),
        pytest.param("Café Zoë", ["café", "zoë"], id="accents"),
        pytest.param("لماذا Привет", ["لماذا", "привет"], id="other-scripts"),
    ],
)
def test_that_a_text_is_cut_into_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("30天内可以退货", {"30", "天", "退货"}, id="number-in-front"),
        pytest.param("iPhone手机壳", {"iphone", "手机"}, id="brand-in-front"),
        pytest.param("手机壳iPhone", {"iphone", "手机"}, id="brand-behind"),
        pytest.param("用PayPal付款", {"paypal", "付款"}, id="brand-between"),
        pytest.param("7.90欧元", {"90", "欧元"}, id="price"),
    ],
)
def test_that_chinese_beside_other_letters_is_still_segmented(
    text: str, expected: set[str]
) -> None:
    found = words(text)

    assert expected <= set(found) | {word for w in found for word in w}
    assert not any("天" in word and "30" in word for word in found)
    assert all(word.isascii() or not any(c.isascii() for c in word) for word in found)


@pytest.mark.parametrize("short", ["人民", "共和国", "中华"])
def test_that_short_words_inside_a_long_chinese_word_are_found(short: str) -> None:
    assert short in words("中华人民共和国")


def test_that_words_without_a_topic_are_left_out() -> None:
    assert content_words("How can I return my order?") == ["return", "order"]
    assert content_words("请问怎么退货") == ["退货"]


def test_that_each_topic_counts_once() -> None:
    assert content_words("return, Return, RETURN") == ["return"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        pytest.param("returning", "return", id="english"),
        pytest.param("退货", "退货", id="chinese"),
        pytest.param("30", "30", id="number"),
    ],
)
def test_that_only_english_has_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


@pytest.mark.parametrize(
    "hostile",
    ['"', "' OR 1=1 --", "title:x", "a* NEAR(b, 2)", "(", "NOT", "AND OR", "\x00", "^a", "{a b}"],
)
def test_that_a_hostile_text_is_only_words_to_the_index(db: Database, hostile: str) -> None:
    query = fts_query(f"{hostile} parcel")

    db.execute("SELECT * FROM turn_search WHERE turn_search MATCH ?", [query]).fetchall()

    assert '"parcel"' in query


def test_that_a_text_without_topics_has_no_query() -> None:
    assert fts_query("how are you") == fts_query("你好吗") == fts_query("??") == ""


@given(st.text())
def test_that_any_text_gives_words_that_can_stand_in_quotes(text: str) -> None:
    assert '"' not in fts_text(text)
    assert all(word and not word.isspace() for word in words(text))
