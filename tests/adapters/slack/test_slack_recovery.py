"""Replies that may have been posted before: what Slack shows of them is found again."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.slack import SlackChannel
from bot.errors import DeliveryError, DeliveryInDoubt
from bot.log.dialogues import StoredDialogues
from bot.messages import Outgoing, Place
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.slack.channels import (
    answer_at,
    channel_for,
    connected,
    place_of_question,
    reply,
)
from tests.fakes.slack_api import FakeSlack, Fault
from tests.fakes.slack_blocks import labels
from tests.fakes.vllm_api import FakeVllm
from tests.small_shop import QUESTION, ScriptedChannel, open_desk

LONG = "A sentence of some length. " * 400  # three messages
LOST = [
    pytest.param(Fault.answer_lost(), id="lost"),
    pytest.param(Fault.server_error(), id="500"),
    pytest.param(Fault.refused("fatal_error"), id="fatal"),
    pytest.param(Fault.answer_garbled("oops"), id="garbled"),
]


async def delivered(channel: SlackChannel, outgoing: Outgoing) -> tuple[str, ...]:
    """Find out what is there, and send the rest."""
    posts = await channel.prepare(outgoing, is_doubtful=True)
    return await channel.send(replace(outgoing, replaces=posts))


def squeezed(texts: list[str]) -> str:
    return "".join("".join(texts).split())


async def in_thread(slack: FakeSlack, where: str) -> Place:
    """Return the place of a question, with somebody else's reply and another answer below it."""
    place = await place_of_question(slack, channel=where)
    root = place.in_reply_to.split(":")[2]
    await slack.customer_writes("me too", user="U2", channel=where, thread_ts=root)
    return place


async def test_that_what_is_certain_is_not_asked_for(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack)

    posts = await channel.prepare(answer_at(place, replaces=("D1:1.5",)), is_doubtful=False)

    assert posts == ("D1:1.5",)
    assert slack.calls == []


@pytest.mark.parametrize("where", ["D1", "C1"])
async def test_that_a_beginning_that_a_killed_program_left_becomes_the_answer(
    slack: FakeSlack, inbox: RecordingInbox, where: str
) -> None:
    async with connected(slack, channel_for(slack, inbox)) as killed:
        place = await place_of_question(slack, channel=where)
        begun = await killed.reserve(place)
        await killed.preview(place, "You can")
    outgoing = answer_at(place, text="You can.", citations=(), replaces=(str(begun),))

    async with connected(slack, channel_for(slack, inbox)) as channel:
        posts = await channel.prepare(outgoing, is_doubtful=False)
        await channel.send(replace(outgoing, replaces=posts))

    assert slack.replies(where) == ["You can."]


async def test_that_a_beginning_of_this_run_is_not_looked_for(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack)
    begun = await channel.reserve(place)
    before = len(slack.calls)

    assert await channel.prepare(answer_at(place, replaces=(str(begun),)), is_doubtful=False) == ()
    assert len(slack.calls) == before


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("where", ["D1", "C1"])
async def test_that_a_post_whose_answer_was_lost_is_found_and_not_repeated(
    slack: FakeSlack, channel: SlackChannel, fault: Fault, where: str
) -> None:
    outgoing = answer_at(await in_thread(slack, where), text="Yes.", citations=())
    slack.fail_next("chat.postMessage", fault)

    with pytest.raises(DeliveryInDoubt) as caught:
        await channel.send(outgoing)
    posts = await delivered(channel, replace(outgoing, replaces=caught.value.posts or ()))

    assert slack.replies(where) == ["Yes."]
    assert posts == (f"{where}:{slack.sent(where)[0]['ts']}",)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
async def test_that_after_a_crash_the_rest_is_posted(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, count: int
) -> None:
    place = await in_thread(slack, "D1")
    outgoing = answer_at(place, text=LONG, citations=())
    if count < 3:
        slack.fail_next("chat.postMessage", *[None] * count, Fault.flood(1))
        with pytest.raises(DeliveryError):
            await channel.send(outgoing)
    else:
        await channel.send(outgoing)

    posts = await delivered(channel_for(slack, inbox), outgoing)

    assert squeezed(slack.replies("D1")) == squeezed([LONG])
    assert posts == tuple(f"D1:{each['ts']}" for each in slack.sent("D1"))
    assert len(slack.called("chat.postMessage")) == 3 + (count < 3)


async def test_that_long_threads_are_read_to_their_end(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack, channel="C1")
    root = place.in_reply_to.split(":")[2]
    for number in range(40):
        await slack.customer_writes(f"me {number}", user="U2", channel="C1", thread_ts=root)
    await channel.send(answer_at(place))

    await delivered(channel, answer_at(place))

    assert len(slack.replies("C1")) == 1


