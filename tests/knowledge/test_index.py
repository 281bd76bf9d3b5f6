"""Articles in the database: what a sync changes, and full-text search that no text can break."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from bot.knowledge.articles import Article
from bot.knowledge.index import (
    Changes,
    current_passages,
    find,
    questions_by_article,
    sync,
)
from bot.messages import Language, PassageId
from tests.small_shop import NOW, RETURNS_EN, RETURNS_ZH, passage

LATER = NOW + timedelta(days=1)


def article(
    name: str = "returns",
    text: str = RETURNS_EN,
    language: Language = "en",
    questions: tuple[str, ...] = (),
    title: str = "Return an item",
) -> Article:
    of = passage(text, name, language, title=title)
    of = replace(of, id=PassageId(f"{name}:{hash((title, text))}"))
    return Article(
        id=name, title=title, language=language, url=of.url, questions=questions, passages=(of,)
    )


ENGLISH = article()
CHINESE = article("tui-huo", RETURNS_ZH, "zh", ("怎么退",), "退货")


def found(db: Database, question: str, total: int = 3) -> list[str]:
    return [key.partition(":")[0] for key in find(db, question, 5, total=total).matches]


def test_that_new_articles_are_added(db: Database) -> None:
    changes = sync(db, [ENGLISH, CHINESE], NOW)

    assert changes == Changes(added=2, changed=0, retired=0)
    assert {p.text for p in current_passages(db)} == {RETURNS_EN, RETURNS_ZH}
    assert questions_by_article(db) == {"tui-huo": ["怎么退"]}


def test_that_the_same_articles_change_nothing(db: Database) -> None:
    sync(db, [ENGLISH, CHINESE], NOW)

    assert sync(db, [CHINESE, ENGLISH], LATER) == Changes(added=0, changed=0, retired=0)
    assert {row["updated_at"] for row in db.table("articles").rows} == {NOW.isoformat()}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(article(text="You have 14 days."), id="text"),
        pytest.param(article(title="Send it back"), id="title"),
        pytest.param(article(questions=("How do I send it back?",)), id="questions"),
        pytest.param(article(language="zh"), id="language"),
    ],
)
def test_that_a_changed_article_replaces_its_passages(db: Database, changed: Article) -> None:
    sync(db, [ENGLISH], NOW)

    assert sync(db, [changed], LATER) == Changes(added=0, changed=1, retired=0)
    assert current_passages(db) == list(changed.passages)
    assert db.execute("SELECT count(*) FROM passage_search").fetchone() == (1,)


def test_that_retired_passages_stay_readable_and_are_not_found(db: Database) -> None:
    sync(db, [ENGLISH, CHINESE], NOW)

    assert sync(db, [ENGLISH], LATER) == Changes(added=0, changed=0, retired=1)
    [kept] = db.query("SELECT text, retired_at FROM passages WHERE article = 'tui-huo'")
    assert kept == {"text": RETURNS_ZH, "retired_at": LATER.isoformat()}
    assert found(db, "退货") == []
    assert questions_by_article(db) == {}


def test_that_a_retired_article_can_come_back(db: Database) -> None:
    for articles in ([ENGLISH], [CHINESE], [ENGLISH]):
        changes = sync(db, articles, LATER)

    assert changes == Changes(added=1, changed=0, retired=1)
    assert found(db, "return") == ["returns"]
    assert current_passages(db) == list(ENGLISH.passages)


def test_that_equal_passages_of_an_article_are_one(db: Database) -> None:
    twice = replace(ENGLISH, passages=ENGLISH.passages * 2)

    sync(db, [twice], NOW)

    assert len(current_passages(db)) == 1
    assert found(db, "return") == ["returns"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param("returning items", "returns", id="english-stems"),
        pytest.param("RETURN???", "returns", id="english-case"),
        pytest.param("送达", "tui-huo", id="chinese-two-characters"),
        pytest.param("我想退货可以吗", "tui-huo", id="chinese-sentence"),
        pytest.param("怎么退", "tui-huo", id="words-of-its-questions"),
    ],
)
def test_that_passages_are_found_by_their_words(db: Database, question: str, expected: str) -> None:
    sync(db, [ENGLISH, CHINESE], NOW)

    assert found(db, question) == [expected]


def test_that_articles_in_both_languages_are_searched(db: Database) -> None:
    sync(db, [ENGLISH, CHINESE], NOW)

    assert sorted(found(db, "30")) == ["returns", "tui-huo"]


def test_that_better_matches_have_larger_numbers(db: Database) -> None:
    sync(db, [ENGLISH, article("b", "An item."), article("c", "Nothing.")], NOW)

    matches = find(db, "return an item within 30 days", 5, total=3).matches

    assert list(matches.values()) == sorted(matches.values(), reverse=True)
    assert min(matches.values()) > 0


def test_that_common_words_are_left_out_where_rare_ones_tell_enough(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.knowledge.index.LOOKED_AT", 2)
    common = [article(f"a{number}", f"Order {number} items.", title="Other") for number in range(4)]
    sync(db, [*common, article("rare", "A zeppelin.", title="Other")], NOW)

    assert found(db, "order a zeppelin", total=5) == ["rare"]
    assert len(found(db, "order", total=5)) == 4  # the only word stays


def test_that_a_word_in_the_title_says_more_than_one_in_the_text(db: Database) -> None:
    in_text = article("a", "Lorem warranty ipsum dolor.", title="Other")
    in_title = article("b", "Lorem ipsum dolor sit.", title="Warranty")
    sync(db, [in_text, in_title, article("c", "Nothing.")], NOW)

    assert found(db, "warranty") == ["b", "a"]


HOSTILE = [
    '"',
    '""',
    "'",
    "a* OR (b",
    "title:x",
    "NEAR(",
    "^",
    "-a",
    "NOT",
    "\x00",
    "{a}",
    "🎉",
    "\\",
]


@pytest.mark.parametrize("hostile", [*HOSTILE, "a " * 5000, "退" * 4000, "x" * 10_000])
def test_that_a_hostile_question_finds_nothing_or_what_it_names(db: Database, hostile: str) -> None:
    sync(db, [ENGLISH, CHINESE], NOW)

    assert set(found(db, hostile)) <= {"returns", "tui-huo"}
    assert found(db, f"{hostile[:50]} delivery") == ["returns"]


def test_that_a_question_of_thousands_of_words_is_searched(db: Database) -> None:
    sync(db, [ENGLISH, CHINESE], NOW)
    words = " ".join(f"w{number}" for number in range(2000))

    assert found(db, f"{words} delivery") == ["returns"]
    assert len(find(db, words, 5, total=2).rarity) == 2000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=st.text(max_size=80))
def test_that_no_question_raises(db: Database, text: str) -> None:
    sync(db, [ENGLISH, CHINESE], NOW)

    assert set(found(db, text)) <= {"returns", "tui-huo"}
    assert all(weight > 0 for weight in find(db, text, 5, total=2).rarity.values())


def test_that_rare_words_weigh_more(db: Database) -> None:
    sync(db, [ENGLISH, article("b", "Return it."), article("c", "Zeppelin return.")], NOW)

    weights = find(db, "How do I return a zeppelin submarine?", 5, total=3).rarity

    assert weights["submarin"] > weights["zeppelin"] > weights["return"] > 0


def test_that_common_words_are_counted_once_and_rare_ones_are_not_kept(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.knowledge.index.COMMON", 2)
    sync(db, [ENGLISH, article("b", "Return it."), article("c", "Zeppelin.")], NOW)
    counted: dict[str, int] = {}

    first = find(db, "return a zeppelin", 5, total=3, counted=counted)
    again = find(db, "return a zeppelin", 5, total=3, counted=counted)

    assert counted == {"return": 3}
    assert first == again == find(db, "return a zeppelin", 5, total=3)
    assert list(again.rarity) == ["return", "zeppelin"]


def test_that_a_question_without_topics_has_no_weights(db: Database) -> None:
    assert find(db, "how are you", 5, total=0).rarity == {}
    assert find(db, "你好吗", 5, total=0).matches == {}
