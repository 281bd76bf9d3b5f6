"""The fake Telegram keeps and refuses what Telegram keeps and refuses."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fakes.telegram_api import FakeTelegram, Fault
from tests.fakes.telegram_rules import entities_of

Json = dict[str, Any]
ADA = 42


@pytest_asyncio.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as fake:
        yield fake


class Bot:
    """A client without opinions: posts forms, returns what came."""

    def __init__(self, telegram: FakeTelegram) -> None:
        self.telegram = telegram
        self.token = telegram.token

    async def call(self, method: str, **params: Any) -> Json:
        url = f"{self.telegram.base_url}/bot{self.token}/{method}"
        form = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in params.items()
        }
        async with aiohttp.ClientSession() as session, session.post(url, data=form) as response:
            return {"status": response.status, **await response.json()}

    async def result(self, method: str, **params: Any) -> Any:
        answer = await self.call(method, **params)
        assert answer["ok"], answer
        return answer["result"]


@pytest.fixture
def bot(telegram: FakeTelegram) -> Bot:
    return Bot(telegram)


async def test_that_an_unconfirmed_update_comes_again(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.customer_writes(ADA, "hello")

    first = await bot.result("getUpdates")
    second = await bot.result("getUpdates")

    assert first == second
    assert first[0]["message"]["text"] == "hello"


async def test_that_a_higher_offset_confirms_for_good(telegram: FakeTelegram, bot: Bot) -> None:
    first = telegram.customer_writes(ADA, "one")
    second = telegram.customer_writes(ADA, "two")

    after = await bot.result("getUpdates", offset=first + 1)
    again = await bot.result("getUpdates", offset=0)

    assert [update["update_id"] for update in after] == [second]
    assert again == after
    assert telegram.unconfirmed == [second]


async def test_that_at_most_a_hundred_updates_come_at_once(
    telegram: FakeTelegram, bot: Bot
) -> None:
    for number in range(105):
        telegram.customer_writes(ADA, str(number))

    assert len(await bot.result("getUpdates", limit=500)) == 100
    assert len(await bot.result("getUpdates", limit=3)) == 3


async def test_that_a_long_poll_ends_when_a_message_comes(telegram: FakeTelegram, bot: Bot) -> None:
    poll = asyncio.create_task(bot.result("getUpdates", timeout=60))
    await telegram.until(lambda: telegram.called("getUpdates"))

    telegram.customer_writes(ADA, "hello")

    async with asyncio.timeout(5):
        assert [update["message"]["text"] for update in await poll] == ["hello"]


async def test_that_a_second_poll_ends_the_first(telegram: FakeTelegram, bot: Bot) -> None:
    poll = asyncio.create_task(bot.call("getUpdates", timeout=60))
    await telegram.until(lambda: telegram.called("getUpdates"))

    await bot.result("getUpdates", timeout=0)

    async with asyncio.timeout(5):
        assert (await poll)["status"] == 409


async def test_that_a_webhook_excludes_polling_until_it_is_deleted(bot: Bot) -> None:
    await bot.result("setWebhook", url="https://shop.example/hook")
    assert (await bot.call("getUpdates"))["status"] == 409

    await bot.result("deleteWebhook")

    assert await bot.result("getUpdates") == []


async def test_that_dropping_pending_updates_loses_them(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.customer_writes(ADA, "hello")

    await bot.result("deleteWebhook", drop_pending_updates=True)

    assert telegram.unconfirmed == []


async def test_that_updates_not_asked_for_do_not_come(telegram: FakeTelegram, bot: Bot) -> None:
    await bot.result("getUpdates", allowed_updates=["message"])

    telegram.deliver({"my_chat_member": {}})
    wanted = telegram.customer_writes(ADA, "hello")

    assert telegram.unconfirmed == [wanted]


async def test_that_numbers_begin_anew_after_a_quiet_week(telegram: FakeTelegram, bot: Bot) -> None:
    old = telegram.customer_writes(ADA, "before")
    telegram.pass_a_quiet_week(17)

    assert telegram.customer_writes(ADA, "after") == 17 < old


@pytest.mark.parametrize(
    ("token", "status"),
    [
        pytest.param("123456789:another", 401, id="wrong"),
        pytest.param("nonsense", 404, id="malformed"),
        pytest.param("123456789:", 404, id="cut-off"),
    ],
)
async def test_that_a_wrong_token_is_refused(bot: Bot, token: str, status: int) -> None:
    bot.token = token
    assert (await bot.call("getMe"))["error_code"] == status


@pytest.mark.parametrize(
    ("params", "description"),
    [
        pytest.param({"chat_id": ADA, "text": ""}, "message text is empty", id="empty"),
        pytest.param({"chat_id": ADA, "text": " \n "}, "message text is empty", id="blank"),
        pytest.param({"chat_id": ADA, "text": "a" * 4097}, "message is too long", id="long"),
        pytest.param({"chat_id": ADA, "text": "😀" * 2049}, "message is too long", id="utf-16"),
        pytest.param({"chat_id": 7, "text": "hi"}, "chat not found", id="unknown-chat"),
        pytest.param(
            {"chat_id": ADA, "text": "hi", "message_thread_id": 9},
            "message thread not found",
            id="unknown-topic",
        ),
        pytest.param(
            {"chat_id": ADA, "text": "hi", "reply_parameters": {"message_id": 99}},
            "message to be replied not found",
            id="unknown-reply",
        ),
    ],
)
async def test_that_a_message_telegram_refuses_is_refused(
    telegram: FakeTelegram, bot: Bot, params: Json, description: str
) -> None:
    telegram.add_chat(ADA)

    answer = await bot.call("sendMessage", **params)

    assert answer["status"] == 400
    assert answer["description"] == f"Bad Request: {description}"
    assert telegram.replies(ADA) == []


async def test_that_a_message_of_the_full_length_is_delivered(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.add_chat(ADA)

    await bot.result("sendMessage", chat_id=ADA, text="😀" * 2048)

    assert (await telegram.next_reply(ADA))["text"] == "😀" * 2048


async def test_that_who_blocked_the_bot_gets_nothing(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.customer_writes(ADA, "hello")
    telegram.blocks_the_bot(ADA)

    answer = await bot.call("sendMessage", chat_id=ADA, text="hi")

    assert answer["status"] == 403
    assert telegram.replies(ADA) == []


async def test_that_a_flood_is_told_with_the_seconds(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessage", Fault.flood(7), Fault.server_error())

    flooded = await bot.call("sendMessage", chat_id=ADA, text="hi")
    broken = await bot.call("sendMessage", chat_id=ADA, text="hi")
    delivered = await bot.call("sendMessage", chat_id=ADA, text="hi")

    assert (flooded["status"], flooded["parameters"]) == (429, {"retry_after": 7})
    assert (broken["status"], delivered["status"]) == (500, 200)
    assert telegram.replies(ADA) == ["hi"]


@pytest.mark.parametrize(
    ("fault", "delivered"),
    [
        pytest.param(Fault.dropped(), [], id="before"),
        pytest.param(Fault.answer_lost(), ["hi"], id="after"),
    ],
)
async def test_that_a_dropped_connection_is_one(
    telegram: FakeTelegram, bot: Bot, fault: Fault, delivered: list[str]
) -> None:
    telegram.add_chat(ADA)
    telegram.fail_next("sendMessage", fault)

    with pytest.raises(aiohttp.ClientError):
        await bot.call("sendMessage", chat_id=ADA, text="hi")

    assert telegram.replies(ADA) == delivered


async def test_that_an_edit_changes_what_the_customer_reads(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.add_chat(ADA)
    sent = await bot.result("sendMessage", chat_id=ADA, text="One moment")
    edit = {"chat_id": ADA, "message_id": sent["message_id"], "text": "The answer"}

    await bot.result("editMessageText", **edit)
    again = await bot.call("editMessageText", **edit)

    assert telegram.replies(ADA) == ["The answer"]
    assert again["description"] == "Bad Request: message is not modified"


async def test_that_a_customers_message_cannot_be_edited(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.customer_writes(ADA, "mine")
    update = (await bot.result("getUpdates"))[0]
    message_id = update["message"]["message_id"]

    edited = await bot.call("editMessageText", chat_id=ADA, message_id=message_id, text="yours")
    missing = await bot.call("editMessageText", chat_id=ADA, message_id=999, text="yours")

    assert edited["description"] == "Bad Request: message can't be edited"
    assert missing["description"] == "Bad Request: message to edit not found"


async def test_that_a_button_is_answered_once(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.add_chat(ADA)
    sent = await bot.result("sendMessage", chat_id=ADA, text="Helpful?")

    query_id = telegram.presses_button(ADA, sent["message_id"], "yes")
    update = (await bot.result("getUpdates"))[0]

    assert update["callback_query"]["data"] == "yes"
    assert await bot.result("answerCallbackQuery", callback_query_id=query_id) is True
    assert (await bot.call("answerCallbackQuery", callback_query_id=query_id))["status"] == 400


async def test_that_typing_needs_a_chat_and_a_known_action(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.add_chat(ADA)

    assert await bot.result("sendChatAction", chat_id=ADA, action="typing") is True
    assert (await bot.call("sendChatAction", chat_id=7, action="typing"))["status"] == 400
    assert (await bot.call("sendChatAction", chat_id=ADA, action="yawning"))["status"] == 400


async def test_that_an_unknown_method_is_not_found(bot: Bot) -> None:
    assert (await bot.call("sendEverything"))["status"] == 404


def test_that_entities_are_counted_in_utf16_units() -> None:
    assert entities_of("😀 @frontdesk_bot /help@frontdesk_bot") == [
        {"type": "mention", "offset": 3, "length": 14},
        {"type": "bot_command", "offset": 18, "length": 19},
    ]


async def test_that_waiting_for_a_reply_ends_with_the_reply(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.add_chat(ADA)
    reply = asyncio.create_task(telegram.next_reply(ADA))

    await bot.result("sendMessage", chat_id=ADA, text="one")
    await bot.result("sendMessage", chat_id=ADA, text="two")

    assert [(await reply)["text"], (await telegram.next_reply(ADA))["text"]] == ["one", "two"]


BOLD = {"type": "bold", "offset": 0, "length": 1}


@pytest.mark.parametrize(
    ("entity", "is_taken"),
    [
        pytest.param(BOLD, True, id="within"),
        pytest.param({**BOLD, "length": 4}, True, id="to-the-end"),
        pytest.param({**BOLD, "length": 5}, False, id="too-long"),
        pytest.param({**BOLD, "offset": -1}, False, id="before"),
        pytest.param({**BOLD, "length": 0}, False, id="empty"),
        pytest.param({**BOLD, "offset": 2}, False, id="cuts-an-emoji"),
        pytest.param({**BOLD, "type": "shouting"}, False, id="unknown"),
        pytest.param({**BOLD, "type": "text_link", "url": "tg://user?id=1"}, False, id="app-link"),
        pytest.param(
            {**BOLD, "type": "text_link", "url": "https://shop.example:99999"}, False, id="port"
        ),
    ],
)
async def test_that_entities_must_fit_the_text(
    telegram: FakeTelegram, bot: Bot, entity: Json, is_taken: bool
) -> None:
    telegram.add_chat(ADA)

    answer = await bot.call("sendMessage", chat_id=ADA, text="a😀b", entities=[entity])

    assert answer["ok"] is is_taken
    assert is_taken or "entit" in answer["description"].lower()


@pytest.mark.parametrize(("data", "is_taken"), [("a" * 64, True), ("二" * 22, False), ("", False)])
async def test_that_a_button_holds_64_bytes(
    telegram: FakeTelegram, bot: Bot, data: str, is_taken: bool
) -> None:
    telegram.add_chat(ADA)
    markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": data}]]}

    answer = await bot.call("sendMessage", chat_id=ADA, text="Well?", reply_markup=markup)

    assert answer["ok"] is is_taken
    if is_taken:
        assert telegram.buttons(ADA, answer["result"]["message_id"]) == [[data]]


async def test_that_buttons_can_be_taken_away_once(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.add_chat(ADA)
    markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
    sent = await bot.result("sendMessage", chat_id=ADA, text="Well?", reply_markup=markup)
    message = {"chat_id": ADA, "message_id": sent["message_id"]}

    await bot.result("editMessageReplyMarkup", **message)
    again = await bot.call("editMessageReplyMarkup", **message)

    assert telegram.buttons(ADA, sent["message_id"]) == []
    assert again["description"] == "Bad Request: message is not modified"


@pytest.mark.parametrize(
    ("params", "description"),
    [
        pytest.param({"chat_id": ADA, "draft_id": 1}, None, id="private"),
        pytest.param({"chat_id": ADA, "draft_id": 0}, "RANDOM_ID_INVALID", id="zero"),
        pytest.param({"chat_id": -5, "draft_id": 1}, "TEXTDRAFT_PEER_INVALID", id="group"),
        pytest.param({"chat_id": 9, "draft_id": 1}, "chat not found", id="unknown"),
    ],
)
async def test_that_drafts_are_for_private_chats(
    telegram: FakeTelegram, bot: Bot, params: Json, description: str | None
) -> None:
    telegram.add_chat(ADA)
    telegram.add_chat(-5)

    answer = await bot.call("sendMessageDraft", text="You", **params)

    assert answer.get("description") == (f"Bad Request: {description}" if description else None)
    assert len(telegram.drafts[ADA]) == (0 if description else 1)
    assert telegram.replies(ADA) == []


async def test_that_deleting_many_skips_those_that_are_gone(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.add_chat(ADA)
    sent = await bot.result("sendMessage", chat_id=ADA, text="hi")
    ids = [sent["message_id"], 99]

    assert await bot.result("deleteMessages", chat_id=ADA, message_ids=ids) is True
    assert telegram.replies(ADA) == []
    assert (await bot.call("deleteMessages", chat_id=ADA, message_ids=[]))["status"] == 400
    assert (await bot.call("deleteMessage", chat_id=ADA, message_id=99))["status"] == 400


@pytest.mark.parametrize(
    ("params", "is_taken"),
    [
        pytest.param({"url": "https://shop.example/hook", "secret_token": "a_-1"}, True, id="good"),
        pytest.param({"url": "http://shop.example/hook"}, False, id="http"),
        pytest.param({"url": "https://a.example", "secret_token": "a b"}, False, id="secret"),
    ],
)
async def test_that_a_webhook_needs_https_and_a_plain_secret(
    bot: Bot, params: Json, is_taken: bool
) -> None:
    assert (await bot.call("setWebhook", **params))["ok"] is is_taken
    info = await bot.result("getWebhookInfo")
    assert info["url"] == (params["url"] if is_taken else "")


async def test_that_updates_are_posted_with_the_secret_until_they_are_taken(
    telegram: FakeTelegram, bot: Bot
) -> None:
    seen: list[tuple[str | None, int]] = []

    async def take(request: web.Request) -> web.Response:
        update = await request.json()
        seen.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), update["update_id"]))
        return web.Response(status=503 if len(seen) == 1 else 200)

    app = web.Application()
    app.router.add_post("/hook", take)
    await bot.result("setWebhook", url="https://shop.example/hook", secret_token="secret")
    first = telegram.customer_writes(ADA, "one")
    second = telegram.customer_writes(ADA, "two")
    async with TestServer(app) as server:
        assert await telegram.push(str(server.make_url("/hook"))) == [503, 200, 200]

    assert seen == [("secret", first), ("secret", first), ("secret", second)]
    assert "503" in (await bot.result("getWebhookInfo"))["last_error_message"]


async def test_that_a_file_is_found_first_and_then_loaded(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.keeps_file("f1", b"content")
    telegram.keeps_file("f2", b"a" * 20_000_001)

    path = (await bot.result("getFile", file_id="f1"))["file_path"]
    url = f"{telegram.base_url}/file/bot{telegram.token}/{path}"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            assert await response.read() == b"content"
        async with session.get(url.replace(telegram.token, "1:x")) as response:
            assert response.status == 404

    assert (await bot.call("getFile", file_id="f2"))[
        "description"
    ] == "Bad Request: file is too big"
    assert (await bot.call("getFile", file_id="f3"))["status"] == 400


async def test_that_a_business_account_decides_who_may_write(
    telegram: FakeTelegram, bot: Bot
) -> None:
    message = {"chat_id": ADA, "text": "hi", "business_connection_id": "b1"}
    unknown = await bot.call("sendMessage", **message)
    telegram.connects_business("b1", 7, can_reply=True)
    stranger = await bot.call("sendMessage", **message)
    asked = telegram.writes_to_business("b1", ADA, "hello")
    answered = await bot.result("sendMessage", **message)
    undeleted = await bot.call(
        "deleteBusinessMessages",
        business_connection_id="b1",
        message_ids=[answered["message_id"]],
    )
    telegram.connects_business("b1", 7, can_reply=False)
    forbidden = await bot.call("sendMessage", **message)

    assert answered["message_id"] == asked + 1
    assert answered["sender_business_bot"] == telegram.me
    assert [a["description"] for a in (unknown, stranger, undeleted, forbidden)] == [
        "Bad Request: BUSINESS_CONNECTION_INVALID",
        "Bad Request: BUSINESS_PEER_INVALID",
        "Bad Request: BOT_ACCESS_FORBIDDEN",
        "Bad Request: BOT_ACCESS_FORBIDDEN",
    ]
    connection = await bot.result("getBusinessConnection", business_connection_id="b1")
    assert connection["rights"] == {"can_reply": False}


async def test_that_a_limit_refuses_what_is_too_fast(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.add_chat(ADA)
    telegram.add_chat(7)
    telegram.limit((1, 60), everywhere=(2, 60))

    statuses = [
        (await bot.call("sendMessage", chat_id=chat, text="hi"))["status"]
        for chat in (ADA, ADA, 7, 7)
    ]

    assert statuses == [200, 429, 200, 429]
    assert telegram.refusals == ["sendMessage", "sendMessage"]
    await bot.call("sendMessage", chat_id=ADA, text="hi")
    assert [call.params["chat_id"] for call in telegram.too_early] == [ADA]


async def test_that_messages_and_edits_are_counted_apart(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.add_chat(ADA)
    first = await bot.result("sendMessage", chat_id=ADA, text="a")
    place = {"chat_id": ADA, "message_id": first["message_id"]}
    telegram.limit((1, 60))

    answers = [
        await bot.call("sendMessage", chat_id=ADA, text="hi"),
        await bot.call("editMessageText", text="b", **place),
        await bot.call("sendMessageDraft", chat_id=ADA, draft_id=1, text="c"),
        await bot.call("editMessageText", text="d", **place),
        await bot.call("sendChatAction", chat_id=ADA, action="typing"),
    ]

    assert [answer["status"] for answer in answers] == [200, 200, 200, 429, 200]


async def test_that_a_group_counts_messages_and_edits_together(
    telegram: FakeTelegram, bot: Bot
) -> None:
    statuses = {}
    telegram.limit(group=(1, 60))
    for chat in (ADA, -100):
        telegram.add_chat(chat)
        answer = await bot.result("sendMessage", chat_id=chat, text="a")
        place = {"chat_id": chat, "message_id": answer["message_id"]}
        statuses[chat] = (await bot.call("editMessageText", text="b", **place))["status"]

    assert statuses == {ADA: 200, -100: 429}


async def test_that_a_placeholder_is_no_reply_before_it_is_filled(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.add_chat(ADA)
    posts = [await bot.result("sendMessage", chat_id=ADA, text="One moment …") for _ in range(2)]
    reply = asyncio.create_task(telegram.next_reply(ADA))
    await asyncio.sleep(0)
    assert not reply.done()

    await bot.result("editMessageText", chat_id=ADA, message_id=posts[1]["message_id"], text="Yes.")

    assert (await reply)["text"] == "Yes."
    assert telegram.replies(ADA) == ["One moment …", "Yes."]


async def test_that_a_file_goes_in_the_place_of_a_text(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.add_chat(ADA)
    post = await bot.result("sendMessage", chat_id=ADA, text="One moment …")
    form = aiohttp.FormData({"chat_id": str(ADA), "message_id": str(post["message_id"])})
    form.add_field("media", json.dumps({"type": "document", "media": "attach://a"}))
    form.add_field("a", b"{}", filename="data.json")

    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{telegram.base_url}/bot{bot.token}/editMessageMedia", data=form) as answer,
    ):
        shown = (await answer.json())["result"]
    again = await bot.call(
        "editMessageText", chat_id=ADA, message_id=post["message_id"], text="Yes."
    )

    assert shown["document"]["file_name"] == "data.json"
    assert telegram.content_of(shown["document"]["file_id"]) == b"{}"
    assert telegram.replies(ADA) == [""]
    assert again["description"] == "Bad Request: there is no text in the message to edit"


async def test_that_a_stalled_answer_never_ends(telegram: FakeTelegram, bot: Bot) -> None:
    telegram.fail_next("getMe", Fault.stalled())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await bot.call("getMe")

    assert (await bot.call("getMe"))["ok"]


@pytest.mark.parametrize(("name", "is_taken"), [("help", True), ("Help", False), ("", False)])
async def test_that_a_command_has_a_plain_name(
    telegram: FakeTelegram, bot: Bot, name: str, is_taken: bool
) -> None:
    commands = [{"command": name, "description": "Help"}]

    answer = await bot.call("setMyCommands", commands=commands, language_code="zh")

    assert answer["ok"] is is_taken
    assert ("zh" in telegram.commands) is is_taken


async def test_that_an_edit_and_a_reaction_come_as_updates(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.customer_writes(ADA, "one")
    telegram.edits_message(ADA, 1, "two")
    telegram.reacts(ADA, 1, "👍")

    _, edit, reaction = await bot.result("getUpdates")

    assert edit["edited_message"]["text"] == "two"
    assert edit["edited_message"]["edit_date"] > edit["edited_message"]["date"]
    assert reaction["message_reaction"]["new_reaction"] == [{"type": "emoji", "emoji": "👍"}]


async def test_that_a_group_that_moved_names_its_new_number(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.group_becomes_supergroup(-5, -100)

    answer = await bot.call("sendMessage", chat_id=-5, text="hi")

    assert answer["parameters"] == {"migrate_to_chat_id": -100}


async def test_that_a_request_is_carried_out_in_the_middle_of_its_round_trip(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.add_chat(ADA)
    telegram.round_trip_seconds = 0.2
    telegram.hold("sendMessage")
    began = time.monotonic()

    sending = asyncio.create_task(bot.call("sendMessage", chat_id=ADA, text="hi"))
    await telegram.until(lambda: telegram.called("sendMessage"))
    telegram.release("sendMessage")
    before = telegram.replies(ADA)
    await sending

    assert (before, telegram.replies(ADA)) == ([], ["hi"])
    assert time.monotonic() - began >= 0.2


async def test_that_what_arrived_is_carried_out_though_nobody_waits_for_the_answer(
    telegram: FakeTelegram, bot: Bot
) -> None:
    telegram.add_chat(ADA)
    telegram.round_trip_seconds = 0.1
    telegram.hold("sendMessage")
    sending = asyncio.create_task(bot.call("sendMessage", chat_id=ADA, text="hi"))
    await telegram.until(lambda: telegram.called("sendMessage"))

    sending.cancel()
    telegram.release("sendMessage")
    await telegram.until(lambda: telegram.replies(ADA))

    assert telegram.replies(ADA) == ["hi"]
