"""Which messages are for us, where their answers belong, and what follows them."""

import asyncio
from typing import Any

import pytest

from adapters.slack import SlackChannel
from bot.errors import LogError
from bot.messages import Attachment, Incoming, Withdrawal
from tests.adapters.recording_inbox import KnownDialogues, RecordingInbox
from tests.adapters.slack.channels import channel_for, connected, poll, reply
from tests.fakes.slack_api import Event, FakeSlack

MESSAGES = [
    pytest.param("Where is my parcel?", id="english"),
    pytest.param("我的包裹在哪里？", id="chinese"),
]


async def received(slack: FakeSlack, channel: SlackChannel, *events: Event) -> None:
    """Let the channel receive until Slack has an acknowledgement of everything."""
    async with connected(slack, channel):
        await slack.until(lambda: not slack.unacknowledged)


# Conversations in a DM.


@pytest.mark.parametrize("text", MESSAGES)
async def test_that_a_reply_in_a_dm_comes_in_the_thread_of_its_question(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, text: str
) -> None:
    first = await slack.customer_writes(text)
    second = await slack.customer_writes(text)
    await received(slack, channel)

    for incoming in inbox.accepted:
        key = incoming.event_keys[0]
        await channel.send(reply(address=incoming.address, in_reply_to=key))

    assert {incoming.address for incoming in inbox.accepted} == {"D1"}
    threads = [(await slack.next_reply("D1"))["thread_ts"] for _ in range(2)]
    assert threads == [first.ts, second.ts]


