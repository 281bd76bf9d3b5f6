"""A corrected message gets a corrected answer in the old one's place; a deleted one gets none."""

from pathlib import Path

import pytest

from bot.log import inbox
from bot.messages import Language, Withdrawal
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import (
    ARTICLES,
    NOW,
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    Desk,
    incoming,
    open_desk,
)
from tests.test_lines import stalled

ANSWER: dict[Language, str] = {"en": RETURNS_EN, "zh": RETURNS_ZH}
OTHER: dict[Language, str] = {"en": "What does standard delivery cost?", "zh": "标准配送运费多少？"}
OTHER_ANSWER = {language: ARTICLES[f"{language}/delivery"][1] for language in ("en", "zh")}
DELETED = Withdrawal(channel="test", event_key="first")


async def standing(desk: Desk) -> list[tuple[object, ...]]:
    """Return the turns that still count, as the conversation reads now."""
    return await desk.rows(
        "SELECT role, text FROM turns WHERE superseded_by IS NULL AND withdrawn_at IS NULL"
        " ORDER BY number"
    )


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_an_edited_message_is_answered_in_its_answers_place(
    tmp_path: Path, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION[language], key="first")
        edit = incoming(OTHER[language], key="edit:1", edits="first")
        assert await desk.delivery.accept(edit) is True
        reply = (await desk.channel.replies(2))[1]
        await desk.settled()

        assert (reply.text, reply.replaces) == (OTHER_ANSWER[language], ("platform-1",))
        assert (reply.in_reply_to, reply.also_answers) == ("first", ())
        assert await standing(desk) == [
            ("customer", OTHER[language]),
            ("assistant", OTHER_ANSWER[language]),
        ]
        assert await desk.delivery.accept(edit) is False


