"""Too much at once: who is answered, by what, and what the others are told."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.admission import RESERVE_SECONDS
from bot.answering import LARGEST_ATTEMPTS
from bot.limits import Limits
from bot.log import inbox, usage
from bot.messages import Attachment, Incoming, Language
from prompts import Prompts
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import (
    NOW,
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    Desk,
    incoming,
    open_desk,
)

ANSWER: dict[Language, str] = {"en": RETURNS_EN, "zh": RETURNS_ZH}
NOT_NOW = Limits(most_waiting=0)
SHORT_MINUTE_SECONDS = 0.3
FAST = Limits(messages_per_minute=2, minute_seconds=SHORT_MINUTE_SECONDS)
LONG_HOLD = replace(FAST, minute_seconds=3600)
TEXTS: dict[Language, list[str]] = {
    "en": ["How long?", "I got it yesterday.", "Can I return an item?"],
    "zh": ["多久？", "昨天收到的。", "商品送达后可以退货吗？"],
}


def figure(desk: Desk, name: str, **labels: str) -> float | None:
    return desk.registry.get_sample_value(name, labels)


async def used(desk: Desk) -> list[tuple[object, ...]]:
    return await desk.rows("SELECT channel, customer, calls, tokens FROM usage ORDER BY customer")


# Too many at once.


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_who_can_t_be_answered_is_told_so_in_their_language(
    tmp_path: Path, prompts: Prompts, language: Language
) -> None:
    async with open_desk(tmp_path, limits=NOT_NOW) as desk:
        reply = await desk.ask(QUESTION[language])
        await desk.settled()

        assert (reply.text, reply.source) == (prompts.text("busy", language), "busy")
        assert [choice.command for choice in reply.choices] == ["/human"]
        assert await desk.rows("SELECT source, policy FROM candidates") == [
            ("busy", "overload/queue_full")
        ]
        assert await desk.rows("SELECT turn FROM handoffs") == []
        assert figure(desk, "frontdesk_shed_messages_total", reason="queue_full") == 1


async def test_that_they_are_answered_in_the_language_they_chose(
    tmp_path: Path, prompts: Prompts
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask("/language zh")
    async with open_desk(tmp_path, limits=NOT_NOW) as desk:
        reply = await desk.ask(QUESTION["en"])

    assert reply.text == prompts.text("busy", "zh")


async def test_that_a_command_that_is_not_answered_is_not_carried_out(tmp_path: Path) -> None:
    async with open_desk(tmp_path, limits=NOT_NOW) as desk:
        replies = [await desk.ask(text) for text in ("/forget yes", "/language zh", "/export")]
        await desk.settled()

        assert {reply.source for reply in replies} == {"busy"}
        assert [reply.document for reply in replies] == [None] * 3
        assert await desk.rows("SELECT id FROM erasures") == []
        assert await desk.rows("SELECT language FROM customers") == [(None,)]


class Listener:
    """Hears a voice message as long as it is told to."""

    def __init__(self) -> None:
        self.is_hearing, self.heard = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: str, __: Attachment) -> str:
        self.is_hearing.set()
        await self.heard.wait()
        return QUESTION["en"]


def voice(customer: str) -> Incoming:
    return incoming(
        "",
        attachments=(Attachment(kind="voice", id="v"),),
        address="voice",
        customer=customer,
    )


async def test_that_who_waits_too_long_for_a_turn_is_told_so(tmp_path: Path) -> None:
    listener = Listener()
    limits = Limits(customer_answers_at_once=1, answer_seconds=RESERVE_SECONDS)
    async with open_desk(tmp_path, limits=limits, transcribe=listener) as desk:
        await desk.delivery.accept(voice("ada"))
        await listener.is_hearing.wait()
        await desk.delivery.accept(incoming(customer="ada"))
        await desk.channel.until(lambda: desk.channel.sent)
        oldest = figure(desk, "frontdesk_oldest_waiting_message_seconds")
        listener.heard.set()
        await desk.settled()

        assert [reply.address for reply in desk.channel.sent] == ["ada", "voice"]
        assert [reply.source for reply in desk.channel.sent] == ["busy", "article"]
        assert oldest
        assert oldest >= 1
        assert figure(desk, "frontdesk_shed_messages_total", reason="own_answers") == 1
        assert figure(desk, "frontdesk_oldest_waiting_message_seconds") == 0
        assert figure(desk, "frontdesk_running_answers") == 0


async def test_that_a_voice_message_that_is_heard_keeps_nobody_waiting(tmp_path: Path) -> None:
    listener = Listener()
    limits = Limits(searches_at_once=1)
    async with open_desk(tmp_path, limits=limits, transcribe=listener) as desk:
        await desk.delivery.accept(voice("bo"))
        await listener.is_hearing.wait()

        assert (await desk.ask(QUESTION["en"])).text == RETURNS_EN
        listener.heard.set()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_articles_answer_when_there_is_no_time_for_the_model(
    tmp_path: Path, vllm: FakeVllm, language: Language
) -> None:
    limits = Limits(answer_seconds=RESERVE_SECONDS + 0.5)
    async with open_desk(tmp_path, model_url=vllm.url, limits=limits) as desk:
        reply = await desk.ask(QUESTION[language])

        assert (reply.text, reply.source) == (ANSWER[language], "article")
        assert vllm.chats == []
        assert figure(desk, "frontdesk_model_skipped_total", reason="late") == 1


async def test_that_a_message_that_waited_for_the_program_is_answered_in_full(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.store.write(lambda db: inbox.receive(db, incoming(), NOW))  # months ago
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.resume()
        [reply] = await desk.channel.replies(1)

        assert reply.source != "busy"
        assert len(vllm.chats) == 1


async def test_that_only_so_many_calls_are_at_the_model_at_once(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    limits = Limits(model_calls_at_once=2)
    async with open_desk(tmp_path, model_url=vllm.url, limits=limits) as desk:
        for number in range(4):
            await desk.delivery.accept(incoming(address=f"a{number}"))
        await vllm.until(lambda: len(vllm.chats) == 2)
        await desk.channel.until(lambda: len(desk.channel.progress) >= 6)  # two write, all search
        at_once = len(vllm.chats)
        vllm.release()
        await desk.settled()

    assert at_once == 2
    assert len(vllm.chats) == 4


# One customer's share.


async def test_that_one_customer_has_three_answers_at_once_over_all_conversations(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        for number in range(9):
            await desk.delivery.accept(incoming(address=f"a{number}", customer="flood"))
        for name in ("bo", "cy"):
            await desk.delivery.accept(incoming(address=name))
        await vllm.until(lambda: len(vllm.chats) == 5)
        at_once = len(vllm.chats)
        vllm.release()
        await desk.settled()

    assert at_once == 5
    assert len(vllm.chats) == 11
    assert len(desk.channel.sent) == 11


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_who_writes_too_fast_is_told_once_and_then_answered_together(
    tmp_path: Path, prompts: Prompts, language: Language
) -> None:
    async with open_desk(tmp_path, limits=FAST) as desk:
        for _ in range(FAST.messages_per_minute):
            await desk.ask(QUESTION[language])
        told = await desk.ask(QUESTION[language])
        keys = [f"held-{number}" for number in range(3)]
        for key, text in zip(keys, TEXTS[language], strict=True):
            await desk.delivery.accept(incoming(text, key=key))
        before = len(desk.channel.sent)
        together = (await desk.channel.replies(4))[3]
        await desk.settled()

        assert (told.text, told.source) == (prompts.text("slow_down", language), "busy")
        assert before == 3
        assert len(desk.channel.sent) == 4
        assert [*together.also_answers, together.in_reply_to] == keys
        shed = figure(desk, "frontdesk_shed_messages_total", reason="messages_per_minute")
        assert shed == 1


async def test_that_what_they_write_meanwhile_outlives_a_restart(tmp_path: Path) -> None:
    async with open_desk(tmp_path, limits=LONG_HOLD) as desk:
        for _ in range(3):
            await desk.ask(QUESTION["en"])
        for text in TEXTS["en"]:
            await desk.delivery.accept(incoming(text))
        await desk.settled()
        assert len(desk.channel.sent) == 3

    async with open_desk(tmp_path, limits=LONG_HOLD) as desk:
        await desk.delivery.resume()
        await desk.settled()

        [together] = desk.channel.sent
        assert len(together.also_answers) == 2


async def test_that_others_in_the_same_conversation_do_not_wait(tmp_path: Path) -> None:
    async with open_desk(tmp_path, limits=LONG_HOLD) as desk:
        for _ in range(6):
            await desk.delivery.accept(incoming(address="group", customer="flood"))
            await desk.delivery.accept(incoming(address="group", customer="bo", key="bo"))
        await desk.channel.until(lambda: any(reply.customer == "bo" for reply in desk.channel.sent))
        await desk.settled()

        [reply] = [reply for reply in desk.channel.sent if reply.customer == "bo"]
        assert reply.text == RETURNS_EN


async def test_that_an_answer_stands_when_its_edited_question_has_to_wait(tmp_path: Path) -> None:
    async with open_desk(tmp_path, limits=FAST) as desk:
        await desk.ask(QUESTION["en"], key="first")
        await desk.ask(QUESTION["en"])
        await desk.delivery.accept(incoming("What does standard delivery cost?", edits="first"))
        anew = (await desk.channel.replies(3))[2]
        await desk.settled()

        assert "4.90 EUR" in anew.text
        assert len(desk.channel.sent) == 3


async def test_that_an_edit_that_waits_is_not_taken_for_one_that_ends_the_program(
    tmp_path: Path,
) -> None:
    async with open_desk(tmp_path, limits=LONG_HOLD) as desk:
        await desk.ask(QUESTION["en"], key="first")
        await desk.ask(QUESTION["en"])
        for _ in range(LARGEST_ATTEMPTS):
            await desk.delivery.accept(incoming("What does delivery cost?", edits="first"))
            await desk.settled()

        assert await desk.rows("SELECT max(attempts) FROM inbox WHERE turn IS NULL") == [(0,)]


async def test_that_the_model_is_asked_so_often_a_minute_for_one_customer(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    limits = Limits(model_calls_per_minute=2)
    async with open_desk(tmp_path, model_url=vllm.url, limits=limits) as desk:
        for _ in range(4):
            assert (await desk.ask(QUESTION["en"])).text == RETURNS_EN
        await desk.ask(QUESTION["en"], address="bo")

    assert len(vllm.chats) == 3


async def test_that_tokens_are_counted_with_the_answer(tmp_path: Path, vllm: FakeVllm) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.ask(QUESTION["en"])
        await desk.ask(QUESTION["zh"])
        await desk.ask("Hello", address="bo")
        await desk.settled()

        [(said,)] = await desk.rows("SELECT sum(input_tokens + output_tokens) FROM generations")
        assert said
        assert await used(desk) == [("test", "customer-ada", 2, said)]


async def test_that_dropped_drafts_are_counted_too(tmp_path: Path, vllm: FakeVllm) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming("Can I return an item?"))
        await vllm.until(lambda: len(vllm.chats) == 1)
        await desk.delivery.accept(incoming("Within 30 days?"))
        await vllm.until(lambda: len(vllm.chats) == 2)
        vllm.release()
        await desk.settled()

        [(said,)] = await desk.rows("SELECT input_tokens + output_tokens FROM generations")
        assert await used(desk) == [("test", "customer-ada", 2, 2 * int(str(said)))]


async def test_that_tokens_are_estimated_when_the_server_does_not_say(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url, deadline_seconds=0.2) as desk:
        vllm.hold()
        await desk.ask(QUESTION["en"])
        await desk.settled()

        [(_, _, calls, tokens)] = await used(desk)
        assert calls == 1
        assert int(str(tokens)) >= (len(RETURNS_EN) + len(QUESTION["en"])) // 4


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_the_articles_answer_alone_once_a_day_s_tokens_are_spent(
    tmp_path: Path, vllm: FakeVllm, language: Language
) -> None:
    limits = Limits(daily_tokens=1)
    for _ in range(2):  # a restart forgives nothing
        async with open_desk(tmp_path, model_url=vllm.url, limits=limits) as desk:
            assert (await desk.ask(QUESTION[language])).text == ANSWER[language]
            assert (await desk.ask(QUESTION[language], address="bo")).text == ANSWER[language]

    assert len(vllm.chats) == 2


async def test_that_yesterday_s_tokens_are_forgiven(tmp_path: Path, vllm: FakeVllm) -> None:
    limits = Limits(daily_tokens=1)
    async with open_desk(tmp_path, model_url=vllm.url, limits=limits) as desk:
        await desk.store.write(
            lambda db: usage.add(db, "test", "customer-ada", NOW, calls=1, tokens=1000)
        )
        await desk.ask(QUESTION["en"])

    assert len(vllm.chats) == 1


async def test_that_an_export_tells_what_was_used(tmp_path: Path, vllm: FakeVllm) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.ask(QUESTION["en"])
        reply = await desk.ask("/export")

    assert reply.document is not None
    [day] = json.loads(reply.document.text)["usage"]
    assert day["calls"] == 1
