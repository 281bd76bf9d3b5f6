"""What a customer writes in several messages is answered together, and only once."""

import asyncio
from pathlib import Path

import pytest

from bot.answering import LARGEST_ATTEMPTS
from bot.lines import MOST_RESTARTS, looks_unfinished
from bot.log import inbox
from bot.messages import Language, Outgoing
from prompts import Prompts
from tests.fakes.vllm_api import Break, FakeVllm
from tests.fakes.vllm_replies import tokens_of
from tests.small_shop import (
    NOW,
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    Desk,
    ScriptedChannel,
    incoming,
    open_desk,
)

ANSWER: dict[Language, str] = {"en": RETURNS_EN, "zh": RETURNS_ZH}
PARTS: dict[Language, list[str]] = {
    "en": ["I am returning an item", "I got", "within 30 days?"],
    "zh": ["商品送达后想退货", "就是", "30天内？"],
}
FIRST_SENTENCE: dict[Language, str] = {
    "en": "You can return an item within 30 days of delivery. Sale",
    "zh": "商品送达后30天内可以退货。",
}
BURST_SECONDS = 1.5


def stalled(language: Language) -> Break:
    """Return the fault of a model that stops after the first sentence."""
    return Break.stalls(len(tokens_of(FIRST_SENTENCE[language])))


def answered(reply: Outgoing) -> list[str]:
    return [*reply.also_answers, reply.in_reply_to]


