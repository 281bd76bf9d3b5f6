"""Nobody waits any more, or the customer says stop: the model ends, and what happened is logged."""

import json
from pathlib import Path

import pytest

from bot.messages import Language
from prompts import Prompts
from tests.fakes.vllm_api import Break, FakeVllm
from tests.fakes.vllm_replies import tokens_of
from tests.small_shop import QUESTION, RETURNS_EN, RETURNS_ZH, Desk, incoming, open_desk

PROMPTS = Prompts.load()
ANSWER: dict[Language, str] = {"en": RETURNS_EN, "zh": RETURNS_ZH}
BEGINNING: dict[Language, str] = {
    "en": "You can return an item within 30 days of delivery.",
    "zh": "商品送达后30天内可以退货。",
}
STREAMS = pytest.mark.parametrize("streams", [False, True], ids=["drafts", "stream"])
STOPS = pytest.mark.parametrize(
    ("language", "stop"), [("en", "/stop"), ("en", "Stop!"), ("zh", "停"), ("zh", "/stop")]
)


async def begin(desk: Desk, vllm: FakeVllm, language: Language = "en", key: str = "asked") -> None:
    """Let a customer ask, and the model begin to write what nobody sees yet."""
    vllm.hold()
    await desk.delivery.accept(incoming(QUESTION[language], key=key))
    await vllm.until(lambda: vllm.chats)


async def show_beginning(desk: Desk, vllm: FakeVllm, language: Language = "en") -> None:
    """Let a customer ask, and see the first sentence."""
    seen = BEGINNING[language] + (" Sale" if language == "en" else "")
    vllm.says(ANSWER[language], broken=Break.stalls(len(tokens_of(seen))))
    await desk.delivery.accept(incoming(QUESTION[language], key="asked"))
    await vllm.until(lambda: vllm.stalled)
    await desk.channel.until(lambda: desk.channel.previews)


async def turns(desk: Desk) -> list[object]:
    return [row[0] for row in await desk.rows("SELECT text FROM turns ORDER BY number")]


# "Stop".


@STREAMS
@STOPS
async def test_that_stop_drops_an_answer_that_nobody_has_seen(
    tmp_path: Path, vllm: FakeVllm, language: Language, stop: str, streams: bool
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url, streams=streams) as desk:
        await begin(desk, vllm, language)
        await desk.delivery.accept(incoming(stop, key="stop"))
        await vllm.until(lambda: vllm.abandoned == 1)
        await desk.settled()

        [reply] = desk.channel.sent
        assert reply.text == PROMPTS.text("stopped", language)
        assert (reply.also_answers, reply.in_reply_to) == (("asked",), "stop")
        assert await turns(desk) == [QUESTION[language], stop, reply.text]
        [(features,)] = await desk.rows("SELECT features FROM candidates")
        assert json.loads(str(features))["stopped"] == 1.0
        assert len(vllm.chats) == 1


