"""Stored replies reach their platform, wherever their conversation has gone meanwhile."""

from pathlib import Path

import pytest

from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused
from bot.log import record
from bot.messages import Withdrawal
from tests.small_shop import QUESTION, RETURNS_EN, Desk, incoming, open_desk


async def move(desk: Desk) -> None:
    await desk.delivery.move("test", "ada", "ada-2")


async def test_that_a_reply_follows_its_conversation_to_another_address(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(DeliveryError("the group has moved"))
        desk.pauses.then = lambda: move(desk)
        await desk.delivery.accept(incoming())
        [reply] = await desk.channel.replies(1)

        assert [tried.address for tried in desk.channel.tries] == ["ada", "ada-2"]
        assert (reply.address, reply.text) == ("ada-2", RETURNS_EN)
        assert (await desk.ask(QUESTION["zh"], address="ada-2")).conversation == reply.conversation


@pytest.mark.parametrize(
    ("error", "state"),
    [(DeliveryInDoubt("lost"), "in_doubt"), (DeliveryRefused("blocked"), "failed")],
)
async def test_that_a_customer_who_cannot_be_told_is_erased_all_the_same(
    tmp_path: Path, error: DeliveryError, state: str
) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"])
        desk.channel.errors.append(error)
        await desk.delivery.accept(incoming("/forget yes"))
        await desk.settled()

        assert await desk.rows("SELECT count(*) FROM turns") == [(0,)]
        assert await desk.rows("SELECT erased_at IS NOT NULL FROM erasures") == [(1,)]
        figures = {
            (sample.name, *sample.labels.values()): sample.value
            for metric in desk.registry.collect()
            for sample in metric.samples
        }
        assert figures["frontdesk_undelivered_total", "test", state] == 1


async def test_that_a_retraction_that_fails_is_tried_again(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"], key="first")
        await desk.settled()
        desk.channel.errors.append(DeliveryError("down"))
        await desk.delivery.withdraw(Withdrawal(channel="test", event_key="first"))
        await desk.settled()

        assert [tried.is_retraction for tried in desk.channel.tries] == [False, True, True]
        assert await desk.rows("SELECT state FROM outbox") == [("sent",), ("sent",)]


async def test_that_a_retraction_outlives_a_crash(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(QUESTION["en"], key="first")
        await desk.settled()
        desk.channel.free.clear()
        await desk.delivery.withdraw(Withdrawal(channel="test", event_key="first"))
        await desk.channel.until(lambda: len(desk.channel.tries) == 2)
        await desk.delivery.finish(0)

    async with open_desk(tmp_path) as desk:
        await desk.delivery.resume()
        await desk.settled()

        assert [reply.is_retraction for reply in desk.channel.sent] == [True]
        assert await desk.rows("SELECT count(*) FROM posts") == [(0,)]


async def test_that_a_defect_while_storing_leaves_the_next_message_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("defect")

    async with open_desk(tmp_path) as desk:
        with monkeypatch.context() as patched:
            patched.setattr(record, "exchange", broken)
            await desk.delivery.accept(incoming(key="first"))
            await desk.settled()
        reply = await desk.ask(QUESTION["en"])

        assert reply.text == RETURNS_EN
        assert await desk.rows("SELECT count(*) FROM inbox WHERE turn IS NULL") == [(1,)]


@pytest.mark.parametrize("errors", ["errors", "preparing_errors"])
async def test_that_a_defect_of_a_channel_is_a_failure_to_deliver(
    tmp_path: Path, errors: str
) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.found = ()
        getattr(desk.channel, errors).append(RuntimeError("defect"))
        reply = await desk.ask(QUESTION["en"])
        await desk.settled()

        assert reply.text == RETURNS_EN
        assert desk.channel.doubts == [False, errors == "errors"]
        assert await desk.rows("SELECT state FROM outbox") == [("sent",)]


def half_sent(kind: type[DeliveryError]) -> DeliveryError:
    """Return the error of a reply of which one part is shown."""
    error = kind("the second part failed")
    error.posts = ("part-1",)
    return error


async def test_that_another_try_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(half_sent(DeliveryError))
        await desk.delivery.accept(incoming())
        await desk.settled()

        assert [tried.replaces for tried in desk.channel.tries] == [(), ("part-1",)]
        assert await desk.rows("SELECT post, part FROM posts") == [("part-1", 0)]


async def test_that_what_stands_of_a_failed_reply_goes_with_its_question(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.channel.errors.append(half_sent(DeliveryRefused))
        await desk.delivery.accept(incoming(key="first"))
        await desk.settled()
        await desk.delivery.withdraw(Withdrawal(channel="test", event_key="first"))
        await desk.settled()

        [retraction] = desk.channel.sent
        assert retraction.is_retraction
        assert retraction.replaces == ("part-1",)