async def test_that_an_answer_outside_of_threads_is_found(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    outgoing = reply(in_reply_to="command:trigger-1", text="Yes.", citations=())
    for number in range(20):
        await slack.customer_writes(f"{number}", channel="D1")
    (post,) = await channel.send(outgoing)
    await slack.customer_writes("And then?", channel="D1")

    assert await delivered(channel, outgoing) == (post,)
    assert slack.replies("D1") == ["Yes."]


async def test_that_other_replies_are_left_alone(slack: FakeSlack, channel: SlackChannel) -> None:
    place = await in_thread(slack, "C1")
    await channel.send(answer_at(place, text="First.", citations=()))
    second = answer_at(place, id=2, turn="01890a5d-ac96-774b-bcce-b302099a9999", text="Second.")

    await delivered(channel, replace(second, citations=()))

    assert slack.replies("C1") == ["First.", "Second."]


async def test_that_a_post_that_slack_lists_late_is_found(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    channel = channel_for(slack, inbox, settling_seconds=0.3)
    outgoing = answer_at(await place_of_question(slack), text="Yes.", citations=())
    slack.listing_seconds = 0.2
    await channel.send(outgoing)

    await delivered(channel, outgoing)

    assert slack.replies("D1") == ["Yes."]


# Beginnings.


@pytest.mark.parametrize("where", ["D1", "C1"])
@pytest.mark.parametrize("is_over", [False, True], ids=["growing", "ended"])
async def test_that_the_beginning_that_a_crash_left_is_taken_over(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, where: str, is_over: bool
) -> None:
    place = await in_thread(slack, where)
    beginning = await channel.preview(place, "You can")
    if is_over:
        slack.expire_streams()

    text = "No, that is not possible."
    posts = await delivered(channel_for(slack, inbox), answer_at(place, text=text, citations=()))

    assert posts == (beginning,)
    assert slack.replies(where) == [text]
    assert slack.open_streams == 0
    assert len(labels(slack.sent(where)[0])) == 3


@pytest.mark.parametrize("fault", LOST)
async def test_that_a_lost_start_is_looked_for_without_being_told(
    slack: FakeSlack, channel: SlackChannel, fault: Fault
) -> None:
    place = await in_thread(slack, "D1")
    slack.fail_next("chat.startStream", fault)
    with pytest.raises(DeliveryInDoubt):
        await channel.preview(place, "You can")

    outgoing = answer_at(place, text="You can return it.", citations=())
    posts = await channel.prepare(outgoing, is_doubtful=False)
    await channel.send(replace(outgoing, replaces=posts))

    assert slack.replies("D1") == ["You can return it."]
    assert slack.open_streams == 0


async def test_that_a_beginning_under_an_earlier_question_goes(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    first, second = await place_of_question(slack), await place_of_question(slack)
    slack.fail_next("chat.startStream", Fault.answer_lost())
    with pytest.raises(DeliveryInDoubt):
        await channel.preview(first, "You can")

    both = answer_at(second, text="Yes.", citations=(), also_answers=(first.in_reply_to,))
    posts = await channel.prepare(both, is_doubtful=False)
    await channel.send(replace(both, replaces=posts))

    assert slack.replies("D1") == ["Yes."]
    assert slack.sent("D1")[0]["thread_ts"] == second.in_reply_to.split(":")[2]


async def test_that_what_grows_for_somebody_else_is_not_taken(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack, channel="C1")
    root = place.in_reply_to.split(":")[2]
    event = await slack.customer_mentions("And for me?", user="U2", thread_ts=root)
    other = replace(place, customer="U2", in_reply_to=f"message:C1:{event.ts}:U2")
    growing = await channel.preview(other, "For you")

    posts = await delivered(channel, answer_at(place, text="Yes.", citations=()))

    assert growing not in posts
    assert slack.replies("C1") == ["For you", "Yes."]


@pytest.mark.parametrize("where", ["D1", "C1"])
async def test_that_a_beginning_nobody_knows_goes_with_its_question(
    slack: FakeSlack, inbox: RecordingInbox, where: str
) -> None:
    killed = channel_for(slack, inbox)
    place = await place_of_question(slack, channel=where)
    begun = await killed.reserve(place)
    await killed.preview(place, "You can")
    removal = answer_at(place, text="", replaces=(str(begun),), is_retraction=True)

    assert await channel_for(slack, inbox).send(removal) == ()

    assert slack.replies(where) == []


# Where it can't be found out.


async def test_that_what_only_one_person_sees_stays_in_doubt(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    outgoing = reply(address="C1@U1", in_reply_to="command:trigger-1")

    with pytest.raises(DeliveryInDoubt, match="only one person sees"):
        await channel.prepare(outgoing, is_doubtful=True)


async def test_that_the_rest_of_a_private_answer_follows_after_a_restart(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    outgoing = reply(address="C1@U1", in_reply_to="command:trigger-1", text=LONG, citations=())
    slack.fail_next("chat.postEphemeral", None, Fault.flood(1))
    with pytest.raises(DeliveryError) as caught:
        await channel.send(outgoing)
    restarted = channel_for(slack, inbox)

    left = replace(outgoing, replaces=caught.value.posts or ())
    posts = await restarted.prepare(left, is_doubtful=False)

    assert await restarted.send(replace(left, replaces=posts)) == ()
    assert len(slack.ephemeral) == 3


@pytest.mark.parametrize("address", ["C2@U1", "D1@U1", "D9@U1"])
async def test_that_a_private_answer_in_the_dm_is_found(
    slack: FakeSlack, channel: SlackChannel, address: str
) -> None:
    outgoing = reply(address=address, in_reply_to="command:trigger-1", text="Yes.", citations=())
    (post,) = await channel.send(outgoing)

    assert await delivered(channel, outgoing) == (post,)
    assert slack.replies("D1") == ["Yes."]


async def test_that_a_shortcut_answered_in_the_dm_is_found_there(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    asked = await slack.customer_writes("Where is it?", user="U2", channel="C2")
    outgoing = reply(
        address=f"C2:{asked.ts}", in_reply_to=f"shortcut:C2:{asked.ts}:U1", text="There."
    )
    (post,) = await channel.send(outgoing)

    assert await delivered(channel, outgoing) == (post,)
    assert len(slack.replies("D1")) == 1


async def test_that_a_shortcut_where_nobody_may_write_is_found_in_the_dm(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    asked = await slack.customer_writes("Where is it?", user="U2", channel="C1")
    outgoing = reply(
        address=f"C1:{asked.ts}", in_reply_to=f"shortcut:C1:{asked.ts}:U1", text="There."
    )
    slack.fail_next("chat.postMessage", Fault.refused("restricted_action_read_only_channel"))
    (post,) = await channel.send(outgoing)

    assert await delivered(channel, outgoing) == (post,)
    assert (len(slack.replies("C1")), len(slack.replies("D1"))) == (0, 1)


@pytest.mark.parametrize(("where", "scope"), [("D1", "im:history"), ("C1", "channels:history")])
async def test_that_a_missing_scope_is_named(
    slack: FakeSlack, channel: SlackChannel, where: str, scope: str
) -> None:
    place = await place_of_question(slack, channel=where)
    slack.scopes.discard(scope)

    with pytest.raises(DeliveryInDoubt, match=f"lacks the scope {scope}"):
        await channel.prepare(answer_at(place), is_doubtful=True)


async def test_that_a_channel_that_shut_the_app_out_leaves_it_in_doubt(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    with pytest.raises(DeliveryInDoubt, match="not_in_channel"):
        await channel.prepare(reply(address="C2:1790000000.5"), is_doubtful=True)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.flood(7), id="429"),
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.refused("fatal_error"), id="fatal"),
    ],
)
async def test_that_reading_is_tried_again(
    slack: FakeSlack, channel: SlackChannel, fault: Fault
) -> None:
    place = await place_of_question(slack)
    slack.fail_next("conversations.replies", fault)

    with pytest.raises(DeliveryError) as caught:
        await channel.prepare(answer_at(place), is_doubtful=True)

    assert type(caught.value) is DeliveryError
    assert caught.value.retry_after_seconds == (7 if fault.status == 429 else None)


async def test_that_a_question_that_is_gone_has_no_answer_below(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack)
    event = slack.events[-1]
    await slack.customer_deletes(event)

    assert await channel.prepare(answer_at(place), is_doubtful=True) == ()


# With the core.


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.startStream"])
@pytest.mark.parametrize("fault", LOST)
async def test_that_a_question_is_answered_once_whatever_is_lost(
    slack: FakeSlack, vllm: FakeVllm, tmp_path: Path, method: str, fault: Fault
) -> None:
    draft = "You can return an item within 30 days of delivery. Sale items cannot be returned."
    vllm.reply = lambda body: [draft] * (body.get("n") or 1)
    async with open_desk(
        tmp_path,
        model_url=vllm.url,
        drafts=1,
        channel=ScriptedChannel("slack"),
        streams=method == "chat.startStream",
    ) as desk:
        channel = channel_for(slack, desk.delivery, StoredDialogues(desk.store))
        desk.delivery.add(channel)
        slack.fail_next(method, fault)
        async with connected(slack, channel):
            await slack.customer_writes(QUESTION["en"])
            await slack.until(lambda: slack.called(method))
            await desk.settled()
        await channel.close()
        states = await desk.rows("SELECT state FROM outbox")

    assert len(slack.called(method)) == 1 + (method == "chat.postMessage" and not fault.lose_answer)
    assert [text[:31] for text in slack.replies("D1")] == ["You can return an item within 3"]
    assert slack.open_streams == 0
    assert states == [("sent",)]
