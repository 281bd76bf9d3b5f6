"""The way of one message through understanding, search, candidates and choice."""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from bot.conversation import Answer, ConversationManager, Utterance
from bot.log.approved import Wording, add
from bot.messages import Dialogue, Language, Stage, Turn
from bot.ranking.fixed_order import FixedOrder
from prompts import Prompts
from tests.fakes.vllm_api import Break, FakeVllm, Fault
from tests.small_shop import (
    NOW,
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

    utterance = Utterance(text=text, language=previous)
    found: Answer = await desk.conversations.answer(utterance, progress)
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
    vllm.breaks(fault)

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
        approved=None,  # type: ignore[arg-type]
        drafts=None,  # type: ignore[arg-type]
        prompts=prompts,
        policy=None,  # type: ignore[arg-type]
        rng=random.Random(1),
    )

    found = manager.failure(Utterance(text="12345", language=language))

    assert found.decision.candidate.text == prompts.text("handoff_failure", language)
    assert found.decision.candidate.handoff_reason == "failure"


async def test_that_nothing_is_remembered_between_messages(desk: Desk) -> None:
    first = await answer(desk, QUESTION["zh"])
    second = await answer(desk, "???")

    assert (first.message.language, second.message.language) == ("zh", "en")


# Written in sight: a source is chosen first, and a draft is shown while it is written.

SENTENCES: dict[Language, tuple[str, str]] = {
    "en": ("You can return an item within 30 days of delivery.", " Sale items cannot be returned."),
    "zh": ("商品送达后30天内可以退货。", "特价商品不能退货。"),
}
INVENTED: dict[Language, str] = {
    "en": " You also get 50 EUR for free.",
    "zh": "您还会免费获得50欧元。",
}


async def written(desk: Desk, language: Language) -> tuple[Answer, list[str]]:
    """Return an answer that was written in sight, and what was shown of it."""
    shown: list[str] = []

    async def show(text: str) -> None:
        shown.append(text)

    async def progress(stage: Stage) -> None:
        pass

    utterance = Utterance(text=QUESTION[language])
    return await desk.conversations.answer(utterance, progress, show), shown


