"""The way of one message through understanding, search, candidates and choice."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.conversation import Answer, ConversationManager
from bot.messages import Language, Stage
from prompts import Prompts
from tests.fakes.vllm_api import FakeVllm, Fault
from tests.small_shop import (
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    UNANSWERABLE,
    Desk,
    open_desk,
)

ARTICLE: dict[Language, str] = {"en": RETURNS_EN, "zh": RETURNS_ZH}
GOOD: dict[Language, str] = {
    "en": "You can return an item within 30 days of delivery.",
    "zh": "商品送达后30天内可以退货。",
}


@pytest_asyncio.fixture
async def desk(tmp_path: Path, vllm: FakeVllm) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, model_url=vllm.url) as opened:
        yield opened


async def answer(desk: Desk, text: str, previous: Language | None = None) -> Answer:
    stages: list[Stage] = []

    async def progress(stage: Stage) -> None:
        stages.append(stage)

    found: Answer = await desk.conversations.answer(text, (), previous, progress)
    assert stages == ["searching", "writing"][: len(stages)]
    return found


def slate(found: Answer) -> list[str]:
    return [candidate.source for candidate in found.decision.candidates]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_grounded_draft_is_chosen(
    desk: Desk, vllm: FakeVllm, language: Language
) -> None:
    vllm.says(GOOD[language], "NO ANSWER")

    found = await answer(desk, QUESTION[language])

    assert found.decision.candidate.text == GOOD[language]
    assert slate(found) == ["draft", "draft", "article", "handoff"]
    assert found.decision.candidate.citations[0].article == f"{language}/returns"
    assert found.generation is not None
    assert found.latency_ms > 0


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "fault", [Fault.server_error(), Fault.garbage(), Fault.dropped()], ids=["500", "junk", "end"]
)
async def test_that_the_article_answers_when_the_model_does_not(
    desk: Desk, vllm: FakeVllm, language: Language, fault: Fault
) -> None:
    vllm.fails(fault)

    found = await answer(desk, QUESTION[language])

    assert found.decision.candidate.text == ARTICLE[language]
    assert slate(found) == ["article", "handoff"]
    assert found.generation is not None
    assert found.generation.error


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_model_is_not_asked_what_no_article_answers(
    desk: Desk, vllm: FakeVllm, language: Language
) -> None:
    found = await answer(desk, UNANSWERABLE[language])

    assert found.decision.candidate.handoff_reason == "no_article"
    assert found.message.language == language
    assert vllm.chats == []


@pytest.mark.parametrize(
    "text",
    ["Hello", "谢谢", "转人工", "🎉", "a" * 5000],
    ids=["hi", "thanks", "person", "emoji", "long"],
)
async def test_that_nothing_is_searched_for_what_asks_nothing(
    desk: Desk, vllm: FakeVllm, text: str
) -> None:
    found = await answer(desk, text)

    assert found.hits == ()
    assert found.generation is None
    assert len(found.decision.candidates) == 1
    assert vllm.chats == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_a_failure_is_said_in_the_customers_language(
    prompts: Prompts, language: Language
) -> None:
    manager = ConversationManager(
        knowledge=None,  # type: ignore[arg-type]
        drafts=None,  # type: ignore[arg-type]
        prompts=prompts,
        policy=None,  # type: ignore[arg-type]
        rng=random.Random(1),
    )

    found = manager.failure("12345", language)

    assert found.decision.candidate.text == prompts.text("handoff_failure", language)
    assert found.decision.candidate.handoff_reason == "failure"


async def test_that_nothing_is_remembered_between_messages(desk: Desk) -> None:
    first = await answer(desk, QUESTION["zh"])
    second = await answer(desk, "???")

    assert (first.message.language, second.message.language) == ("zh", "en")
