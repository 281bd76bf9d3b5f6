"""Buttons, forms, commands and shortcuts: stored before Slack hears of it, in both languages."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from adapters.slack import SlackChannel
from bot.errors import DeliveryError, DeliveryInDoubt, LogError
from bot.messages import Choice, Document, Feedback, Incoming, Language
from bot.ports import OpenQuestion
from tests.adapters.recording_inbox import KnownDialogues, RecordingInbox
from tests.adapters.slack.channels import (
    PROMPTS,
    answer_at,
    channel_for,
    connected,
    place_of_question,
    poll,
    reply,
)
from tests.fakes.slack_api import FakeSlack, Fault
from tests.fakes.slack_blocks import labels, shown

LANGUAGES = ["en", "zh"]
FORGET = (Choice(label="Yes", command="/forget yes"), Choice(label="No", command="/forget no"))


def words(name: str, language: Language) -> Mapping[str, str]:
    return PROMPTS.labels(name, language)


# Thumbs.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verdict", ["up", "down"])
async def test_that_a_thumb_is_feedback(
    slack: FakeSlack,
    inbox: RecordingInbox,
    channel: SlackChannel,
    language: Language,
    verdict: Any,
) -> None:
    (post,) = await channel.send(reply(language=language))
    async with connected(slack, channel):
        label = words("feedback", language)[verdict]
        event = await slack.customer_presses(slack.message(post), label, user="U2")
        await slack.until(lambda: event.is_acknowledged)

    (rating,) = inbox.ratings
    at = event.payload["actions"][0]["action_ts"]
    assert rating == Feedback(
        channel="slack",
        event_key=f"feedback:{post}:U2:{at}",
        customer="U2",
        verdict=verdict,
        origin="button",
        turn=reply().turn,
        post=post,
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", ["wrong", "off_topic", "unclear", "incomplete", None])
async def test_that_a_thumb_down_is_asked_why(
    slack: FakeSlack,
    inbox: RecordingInbox,
    channel: SlackChannel,
    language: Language,
    reason: Any,
) -> None:
    (post,) = await channel.send(reply(language=language))
    async with connected(slack, channel):
        label = words("feedback", language)["down"]
        await slack.customer_presses(slack.message(post), label)
        await slack.until(lambda: slack.modals)
        view = slack.modals[0]
        sent = await slack.customer_submits(view, reason=reason, comment="过期了 outdated")
        await slack.until(lambda: sent.is_acknowledged)

    assert view["submit"]["text"] == words("feedback", language)["send"]
    options = view["blocks"][0]["element"]["options"]
    assert [option["text"]["text"] for option in options] == [
        words("feedback", language)[complaint]
        for complaint in ("wrong", "off_topic", "unclear", "incomplete")
    ]
    rating = inbox.ratings[1]
    assert (rating.verdict, rating.complaint, rating.turn) == ("down", reason, reply().turn)
    assert (rating.comment, rating.event_key) == ("过期了 outdated", f"complaint:{view['id']}")
    assert sent.answer == {}


async def test_that_a_thumb_is_acknowledged_only_when_it_is_stored(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    (post,) = await channel.send(reply())
    async with connected(slack, channel):
        inbox.errors = [LogError("The disk is full.")]
        event = await slack.customer_presses(slack.message(post), "Helpful")
        await inbox.until(lambda: inbox.refusals)
        await poll(channel.trouble)
        assert not event.is_acknowledged
        await slack.send_again(event)
        await slack.until(lambda: event.is_acknowledged)

    assert len(inbox.ratings) == 1


async def test_that_a_form_that_does_not_open_costs_nothing(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    (post,) = await channel.send(reply())
    slack.fail_next("views.open", Fault.refused("expired_trigger_id"))
    async with connected(slack, channel):
        event = await slack.customer_presses(slack.message(post), "Not helpful")
        await slack.until(lambda: slack.called("views.open") and event.is_acknowledged)

    assert [rating.verdict for rating in inbox.ratings] == ["down"]


# Buttons that stand for commands.


@pytest.mark.parametrize("language", LANGUAGES)
async def test_that_a_person_can_be_asked_for_under_an_answer(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, language: Language
) -> None:
    place = replace(await place_of_question(slack, channel="C1"), language=language)
    (post,) = await channel.send(answer_at(place))
    button = words("feedback", language)["person"]
    # A button works after a restart: all that it needs is in it.
    restarted = channel_for(slack, inbox)
    async with connected(slack, restarted):
        message = dict(slack.message(post))
        await slack.customer_presses(message, button)
        await slack.until(lambda: slack.called("chat.update"))
        again = await slack.customer_presses(message, button)
        await slack.until(lambda: again.is_acknowledged)
    await restarted.close()

    (asked,) = [incoming for incoming in inbox.accepted if incoming.text == "/human"]
    thread = place.in_reply_to.split(":")[2]
    assert asked == Incoming(
        channel="slack",
        event_keys=(f"person:{post}:U1:{thread}",),
        address=place.address,
        customer="U1",
        text="/human",
    )
    assert len(inbox.duplicates) == 1
    assert labels(slack.message(post)) == [words("feedback", language)[v] for v in ("up", "down")]
    assert shown(slack.message(post)) == shown(message)


async def test_that_of_two_choices_one_counts(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    place = await place_of_question(slack)
    outgoing = answer_at(place, source="command", choices=FORGET, citations=(), text="Sure?")
    (post,) = await channel.send(outgoing)
    message = dict(slack.message(post))
    assert labels(message) == ["Yes", "No"]
    async with connected(slack, channel):
        await slack.customer_presses(message, "Yes")
        await slack.until(lambda: not labels(slack.message(post)))
        last = await slack.customer_presses(message, "No")
        await slack.until(lambda: last.is_acknowledged)

    assert [each.text for each in inbox.accepted][1:] == ["/forget yes"]
    pressed = inbox.accepted[-1]
    await channel.send(reply(id=2, address=pressed.address, in_reply_to=pressed.event_keys[0]))
    thread = place.in_reply_to.split(":")[2]
    assert [slack.sent("D1")[-1]["thread_ts"], pressed.address] == [thread, "D1"]


async def test_that_a_choice_is_for_the_one_who_was_asked(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    place = await place_of_question(slack, channel="C1")
    outgoing = answer_at(place, source="command", choices=FORGET, citations=(), text="Sure?")
    (post,) = await channel.send(outgoing)
    async with connected(slack, channel):
        theirs = await slack.customer_presses(slack.message(post), "Yes", user="U2")
        await slack.until(lambda: theirs.is_acknowledged)
        assert labels(slack.message(post)) == ["Yes", "No"]
        await slack.customer_presses(slack.message(post), "Yes")
        await slack.until(lambda: not labels(slack.message(post)))

    pressed = [(each.customer, each.text) for each in inbox.accepted]
    assert pressed[1:] == [("U1", "/forget yes")]


async def test_that_used_buttons_stay_where_slack_does_not_tell_the_words(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel
) -> None:
    (post,) = await channel.send(reply())
    message = slack.message(post)
    bare = {**message, "blocks": [each for each in message["blocks"] if "block_id" in each]}
    async with connected(slack, channel):
        await slack.customer_presses(bare, words("feedback", "en")["person"])
        await inbox.texts(1)
        await slack.customer_commands("help")
        await inbox.texts(2)

    assert shown(slack.message(post)).startswith(reply().text)
    assert slack.called("chat.update") == []


@pytest.mark.parametrize("source", ["courtesy", "handoff", "clarification", "command"])
async def test_that_what_is_no_answer_has_no_thumbs(
    slack: FakeSlack, channel: SlackChannel, source: Any
) -> None:
    (post,) = await channel.send(reply(source=source))

    assert labels(slack.message(post)) == []


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"actions": []}, id="none"),
        pytest.param({"actions": [{"action_id": "theirs", "value": "x"}]}, id="not-ours"),
        pytest.param({"actions": [{"action_id": "frontdesk_person", "value": "{"}]}, id="value"),
        pytest.param({"actions": [{"action_id": "frontdesk_feedback"}]}, id="no-value"),
        pytest.param({"actions": "x"}, id="malformed"),
        pytest.param({"type": "view_submission", "view": {"id": "V1"}}, id="form"),
        pytest.param({"type": "message_action", "callback_id": "theirs"}, id="shortcut"),
        pytest.param({"type": "view_closed"}, id="other"),
    ],
)
async def test_that_what_is_not_ours_is_acknowledged_and_dropped(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, payload: dict[str, Any]
) -> None:
    async with connected(slack, channel):
        event = await slack.interact({"type": "block_actions", **payload})
        await slack.until(lambda: event.is_acknowledged)

    assert inbox.accepted == []
    assert inbox.ratings == []


# The slash command.


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        pytest.param("Where is my parcel?", "Where is my parcel?", id="english"),
        pytest.param("我的包裹在哪里？", "我的包裹在哪里？", id="chinese"),
        pytest.param("", "/help", id="nothing"),
        pytest.param("help", "/help", id="help"),
        pytest.param("HUMAN", "/human", id="human"),
        pytest.param("language zh", "/language zh", id="language"),
        pytest.param("forget", "/forget", id="forget"),
        pytest.param("/export", "/export", id="slash"),
        pytest.param("help me with my order", "help me with my order", id="question"),
        pytest.param("language of the form?", "language of the form?", id="long-language"),
    ],
)
async def test_that_a_slash_command_is_a_question_or_a_command(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, typed: str, text: str
) -> None:
    async with connected(slack, channel):
        event = await slack.customer_commands(typed)
        await slack.until(lambda: event.is_acknowledged)

    assert inbox.accepted == [
        Incoming(
            channel="slack",
            event_keys=(f"command:{event.payload['trigger_id']}",),
            address="C1@U1",
            customer="U1",
            text=text,
        )
    ]
    assert event.answer == {}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_that_its_answer_is_for_the_asker_alone(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, language: Language
) -> None:
    outgoing = reply(address="C1@U1", in_reply_to="command:trigger-1", language=language)

    assert await channel.send(outgoing) == ()

    (message,) = slack.ephemeral
    assert (message["channel"], message["for"]) == ("C1", "U1")
    assert labels(message) == [words("feedback", language)[v] for v in ("up", "down", "person")]
    async with connected(slack, channel):
        event = await slack.customer_presses(message, words("feedback", language)["person"])
        await slack.until(lambda: event.is_acknowledged)
    assert (inbox.accepted[0].text, inbox.accepted[0].address) == ("/human", "C1@U1")


@pytest.mark.parametrize("where", ["C2", "C3", "C9", "D1", "D7"])
async def test_that_where_the_app_is_not_the_answer_comes_in_the_dm(
    slack: FakeSlack, channel: SlackChannel, where: str
) -> None:
    outgoing = reply(address=f"{where}@U1", in_reply_to="command:trigger-1")

    posts = await channel.send(outgoing)

    message = await slack.next_reply("D1")
    assert posts == (f"D1:{message['ts']}",)
    assert "thread_ts" not in message


# The message shortcut.


@pytest.mark.parametrize("text", ["Where is my parcel?", "我的包裹在哪里？"])
@pytest.mark.parametrize("is_private", [False, True])
async def test_that_a_shortcut_answers_a_message_in_its_thread(
    slack: FakeSlack, inbox: RecordingInbox, text: str, is_private: bool
) -> None:
    channel = channel_for(slack, inbox, private_channels={"C1"} if is_private else ())
    question = await slack.customer_writes(text, channel="C1", user="U1")
    async with connected(slack, channel):
        asked = await slack.customer_asks_about(question, user="U2")
        await slack.until(lambda: asked.is_acknowledged)

    (incoming,) = inbox.accepted
    address = f"C1:{question.ts}"
    assert incoming == Incoming(
        channel="slack",
        event_keys=(f"shortcut:{address}:U2",),
        address=f"{address}@U2" if is_private else address,
        customer="U2",
        text=text,
    )
    await channel.send(
        reply(address=incoming.address, in_reply_to=incoming.event_keys[0], customer="U2")
    )
    if is_private:
        assert [message["for"] for message in slack.ephemeral] == ["U2"]
    else:
        assert (await slack.next_reply("C1"))["thread_ts"] == question.ts


@pytest.mark.parametrize("text", ["Where is my parcel?", "我的包裹在哪里？"])
@pytest.mark.parametrize("where", ["C2", "C3", "D9"])
async def test_that_where_the_app_is_not_a_shortcut_is_answered_in_the_dm(
    slack: FakeSlack, inbox: RecordingInbox, channel: SlackChannel, where: str, text: str
) -> None:
    question = await slack.customer_writes(text, channel=where, user="U1")
    async with connected(slack, channel):
        for user in ("U2", "U1"):
            asked = await slack.customer_asks_about(question, user=user)
            await slack.until(lambda: asked.is_acknowledged)  # noqa: B023
    asked_by_two = [each for each in inbox.accepted if each.event_keys[0].startswith("shortcut:")]
    incoming = asked_by_two[0]
    long = "A sentence of some length. " * 400

    posts = await channel.send(
        reply(
            address=incoming.address,
            in_reply_to=incoming.event_keys[0],
            customer=incoming.customer,
            text=long,
        )
    )

    assert [post.partition(":")[0] for post in posts] == ["D2"] * 3
    assert "thread_ts" not in await slack.next_reply("D2")
    if where == "D9":  # what one of two people asks is not the other's conversation
        assert len({each.address for each in asked_by_two}) == 2


# Private channels.


@pytest.mark.parametrize("language", LANGUAGES)
async def test_that_a_private_answer_can_be_shared_once(
    slack: FakeSlack, inbox: RecordingInbox, dialogues: KnownDialogues, language: Language
) -> None:
    channel = channel_for(slack, inbox, dialogues, private_channels={"C1"})
    question = await slack.customer_mentions("<@U0BOT> where is it?")
    async with connected(slack, channel):
        await inbox.texts(1)
        (incoming,) = inbox.accepted
        assert incoming.address == f"C1:{question.ts}@U1"
        outgoing = reply(
            address=incoming.address, in_reply_to=incoming.event_keys[0], language=language
        )
        dialogues.replies[outgoing.turn] = outgoing
        await channel.send(outgoing)
        assert slack.replies("C1") == []
        (message,) = slack.ephemeral
        share = words("slack", language)["share"]
        await slack.customer_presses(message, share, user="U2")
        await slack.customer_presses(message, share)
        posted = await slack.next_reply("C1")
        await channel.close()
        restarted = channel_for(slack, inbox, dialogues, private_channels={"C1"})
    async with connected(slack, restarted):
        asked = len(slack.called("conversations.replies"))
        await slack.customer_presses(message, share)
        await slack.until(lambda: len(slack.called("conversations.replies")) > asked)
    await restarted.close()

    assert (posted["thread_ts"], labels(posted)) == (question.ts, [])
    assert shown(posted).startswith(outgoing.text)
    assert len(slack.replies("C1")) == 1


async def test_that_sharing_goes_on_where_it_ended_and_counts_in_long_threads(
    slack: FakeSlack, inbox: RecordingInbox, dialogues: KnownDialogues
) -> None:
    channel = channel_for(slack, inbox, dialogues, private_channels={"C1"})
    question = await slack.customer_mentions("<@U0BOT> where is it?")
    for number in range(20):
        await slack.customer_writes(f"{number}", channel="C1", thread_ts=question.ts, user="U3")
    address, key = f"C1:{question.ts}@U1", f"message:C1:{question.ts}:U1"
    text = "A sentence of some length. " * 400
    outgoing = reply(address=address, in_reply_to=key, text=text, citations=())
    dialogues.replies[outgoing.turn] = outgoing
    await channel.send(outgoing)
    message = slack.ephemeral[-1]
    slack.fail_next("chat.postMessage", None, Fault.flood(1))
    async with connected(slack, channel):
        for count in (1, 3, 3):
            asked = len(slack.called("conversations.replies"))
            await slack.customer_presses(message, words("slack", "en")["share"])
            await slack.until(lambda: len(slack.called("conversations.replies")) > asked)  # noqa: B023
            await slack.until(lambda: len(slack.replies("C1")) == count)  # noqa: B023
            await poll(lambda: not _sharing())
    await channel.close()

    assert "".join("".join(slack.replies("C1")).split()) == "".join(text.split())


def _sharing() -> list[Any]:
    return [task for task in asyncio.all_tasks() if "Afterwards" in repr(task.get_coro())]


async def test_that_a_follow_up_to_a_private_answer_needs_no_mention(
    slack: FakeSlack, inbox: RecordingInbox, dialogues: KnownDialogues
) -> None:
    channel = channel_for(slack, inbox, dialogues, private_channels={"C1"})
    question = await slack.customer_mentions("<@U0BOT> where is it?")
    dialogues.parts.add((f"C1:{question.ts}@U1", "U1"))
    await slack.customer_writes("and when?", channel="C1", thread_ts=question.ts)
    await slack.customer_writes("me too", channel="C1", thread_ts=question.ts, user="U2")
    async with connected(slack, channel):
        await slack.until(lambda: not slack.unacknowledged)

    assert [incoming.text for incoming in inbox.accepted] == ["where is it?", "and when?"]


# Home, and questions to start with.


@pytest.mark.parametrize("language", LANGUAGES)
async def test_that_the_home_tab_shows_what_is_open(
    slack: FakeSlack,
    inbox: RecordingInbox,
    channel: SlackChannel,
    dialogues: KnownDialogues,
    language: Language,
) -> None:
    dialogues.languages["U1"] = language
    dialogues.questions["U1"] = [
        OpenQuestion(text="<!here> 我的包裹？", address="D1", asked_at="2026-11-20T08:00:00Z")
    ]
    async with connected(slack, channel):
        await slack.send_event(
            {"type": "app_home_opened", "tab": "home", "user": "U1", "channel": "D1"}
        )
        await slack.until(lambda: slack.homes)
        page = str(slack.homes["U1"])
        await slack.customer_presses_at_home("中文")
        await slack.until(lambda: words("slack", "zh")["home_title"] in str(slack.homes))
        await slack.customer_presses_at_home(words("slack", "zh")["person"])
        await slack.until(lambda: not slack.unacknowledged)

    assert words("slack", language)["home_title"] in page
    assert "&lt;!here&gt; 我的包裹？" in page
    assert "2026-11-20" in page
    assert [(each.text, each.address) for each in inbox.accepted] == [
        ("/language zh", "D1"),
        ("/human", "D1"),
    ]


@pytest.mark.parametrize(("language", "count"), [("en", 2), ("zh", 2), (None, 4)])
@pytest.mark.parametrize("way", ["messages-tab", "assistant"])
async def test_that_questions_to_start_with_are_offered(
    slack: FakeSlack,
    channel: SlackChannel,
    dialogues: KnownDialogues,
    language: Language | None,
    count: int,
    way: str,
) -> None:
    if language:
        dialogues.languages["U1"] = language
    thread = {"channel_id": "D1", "user_id": "U1", "thread_ts": "1790000000.1"}
    event: dict[str, Any] = {"type": "assistant_thread_started", "assistant_thread": thread}
    if way == "messages-tab":
        event = {"type": "app_home_opened", "tab": "messages", "user": "U1", "channel": "D1"}
    async with connected(slack, channel):
        await slack.send_event(event)
        await slack.until(lambda: slack.prompts)

    (offered,) = slack.prompts
    assert len(offered["prompts"]) == count
    assert offered.get("thread_ts") == (None if way == "messages-tab" else "1790000000.1")
    assert all(words("slack", each)["prompts_title"] in offered["title"] for each in _or(language))


def _or(language: Language | None) -> list[Language]:
    return [language] if language else ["en", "zh"]


# Documents.


@pytest.mark.parametrize("address", ["D1", "C1:1790000000.1", "C1@U1", "D1@U1", "D9@U1"])
async def test_that_a_document_goes_to_the_customer_alone(
    slack: FakeSlack, channel: SlackChannel, address: str
) -> None:
    document = Document(name="export.json", text='{"数据": 1}')
    key = "message:D1:1790000000.1:U1" if address == "D1" else "message:C1:1790000000.1:U1"

    await channel.send(reply(address=address, in_reply_to=key, document=document))

    (upload,) = slack.uploads
    assert (upload["channel"], upload["content"].decode()) == ("D1", document.text)


async def test_that_a_document_waits_for_its_dm(slack: FakeSlack, channel: SlackChannel) -> None:
    slack.fail_next("conversations.open", Fault.answer_lost())
    document = Document(name="export.json", text="{}")
    outgoing = reply(address="C1@U1", in_reply_to="command:trigger-1", document=document)

    with pytest.raises(DeliveryError) as caught:
        await channel.send(outgoing)
    assert not isinstance(caught.value, DeliveryInDoubt)
    await channel.send(replace(outgoing, replaces=caught.value.posts or ()))

    assert (len(slack.uploads), len(slack.ephemeral)) == (1, 1)


async def test_that_a_document_that_slack_refuses_comes_as_text(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.scopes.discard("files:write")
    document = Document(name="export.json", text="<!here> ``` 数据\n" * 300)

    await channel.send(reply(text="Here it is.", document=document, citations=()))

    blocks = slack.replies("D1")[1:]
    assert len(blocks) > 1
    assert all(block.startswith("```\n") and block.endswith("\n```") for block in blocks)
    assert "".join(blocks).count("数据") == 300


async def test_that_a_document_is_sent_again_after_a_flood(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.fail_next("files.getUploadURLExternal", Fault.flood(1))
    outgoing = reply(document=Document(name="export.json", text="{}"))

    with pytest.raises(DeliveryError) as caught:
        await channel.send(outgoing)
    await channel.send(replace(outgoing, replaces=caught.value.posts or ()))

    assert caught.value.retry_after_seconds == 1
    assert (len(slack.uploads), len(slack.replies("D1"))) == (1, 1)


@pytest.mark.parametrize("fault", [Fault.server_error(), Fault.dropped()])
async def test_that_a_document_that_did_not_arrive_is_sent_again(
    slack: FakeSlack, channel: SlackChannel, fault: Fault
) -> None:
    slack.fail_next("files.completeUploadExternal", fault)
    outgoing = reply(document=Document(name="export.json", text="{}"))

    with pytest.raises(DeliveryError) as caught:
        await channel.send(outgoing)
    await channel.send(replace(outgoing, replaces=caught.value.posts or ()))

    assert (len(slack.uploads), len(slack.replies("D1"))) == (1, 1)


async def test_that_the_home_tab_without_a_dm_has_no_buttons(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    async with connected(slack, channel):
        await slack.send_event({"type": "app_home_opened", "tab": "home", "user": "U1"})
        await slack.until(lambda: slack.homes)

    assert labels(slack.homes["U1"]) == []
    assert words("slack", "en")["no_open_questions"] in str(slack.homes["U1"])
