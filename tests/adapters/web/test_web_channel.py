"""The web as a Channel: who waits hears the reply, and who doesn't is no trouble."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from adapters.web.channel import Beginning, WebChannel
from adapters.web.errors import ApiError
from bot.errors import LogError
from bot.log.store import Store
from bot.messages import Incoming, Outgoing
from bot.ports import Channel
from tests.adapters.web.dialogues import ANSWER, ScriptedInbox, message, place, write_exchange


async def test_that_it_is_a_channel(web: WebChannel) -> None:
    channel: Channel = web
    assert channel.name == "web"
    assert channel.trouble() is None


async def test_that_it_runs_until_cancelled(web: WebChannel) -> None:
    running = asyncio.create_task(web.run())
    done, _ = await asyncio.wait([running], timeout=0.01)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert not done
    assert running.cancelled()


async def test_that_a_reply_reaches_who_waits_for_it(web: WebChannel) -> None:
    question = await web.ask(message())
    assert (await question.reply()).text == ANSWER.text


async def test_that_everyone_who_waits_for_a_reply_hears_it(
    web: WebChannel, inbox: ScriptedInbox
) -> None:
    inbox.is_holding = True
    first = await web.ask(message())
    again = await web.ask(message())
    await inbox.answer_held()
    assert (await first.reply()) == (await again.reply())


async def test_that_a_reply_without_anyone_waiting_is_fine(web: WebChannel, store: Store) -> None:
    outgoing = await store.write(lambda db: write_exchange(db, message()))
    assert await web.send(outgoing) == (outgoing.turn,)
    assert (await web.stored_reply(outgoing.in_reply_to)) == outgoing


async def test_that_a_reply_is_not_taken_for_another_questions(
    web: WebChannel, inbox: ScriptedInbox, store: Store
) -> None:
    inbox.is_holding = True
    web.answer_timeout_seconds = 0.01
    question = await web.ask(message("first"))
    other: Outgoing = await store.write(lambda db: write_exchange(db, message("second")))
    await web.send(other)
    with pytest.raises(ApiError, match="answer_late"):
        await question.reply()


async def test_that_progress_is_told_to_its_conversation_alone(
    web: WebChannel, inbox: ScriptedInbox
) -> None:
    inbox.is_holding = True
    mine = await web.ask(message(address="M" * 32))
    other = await web.ask(message(address="O" * 32))
    await web.show_progress(place(message(address="M" * 32)), "searching")
    await web.show_progress(place(message(address="N" * 32)), "writing")
    await inbox.answer_held()
    assert await anext(aiter(mine.events())) == "searching"
    assert isinstance(await anext(aiter(other.events())), Outgoing)


async def test_that_a_reply_to_several_messages_reaches_all_who_wait(
    web: WebChannel, inbox: ScriptedInbox, store: Store
) -> None:
    inbox.is_holding = True
    questions = [await web.ask(message(text)) for text in ("My tent", "is torn", "What now?")]
    last = message("What now?")
    outgoing = await store.write(lambda db: write_exchange(db, last, inbox=3))
    others = tuple(question.event_key for question in questions[:2])
    await web.send(replace(outgoing, also_answers=others))
    assert {(await question.reply()).turn for question in questions} == {outgoing.turn}


async def test_that_the_beginning_of_an_answer_is_told_to_who_waits_for_it(
    web: WebChannel, inbox: ScriptedInbox
) -> None:
    inbox.is_holding = True
    mine, other = await web.ask(message("mine")), await web.ask(message("other"))
    assert await web.preview(place(message("mine")), "You can") is None
    await inbox.answer_held()
    assert await anext(aiter(mine.events())) == Beginning("You can")
    assert isinstance(await anext(aiter(other.events())), Outgoing)


async def test_that_a_retraction_shows_nothing(
    web: WebChannel, inbox: ScriptedInbox, store: Store
) -> None:
    inbox.is_holding = True
    web.answer_timeout_seconds = 0.01
    question = await web.ask(message())
    outgoing = await store.write(lambda db: write_exchange(db, message("another")))
    retraction = replace(outgoing, in_reply_to=question.event_key, is_retraction=True)
    assert await web.send(retraction) == ()
    with pytest.raises(ApiError, match="answer_late"):
        await question.reply()


async def test_that_a_reply_that_comes_before_accept_returns_is_not_missed(
    web: WebChannel, inbox: ScriptedInbox
) -> None:
    assert inbox.is_holding is False  # the scripted inbox answers inside accept()
    question = await web.ask(message())
    async with asyncio.timeout(1):
        assert (await question.reply()).text == ANSWER.text


async def test_that_a_lost_hand_over_is_made_good_from_the_log(
    web: WebChannel, inbox: ScriptedInbox, store: Store
) -> None:
    inbox.is_holding = True
    web.answer_timeout_seconds = 0.01
    question = await web.ask(message())
    _, row = inbox.held.pop()
    await store.write(lambda db: write_exchange(db, message(), inbox=row))
    assert (await question.reply()).text == ANSWER.text


async def test_that_too_many_who_wait_are_turned_away_before_anything_is_stored(
    store: Store, inbox: ScriptedInbox
) -> None:
    web = WebChannel(inbox, store, most_waiting=1)
    inbox.channel, inbox.is_holding = web, True
    first = await web.ask(message("first"))
    with pytest.raises(ApiError, match="busy"):
        await web.ask(message("second"))
    assert [incoming.text for incoming in inbox.history] == ["first"]
    first.close()
    await web.ask(message("second"))


async def test_that_closing_forgets_and_may_be_repeated(
    web: WebChannel, inbox: ScriptedInbox
) -> None:
    inbox.is_holding = True
    question = await web.ask(message())
    assert web.waiting == 1
    question.close()
    question.close()
    assert web.waiting == 0


async def test_that_a_message_that_was_not_stored_leaves_nobody_waiting(
    web: WebChannel, inbox: ScriptedInbox
) -> None:
    inbox.is_broken = True
    with pytest.raises(ApiError, match="not_stored") as refused:
        await web.ask(message())
    assert isinstance(refused.value.__cause__, LogError)
    assert web.waiting == 0


async def test_that_a_duplicate_gets_the_reply_to_the_first(
    web: WebChannel, inbox: ScriptedInbox
) -> None:
    first = await (await web.ask(message())).reply()
    changed: Incoming = replace(message(), text="something else")
    again = await (await web.ask(changed)).reply()
    assert again == first
    assert len(inbox.history) == 1


# Who goes away.


@pytest.fixture
def hasty(store: Store, inbox: ScriptedInbox) -> WebChannel:
    """A channel that does not wait for who may come back."""
    inbox.is_holding = True
    inbox.channel = WebChannel(inbox, store, answer_timeout_seconds=5, grace_seconds=0)
    return inbox.channel


async def next_left(inbox: ScriptedInbox) -> str:
    async with asyncio.timeout(5):
        return await inbox.left.get()


async def test_that_the_inbox_hears_when_the_last_who_waited_is_gone(
    hasty: WebChannel, inbox: ScriptedInbox
) -> None:
    first, again, other = [await hasty.ask(message(text)) for text in ("mine", "mine", "other")]
    first.close()
    other.close()
    assert await next_left(inbox) == other.event_key
    again.close()
    again.close()
    assert await next_left(inbox) == first.event_key
    assert inbox.left.empty()


async def test_that_who_comes_back_within_the_grace_has_not_left(
    store: Store, inbox: ScriptedInbox
) -> None:
    web = WebChannel(inbox, store, grace_seconds=0.2)
    inbox.channel, inbox.is_holding = web, True
    (await web.ask(message("mine"))).close()
    (await web.ask(message("other"))).close()
    await web.ask(message("mine"))
    assert await next_left(inbox) == message("other").event_keys[0]
    assert inbox.left.empty()


async def test_that_who_has_the_reply_has_not_left(hasty: WebChannel, inbox: ScriptedInbox) -> None:
    answered = await hasty.ask(message("answered"))
    await inbox.answer_held()
    answered.close()
    (await hasty.ask(message("other"))).close()
    assert await next_left(inbox) == message("other").event_keys[0]


async def test_that_a_doubtful_reply_is_told_again_where_it_stands(
    web: WebChannel, store: Store
) -> None:
    outgoing = replace(
        await store.write(lambda db: write_exchange(db, message())), replaces=("old",)
    )
    assert await web.reserve(place(message())) is None
    assert await web.prepare(outgoing, is_doubtful=True) == ("old",)
