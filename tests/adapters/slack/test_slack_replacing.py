"""Replies that take the place of posts, replies that are taken back, and answers that grow."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.slack import SlackChannel
from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused
from bot.messages import Language
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.slack.channels import answer_at, channel_for, place_of_question, reply
from tests.fakes.slack_api import FakeSlack, Fault
from tests.fakes.slack_blocks import labels, live, shown

LONG = "A sentence of some length. " * 400
ANSWERS = [
    pytest.param("en", ["You can **return** it.", " It takes 30 days."], id="english"),
    pytest.param("zh", ["您可以**退货**。", "需要三十天。"], id="chinese"),
]


# Edits.


async def test_that_a_reply_takes_the_place_of_its_earlier_posts(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    posts = await channel.send(reply(text=LONG))

    again = await channel.send(reply(id=2, text="Short after all.", replaces=posts, citations=()))

    assert len(posts) == 3
    assert again == posts[:1]
    assert slack.replies("D1") == ["Short after all."]


async def test_that_a_longer_reply_goes_on_in_new_posts(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    posts = await channel.send(reply(text="Short."))

    again = await channel.send(reply(id=2, text=LONG, replaces=posts, citations=()))

    assert again[:1] == posts
    assert "".join("".join(slack.replies("D1")).split()) == "".join(LONG.split())
    assert labels(slack.message(again[0])) == []
    assert len(labels(slack.message(again[-1]))) == 3


@pytest.mark.parametrize("fault", [Fault.flood(1), Fault.answer_lost()])
async def test_that_an_error_names_the_parts_that_stand_so_that_others_go_on_there(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, fault: Fault
) -> None:
    slack.fail_next("chat.postMessage", None, fault)
    with pytest.raises(DeliveryError) as failed:
        await channel.send(reply(text=LONG, citations=()))
    stands = failed.value.posts
    assert stands is not None
    assert len(stands) == 1

    restarted = channel_for(slack, inbox)
    posts = await restarted.send(reply(text=LONG, citations=(), replaces=stands))
    await restarted.close()

    assert posts[0] == stands[0]
    assert len(posts) == 3


async def test_that_posts_that_are_gone_are_posted_anew_and_in_order(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    posts = await channel.send(reply(text=LONG))
    slack.forget(posts[0])

    again = await channel.send(reply(id=2, text=LONG, replaces=posts, citations=()))

    assert not set(again) & set(posts)
    assert "".join("".join(slack.replies("D1")).split()) == "".join(LONG.split())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.answer_lost(), id="lost"),
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.dropped(), id="dropped"),
        pytest.param(Fault.answer_garbled("oops"), id="garbled"),
        pytest.param(Fault.flood(1), id="429"),
    ],
)
async def test_that_overwriting_may_be_tried_again(
    slack: FakeSlack, channel: SlackChannel, fault: Fault
) -> None:
    posts = await channel.send(reply())
    slack.fail_next("chat.update", fault)
    edited = reply(id=2, text="New.", replaces=posts, citations=())

    with pytest.raises(DeliveryError) as caught:
        await channel.send(edited)
    assert not isinstance(caught.value, DeliveryInDoubt)
    assert await channel.send(edited) == posts

    assert slack.replies("D1") == ["New."]


@pytest.mark.parametrize("error", ["edit_window_closed", "cant_update_message"])
async def test_that_a_post_that_can_not_be_edited_makes_room(
    slack: FakeSlack, channel: SlackChannel, error: str
) -> None:
    posts = await channel.send(reply())
    slack.fail_next("chat.update", Fault.refused(error))

    again = await channel.send(reply(id=2, text="New.", replaces=posts, citations=()))

    assert again != posts
    assert slack.replies("D1") == ["New."]


@pytest.mark.parametrize("error", ["is_archived", "not_in_channel", "account_inactive"])
async def test_that_posts_nobody_can_delete_are_not_tried_for_ever(
    slack: FakeSlack, channel: SlackChannel, error: str
) -> None:
    posts = await channel.send(reply())
    slack.fail_next("chat.delete", Fault.refused(error))

    with pytest.raises(DeliveryRefused, match=error):
        await channel.send(reply(id=2, text="", replaces=posts, is_retraction=True))


@pytest.mark.parametrize("count", [1, 3])
async def test_that_a_retraction_deletes_posts(
    slack: FakeSlack, channel: SlackChannel, count: int
) -> None:
    posts = await channel.send(reply(text=LONG if count == 3 else "Short."))
    retraction = reply(id=2, text="", replaces=(*posts, "D1:1.1"), is_retraction=True)
    slack.fail_next("chat.delete", Fault.answer_lost())

    with pytest.raises(DeliveryError) as caught:
        await channel.send(retraction)
    assert not isinstance(caught.value, DeliveryInDoubt)
    assert await channel.send(retraction) == ()

    assert len(posts) == count
    assert slack.replies("D1") == []


# Streams.


@pytest.mark.parametrize("where", ["D1", "C1"])
@pytest.mark.parametrize(("language", "parts"), ANSWERS)
async def test_that_an_answer_grows_and_is_finished_in_its_stream(
    slack: FakeSlack, channel: SlackChannel, where: str, language: Language, parts: Sequence[str]
) -> None:
    place = replace(await place_of_question(slack, channel=where), language=language)

    post = await channel.preview(place, parts[0])
    assert post
    assert slack.replies(where) == [parts[0]]
    assert await channel.preview(place, "".join(parts)) == post
    outgoing = answer_at(place, text="".join(parts) + " (1)", replaces=(post,))
    assert await channel.send(outgoing) == (post,)

    message = slack.message(post)
    assert shown(message).startswith("".join(parts) + " (1)\n\n")
    assert live(message) == ["https://shop.example/returns"]
    assert len(labels(message)) == 3
    assert message["metadata"]["event_payload"] == {"reply_id": outgoing.turn}
    assert message["thread_ts"] == place.in_reply_to.split(":")[2]
    assert slack.open_streams == 0
    assert slack.called("chat.update") == slack.called("chat.postMessage") == []
    appended = slack.called("chat.appendStream")[0]["chunks"]
    assert appended == [{"type": "markdown_text", "text": parts[1]}]
    started = slack.called("chat.startStream")[0]
    assert (started["recipient_team_id"], started["recipient_user_id"]) == ("T1", "U1")


@pytest.mark.parametrize("way", ["expired", "restarted", "other-text", "restarted-and-expired"])
async def test_that_what_a_stream_can_not_finish_an_edit_does(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, way: str
) -> None:
    place = await place_of_question(slack)
    post = await channel.preview(place, "You can return")
    assert post
    if "expired" in way:
        slack.expire_streams()
    if "restarted" in way:
        channel = channel_for(slack, inbox)
    text = "No." if way == "other-text" else "You can return it."

    posts = await channel.send(answer_at(place, text=text, replaces=(post,), citations=()))

    assert posts == (post,)
    assert slack.replies("D1") == [text]
    assert len(labels(slack.message(post))) == 3
    assert slack.open_streams == 0


async def test_that_a_stream_that_expires_while_it_grows_is_edited_at_the_end(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack)
    post = await channel.preview(place, "You can")
    assert post
    slack.expire_streams()

    with pytest.raises(DeliveryError, match="message_not_in_streaming_state"):
        await channel.preview(place, "You can return")
    await channel.send(answer_at(place, text="You can return it.", replaces=(post,), citations=()))

    assert slack.replies("D1") == ["You can return it."]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.answer_lost(), id="lost"),
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.dropped(), id="dropped"),
    ],
)
@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_that_a_stream_in_doubt_ends_with_the_whole_text_once(
    slack: FakeSlack, channel: SlackChannel, fault: Fault, method: str
) -> None:
    place = await place_of_question(slack)
    post = await channel.preview(place, "You can")
    assert post
    slack.fail_next(method, fault)

    if method == "chat.appendStream":
        with pytest.raises(DeliveryError):
            await channel.preview(place, "You can return")
    outgoing = answer_at(place, text="You can return it.", replaces=(post,), citations=())
    assert await channel.send(outgoing) == (post,)

    assert slack.replies("D1") == ["You can return it."]
    assert len(labels(slack.message(post))) == 3


@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_that_a_flood_while_streaming_loses_and_doubles_nothing(
    slack: FakeSlack, channel: SlackChannel, method: str
) -> None:
    place = await place_of_question(slack)
    post = await channel.preview(place, "You can")
    assert post
    slack.fail_next(method, Fault.flood(1))
    outgoing = answer_at(place, text="You can return it.", replaces=(post,), citations=())

    async def go_on() -> None:
        await channel.preview(place, "You can return")
        await channel.send(outgoing)

    with pytest.raises(DeliveryError) as caught:
        await go_on()
    assert caught.value.retry_after_seconds == 1
    assert await channel.preview(place, "You can return it") == post
    await channel.send(outgoing)

    assert slack.replies("D1") == ["You can return it."]
    assert slack.called("chat.update") == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.refused("method_not_supported_for_channel_type"), id="refused"),
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.nonsense(), id="no-ts"),
    ],
)
async def test_that_a_stream_that_does_not_start_is_not_asked_for_again(
    slack: FakeSlack, channel: SlackChannel, fault: Fault
) -> None:
    place = await place_of_question(slack)
    slack.fail_next("chat.startStream", fault)

    with pytest.raises(DeliveryError):
        await channel.preview(place, "You can")
    assert await channel.preview(place, "You can return") is None
    posts = await channel.send(answer_at(place, text="You can return it.", citations=()))

    assert len(slack.called("chat.startStream")) == 1
    assert slack.replies("D1") == ["You can return it."]
    assert posts == (f"D1:{slack.sent('D1')[0]['ts']}",)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_that_an_answer_longer_than_a_message_goes_on_in_further_posts(
    slack: FakeSlack, channel: SlackChannel, language: Language
) -> None:
    sentence = "You can return it. " if language == "en" else "您可以退货。"
    text = (sentence * 2000)[:9000].rsplit(sentence.strip(), 1)[0].strip()
    place = replace(await place_of_question(slack), language=language)
    post = None
    for length in range(500, len(text), 500):
        post = await channel.preview(place, text[:length]) or post
    assert post

    posts = await channel.send(answer_at(place, text=text, replaces=(post,), citations=()))

    assert posts[0] == post
    assert len(posts) >= 3
    assert "".join("".join(slack.replies("D1")).split()) == "".join(text.split())
    assert slack.open_streams == 0


async def test_that_code_grows_too(slack: FakeSlack, channel: SlackChannel) -> None:
    text = "Run:\n\n```\n" + "make answer\n" * 200 + "```\n\nThat is all."
    place = await place_of_question(slack)
    post = None
    for length in range(300, len(text), 300):
        post = await channel.preview(place, text[:length]) or post
    assert post

    await channel.send(answer_at(place, text=text, replaces=(post,), citations=()))

    assert slack.replies("D1") == [text]
    assert slack.called("chat.update") == []


async def test_that_hostile_text_is_not_live_in_a_stream(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    place = await place_of_question(slack)

    post = await channel.preview(place, "<!channel> [x](https://evil.example) @here <@U7>")

    assert post
    assert live(slack.message(post)) == []


async def test_that_nothing_is_streamed_where_only_one_may_see_it(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    place = replace(await place_of_question(slack, channel="C1"), address="C1:1790000000.1@U1")

    assert await channel.preview(place, "You can") is None
    assert slack.called("chat.startStream") == []