async def test_that_a_message_can_be_edited_twice(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"], key="first")
        for number, text in enumerate((OTHER["en"], QUESTION["zh"])):
            await desk.delivery.accept(incoming(text, key=f"edit:{number}", edits="first"))
            await desk.channel.replies(number + 2)
        await desk.settled()

        assert [reply.replaces for reply in desk.channel.sent[1:]] == [("platform-1",)] * 2
        assert await standing(desk) == [("customer", QUESTION["zh"]), ("assistant", RETURNS_ZH)]


async def test_that_an_edit_that_says_the_same_is_not_answered(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["zh"], key="first")

        assert await desk.delivery.accept(incoming(QUESTION["zh"], edits="first")) is False
        await desk.settled()
        assert len(desk.channel.sent) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_a_message_edited_before_its_answer_gets_one_answer(
    tmp_path: Path, vllm: FakeVllm, language: Language
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming(QUESTION[language], key="first"))
        await vllm.until(lambda: vllm.chats)
        await desk.delivery.accept(incoming(OTHER[language], edits="first"))
        await vllm.until(lambda: len(vllm.chats) == 2)
        vllm.release()
        await desk.settled()

        [reply] = desk.channel.sent
        assert (reply.text, reply.in_reply_to) == (OTHER_ANSWER[language], "first")
        assert await desk.rows("SELECT text FROM inbox") == [(OTHER[language],)]


async def test_that_an_edit_during_a_preview_changes_the_answer(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.says(RETURNS_EN, broken=stalled("en"))
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        desk.channel.keeps_previews = True
        await desk.delivery.accept(incoming(key="first"))
        await desk.channel.until(lambda: desk.channel.previews)
        await desk.delivery.accept(incoming(OTHER["en"], edits="first"))
        [reply] = await desk.channel.replies(1)
        await desk.settled()

        assert (reply.text, reply.replaces) == (OTHER_ANSWER["en"], ("preview-ada",))
        assert len(desk.channel.previews) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_an_edited_part_of_a_burst_changes_the_answer_to_all(
    tmp_path: Path, vllm: FakeVllm, language: Language
) -> None:
    burst = [incoming("Hm…", key="first"), incoming(QUESTION[language], key="second")]
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        for message in burst:
            await desk.store.write(lambda db, m=message: inbox.receive(db, m, NOW))
        await desk.delivery.resume()
        await desk.settled()
        await desk.delivery.accept(incoming(OTHER[language], edits="second"))
        await desk.settled()

        first, second = desk.channel.sent
        assert first.also_answers == ("first",)
        assert second.replaces == ("platform-1",)
        assert [text for _, text in await standing(desk)] == [
            "Hm…",
            OTHER[language],
            OTHER_ANSWER[language],
        ]
        assert "Hm…\n" + OTHER[language] in vllm.chats[-1].texts[-1]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_an_edit_that_comes_first_stands_for_its_message(
    tmp_path: Path, language: Language
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.delivery.accept(incoming(QUESTION[language], key="edit:1", edits="first"))
        [reply] = await desk.channel.replies(1)

        assert await desk.delivery.accept(incoming("teh same", key="first")) is False
        assert reply.in_reply_to == "first"
        assert await desk.delivery.withdraw(DELETED) is True
        await desk.settled()
        assert desk.channel.sent[-1].is_retraction


async def test_that_an_edit_is_answered_after_a_restart(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"], key="first")
        await desk.settled()
        edit = incoming(QUESTION["zh"], edits="first")
        await desk.store.write(lambda db: inbox.receive(db, edit, NOW))

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        [reply] = await desk.channel.replies(1)

        assert (reply.text, reply.replaces) == (RETURNS_ZH, ("platform-1",))


async def test_that_an_answer_in_place_is_sent_again_after_a_crash(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"], key="first")
        await desk.settled()
        desk.channel.free.clear()
        await desk.delivery.accept(incoming(QUESTION["zh"], edits="first"))
        await desk.channel.until(lambda: len(desk.channel.tries) == 2)
        await desk.delivery.finish(0)

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        [reply] = await desk.channel.replies(1)
        await desk.settled()

        assert reply.replaces == ("platform-1",)
        assert await desk.rows("SELECT state FROM outbox") == [("sent",), ("sent",)]


async def test_that_the_history_of_an_edit_ends_before_its_message(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.ask("Hello", key="greeting")
        await desk.ask(QUESTION["en"], key="first")
        await desk.ask("Thanks", key="last")
        await desk.delivery.accept(incoming(OTHER["en"], edits="first"))
        await desk.channel.replies(4)

        [_, *history, question] = vllm.chats[-1].texts
        assert question == OTHER["en"]
        assert [text for text in history if text in ("Hello", QUESTION["en"], "Thanks")] == [
            "Hello"
        ]


# Deletions.


async def test_that_the_answer_to_a_deleted_message_goes(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"], key="first")
        for _ in "12":
            assert await desk.delivery.withdraw(DELETED) is True
        await desk.settled()

        retraction = desk.channel.sent[1]
        assert (retraction.is_retraction, retraction.text) == (True, "")
        assert retraction.replaces == ("platform-1",)
        assert len(desk.channel.sent) == 2
        assert await standing(desk) == []
        assert await desk.rows("SELECT count(*) FROM posts") == [(0,)]


async def test_that_a_message_deleted_before_its_answer_gets_none(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming(key="first"))
        await vllm.until(lambda: vllm.chats)
        await desk.delivery.withdraw(DELETED)
        await vllm.until(lambda: vllm.abandoned == 1)
        await desk.settled()

        assert desk.channel.tries == []
        assert await desk.delivery.accept(incoming("edited", edits="first")) is False
        assert await desk.delivery.accept(incoming(key="first")) is False


async def test_that_the_model_is_hung_up_on_when_an_edited_message_is_deleted(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.ask(QUESTION["en"], key="first")
        vllm.hold()
        await desk.delivery.accept(incoming(OTHER["en"], edits="first"))
        await vllm.until(lambda: len(vllm.chats) == 2)
        await desk.delivery.withdraw(DELETED)
        await vllm.until(lambda: vllm.abandoned == 1)
        await desk.settled()

        assert [reply.is_retraction for reply in desk.channel.sent] == [False, True]


async def test_that_the_rest_of_a_burst_is_answered_without_what_was_deleted(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        await desk.delivery.accept(incoming(OTHER["zh"], key="first"))
        await desk.delivery.accept(incoming(QUESTION["zh"], key="second"))
        await vllm.until(lambda: vllm.chats)
        await desk.delivery.withdraw(DELETED)
        await vllm.until(lambda: vllm.chats[-1].texts[-1] == QUESTION["zh"])
        vllm.release()
        await desk.settled()

        [reply] = desk.channel.sent
        assert (reply.in_reply_to, reply.also_answers, reply.text) == ("second", (), RETURNS_ZH)


async def test_that_an_answer_stays_while_one_of_its_messages_stands(
    tmp_path: Path, vllm: FakeVllm
) -> None:
    vllm.hold()
    async with open_desk(tmp_path, model_url=vllm.url) as desk:
        for key in ("first", "second"):
            await desk.delivery.accept(incoming(key=key))
        await vllm.until(lambda: vllm.chats)
        vllm.release()
        await desk.settled()

        await desk.delivery.withdraw(DELETED)
        await desk.settled()
        assert [reply.is_retraction for reply in desk.channel.sent] == [False]
        await desk.delivery.withdraw(Withdrawal(channel="test", event_key="second"))
        await desk.settled()
        assert [reply.is_retraction for reply in desk.channel.sent] == [False, True]


async def test_that_an_unknown_message_cannot_be_deleted(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"], key="first")

        other = Withdrawal(channel="other", event_key="first")
        assert await desk.delivery.withdraw(other) is False
        assert await desk.rows("SELECT withdrawn_at FROM inbox") == [(None,)]


async def test_that_a_deletion_is_carried_out_after_a_restart(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"], key="first")
        await desk.ask(QUESTION["en"], key="second", address="bo")
        await desk.settled()
        await desk.store.write(lambda db: inbox.withdraw(db, DELETED, NOW))

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        await desk.settled()
        await desk.delivery.resume()
        await desk.settled()

        [retraction] = desk.channel.sent
        assert (retraction.is_retraction, retraction.replaces) == (True, ("platform-1",))


@pytest.mark.parametrize("restarts", [False, True])
async def test_that_the_beginning_of_an_answer_goes_with_its_message(
    tmp_path: Path, vllm: FakeVllm, restarts: bool
) -> None:
    vllm.says(RETURNS_ZH, broken=stalled("zh"))
    async with open_desk(tmp_path, model_url=vllm.url, streams=True) as desk:
        desk.channel.keeps_previews = True
        await desk.delivery.accept(incoming(QUESTION["zh"], key="first"))
        await desk.channel.until(lambda: desk.channel.previews)
        if restarts:
            await desk.delivery.finish(0)
            await desk.store.write(lambda db: inbox.withdraw(db, DELETED, NOW))
        else:
            await desk.delivery.withdraw(DELETED)
            await desk.settled()
        sent = list(desk.channel.sent)

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        await desk.settled()
        [retraction] = [*sent, *desk.channel.sent]

        assert retraction.is_retraction
        assert retraction.replaces == ("preview-ada",)
        assert await standing(desk) == []