async def test_that_a_follow_up_in_that_thread_is_the_same_conversation(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    first = await slack.customer_writes("Where is it?")
    follow_up = await slack.customer_writes("And now?", thread_ts=first.ts)
    await received(slack, channel)

    assert [incoming.address for incoming in inbox.accepted] == ["D1", "D1"]
    key = inbox.accepted[1].event_keys[0]
    assert key == f"message:D1:{follow_up.ts}:U1:{first.ts}"
    await channel.send(reply(in_reply_to=key))
    assert (await slack.next_reply("D1"))["thread_ts"] == first.ts


async def test_that_a_chat_of_the_older_assistant_is_a_conversation_of_its_own(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    root = slack.app_wrote("D1", "Hello")
    await slack.customer_writes("Where is it?", thread_ts=root["ts"])
    await received(slack, channel)

    assert inbox.accepted[0].address == f"D1:{root['ts']}"
    key = inbox.accepted[0].event_keys[0]
    await channel.send(reply(address=inbox.accepted[0].address, in_reply_to=key))
    assert (await slack.next_reply("D1"))["thread_ts"] == root["ts"]


@pytest.mark.parametrize("text", MESSAGES)
async def test_that_a_thread_in_a_dm_is_named_after_its_question(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, text: str
) -> None:
    async with connected(slack, channel):
        event = await slack.customer_writes(f"{text}\n{'?' * 100}")
        await slack.until(lambda: slack.titles)

    title = slack.titles["D1", event.ts]
    assert title.startswith(text)
    assert len(title) == 60


# Channels.


@pytest.mark.parametrize("text", MESSAGES)
async def test_that_a_follow_up_in_an_answered_thread_needs_no_mention(
    slack: FakeSlack,
    inbox: RecordingInbox,
    channel: SlackChannel,
    dialogues: KnownDialogues,
    text: str,
) -> None:
    first = await slack.customer_mentions("<@U0BOT> hi")
    address = f"C1:{first.ts}"
    dialogues.parts.add((address, "U1"))
    await slack.customer_writes(text, channel="C1", thread_ts=first.ts)
    await slack.customer_writes("not for you", channel="C1", thread_ts=first.ts, user="U2")
    await slack.customer_writes("<@U7> you know this", channel="C1", thread_ts=first.ts)
    await slack.customer_writes("<@U7> or <@U0BOT>?", channel="C1", thread_ts=first.ts)
    await received(slack, channel)

    assert [incoming.text for incoming in inbox.accepted] == ["hi", text, "@U7 or ?"]
    assert {incoming.address for incoming in inbox.accepted} == {address}


async def test_that_answer_channels_get_an_answer_to_each_question(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    channel = channel_for(slack, inbox, answer_channels={"C1"})
    event = await slack.customer_writes("Where is it?", channel="C1")
    await slack.customer_writes("in a thread of others", channel="C1", thread_ts=event.ts)
    await slack.customer_writes("elsewhere", channel="C2")
    await received(slack, channel)

    assert [incoming.text for incoming in inbox.accepted] == ["Where is it?"]
    assert inbox.accepted[0].address == f"C1:{event.ts}"


async def test_that_a_mention_in_an_answer_channel_is_one_message(
    slack: FakeSlack, inbox: RecordingInbox
) -> None:
    channel = channel_for(slack, inbox, answer_channels={"C1"})
    await slack.customer_mentions("<@U0BOT> hi", also_as_message=True)
    await received(slack, channel)

    assert (len(inbox.accepted), len(inbox.duplicates)) == (1, 1)


# Edits and deletions.


@pytest.mark.parametrize("text", MESSAGES)
@pytest.mark.parametrize("threaded", [False, True])
async def test_that_a_changed_message_names_the_one_it_replaces(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, text: str, threaded: bool
) -> None:
    root = await slack.customer_writes("Hello")
    fields = {"thread_ts": root.ts} if threaded else {}
    event = await slack.customer_writes("Wher is it?", **fields)
    edit = await slack.customer_edits(event, text)
    await received(slack, channel)

    original, edited = inbox.accepted[1:]
    stamp = edit.payload["event"]["message"]["edited"]["ts"]
    thread = f":{root.ts}" if threaded else ""
    assert edited == Incoming(
        channel="slack",
        event_keys=(f"edit:D1:{event.ts}:{stamp}{thread}", f"event:{edit.id}"),
        address="D1",
        customer="U1",
        text=text,
        edits=original.event_keys[0],
    )
    await channel.send(reply(in_reply_to=edited.event_keys[0]))
    assert (await slack.next_reply("D1"))["thread_ts"] == (root.ts if threaded else event.ts)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"attachments": [{"title": "A preview"}]}, id="preview"),
        pytest.param({"reply_count": 1}, id="reply"),
        pytest.param({"bot_id": "B1", "text": "x", "edited": {"ts": "1.1"}}, id="bot"),
        pytest.param({"user": "U0BOT", "text": "x", "edited": {"ts": "1.1"}}, id="ours"),
        pytest.param({"user": 7, "text": "x", "edited": {"ts": "1.1"}}, id="malformed"),
    ],
)
async def test_that_other_changes_are_no_new_version(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, changes: dict[str, Any]
) -> None:
    event = await slack.customer_writes("Where is it?")
    old = slack.message(f"D1:{event.ts}")
    await slack.tell_of_change(old, {**old, **changes})
    await received(slack, channel)

    assert len(inbox.accepted) == 1


async def test_that_changes_of_what_is_not_for_us_are_none_of_ours(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, dialogues: KnownDialogues
) -> None:
    theirs = await slack.customer_writes("lunch?", channel="C1")
    mention = await slack.customer_mentions("<@U0BOT> where is it?")
    dialogues.parts.add((f"C1:{mention.ts}", "U1"))
    follow_up = await slack.customer_writes("and wen?", channel="C1", thread_ts=mention.ts)
    await slack.customer_edits(theirs, "dinner?")
    await slack.customer_edits(mention, "where is it now?")
    await slack.customer_edits(follow_up, "and when?")
    await received(slack, channel)

    assert [incoming.text for incoming in inbox.accepted] == [
        "where is it?",
        "and wen?",
        "where is it now?",
        "and when?",
    ]


