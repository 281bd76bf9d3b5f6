"""A question back where two articles may be meant, hints at a hand-off, and picking one."""

from dataclasses import replace

import pytest

from bot.candidates.fixed import handoff
from bot.candidates.nearby import (
    HELPFUL,
    MAY_BE_MEANT,
    clarification,
    picked,
    related,
    with_hints,
)
from bot.knowledge.scoring import Hit
from bot.messages import LANGUAGES, Choice, Language, Turn
from prompts import Prompts
from tests.small_shop import hit, passage

NEAR = 0.45  # does not answer by itself


def found(name: str, score: float, similarity: float | None = 0.9, **changes: str) -> Hit:
    return replace(hit(passage(name=name, **changes), score), similarity=similarity)


@pytest.mark.parametrize("language", LANGUAGES)
def test_that_two_articles_as_near_are_asked_about(prompts: Prompts, language: Language) -> None:
    hits = [found("returns", NEAR), found("refunds", MAY_BE_MEANT), found("tents", 0.1)]

    asked = clarification(hits, (), language, prompts)

    assert asked is not None
    assert asked.source == "clarification"
    assert [choice.command for choice in asked.choices] == ["Returns", "Refunds"]
    assert [cited.article for cited in asked.citations] == ["returns", "refunds"]
    assert "- Returns\n- Refunds" in asked.text


@pytest.mark.parametrize(
    "hits",
    [
        pytest.param([], id="none"),
        pytest.param([found("returns", NEAR)], id="one"),
        pytest.param([found("returns", 0.6), found("refunds", 0.35)], id="clear"),
        pytest.param([found("returns", NEAR), found("refunds", 0.29)], id="second-far"),
        pytest.param([found("returns", NEAR), found("returns", NEAR)], id="same-article"),
        pytest.param([found("a", NEAR, title="T"), found("b", NEAR, title="T")], id="same-title"),
        pytest.param([found("a", 0.1), found("b", 0.1)], id="far"),
        pytest.param([found("a", NEAR, None), found("b", NEAR, None)], id="words-alone"),
    ],
)
def test_that_nothing_is_asked_where_one_is_meant(prompts: Prompts, hits: list[Hit]) -> None:
    assert clarification(hits, (), "en", prompts) is None


def test_that_nothing_is_asked_twice_in_a_row(prompts: Prompts) -> None:
    hits = [found("returns", NEAR), found("refunds", NEAR)]
    history = (Turn(role="assistant", text="Which?", source="clarification"),)

    assert clarification(hits, history, "en", prompts) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_that_a_handoff_names_near_articles(prompts: Prompts, language: Language) -> None:
    hits = [found("a", HELPFUL, title="A [b](c)"), found("far", HELPFUL / 2)]
    reply = handoff("no_article", language, prompts)

    named = with_hints(reply, hits, language, prompts)

    assert named.text.startswith(reply.text)
    assert named.text.endswith(r"- [A \[b\]\(c\)](https://shop.example/a)")
    assert named.choices == (Choice(label="A [b](c)", command="A [b](c)"),)
    assert (named.handoff_reason, named.citations) == ("no_article", ())
    assert with_hints(reply, hits[1:], language, prompts) is reply


def test_that_others_that_may_help_stand_below() -> None:
    scores = {"best": 0.6, "a": HELPFUL, "b": HELPFUL, "c": HELPFUL}
    hits = [found(name, score) for name, score in scores.items()]

    assert [choice.label for choice in related(hits)] == ["A", "B"]
    assert related([found("best", 0.9), found("d", HELPFUL / 2)]) == ()


@pytest.mark.parametrize("written", ["Refunds", "refunds ", "A [b](c)"])
def test_that_an_offered_title_means_the_question_before(prompts: Prompts, written: str) -> None:
    hits = [found("refunds", HELPFUL), found("a", HELPFUL, title="A [b](c)")]
    reply = with_hints(handoff("no_article", "en", prompts), hits, "en", prompts)
    history = (
        Turn(role="customer", text="Money back?"),
        Turn(role="assistant", text=reply.text, source="handoff"),
    )

    pick = picked(written, history)

    assert pick is not None
    assert (pick.question, pick.title.casefold()) == ("Money back?", written.strip().casefold())
    assert picked("something else", history) is None
    assert picked(written, (history[0], replace(history[1], source="article"))) is None
    assert picked(written, ()) is None
