"""The company's rules as the program reads them at its start, and what it does with them."""

import random
from pathlib import Path
from typing import Any

import pytest

from bot.candidates.approved import ApprovedAnswers
from bot.candidates.drafts import DraftWriter
from bot.checks.replies import ReplyChecks
from bot.checks.rules import Rules
from bot.conversation import ConversationManager, Utterance
from bot.errors import ArticlesError
from bot.frontdesk import rules_of
from bot.messages import Candidate
from bot.model import ChatModel
from bot.ranking.fixed_order import FixedOrder
from bot.settings import Settings
from prompts import Prompts
from tests.fakes.vllm_api import MODEL, FakeVllm
from tests.small_shop import NOW, QUESTION, Desk, open_desk


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(frontdesk_articles=folder, **more)


def test_that_rules_beside_the_articles_are_found(tmp_path: Path) -> None:
    assert rules_of(settings(tmp_path)) == Rules()
    (tmp_path / "rules.yaml").write_text("never_say: [magic]", encoding="utf-8")

    assert rules_of(settings(tmp_path)).never_say == ("magic",)


def test_that_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ArticlesError, match=r"none\.yaml can't be read"):
        rules_of(settings(tmp_path, frontdesk_rules=tmp_path / "none.yaml"))


async def reply(desk: Desk, url: str, question: str, rules: Rules) -> Candidate:
    async def nothing(stage: Any) -> None:
        pass

    prompts, checks = Prompts.load(), ReplyChecks(rules=rules)
    model = ChatModel(url=url, name=MODEL)
    writer = DraftWriter(
        model, prompts, drafts=1, longest_tokens=160, languages=("en", "zh"), checks=checks
    )
    manager = ConversationManager(
        knowledge=desk.knowledge,
        approved=ApprovedAnswers(desk.store, desk.knowledge.meaning, lambda: NOW),
        drafts=writer,
        prompts=prompts,
        policy=FixedOrder(),
        rng=random.Random(7),
        checks=checks,
    )
    try:
        answer = await manager.answer(Utterance(text=question), nothing)
    finally:
        await model.close()
    return answer.decision.candidate


async def test_that_what_breaks_a_rule_is_not_shown(tmp_path: Path, vllm: FakeVllm) -> None:
    vllm.says("You can return an item within 30 days of delivery.")
    rules = Rules(never_say=("30 days",))
    async with open_desk(tmp_path) as desk:
        found = await reply(desk, vllm.url, QUESTION["en"], rules)

    assert (found.source, found.handoff_reason) == ("handoff", "not_grounded")
    assert "- Never say: 30 days\n" in vllm.chats[0].texts[0]


async def test_that_a_topic_goes_to_a_person(tmp_path: Path, vllm: FakeVllm) -> None:
    rules = Rules(always_person=("zeppelin",))
    async with open_desk(tmp_path) as desk:
        found = await reply(desk, vllm.url, "Can I return a zeppelin?", rules)

    assert (found.source, found.handoff_reason) == ("handoff", "risk")
    assert vllm.chats == []
