"""Thumbs, complaints, choices and reactions: stored first, then shown as used."""

from typing import Any

import pytest

from adapters.telegram import TelegramChannel
from adapters.telegram.buttons import meaning_of
from bot.errors import LogError
from bot.messages import COMPLAINTS, Choice, Feedback, Incoming, Language, TurnId
from prompts import Prompts
from tests.adapters.recording_inbox import RecordingInbox
from tests.adapters.samples import REPLY, reply
from tests.adapters.telegram.channels import ADA, BOT_ID, GROUP, channel_for, deliver, running
from tests.fakes.telegram_api import FakeTelegram, Fault

GRACE = 43
TURN = REPLY.turn
PERSON = Choice(label="Ask a person", command="/human")
LANGUAGES: list[Language] = ["en", "zh"]


async def posted(channel: TelegramChannel, telegram: FakeTelegram, **changes: Any) -> int:
    """Send a reply; return the number of its last post."""
    address = changes.pop("address", str(ADA))
    telegram.add_chat(GROUP if str(GROUP) in address else ADA)
    posts = await deliver(channel, reply(address=address, **changes))
    return int(posts[-1].rpartition(":")[2])


def notes(telegram: FakeTelegram) -> list[str]:
    return [str(call.get("text", "")) for call in telegram.called("answerCallbackQuery")]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_that_an_answer_has_thumbs(
    telegram: FakeTelegram, channel: TelegramChannel, language: Language
) -> None:
    post = await posted(channel, telegram, language=language)

    words = Prompts.load().labels("feedback", language)
    row = telegram.called("editMessageText")[0]["reply_markup"]["inline_keyboard"][0]
    assert [button["text"] for button in row] == [f"👍 {words['up']}", f"👎 {words['down']}"]
    assert telegram.buttons(ADA, post) == [[f"f:up:{language}:{TURN}", f"f:down:{language}:{TURN}"]]