def fates(found: Answer) -> list[tuple[str, bool, float]]:
    decision = found.decision
    return [
        (candidate.source, candidate.refusal is None, propensity)
        for candidate, propensity in zip(decision.candidates, decision.propensities, strict=True)
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_draft_whose_sentences_all_pass_is_the_answer(
    desk: Desk, vllm: FakeVllm, language: Language
) -> None:
    text = "".join(SENTENCES[language])
    vllm.says(text)

    found, shown = await written(desk, language)

    assert found.decision.candidate.text == text
    assert shown[0] == SENTENCES[language][0]
    assert found.decision.candidate.citations[0].article == f"{language}/returns"
    assert fates(found) == [("draft", True, 1.0), ("article", True, 0.0), ("handoff", True, 0.0)]
    assert found.decision.candidate.features["log_probability"] < 0
    assert found.generation is not None
    assert (found.generation.error, found.generation.texts) == (None, (text,))
    assert found.generation.output_tokens
    assert found.generation.sampling["n"] == 1


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_nothing_is_shown_of_a_draft_whose_first_sentence_fails(
    desk: Desk, vllm: FakeVllm, language: Language
) -> None:
    vllm.says(INVENTED[language].strip() + SENTENCES[language][1])

    found, shown = await written(desk, language)

    assert shown == []
    assert found.decision.candidate.text == ARTICLE[language]
    assert fates(found) == [("draft", False, 0.0), ("article", True, 1.0), ("handoff", True, 0.0)]
    assert "50" in found.decision.candidates[0].text


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_what_stands_is_closed_with_the_article_when_a_later_sentence_fails(
    desk: Desk, vllm: FakeVllm, language: Language
) -> None:
    beginning = SENTENCES[language][0]
    vllm.says(beginning + INVENTED[language] + SENTENCES[language][1])

    found, shown = await written(desk, language)

    assert set(shown) == {beginning}
    assert found.decision.candidate.text == ARTICLE[language]  # which says the beginning, too
    assert len(found.decision.candidate.citations) == 1
    assert fates(found) == [
        ("draft", True, 1.0),
        ("article", True, 0.0),
        ("handoff", True, 0.0),
        ("draft", False, 0.0),
    ]
    assert "50" in found.decision.candidates[3].text


async def test_that_a_beginning_that_the_article_does_not_say_stays(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    beginning = "Returning an item is free of charge."
    vllm.says(beginning + INVENTED["en"])
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        with (tmp_path / "articles" / "en" / "returns.md").open("a", encoding="utf-8") as article:
            article.write(f"\n## Costs\n\n{beginning}\n")
        await desk.knowledge.sync(tmp_path / "articles", NOW)

        found, shown = await written(desk, "en")

    assert set(shown) == {beginning}
    assert found.decision.candidate.text == f"{beginning}\n\n{RETURNS_EN}"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "broken", [Break.dies, Break.ends, Break.error, Break.garbage], ids=lambda fault: fault.__name__
)
@pytest.mark.parametrize("tokens", [3, 14])
async def test_that_an_answer_that_breaks_off_is_closed_with_the_article(
    desk: Desk,
    vllm: FakeVllm,
    language: Language,
    broken: Callable[[int], Break],
    tokens: int,
) -> None:
    vllm.reply = lambda _: ["".join(SENTENCES[language])]
    vllm.breaks(broken(tokens))

    found, shown = await written(desk, language)

    assert found.decision.candidate.text == ARTICLE[language]
    assert bool(shown) == (tokens == 14)
    assert found.generation is not None
    assert found.generation.error
    refused = [c.refusal for c in found.decision.candidates if c.refusal]
    assert refused == ["unfinished"]


@pytest.mark.parametrize("text", ["NO ANSWER", "NO ANSWER.\n", "", "  \n"])
async def test_that_a_model_that_declines_shows_nothing(
    desk: Desk, vllm: FakeVllm, text: str
) -> None:
    vllm.says(text)

    found, shown = await written(desk, "zh")

    assert (shown, found.decision.candidate.text) == ([], RETURNS_ZH)
    assert found.decision.candidates[0].refusal == "declined"


@pytest.mark.parametrize("fault", [Fault.server_error(), Fault.garbage(), Fault.dropped()])
async def test_that_a_stream_that_never_begins_costs_no_answer(
    desk: Desk, vllm: FakeVllm, fault: Fault
) -> None:
    vllm.breaks(fault)

    found, shown = await written(desk, "en")

    assert (shown, found.decision.candidate.text) == ([], RETURNS_EN)


async def test_that_a_stall_ends_an_answer_in_sight(tmp_path: Path, vllm: FakeVllm) -> None:
    vllm.says("".join(SENTENCES["zh"]), broken=Break.stalls(15))
    async with open_desk(tmp_path, model_url=vllm.url, between_tokens_seconds=0.5) as desk:
        found, shown = await written(desk, "zh")

        assert shown == [SENTENCES["zh"][0]]
        assert found.decision.candidate.text == RETURNS_ZH
        assert found.generation is not None
        assert found.generation.error == "no more of a draft for 0.5 s"
        await vllm.until(lambda: vllm.abandoned == 1)


async def test_that_the_model_is_hung_up_on_at_the_first_sentence_that_fails(
    desk: Desk, vllm: FakeVllm
) -> None:
    vllm.says(INVENTED["zh"] + SENTENCES["zh"][0], broken=Break.stalls(20))

    await written(desk, "zh")

    await vllm.until(lambda: vllm.abandoned == 1)


async def test_that_no_draft_is_written_that_is_not_chosen(
    tmp_path: Path, vllm: FakeVllm, prompts: Prompts
) -> None:
    class ArticleFirst(FixedOrder):
        version = "article-first/1"
        _ORDER = ("article", "draft", "handoff")

    async with open_desk(tmp_path, model_url=vllm.url, policy=ArticleFirst()) as desk:
        found, shown = await written(desk, "en")

    assert (vllm.chats, shown, found.generation) == ([], [], None)
    assert fates(found) == [("draft", True, 0.0), ("article", True, 1.0), ("handoff", True, 0.0)]


# What comes before a draft: a person, the team's words, a question back.


@pytest.mark.parametrize(
    ("text", "reason"),
    [("I will sue you", "risk"), ("我要投诉你们的客服", "complaint")],
    ids=["risk", "complaint"],
)
async def test_that_a_persons_business_is_handed_on_before_anything_is_searched(
    desk: Desk, vllm: FakeVllm, text: str, reason: str
) -> None:
    found = await answer(desk, text)

    assert (slate(found), found.hits, vllm.chats) == (["handoff"], (), [])
    assert found.decision.candidate.handoff_reason == reason


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_no_model_is_asked_beside_an_approved_answer(
    desk: Desk, vllm: FakeVllm, language: Language
) -> None:
    wording = Wording(text="Yes. 可以。", questions=(QUESTION[language],), language=language)
    await desk.store.write(lambda db: add(db, wording, "admin", NOW))
    await desk.approved.load()

    found = await answer(desk, QUESTION[language])

    assert slate(found) == ["approved", "article", "handoff"]
    assert (found.decision.candidate.text, vllm.chats) == ("Yes. 可以。", [])


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_picked_article_answers_the_question_before(
    desk: Desk, prompts: Prompts, language: Language
) -> None:
    title = {"en": "Return an item", "zh": "退货"}[language]
    offer = prompts.text("clarification", language, titles=f"- {title}\n- X")
    history = (
        Turn(role="customer", text=QUESTION[language]),
        Turn(role="assistant", text=offer, source="clarification"),
    )

    async def progress(stage: Stage) -> None:
        pass

    found = await desk.conversations.answer(Utterance(text=title, history=history), progress)

    assert found.message.text == QUESTION[language]
    assert {hit.passage.title for hit in found.hits} == {title}
    assert found.decision.candidate.text == ARTICLE[language]


async def test_that_an_article_answers_its_audience_alone(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        secret = "---\naudience: slack:T0123\n---\nThe zeppelin sails to Patagonia at nine."
        (tmp_path / "articles" / "en" / "zeppelin.md").write_text(secret)
        await desk.knowledge.sync(tmp_path / "articles", NOW)

        async def reply(channel: str, address: str) -> str:
            dialogue = Dialogue(channel=channel, address=address, customer="ada")
            utterance = Utterance(text="When does the zeppelin sail to Patagonia?")
            asked = replace(utterance, dialogue=dialogue)
            answer = await desk.conversations.answer(asked, nothing)
            return str(answer.decision.candidate.text)

        async def nothing(stage: Stage) -> None:
            pass

        assert "at nine" in await reply("slack", "T0123/D1")
        assert "at nine" not in await reply("slack", "T9/D1")
        assert "at nine" not in await reply("web", "T0123")
