"""Promise: what the articles don't answer goes to a person, in the customer's language."""

from pathlib import Path

import pytest

from bot.messages import Language
from prompts import Prompts
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import QUESTION, UNANSWERABLE, open_desk

PERSON: dict[Language, str] = {"en": "I want to talk to a person!", "zh": "转人工"}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_what_no_article_answers_is_handed_on(
    tmp_path: Path, vllm: FakeVllm, prompts: Prompts, language: Language
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        reply = await desk.ask(UNANSWERABLE[language])

        assert reply.text == prompts.text("handoff", language)
        assert (reply.handed_off, reply.citations) == (True, ())
        assert await desk.rows("SELECT reason FROM handoffs") == [("no_article",)]
        assert vllm.chats == []


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_who_asks_for_a_person_gets_one(
    tmp_path: Path, prompts: Prompts, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        reply = await desk.ask(PERSON[language])

        assert reply.text == prompts.text("handoff_requested", language)
        assert await desk.rows("SELECT reason FROM handoffs") == [("asked_for_person",)]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_assistant_still_answers_after_a_handoff(
    tmp_path: Path, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        first = await desk.ask(PERSON[language])
        second = await desk.ask(QUESTION[language])

        assert (first.handed_off, second.handed_off) == (True, False)
        assert second.source == "article"
        assert first.conversation == second.conversation