async def test_that_only_the_last_part_of_an_answer_has_thumbs(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    last = await posted(channel, telegram, text="A sentence. " * 500)

    with_buttons = [m["message_id"] for m in telegram.posts(ADA) if m.get("reply_markup")]
    assert len(telegram.posts(ADA)) == 2
    assert with_buttons == [last]


@pytest.mark.parametrize("source", ["courtesy", "command", "handoff", "clarification"])
async def test_that_what_is_no_answer_has_no_thumbs(
    telegram: FakeTelegram, channel: TelegramChannel, source: str
) -> None:
    assert telegram.buttons(ADA, await posted(channel, telegram, source=source)) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_that_a_thumb_up_is_stored_and_thanked_for(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, language: Language
) -> None:
    post = await posted(channel, telegram, language=language, choices=(PERSON,))
    async with running(channel):
        query = telegram.presses_button(ADA, post, f"f:up:{language}:{TURN}")
        await telegram.until(lambda: telegram.called("editMessageReplyMarkup"))

    assert inbox.ratings == [
        Feedback(
            channel="telegram",
            event_key=f"callback:{query}",
            customer=str(ADA),
            verdict="up",
            origin="button",
            turn=TURN,
        )
    ]
    assert notes(telegram) == [Prompts.load().labels("feedback", language)["thanks_up"]]
    assert telegram.buttons(ADA, post) == [["c:0:/human"]]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("complaint", COMPLAINTS)
async def test_that_a_thumb_down_asks_why(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    language: Language,
    complaint: str,
) -> None:
    post = await posted(channel, telegram, language=language)
    async with running(channel):
        telegram.presses_button(ADA, post, f"f:down:{language}:{TURN}")
        await telegram.until(lambda: len(telegram.buttons(ADA, post)) == 4)
        telegram.presses_button(ADA, post, f"f:{complaint}:{language}:{TURN}")
        await telegram.until(lambda: not telegram.buttons(ADA, post))

    words = Prompts.load().labels("feedback", language)
    assert [(f.verdict, f.complaint) for f in inbox.ratings] == [
        ("down", None),
        ("down", complaint),
    ]
    assert notes(telegram) == [words["ask_why"], words["thanks_down"]]


async def test_that_buttons_work_after_a_restart(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    post = await posted(channel, telegram)

    async with running(channel_for(telegram, inbox)):
        telegram.presses_button(ADA, post, f"f:up:en:{TURN}")
        await telegram.until(lambda: not telegram.buttons(ADA, post))

    assert [feedback.turn for feedback in inbox.ratings] == [TURN]


@pytest.mark.parametrize(("hint", "note"), [("en", "closed"), ("zh-hans", "closed")])
async def test_that_a_used_button_does_nothing_more(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, hint: str, note: str
) -> None:
    post = await posted(channel, telegram)
    async with running(channel):
        telegram.presses_button(ADA, post, f"f:up:en:{TURN}")
        telegram.presses_button(ADA, post, f"f:up:en:{TURN}", language_code=hint)  # before it goes
        await telegram.until(lambda: not telegram.buttons(ADA, post))
        telegram.presses_button(ADA, post, f"f:down:en:{TURN}", language_code=hint)  # and after
        await telegram.until(lambda: len(notes(telegram)) == 3)

    closed = Prompts.load().labels("telegram", hint[:2])[note]
    assert sorted(notes(telegram)) == sorted(["Thank you!", closed, closed])
    assert [feedback.verdict for feedback in inbox.ratings] == ["up"]


async def test_that_a_press_is_stored_before_it_is_confirmed(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    post = await posted(channel, telegram)
    inbox.errors = [LogError("The disk is full.") for _ in range(3)]
    async with running(channel):
        telegram.presses_button(ADA, post, f"f:up:en:{TURN}")
        await inbox.until(lambda: inbox.refusals == 3)
        assert telegram.unconfirmed
        assert notes(telegram) == []
        await telegram.until(lambda: not telegram.buttons(ADA, post))

    assert len(inbox.ratings) == 1


async def test_that_a_press_under_an_old_message_counts(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.add_chat(GROUP)
    person = {"id": ADA, "is_bot": False, "first_name": "Ada"}
    old = {"chat": {"id": GROUP, "type": "supergroup"}, "message_id": 5, "date": 0}
    query = {"id": "900", "from": person, "chat_instance": "1", "message": old}
    telegram.deliver({"callback_query": {**query, "data": f"f:up:en:{TURN}"}})
    telegram.deliver({"callback_query": {**query, "id": "901", "data": f"c:{ADA}:/human"}})
    telegram.deliver({"callback_query": {"id": "902", "from": person, "chat_instance": "1"}})

    async with running(channel):
        await telegram.until(lambda: len(telegram.called("editMessageReplyMarkup")) == 2)
        await telegram.until(lambda: not telegram.unconfirmed)

    assert [feedback.turn for feedback in inbox.ratings] == [TURN]
    assert [incoming.address for incoming in inbox.accepted] == [f"{GROUP}:0:{ADA}"]


async def test_that_a_press_that_came_before_is_closed(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    post = await posted(channel, telegram)
    telegram.presses_button(ADA, post, f"f:down:en:{TURN}")
    update = telegram.updates[0]
    async with running(channel):
        await telegram.until(lambda: notes(telegram) and not telegram.unconfirmed)
    async with running(channel_for(telegram, inbox)):
        telegram.deliver({"callback_query": update["callback_query"]})
        await telegram.until(lambda: len(notes(telegram)) == 2)

    words = Prompts.load()
    asked, closed = (
        words.labels("feedback", "en")["ask_why"],
        words.labels("telegram", "en")["closed"],
    )
    assert notes(telegram) == [asked, closed]
    assert len(inbox.ratings) == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.server_error(), id="500"),
        pytest.param(Fault.dropped(), id="dropped"),
        pytest.param(Fault(400, "Bad Request: query is too old"), id="too-old"),
    ],
)
async def test_that_an_unanswered_press_still_counts(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, fault: Fault
) -> None:
    post = await posted(channel, telegram)
    telegram.fail_next("answerCallbackQuery", fault)
    telegram.fail_next("editMessageReplyMarkup", Fault.flood(1))
    async with running(channel):
        telegram.presses_button(ADA, post, f"f:up:en:{TURN}")
        await telegram.until(lambda: not telegram.buttons(ADA, post))

    assert len(inbox.ratings) == 1
    assert telegram.too_early == []


@pytest.mark.parametrize(
    "data",
    [
        "",
        "f",
        "f:up",
        "f:up:fr:t",
        "f:bad:en:t",
        "f:up:en:",
        "c:0:human",
        "c:x:/human",
        "c:1",
        "x:y:z:w",
    ],
)
async def test_that_a_button_of_somebody_else_is_only_answered(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, data: str
) -> None:
    post = await posted(channel, telegram)
    async with running(channel):
        telegram.presses_button(ADA, post, data)
        await telegram.until(lambda: telegram.called("answerCallbackQuery"))
        await telegram.until(lambda: not telegram.unconfirmed)

    assert meaning_of(data) is None
    assert (inbox.ratings, inbox.accepted) == ([], [])


# Choices.


async def test_that_a_choice_is_as_good_as_its_command(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    yes = Choice(label="是的，删除", command="/forget yes")
    no = Choice(label="不", command="/forget no")
    post = await posted(channel, telegram, source="command", choices=(yes, no))
    async with running(channel):
        telegram.presses_button(ADA, post, "c:0:/forget yes", language_code="zh-hans")
        telegram.presses_button(ADA, post, "c:0:/forget no")
        await telegram.until(lambda: len(notes(telegram)) == 2 and not telegram.buttons(ADA, post))

    assert inbox.accepted == [
        Incoming(
            channel="telegram",
            event_keys=(f"button:{BOT_ID}/{ADA}:{post}", inbox.accepted[0].event_keys[1]),
            address=str(ADA),
            customer=str(ADA),
            text="/forget yes",
            language="zh",
        )
    ]
    assert len(inbox.duplicates) == 1


async def test_that_a_choice_in_a_group_is_for_the_person_who_asked(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    telegram.member_writes(GROUP, ADA, "hi", message_thread_id=8, is_topic_message=True)
    address = f"{GROUP}:8:{ADA}"
    post = await posted(channel, telegram, source="command", choices=(PERSON,), address=address)
    async with running(channel):
        telegram.presses_button(GROUP, post, f"c:{ADA}:/human", user_id=GRACE)
        await telegram.until(lambda: notes(telegram))
        telegram.presses_button(GROUP, post, f"c:{ADA}:/human", user_id=ADA)
        await telegram.until(lambda: not telegram.buttons(GROUP, post))

    assert notes(telegram) == [Prompts.load().labels("telegram", "en")["not_yours"], ""]
    assert [(m.address, m.customer, m.text) for m in inbox.accepted] == [
        (address, str(ADA), "/human")
    ]


async def test_that_a_choice_that_does_not_fit_is_left_out(
    telegram: FakeTelegram, channel: TelegramChannel
) -> None:
    long = Choice(label="Long", command="/" + "长" * 21)

    post = await posted(channel, telegram, source="command", choices=(long, PERSON))

    assert telegram.buttons(ADA, post) == [["c:0:/human"]]


@pytest.mark.parametrize(
    "title",
    [
        "Return an item",
        "How to return an item that was bought in one of our shops abroad",
        "退货" * 30,
    ],
)
async def test_that_a_choice_of_an_article_is_as_good_as_writing_its_title(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel, title: str
) -> None:
    titles = (title, "Delivery costs")
    choices = tuple(Choice(label=each, command=each) for each in titles)
    post = await posted(channel, telegram, source="clarification", choices=choices)
    first, second = (row[0] for row in telegram.buttons(ADA, post))
    async with running(channel_for(telegram, inbox)):  # after a restart
        telegram.presses_button(ADA, post, "t:0:00000000")  # nobody's
        await telegram.until(lambda: notes(telegram))
        telegram.presses_button(ADA, post, first)
        await telegram.until(lambda: not telegram.buttons(ADA, post))

    assert first != second
    assert [(message.customer, message.text) for message in inbox.accepted] == [(str(ADA), title)]


async def test_that_a_choice_of_an_article_is_closed_once_its_message_is_too_old(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    choice = Choice(label="Delivery costs", command="Delivery costs")
    post = await posted(channel, telegram, source="clarification", choices=(choice,))
    [[data]] = telegram.buttons(ADA, post)
    telegram.presses_button(ADA, post, data)
    old = {"chat": {"id": ADA, "type": "private"}, "message_id": post, "date": 0}
    telegram.updates[0]["callback_query"]["message"] = old
    async with running(channel):
        await telegram.until(lambda: notes(telegram))

    assert notes(telegram) == [Prompts.load().labels("telegram", "en")["closed"]]
    assert inbox.accepted == []


async def test_that_anybody_in_a_group_may_rate(
    telegram: FakeTelegram, inbox: RecordingInbox, channel: TelegramChannel
) -> None:
    post = await posted(channel, telegram, address=f"{GROUP}:0:{ADA}")
    async with running(channel):
        telegram.presses_button(GROUP, post, f"f:up:en:{TURN}", user_id=GRACE)
        await telegram.until(lambda: not telegram.buttons(GROUP, post))

    assert [feedback.customer for feedback in inbox.ratings] == [str(GRACE)]


# Reactions.


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        pytest.param("", "👍", "up", id="up"),
        pytest.param("", "❤", "up", id="heart"),
        pytest.param("", "👎", "down", id="down"),
        pytest.param("👍", "💩", "down", id="changed"),
        pytest.param("👍", "", "withdrawn", id="removed"),
        pytest.param("👎", "🤔", "withdrawn", id="to-neutral"),
        pytest.param("", "🤔", None, id="neutral"),
        pytest.param("👍", "🔥", None, id="same-verdict"),
    ],
)
async def test_that_a_reaction_is_feedback(
    telegram: FakeTelegram,
    inbox: RecordingInbox,
    channel: TelegramChannel,
    old: str,
    new: str,
    verdict: str | None,
) -> None:
    post = await posted(channel, telegram)
    update_id = telegram.reacts(ADA, post, new, old)
    async with running(channel):
        await telegram.until(lambda: telegram.called("getUpdates") and not telegram.unconfirmed)

    found = [(f.event_key, f.post, f.verdict, f.origin, f.turn) for f in inbox.ratings]
    key = f"reaction:{ADA}:{post}:{ADA}:{update_id}"
    expected: list[tuple[str, str, str, str, TurnId | None]] = []
    if verdict:
        expected = [(key, f"{ADA}:{post}", verdict, "reaction", None)]
    assert found == expected


async def test_that_an_unreadable_answer_to_a_press_is_no_crash(
    telegram: FakeTelegram, inbox: RecordingInbox, caplog: pytest.LogCaptureFixture
) -> None:
    channel = channel_for(telegram, inbox, poll_seconds=0)
    post = await posted(channel, telegram)
    telegram.fail_next("editMessageReplyMarkup", Fault.answer_garbled('{"ok": true, "result": 1}'))

    async with running(channel):
        telegram.presses_button(ADA, post, f"f:up:en:{TURN}")
        await telegram.until(lambda: "What a press changed was not shown (" in caplog.text)