@STOPS
async def test_that_stop_lets_stand_what_is_seen_and_adds_nothing(
    tmp_path: Path, vllm: FakeVllm, language: Language, stop: str
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        await show_beginning(desk, vllm, language)
        await desk.delivery.accept(incoming(stop, key="stop"))
        await vllm.until(lambda: vllm.abandoned == 1)
        await desk.settled()

        first, second = desk.channel.sent
        assert (first.text, first.source) == (BEGINNING[language], "draft")
        assert first.citations[0].article == f"{language}/returns"
        assert second.text == PROMPTS.text("stopped", language)
        assert (first.in_reply_to, second.in_reply_to) == ("asked", "stop")
        refusals = await desk.rows("SELECT shown, refusal FROM candidates WHERE source = 'draft'")
        assert sorted(refusals, key=str) == [(0, "stopped"), (1, None)]
        assert await desk.rows("SELECT error FROM generations") == [("stopped",)]


async def test_that_stop_ends_everything_that_waits(tmp_path: Path, vllm: FakeVllm) -> None:
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        await show_beginning(desk, vllm)
        for text, key in ((QUESTION["zh"], "next"), ("stop", "stop"), (QUESTION["en"], "later")):
            await desk.delivery.accept(incoming(text, key=key))
        vllm.reply = lambda _: [RETURNS_EN]
        replies = await desk.channel.replies(3)

        assert replies[1].text == PROMPTS.text("stopped", "zh")
        assert [(*each.also_answers, each.in_reply_to) for each in replies] == [
            ("asked",),
            ("next", "stop"),
            ("later",),
        ]


async def test_that_stop_ends_ones_own_answer_alone(tmp_path: Path, vllm: FakeVllm) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        vllm.hold()
        await desk.delivery.accept(incoming(address="thread", customer="ada"))
        await vllm.until(lambda: vllm.chats)
        await desk.delivery.accept(incoming("stop", address="thread", customer="bo"))
        vllm.release()
        replies = await desk.channel.replies(2)

        assert [reply.text for reply in replies] == [
            RETURNS_EN,
            PROMPTS.text("nothing_to_stop", "en"),
        ]
        assert vllm.abandoned == 0


async def test_that_stop_goes_before_what_others_wrote(tmp_path: Path, vllm: FakeVllm) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        vllm.hold()
        for name, text in (("ada", QUESTION["en"]), ("bo", QUESTION["zh"]), ("ada", "stop")):
            await desk.delivery.accept(incoming(text, address="thread", customer=name))
            await vllm.until(lambda: vllm.chats)
        await vllm.until(lambda: vllm.abandoned == 1)
        vllm.release()
        replies = await desk.channel.replies(2)

        assert [reply.customer for reply in replies] == ["ada", "bo"]
        assert replies[0].text == PROMPTS.text("stopped", "en")
        assert replies[1].text == RETURNS_ZH


async def test_that_others_words_do_not_restart_an_answer(tmp_path: Path, vllm: FakeVllm) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        vllm.hold()
        for name, text in (("ada", QUESTION["en"]), ("bo", QUESTION["zh"]), ("ada", "And sale?")):
            await desk.delivery.accept(incoming(text, address="thread", customer=name))
            await vllm.until(lambda: vllm.chats)
        vllm.release()
        await desk.channel.replies(3)

        assert vllm.abandoned == 0


async def test_that_a_new_version_is_answered_from_the_articles_after_stop(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.ask(QUESTION["en"], key="asked")
        calls = len(vllm.chats)
        vllm.hold()
        await desk.delivery.accept(incoming(f"{QUESTION['en']} Please?", edits="asked"))
        await vllm.until(lambda: len(vllm.chats) > calls)
        await desk.delivery.accept(incoming("stop"))
        await vllm.until(lambda: vllm.abandoned == 1)
        await desk.settled()

        _, edited, stopped = desk.channel.sent
        assert (edited.text, edited.source) == (RETURNS_EN, "article")
        assert stopped.text == PROMPTS.text("stopped", "en")


# Nobody waits.


@STREAMS
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_articles_answer_who_went_away(
    tmp_path: Path, vllm: FakeVllm, language: Language, streams: bool
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url, streams=streams) as desk:
        await begin(desk, vllm, language)
        desk.delivery.leave("test", "asked", "ada")
        await vllm.until(lambda: vllm.abandoned == 1)
        await desk.settled()

        [reply] = desk.channel.sent
        assert (reply.text, reply.source) == (ANSWER[language], "article")
        assert await desk.rows("SELECT error FROM generations") == [("stopped",)]


async def test_that_a_seen_beginning_is_closed_for_who_went_away(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        await show_beginning(desk, vllm)
        desk.delivery.leave("test", "asked", "ada")
        await vllm.until(lambda: vllm.abandoned == 1)
        await desk.settled()

        [reply] = desk.channel.sent
        assert reply.text == RETURNS_EN


async def test_that_who_left_before_their_turn_costs_no_model_call(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        await show_beginning(desk, vllm)
        await desk.delivery.accept(incoming(QUESTION["zh"], key="next"))
        desk.delivery.leave("test", "next", "ada")
        vllm.release()
        replies = await desk.channel.replies(2)

        assert (replies[1].text, replies[1].source) == (RETURNS_ZH, "article")
        assert len(vllm.chats) == 1


async def test_that_who_comes_back_before_their_turn_gets_a_draft(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        await show_beginning(desk, vllm)
        await desk.delivery.accept(incoming(QUESTION["zh"], key="next"))
        desk.delivery.leave("test", "next", "ada")
        assert not await desk.delivery.accept(incoming(QUESTION["zh"], key="next"))
        vllm.says(RETURNS_ZH)
        vllm.release()
        replies = await desk.channel.replies(2)

        assert (replies[1].text, replies[1].source) == (RETURNS_ZH, "draft")


async def test_that_the_model_writes_on_while_somebody_waits(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await begin(desk, vllm, key="first")
        await desk.delivery.accept(incoming("And sale items?", key="second"))
        await vllm.until(lambda: len(vllm.chats) == 2)
        desk.delivery.leave("test", "first", "ada")
        vllm.release()
        await desk.settled()

        assert await desk.rows("SELECT error FROM generations") == [(None,)]
        assert vllm.abandoned == 1


async def test_that_leaving_what_nobody_asked_is_no_trouble(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.delivery.leave("test", "unknown", "ada")

        assert (await desk.ask(QUESTION["en"])).text == RETURNS_EN
