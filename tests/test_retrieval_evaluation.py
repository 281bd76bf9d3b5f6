"""`frontdesk articles evaluate`: which names mean which articles, and what the figures say."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.__main__ import cli
from bot.console import Console
from bot.errors import FrontdeskError
from bot.evaluation import Question
from bot.knowledge.search import Knowledge
from bot.log.store import Store
from bot.retrieval_evaluation import Ranked, as_json, expected_articles, rank, summary
from tests.small_shop import NOW, QUESTION, WordEncoder, write_articles

KNOWN = ["en/returns", "zh/returns", "en/a/delivery", "faq"]


def asked(*articles: str) -> Question:
    return Question(question="?", articles=articles)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("en/returns", {"en/returns"}, id="with-its-folder"),
        pytest.param("returns", {"en/returns", "zh/returns"}, id="without"),
        pytest.param("a/delivery", {"en/a/delivery"}, id="with-a-part"),
        pytest.param("articles/faq", {"faq"}, id="with-a-folder-more"),
        pytest.param("./en/returns.md", {"en/returns"}, id="with-its-ending"),
    ],
)
def test_that_an_article_is_named_with_its_folder_or_without(name: str, found: set[str]) -> None:
    [(_, expected)] = expected_articles([asked(name)], KNOWN)

    assert expected == found


def test_that_questions_without_an_article_are_left_out() -> None:
    assert [len(found) for _, found in expected_articles([asked(), asked("faq")], KNOWN)] == [1]


def test_that_an_unknown_article_is_a_miss_and_only_unknown_ones_an_error() -> None:
    assert [len(found) for _, found in expected_articles([asked("x"), asked("faq")], KNOWN)] == [
        0,
        1,
    ]
    with pytest.raises(FrontdeskError, match="None of the articles"):
        expected_articles([asked("x")], KNOWN)
    with pytest.raises(FrontdeskError, match="names an article"):
        expected_articles([asked()], KNOWN)


def test_that_the_figures_are_those_of_the_places() -> None:
    ranked = [
        Ranked(language="en", places=dict.fromkeys(SEARCHES, place), milliseconds=10.0)
        for place in (1, 2, 6, None)
    ]

    figures = as_json(ranked)

    assert (figures["hit@1"], figures["hit@5"]) == (0.25, 0.5)
    assert figures["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 6) / 4)
    assert figures["milliseconds"] == 10.0
    assert {row["language"] for row in summary(ranked)} == {"en"}


SEARCHES = ("lexical", "dense", "fused", "reranked")


async def test_that_every_search_is_ranked_in_both_languages(store: Store, tmp_path: Path) -> None:
    knowledge = Knowledge(store, WordEncoder())
    await knowledge.sync(write_articles(tmp_path / "articles"), NOW)
    await knowledge.encode(lambda done, total: None)
    questions = [Question(question=text, articles=("returns",)) for text in QUESTION.values()]
    expected = expected_articles(questions, knowledge.articles)

    ranked = await rank(knowledge, expected, lambda done, total: None)
    knowledge.close()

    assert {each.language for each in ranked} == {"en", "zh"}
    assert all(place == 1 for each in ranked for place in each.places.values())


def test_that_the_command_prints_json_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_DATA", str(tmp_path / "data"))
    folder = write_articles(tmp_path / "articles")
    line = {"question": "and how long?", "articles": ["delivery"], "history": ["Delivery?", "4.90"]}
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps(line), encoding="utf-8")
    command = ["articles", "evaluate", "--articles", str(folder), "--questions", str(questions)]

    done = CliRunner().invoke(cli, [*command, "--json"], obj=Console())

    figures = json.loads(done.stdout)
    assert done.exit_code == 0
    assert figures["questions"] == 1
    assert {"hit@1", "hit@5", "mrr", "milliseconds"} <= figures.keys()
    assert {row["search"] for row in figures["searches"]} == set(SEARCHES)
