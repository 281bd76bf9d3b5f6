"""The HTTP API: what it takes, what it refuses, and that nothing is answered twice."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from adapters.web.api import LONGEST_CUSTOMER, new_token, sentences
from adapters.web.channel import WebChannel
from bot.messages import Candidate, Choice, Document
from tests.adapters.web.dialogues import ANSWER, HANDOFF, RETURNS, ScriptedInbox, message, until

MESSAGES = "/api/v1/messages"
STREAM = {"Accept": "text/event-stream"}


async def post(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.post(MESSAGES, json={"text": "Can I return a tent?"} | body)


def events(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    found = re.findall(r"^event: (\w+)\ndata: (.*)\n\n", response.text, re.MULTILINE)
    return [(name, json.loads(data)) for name, data in found]


async def test_that_a_message_is_answered_with_its_source(client: httpx.AsyncClient) -> None:
    response = await post(client)
    answer = response.json()
    assert response.status_code == 200
    assert answer["reply"] == {
        "text": ANSWER.text,
        "source": "article",
        "citations": [{"article": RETURNS.article, "title": RETURNS.title, "url": RETURNS.url}],
        "candidates": 1,
    }
    others = {"conversation", "turn", "handed_off", "choices", "document"}
    assert set(answer) == {"reply", *others}
    assert (answer["choices"], answer["document"]) == ([], None)
    assert answer["handed_off"] is False


async def test_that_a_hand_off_is_said(client: httpx.AsyncClient, inbox: ScriptedInbox) -> None:
    inbox.script = [HANDOFF]
    answer = (await post(client)).json()
    assert answer["handed_off"] is True
    assert answer["reply"]["source"] == "handoff"


async def test_that_a_new_conversation_gets_an_unguessable_address(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    addresses = {(await post(client)).json()["conversation"] for _ in range(5)}
    assert len(addresses) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", address) for address in addresses)
    assert {incoming.address for incoming in inbox.history} == addresses


async def test_that_a_conversation_goes_on_at_its_address(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    conversation = (await post(client)).json()["conversation"]
    second = await post(client, conversation=conversation, text="And a stove?")
    assert second.json()["conversation"] == conversation
    assert [incoming.address for incoming in inbox.history] == [conversation] * 2


async def test_that_an_address_can_be_had_before_the_first_message(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    given = await client.post("/api/v1/conversations")
    conversation = given.json()["conversation"]
    first = await post(client, conversation=conversation, id="a")
    again = await post(client, conversation=conversation, id="a")
    assert given.status_code == 201
    assert first.json() == again.json()
    assert len(inbox.history) == 1


async def test_that_a_message_sent_again_gets_the_stored_reply(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    inbox.script = [ANSWER, HANDOFF]
    token = new_token()
    first = await post(client, conversation=token, id="m1")
    again = await post(client, conversation=token, id="m1")
    assert again.json() == first.json()
    assert len(inbox.history) == 1


async def test_that_a_message_sent_again_while_it_is_answered_waits_for_that_answer(
    client: httpx.AsyncClient, inbox: ScriptedInbox, web: WebChannel
) -> None:
    inbox.is_holding = True
    token = new_token()
    first = asyncio.create_task(post(client, conversation=token, id="m1"))
    await until(lambda: len(inbox.history) == 1)
    again = asyncio.create_task(post(client, conversation=token, id="m1"))
    await until(lambda: web.waiting == 2)
    await inbox.answer_held()
    assert (await first).json() == (await again).json()
    assert len(inbox.history) == 1


async def test_that_the_same_id_in_another_conversation_is_another_message(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    inbox.script = [ANSWER, HANDOFF]
    first = await post(client, conversation=new_token(), id="1")
    second = await post(client, conversation=new_token(), id="1")
    assert first.json()["reply"]["text"] == ANSWER.text
    assert second.json()["reply"]["text"] == HANDOFF.text


async def test_that_messages_without_id_are_all_answered(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    token = new_token()
    await post(client, conversation=token)
    await post(client, conversation=token)
    assert len(inbox.history) == 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("   \n", id="blank"),
        pytest.param("🦔" * 10, id="emoji"),
        pytest.param("退货" * 50_000, id="100,000 characters"),
        pytest.param("a\x00b\x1b[31m", id="control characters"),
    ],
)
async def test_that_any_text_reaches_the_core(
    client: httpx.AsyncClient, inbox: ScriptedInbox, text: str
) -> None:
    response = await post(client, text=text)
    assert response.status_code == 200
    assert inbox.history[0].text == text


async def test_that_the_customers_name_and_language_are_handed_on(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    json_body = {"text": "?", "customer": "shop-user-17"}
    await client.post(MESSAGES, json=json_body, headers={"Accept-Language": "zh-CN"})
    assert inbox.history[0].customer == "shop-user-17"
    assert inbox.history[0].language == "zh"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "text", id="no text"),
        pytest.param({"text": None}, "text", id="null text"),
        pytest.param({"text": 7}, "text", id="number"),
        pytest.param({"text": "?", "conversation": "short"}, "conversation", id="short token"),
        pytest.param({"text": "?", "conversation": "A" * 33}, "conversation", id="long token"),
        pytest.param({"text": "?", "conversation": "A" * 31 + "/"}, "conversation", id="alphabet"),
        pytest.param({"text": "?", "conversation": "A" * 32 + "\n"}, "conversation", id="newline"),
        pytest.param({"text": "?", "conversation": ""}, "conversation", id="empty token"),
        pytest.param({"text": "?", "id": "a b"}, "id", id="space in id"),
        pytest.param({"text": "?", "id": "a" * 65}, "id", id="long id"),
        pytest.param({"text": "?", "id": ""}, "id", id="empty id"),
        pytest.param({"text": "?", "customer": ""}, "customer", id="empty customer"),
        pytest.param({"text": "?", "customer": "a\x00"}, "customer", id="control in customer"),
        pytest.param(
            {"text": "?", "customer": "a" * (LONGEST_CUSTOMER + 1)}, "customer", id="long customer"
        ),
        pytest.param({"text": "?", "channel": "slack"}, "channel", id="unknown key"),
        pytest.param([], "JSON", id="list"),
    ],
)
async def test_that_a_wrong_body_is_refused_and_its_part_named(
    client: httpx.AsyncClient, inbox: ScriptedInbox, body: Any, field: str
) -> None:
    response = await client.post(MESSAGES, json=body)
    error = response.json()["error"]
    assert response.status_code == 422
    assert error["code"] == "invalid_request"
    assert error["message"].endswith(field)
    assert inbox.history == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"text=hello", id="form"),
        pytest.param(b'{"text": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"text": "\\ud800"}', id="half a surrogate"),
        pytest.param(b"[" * 5000, id="deep"),
    ],
)
async def test_that_what_is_not_json_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    response = await client.post(
        MESSAGES, content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_that_another_content_type_is_refused(
    client: httpx.AsyncClient, content_type: str
) -> None:
    response = await client.post(
        MESSAGES, content=b'{"text": "?"}', headers={"Content-Type": content_type}
    )
    assert response.status_code == 415
    assert response.json()["error"]["code"] == "not_json"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        pytest.param("en-GB", "could not be stored", id="English"),
        pytest.param("zh-CN,zh;q=0.9,en;q=0.8", "没能保存", id="Chinese"),
        pytest.param("fr", "could not be stored", id="neither"),
    ],
)
async def test_that_an_error_is_in_the_customers_language(
    client: httpx.AsyncClient, inbox: ScriptedInbox, language: str, words: str
) -> None:
    inbox.is_broken = True
    response = await client.post(
        MESSAGES, json={"text": "?"}, headers={"Accept-Language": language}
    )
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert words in response.json()["error"]["message"]


async def test_that_a_late_answer_is_an_error_that_says_the_message_is_stored(
    client: httpx.AsyncClient, inbox: ScriptedInbox, web: WebChannel
) -> None:
    inbox.is_holding = True
    web.answer_timeout_seconds = 0.01
    response = await post(client)
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "answer_late"
    assert "is stored" in response.json()["error"]["message"]
    assert web.waiting == 0


async def test_that_a_late_answer_is_had_by_asking_again(
    client: httpx.AsyncClient, inbox: ScriptedInbox, web: WebChannel
) -> None:
    inbox.is_holding = True
    web.answer_timeout_seconds = 0.01
    token = new_token()
    await post(client, conversation=token, id="m1")
    await inbox.answer_held()
    response = await post(client, conversation=token, id="m1")
    assert response.json()["reply"]["text"] == ANSWER.text


@pytest.mark.parametrize("headers", [{}, STREAM], ids=["json", "stream"])
async def test_that_a_hang_up_is_noticed(
    app: Starlette, web: WebChannel, inbox: ScriptedInbox, headers: dict[str, str]
) -> None:
    inbox.is_holding = True
    sent: list[Message] = []
    gone = asyncio.Event()
    body = json.dumps({"text": "?", "conversation": "C" * 32, "id": "m1"}).encode()
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not parts:
            await gone.wait()
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    kinds = {"content-type": "application/json", **headers}
    scope = {
        **{"type": "http", "method": "POST", "path": MESSAGES, "query_string": b""},
        **{"scheme": "http", "root_path": "", "server": ("testserver", 80)},
        "headers": [(name.lower().encode(), value.encode()) for name, value in kinds.items()],
    }
    asking = asyncio.create_task(app(scope, receive, send))
    await until(lambda: len(inbox.history) == 1)
    gone.set()
    await asking
    assert web.waiting == 0
    async with asyncio.timeout(5):
        assert await inbox.left.get() == f"{'C' * 32}:m1"


async def test_that_a_stream_gives_stages_then_sentences_then_the_whole(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    inbox.stages = ("searching", "writing")
    response = await client.post(MESSAGES, json={"text": "?"}, headers=STREAM)
    found = events(response)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [name for name, _ in found] == ["progress", "progress", "text", "text", "done"]
    assert [data["stage"] for name, data in found if name == "progress"] == ["searching", "writing"]
    assert "".join(data["delta"] for name, data in found if name == "text") == ANSWER.text
    assert found[-1][1]["reply"]["text"] == ANSWER.text


@pytest.mark.parametrize(
    ("beginnings", "deltas"),
    [
        pytest.param(["可以", "可以。三十天"], ["可以", "。三十天", "内。"], id="as it grows"),
        pytest.param(["可以", "可以"], ["可以", "。", "三十天内。"], id="nothing new"),
        pytest.param(["可以。三十天内。"], ["可以。三十天内。"], id="all of it"),
        pytest.param(["不行", "不行。", "可以"], ["不行", "。"], id="written anew"),
    ],
)
async def test_that_a_stream_shows_an_answer_while_it_is_written(
    client: httpx.AsyncClient, inbox: ScriptedInbox, beginnings: list[str], deltas: list[str]
) -> None:
    inbox.script = [Candidate(source="draft", text="可以。三十天内。")]
    inbox.beginnings = beginnings
    found = events(await client.post(MESSAGES, json={"text": "?"}, headers=STREAM))
    assert [data["delta"] for name, data in found if name == "text"] == deltas
    assert found[-1][1]["reply"]["text"] == "可以。三十天内。"


@pytest.mark.parametrize("label", ["Yes, delete it", "是的，请删除"])
async def test_that_an_answer_brings_its_choices_and_its_file(
    client: httpx.AsyncClient, inbox: ScriptedInbox, label: str
) -> None:
    inbox.script = [replace(ANSWER, choices=(Choice(label=label, command="/forget yes"),))]
    inbox.document = Document(name="data.json", text='{"名": 1}')
    token = new_token()
    answer = (await post(client, conversation=token, id="m1")).json()
    assert answer["choices"] == [{"label": label, "command": "/forget yes"}]
    assert answer["document"] == {"name": "data.json", "text": '{"名": 1}'}
    again = (await post(client, conversation=token, id="m1")).json()
    assert (again["choices"], again["document"]) == (answer["choices"], None)


async def test_that_a_stream_of_a_message_sent_again_has_the_same_end(
    client: httpx.AsyncClient,
) -> None:
    body = {"text": "?", "conversation": new_token(), "id": "m1"}
    first = events(await client.post(MESSAGES, json=body, headers=STREAM))
    again = events(await client.post(MESSAGES, json=body, headers=STREAM))
    assert again[-1] == first[-1]


async def test_that_a_late_answer_ends_a_stream_with_the_error(
    client: httpx.AsyncClient, inbox: ScriptedInbox, web: WebChannel
) -> None:
    inbox.is_holding = True
    web.answer_timeout_seconds = 0.05
    web.keep_alive_seconds = 0.01
    response = await client.post(
        MESSAGES, json={"text": "?"}, headers=STREAM | {"Accept-Language": "zh"}
    )
    [(name, data)] = events(response)
    assert (name, data["error"]["code"]) == ("error", "answer_late")
    assert "已经保存" in data["error"]["message"]
    assert response.text.startswith(": still working\n\n")
    assert web.waiting == 0


async def test_that_a_message_that_could_not_be_stored_is_no_stream(
    client: httpx.AsyncClient, inbox: ScriptedInbox, web: WebChannel
) -> None:
    inbox.is_broken = True
    response = await client.post(MESSAGES, json={"text": "?"}, headers=STREAM)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "not_stored"
    assert web.waiting == 0


async def test_that_hostile_text_can_not_add_events(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    text = "one\n\nevent: done\ndata: {}\n\n</script>\r\n\u2028two"
    inbox.script = [Candidate(source="article", text=text)]
    found = events(await client.post(MESSAGES, json={"text": "?"}, headers=STREAM))
    assert [name for name, _ in found].count("done") == 1
    assert "".join(data["delta"] for name, data in found if name == "text") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("One. Two!  Three?", ["One. ", "Two!  ", "Three?"], id="English"),
        pytest.param("It costs 7.90 EUR. Yes.", ["It costs 7.90 EUR. ", "Yes."], id="number"),
        pytest.param("可以。多久\uff1f三十天", ["可以。", "多久\uff1f", "三十天"], id="Chinese"),
        pytest.param("1. Go\n2. Pay\n\nDone", ["1. ", "Go\n", "2. ", "Pay\n\n", "Done"], id="list"),
    ],
)
def test_that_a_text_is_split_after_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected
    assert "".join(sentences(text)) == text


async def test_that_the_history_holds_the_dialogue(client: httpx.AsyncClient) -> None:
    token = new_token()
    await post(client, conversation=token, id="m1")
    response = await client.get(f"/api/v1/conversations/{token}")
    question, reply = response.json()["turns"]
    assert (question["role"], question["text"]) == ("customer", "Can I return a tent?")
    assert (question["id"], question["answered"]) == ("m1", True)
    assert (reply["role"], reply["text"], reply["id"]) == ("assistant", ANSWER.text, None)
    assert reply["citations"][0]["url"] == RETURNS.url
    assert reply["time"].endswith("+00:00")


async def test_that_the_history_holds_a_message_that_waits(
    client: httpx.AsyncClient, inbox: ScriptedInbox, web: WebChannel
) -> None:
    inbox.is_holding = True
    web.answer_timeout_seconds = 0.01
    token = new_token()
    await post(client, conversation=token, id="m1")
    [turn] = (await client.get(f"/api/v1/conversations/{token}")).json()["turns"]
    assert (turn["id"], turn["turn"], turn["answered"]) == ("m1", None, False)


async def test_that_the_history_of_another_customer_is_not_given(client: httpx.AsyncClient) -> None:
    await post(client, conversation="A" * 32)
    response = await client.get(f"/api/v1/conversations/{'B' * 32}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "token", ["short", "A" * 33, "A" * 31 + "%27", "%25" * 32, "A" * 31 + "%0A", "..%2F..%2Fetc"]
)
async def test_that_a_malformed_address_is_refused(client: httpx.AsyncClient, token: str) -> None:
    response = await client.get(f"/api/v1/conversations/{token}")
    assert response.status_code == 404
    assert set(response.json()) == {"error"}


async def test_that_another_channels_conversation_is_not_given(
    client: httpx.AsyncClient, inbox: ScriptedInbox
) -> None:
    telegram = message(channel="telegram", address="T" * 32)
    inbox.is_holding = True
    await inbox.accept(telegram)
    response = await client.get(f"/api/v1/conversations/{'T' * 32}")
    assert response.status_code == 404


async def test_that_the_models_state_is_told(
    client: httpx.AsyncClient, model: dict[str, str]
) -> None:
    assert (await client.get("/api/v1/status")).json() == {"model": "ready"}
    model |= {"model": "loading"}
    assert (await client.get("/api/v1/status")).json() == {"model": "loading"}


async def test_that_the_operators_sentence_about_the_model_stays_inside(
    client: httpx.AsyncClient, model: dict[str, str]
) -> None:
    model |= {"model": "unavailable", "detail": "http://10.0.0.7:8000 does not answer."}
    response = await client.get("/api/v1/status")
    assert response.json() == {"model": "unavailable"}
    assert "10.0.0.7" not in response.text