async def asked(desk: Desk) -> list[object]:
    rows = await desk.rows("SELECT text FROM turns WHERE role = 'customer' ORDER BY number")
    return [row[0] for row in rows]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_messages_come_together_while_an_unseen_answer_is_found(
    tmp_path: Path, vllm: FakeVllm, language: Language
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        for number, text in enumerate(PARTS[language]):
            await desk.delivery.accept(incoming(text, key=f"key-{number}"))
            await vllm.until(lambda n=number: len(vllm.chats) > n)
        await vllm.until(lambda: "\n".join(PARTS[language]) in vllm.chats[-1].texts[-1])
        vllm.release()
        await desk.settled()

        [reply] = desk.channel.sent
        assert reply.text == ANSWER[language]
        assert answered(reply) == ["key-0", "key-1", "key-2"]
        assert await asked(desk) == PARTS[language]
        replied = await desk.rows("SELECT DISTINCT reply FROM inbox")
        assert replied == [(reply.turn,)]


async def test_that_the_model_is_hung_up_on_when_there_is_more_to_answer(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming())
        await vllm.until(lambda: vllm.chats)
        await desk.delivery.accept(incoming("And sale items?"))

        await vllm.until(lambda: vllm.abandoned == 1)
        vllm.release()


async def test_that_messages_that_waited_through_a_restart_get_one_answer(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for text in PARTS["zh"]:
            message = incoming(text)
            await desk.store.write(lambda db, m=message: inbox.receive(db, m, NOW))

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        await desk.settled()

        assert [reply.text for reply in desk.channel.sent] == [RETURNS_ZH]
        assert await asked(desk) == PARTS["zh"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_message_becomes_the_next_turn_once_something_is_seen(
    tmp_path: Path, vllm: FakeVllm, language: Language
) -> None:
    vllm.says(ANSWER[language], broken=stalled(language))
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        await desk.delivery.accept(incoming(QUESTION[language], key="first"))
        await desk.channel.until(lambda: desk.channel.previews)
        await desk.delivery.accept(incoming(QUESTION[language], key="second"))
        await vllm.until(lambda: vllm.stalled)
        vllm.release()
        replies = await desk.channel.replies(2)

        assert [answered(reply) for reply in replies] == [["first"], ["second"]]
        assert replies[0].source == "draft"


@pytest.mark.parametrize("text", [PARTS["en"][0], PARTS["zh"][0], "hello", "👍"])
async def test_that_the_rest_of_an_unfinished_message_is_waited_for(
    tmp_path: Path, text: str
) -> None:
    async with open_desk(tmp_path, burst_seconds=BURST_SECONDS) as desk:
        await desk.ask(text)

        assert desk.pauses.seconds == [BURST_SECONDS]


@pytest.mark.parametrize("text", [QUESTION["en"], QUESTION["zh"], "/help", "/language zh", ""])
async def test_that_a_finished_message_is_answered_at_once(tmp_path: Path, text: str) -> None:
    async with open_desk(tmp_path, burst_seconds=BURST_SECONDS) as desk:
        await desk.ask(text)

        assert desk.pauses.seconds == []


async def test_that_a_new_version_is_answered_at_once(tmp_path: Path) -> None:
    async with open_desk(tmp_path, burst_seconds=BURST_SECONDS) as desk:
        await desk.ask(QUESTION["en"], key="first")
        await desk.delivery.accept(incoming(PARTS["en"][0], edits="first"))
        await desk.channel.replies(2)

        assert desk.pauses.seconds == []


async def test_that_what_comes_during_the_wait_is_answered_with_it(tmp_path: Path) -> None:
    async with open_desk(tmp_path, burst_seconds=BURST_SECONDS) as desk:
        desk.pauses.then = lambda: desk.delivery.accept(incoming(PARTS["zh"][-1]))
        await desk.delivery.accept(incoming(PARTS["zh"][0]))
        await desk.settled()

        [reply] = desk.channel.sent
        assert len(answered(reply)) == 2


@pytest.mark.parametrize(
    ("text", "is_unfinished"),
    [
        *(("Is it?", False), ("好的。", False), ('He said "yes."', False), ("（谢谢）", False)),
        *(("How do I return it", False), ("怎么退货", False), ("能退吗", False)),
        *(("How", True), ("what about", True), ("我想问一下", True), ("I want it back now", True)),
        *(("and then", True), ("还有", True), ("", False), ("/human", False), ("3.5", True)),
    ],
)
def test_that_a_mark_or_a_whole_question_finishes_a_message(text: str, is_unfinished: bool) -> None:
    assert looks_unfinished(text) is is_unfinished


async def test_that_who_never_stops_writing_is_answered_all_the_same(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        for number in range(MOST_RESTARTS + 3):
            await desk.delivery.accept(incoming(key=f"key-{number}"))
            calls = min(number, MOST_RESTARTS) + 1
            await vllm.until(lambda n=calls: len(vllm.chats) == n)
        vllm.release()
        await desk.settled()

        first, second = desk.channel.sent
        assert answered(first) == [f"key-{number}" for number in range(MOST_RESTARTS + 1)]
        assert len(answered(second)) == 2
        assert await desk.rows("SELECT DISTINCT attempts FROM inbox") == [(1,)]


@pytest.mark.parametrize("command", ["/forget yes", "/language zh", "/human"])
async def test_that_a_command_is_no_part_of_a_burst(
    tmp_path: Path, vllm: FakeVllm, command: str
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming(key="update:1"))
        await vllm.until(lambda: vllm.chats)
        await desk.delivery.accept(incoming(command, key="update:2"))
        await desk.delivery.accept(incoming(key="update:3"))
        vllm.release()
        replies = await desk.channel.replies(3)

        assert [answered(reply) for reply in replies] == [["update:1"], ["update:2"], ["update:3"]]
        assert replies[1].source == ("handoff" if command == "/human" else "command")


async def test_that_two_people_in_one_thread_each_get_an_answer(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        for name, text in (("ada", QUESTION["en"]), ("bo", QUESTION["zh"])):
            await desk.delivery.accept(incoming(text, address="thread", customer=name))
        vllm.release()
        replies = await desk.channel.replies(2)

        assert [(r.customer, r.text) for r in replies] == [("ada", RETURNS_EN), ("bo", RETURNS_ZH)]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_what_ended_the_program_three_times_is_handed_on(
    tmp_path: Path, vllm: FakeVllm, language: Language
) -> None:
    vllm.hold()
    for run in range(LARGEST_ATTEMPTS):
        async with open_desk(tmp_path, model_url=vllm.url) as desk:
            if run == 0:
                await desk.delivery.accept(incoming(QUESTION[language]))
            else:
                await desk.delivery.resume()
            await vllm.until(lambda r=run: len(vllm.chats) == r + 1)
            await desk.delivery.finish(0)

    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.resume()
        [reply] = await desk.channel.replies(1)

        assert reply.text == Prompts.load().text("handoff_failure", language)
        assert len(vllm.chats) == LARGEST_ATTEMPTS


class Hanging(ScriptedChannel):
    """A channel whose platform never answers a preview."""

    async def preview(self, place: object, text: str) -> str | None:
        self.previews.append(text)
        self._notify()
        await asyncio.Event().wait()
        return None


async def test_that_a_hanging_platform_does_not_keep_the_program_from_ending(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.says(ANSWER["en"])
    async with open_desk(tmp_path, channel=Hanging(), model_url=vllm.url, streams=True) as desk:
        await desk.delivery.accept(incoming())
        await desk.channel.until(lambda: desk.channel.previews)

        async with asyncio.timeout(5):
            await desk.delivery.finish(0)