async def test_that_a_mention_that_is_added_later_is_a_question(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    theirs = await slack.customer_writes("where is it?", channel="C1")
    await slack.customer_edits(theirs, "<@U0BOT> where is it?")
    await received(slack, channel)

    assert [incoming.text for incoming in inbox.accepted] == ["where is it?"]


async def test_that_a_store_that_hangs_is_no_acknowledgement(
    slack: FakeSlack, dialogues: KnownDialogues
) -> None:
    inbox = HangingInbox()
    channel = channel_for(slack, inbox, dialogues, storing_seconds=0.05)
    async with connected(slack, channel):
        event = await slack.customer_writes("hello")
        await poll(channel.trouble)
        assert not event.is_acknowledged
        inbox.go_on.set()
        await slack.send_unacknowledged_again()
        await slack.until(lambda: event.is_acknowledged)

    assert len(inbox.accepted) == 1


class HangingInbox(RecordingInbox):
    """A store that waits for a lock until `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def accept(self, incoming: Incoming) -> bool:
        await self.go_on.wait()
        return await super().accept(incoming)


async def test_that_a_deleted_message_is_withdrawn(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    event = await slack.customer_writes("Where is it?")
    mention = await slack.customer_mentions("<@U0BOT> hi")
    await slack.customer_deletes(event)
    await slack.customer_deletes(mention)
    await received(slack, channel)

    assert inbox.withdrawn == [
        Withdrawal(channel="slack", event_key=incoming.event_keys[0]) for incoming in inbox.accepted
    ]


@pytest.mark.parametrize("text", MESSAGES)
@pytest.mark.parametrize("where", ["D1", "C1"])
async def test_that_a_deleted_question_with_its_answer_below_is_withdrawn(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, text: str, where: str
) -> None:
    write = slack.customer_writes if where == "D1" else slack.customer_mentions
    question = await write(f"<@U0BOT> {text}", channel=where)
    async with connected(slack, channel):
        (key,) = [each.event_keys[0] for each in await _accepted(inbox)]
        posts = await channel.send(reply(address=inbox.accepted[0].address, in_reply_to=key))
        await slack.customer_deletes(question)
        await inbox.until(lambda: inbox.withdrawn)
        await channel.send(reply(id=2, text="", replaces=posts, is_retraction=True))
        await slack.until(lambda: not slack.exists(f"{where}:{question.ts}"))
        await slack.until(lambda: not slack.unacknowledged)

    assert inbox.withdrawn == [Withdrawal(channel="slack", event_key=key)]
    assert len(inbox.accepted) == 1


async def _accepted(inbox: RecordingInbox) -> list[Incoming]:
    await inbox.texts(1)
    return inbox.accepted


async def test_that_a_deletion_of_ours_is_no_withdrawal(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    own = slack.app_wrote("D1", "Hello")
    change = {"type": "message", "subtype": "message_deleted", "channel": "D1", "ts": "9.9"}
    await slack.send_event({**change, "deleted_ts": own["ts"], "previous_message": own})
    await received(slack, channel)

    assert inbox.withdrawn == []


async def test_that_an_edit_that_could_not_be_stored_comes_again(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        event = await slack.customer_writes("Wher is it?")
        await inbox.texts(1)
        inbox.errors = [LogError("The disk is full.")]
        edit = await slack.customer_edits(event, "Where is it?")
        await inbox.until(lambda: inbox.refusals)
        assert not edit.is_acknowledged
        await slack.send_unacknowledged_again()
        assert await inbox.texts(2) == ["Wher is it?", "Where is it?"]


async def test_that_events_out_of_order_are_all_taken(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    event = await slack.customer_writes("Wher is it?")
    await slack.customer_edits(event, "Where is it?")
    slack.events.reverse()
    await received(slack, channel)

    assert [incoming.text for incoming in inbox.accepted] == ["Where is it?", "Wher is it?"]
    assert inbox.accepted[0].edits == inbox.accepted[1].event_keys[0]


# Reactions.


@pytest.mark.parametrize(
    ("reaction", "verdict"),
    [
        ("+1", "up"),
        ("thumbsup::skin-tone-3", "up"),
        ("heart", "up"),
        ("tada", "up"),
        ("white_check_mark", "up"),
        ("-1", "down"),
        ("thumbsdown", "down"),
        ("x", "down"),
    ],
)
async def test_that_a_reaction_is_feedback(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, reaction: str, verdict: str
) -> None:
    await slack.customer_reacts("C1:1790000000.5", reaction)
    await slack.customer_reacts("C1:1790000000.5", reaction, removes=True)
    await received(slack, channel)

    assert [rating.verdict for rating in inbox.ratings] == [verdict, "withdrawn"]
    assert {(rating.post, rating.customer, rating.origin) for rating in inbox.ratings} == {
        ("C1:1790000000.5", "U1", "reaction")
    }


async def test_that_other_reactions_say_nothing(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    await slack.customer_reacts("C1:1790000000.5", "eyes")
    await slack.customer_reacts("C1:1790000000.5", "+1", user=slack.bot_user)
    await slack.send_event({"type": "reaction_added", "item": None})
    await received(slack, channel)

    assert inbox.ratings == []


# Files.


async def test_that_files_come_along(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    files = [
        slack.add_file(b"png", name="a.png", mimetype="image/png"),
        slack.add_file(b"pdf", name="发票.pdf", mimetype="application/pdf"),
        slack.add_file(b"m4a", name="v.m4a", mimetype="audio/mp4", subtype="slack_audio"),
        {"name": "no id"},
        {"id": "F99"},
    ]
    await slack.customer_writes("see", subtype="file_share", files=files)
    await received(slack, channel)

    assert inbox.accepted[0].attachments == (
        Attachment(kind="photo", id=files[0]["id"], name="a.png", media_type="image/png", size=3),
        Attachment(
            kind="document",
            id=files[1]["id"],
            name="发票.pdf",
            media_type="application/pdf",
            size=3,
        ),
        Attachment(kind="voice", id=files[2]["id"], name="v.m4a", media_type="audio/mp4", size=3),
        Attachment(kind="other", id="F99"),
    )


# Duplicates and retries.


async def test_that_two_hundred_retries_that_are_the_only_copy_are_taken(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    for number in range(200):
        event = await slack.customer_writes(f"question {number}")
        event.envelopes = [f"lost-{number}-{retry}" for retry in range(1 + number % 3)]

    async with connected(slack, channel):
        await slack.send_unacknowledged_again()
        await slack.until(lambda: not slack.unacknowledged)

    assert len(inbox.accepted) == 200


async def test_that_an_event_in_many_envelopes_is_one_message(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        event = await slack.customer_writes("hello")
        for _ in range(50):
            await slack.send_again(event)
        await inbox.until(lambda: len(inbox.duplicates) == 50)

    assert len(inbox.accepted) == 1


async def test_that_fifty_lost_sockets_lose_nothing(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    verbs = ["drop_sockets", "close_sockets", "refresh_sockets"]
    async with connected(slack, channel):
        for number in range(50):
            await slack.customer_writes(f"question {number}")
            await getattr(slack, verbs[number % 3])()
            await slack.until(lambda: slack.socket_count)
        await slack.send_unacknowledged_again()
        await slack.until(lambda: not slack.unacknowledged)

    assert len(inbox.accepted) == 50


async def test_that_a_half_open_socket_is_replaced(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        slack.freeze_sockets()
        await slack.customer_writes("anybody there?")
        sockets = len(slack.called("link"))
        await slack.until(lambda: len(slack.called("link")) > sockets)
        await slack.until(lambda: slack.socket_count)
        await slack.send_unacknowledged_again()

        assert await inbox.texts(1) == ["anybody there?"]


async def test_that_answers_to_several_questions_keep_apart(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    first, second = [(await slack.customer_mentions("<@U0BOT> hi")).ts for _ in range(2)]

    for ts in (first, second):
        key = f"message:C1:{ts}:U1"
        await channel.send(reply(address=f"C1:{ts}", in_reply_to=key))

    assert [(await slack.next_reply("C1"))["thread_ts"] for _ in range(2)] == [first, second]
