"""Measuring the answers: reading questions, judging replies, and the shares in the table."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.errors import FrontdeskError
from bot.evaluation import (
    Check,
    Judged,
    Outcome,
    Question,
    as_json,
    evaluate,
    read_questions,
    summary,
)
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import QUESTION, UNANSWERABLE, Desk, open_desk


def write(folder: Path, *lines: Any, start: str = "") -> Path:
    path = folder / "questions.jsonl"
    texts = [
        line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines
    ]
    path.write_text(start + "\n".join(texts), encoding="utf-8")
    return path


@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"], ids=["plain", "byte-order-mark", "blank"])
def test_that_questions_are_read(tmp_path: Path, start: str) -> None:
    lines = [
        {"question": "怎么退货？", "articles": ["zh/returns"], "facts": ["30 天"]},
        {"question": "Zeppelin?", "articles": [], "history": ["Hi", "Hello"], "note": "ours"},
    ]

    first, second = read_questions(write(tmp_path, *lines, start=start))

    assert first == Question(question="怎么退货？", articles=("zh/returns",), facts=("30 天",))
    assert (first.is_answerable, second.is_answerable) == (True, False)
    assert second.history == ("Hi", "Hello")


def test_that_a_line_ends_only_at_its_line_break(tmp_path: Path) -> None:
    line = {"question": "one\u2028two\u0085three", "articles": []}

    [found] = read_questions(write(tmp_path, line))

    assert found.question == "one\u2028two\u0085three"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("not JSON", "Invalid JSON", id="no-json"),
        pytest.param("[]", "object", id="list"),
        pytest.param({"question": "?"}, "Field required", id="no-articles"),
        pytest.param({"question": 1, "articles": []}, "string", id="number"),
        pytest.param({"question": "?", "articles": "en/a"}, "array", id="articles-no-list"),
    ],
)
def test_that_a_wrong_line_is_named(tmp_path: Path, line: Any, reason: str) -> None:
    good = {"question": "?", "articles": []}

    with pytest.raises(FrontdeskError, match=rf"^Line 2 of .*{reason}"):
        read_questions(write(tmp_path, good, line))


def test_that_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FrontdeskError, match="has no questions"):
        read_questions(write(tmp_path, "", "  "))
    with pytest.raises(FrontdeskError, match="can't be read"):
        read_questions(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(FrontdeskError, match="can't be read"):
        read_questions(tmp_path / "latin.jsonl")


@pytest_asyncio.fixture
async def desk(tmp_path: Path, vllm: FakeVllm) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, model_url=vllm.url, drafts=1) as opened:
        yield opened


def no_progress(done: int, total: int) -> None:
    assert 0 < done <= total


async def judge(desk: Desk, question: str, *articles: str, facts: tuple[str, ...] = ()) -> Outcome:
    asked = Question(question=question, articles=articles, facts=facts)
    [outcome] = await evaluate(desk.conversations, [asked], no_progress)
    return outcome


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_right_article_is_right(desk: Desk, language: str) -> None:
    question = QUESTION["zh" if language == "zh" else "en"]

    right = await judge(desk, question, "en/other", f"{language}/returns", facts=("30",))
    wrong = await judge(desk, question, f"{language}/password", facts=("31",))

    assert (right.shown.is_right, right.shown.has_facts, right.shown.kind) == (
        True,
        True,
        "article",
    )
    assert (wrong.shown.is_right, wrong.shown.has_facts) == (False, False)
    assert (right.language, right.shown.ungrounded) == (language, None)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_handoff_is_right_only_where_no_article_answers(
    desk: Desk, language: str
) -> None:
    question = UNANSWERABLE["zh" if language == "zh" else "en"]

    assert (await judge(desk, question)).shown.is_right is True
    assert (await judge(desk, question, "en/returns")).shown.is_right is False
    assert (await judge(desk, question)).shown.has_facts is None


async def test_that_facts_are_compared_without_spaces_and_case(desk: Desk) -> None:
    outcome = await judge(desk, QUESTION["zh"], "zh/returns", facts=("30 天", "退货"))

    assert outcome.shown.has_facts is True


async def test_that_refused_drafts_are_told_with_their_reason(desk: Desk, vllm: FakeVllm) -> None:
    vllm.says("You can return an item within 90 days.")

    outcome = await judge(desk, QUESTION["en"], "en/returns")

    assert outcome.refused_drafts == ("number:90 dai: You can return an item within 90 days.",)
    assert outcome.shown.kind == "article"


async def test_that_the_numbers_of_a_list_are_no_inventions(desk: Desk, vllm: FakeVllm) -> None:
    vllm.says(
        "1. You can return an item within 30 days of delivery.\n2. Sale items cannot be returned."
    )

    outcome = await judge(desk, QUESTION["en"], "en/returns")

    assert (outcome.shown.kind, outcome.shown.ungrounded) == ("draft", None)


async def test_that_articles_may_be_named_without_their_folder(desk: Desk) -> None:
    assert (await judge(desk, QUESTION["en"], "returns")).shown.is_right is True
    assert (await judge(desk, QUESTION["en"], "turns")).shown.is_right is False


async def test_that_each_candidate_is_told_with_its_checks(desk: Desk, vllm: FakeVllm) -> None:
    vllm.says("You can return an item within 30 days of delivery.")

    outcome = await judge(desk, QUESTION["en"], "en/returns")
    plain = as_json(outcome)

    assert [check["source"] for check in plain["checks"]] == ["draft", "article", "handoff"]
    assert plain["checks"][0]["features"]["support"] == 1.0
    assert (plain["kind"], plain["citations"]) == ("draft", ("en/returns",))
    assert outcome.without_model.kind == "article"


async def test_that_nothing_is_stored(desk: Desk) -> None:
    await judge(desk, QUESTION["en"], "en/returns")

    assert await desk.rows(
        "SELECT (SELECT count(*) FROM turns) + (SELECT count(*) FROM inbox)"
    ) == [(0,)]


async def test_that_history_is_given_in_turns(desk: Desk, vllm: FakeVllm) -> None:
    asked = Question(question=QUESTION["zh"], articles=(), history=("你好", "您好！"))

    await evaluate(desk.conversations, [asked], no_progress)

    assert vllm.chats[0].roles == ["system", "user", "assistant", "user"]


RIGHT_REPLY = Judged(
    reply="r",
    kind="draft",
    citations=("a",),
    is_right=True,
    is_off_question=False,
    has_facts=True,
    ungrounded=None,
)
WRONG_REPLY = replace(
    RIGHT_REPLY, citations=("b",), is_right=False, is_off_question=True, has_facts=False
)
NO_REPLY = replace(RIGHT_REPLY, kind="handoff", citations=(), is_right=False, has_facts=None)
RIGHT = Outcome(
    question="?",
    language="en",
    expected=("a",),
    shown=RIGHT_REPLY,
    without_model=NO_REPLY,
    checks=(),
    latency_ms=10.0,
)
WRONG = replace(RIGHT, shown=WRONG_REPLY, latency_ms=30.0)
HANDED_OFF = replace(RIGHT, shown=NO_REPLY)
RIGHTLY = replace(
    RIGHT,
    expected=(),
    shown=replace(NO_REPLY, is_right=True, ungrounded="9 day"),
    language="zh",
)


def test_that_the_table_has_the_shares_of_each_language_and_of_all() -> None:
    english, chinese, everything = summary([RIGHT, WRONG, HANDED_OFF, RIGHTLY])

    assert [row["language"] for row in (english, chinese, everything)] == ["en", "zh", "all"]
    assert english["right"] == english["right_article"] == pytest.approx(1 / 3)
    assert english["wrong_article"] == english["handed_off_wrongly"] == pytest.approx(1 / 3)
    assert english["has_facts"] == 0.5
    assert english["median_ms"] == 10.0
    assert (everything["questions"], everything["right"], everything["ungrounded"]) == (4, 0.5, 1)


def test_that_replies_off_the_question_are_counted() -> None:
    english, _ = summary([RIGHT, WRONG, HANDED_OFF, HANDED_OFF])

    assert (english["off_question"], english["invented"], english["handed_off"]) == (0.25, 0, 0.5)


def test_that_another_section_of_the_right_article_is_counted_where_facts_tell() -> None:
    elsewhere = replace(RIGHT, shown=replace(RIGHT_REPLY, has_facts=False))
    unknown = replace(RIGHT, shown=replace(RIGHT_REPLY, has_facts=None))

    english, _ = summary([RIGHT, WRONG, elsewhere, unknown])

    assert english["wrong_section"] == pytest.approx(1 / 3)
    assert summary([unknown])[0]["wrong_section"] is None


def test_that_the_articles_alone_are_counted_beside_the_model() -> None:
    draft = Check(source="draft", text="t", refusal=None, features={})

    rows = summary([replace(RIGHT, checks=(draft,))])

    assert [row["language"] for row in rows] == ["en", "all", "en, no model", "all, no model"]
    assert [row["right"] for row in rows] == [1.0, 1.0, 0.0, 0.0]


def test_that_a_share_of_nothing_is_none() -> None:
    english, _ = summary([RIGHT])
    chinese, _ = summary([RIGHTLY])

    assert english["handed_off_rightly"] is None
    assert chinese["right_article"] is None
    assert chinese["handed_off_rightly"] == 1.0


def test_that_an_outcome_is_plain_data() -> None:
    assert json.loads(json.dumps(as_json(RIGHTLY)))["ungrounded"] == "9 day"
