"""The fake model server keeps to what vLLM keeps to."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.fakes.vllm_api import MODEL, Break, FakeVllm, Fault, log_probability
from tests.fakes.vllm_replies import tokens_of


@pytest_asyncio.fixture
async def http(vllm: FakeVllm) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=vllm.url, trust_env=False) as client:
        yield client


def request(text: str = "When do you open?", **options: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **options}


async def test_that_the_health_page_tells_ready_from_loading(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    root = vllm.url.removesuffix("/v1")
    assert (await http.get(f"{root}/health")).status_code == 200

    vllm.health = 503

    assert (await http.get(f"{root}/health")).status_code == 503


async def test_that_the_model_is_listed(vllm: FakeVllm, http: httpx.AsyncClient) -> None:
    answer = await http.get("models")

    assert [model["id"] for model in answer.json()["data"]] == [MODEL]
    assert [call.path for call in vllm.calls] == ["/v1/models"]


async def test_that_one_request_brings_as_many_samples_as_asked(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    vllm.says("We open at nine.", "At nine.")

    answer = (await http.post("chat/completions", json=request(n=2, logprobs=True))).json()

    first, second = answer["choices"]
    assert first["message"]["content"] == "We open at nine."
    assert [token["logprob"] for token in second["logprobs"]["content"]] == [log_probability(1)] * 2
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


async def test_that_log_probabilities_come_only_when_asked_for(http: httpx.AsyncClient) -> None:
    answer = await http.post("chat/completions", json=request())

    assert answer.json()["choices"][0]["logprobs"] is None


async def test_that_a_reply_can_be_computed_from_the_request(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    vllm.reply = lambda body: [body["messages"][-1]["content"].upper()]

    answer = await http.post("chat/completions", json=request("你好 hello"))

    assert answer.json()["choices"][0]["message"]["content"] == "你好 HELLO"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"model": "another", "messages": []}, 404, id="unknown-model"),
        pytest.param(request("word " * 4096), 400, id="too-long-english"),
        pytest.param(request("字" * 4096), 400, id="too-long-chinese"),
        pytest.param(request(max_tokens=4096), 400, id="no-room-for-the-answer"),
        pytest.param(request(max_completion_tokens=4096), 400, id="no-room-by-its-newer-name"),
    ],
)
async def test_that_what_vllm_refuses_is_refused(
    http: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    answer = await http.post("chat/completions", json=body)

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == status


@pytest.mark.parametrize(
    ("key", "status"),
    [pytest.param("right", 200, id="right"), pytest.param("wrong", 401, id="wrong")],
)
async def test_that_the_key_is_checked(key: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with FakeVllm(key="right") as vllm, httpx.AsyncClient(headers=headers) as http:
        models = await http.get(f"{vllm.url}/models")
        chat = await http.post(f"{vllm.url}/chat/completions", json=request())

    assert [models.status_code, chat.status_code] == [status, status]
    assert {call.key for call in vllm.calls} == {key}


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        pytest.param(Fault.server_error(), 500, id="server-error"),
        pytest.param(Fault.too_many_requests(), 429, id="too-many-requests"),
        pytest.param(Fault.garbage(), 200, id="garbage"),
    ],
)
async def test_that_a_fault_hits_one_request(
    vllm: FakeVllm, http: httpx.AsyncClient, fault: Fault, status: int
) -> None:
    vllm.fails(fault)

    failed = await http.post("chat/completions", json=request())
    well = await http.post("chat/completions", json=request())

    assert (failed.status_code, failed.text) == (status, fault.body)
    assert well.status_code == 200


async def test_that_it_can_hang_up(vllm: FakeVllm, http: httpx.AsyncClient) -> None:
    vllm.fails(Fault.dropped())

    with pytest.raises(httpx.RemoteProtocolError):
        await http.post("chat/completions", json=request())


async def test_that_a_held_answer_waits_for_its_release(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    vllm.hold()
    answer = asyncio.create_task(http.post("chat/completions", json=request()))
    await vllm.until(lambda: vllm.chats)
    assert not answer.done()

    vllm.release()

    assert (await answer).status_code == 200


async def test_that_it_serves_so_many_at_once(vllm: FakeVllm, http: httpx.AsyncClient) -> None:
    vllm.serve_at_once(2)
    vllm.reply = lambda _: ["At nine."]
    vllm.first_token_seconds = 0.1
    started = time.monotonic()

    asked = [http.post("chat/completions", json=request()) for _ in range(5)]
    answers = await asyncio.gather(*asked)

    assert [answer.status_code for answer in answers] == [200] * 5
    assert time.monotonic() - started >= 0.3


async def test_that_a_client_that_goes_away_is_noticed(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    vllm.hold()
    answer = asyncio.create_task(http.post("chat/completions", json=request()))
    await vllm.until(lambda: vllm.chats)

    answer.cancel()

    await vllm.until(lambda: vllm.abandoned == 1)


@pytest_asyncio.fixture
async def chat(vllm: FakeVllm) -> AsyncIterator[ChatOpenAI]:
    """The library that the bot streams with."""
    async with openai.DefaultAsyncHttpxClient(timeout=10, trust_env=False) as connections:
        yield ChatOpenAI(
            model=MODEL,
            base_url=vllm.url,
            api_key=SecretStr("none"),
            http_async_client=connections,
            max_retries=0,
            stream_usage=True,
        )


async def read(chat: ChatOpenAI, into: list[AIMessageChunk], **options: Any) -> None:
    async for chunk in chat.astream("When do you open?", **options):
        assert isinstance(chunk, AIMessageChunk)
        into.append(chunk)


def words_of(chunks: list[AIMessageChunk]) -> list[str]:
    return [chunk.text for chunk in chunks if chunk.text]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("We open  at nine.", ["We", " open", "  at", " nine."], id="english"),
        pytest.param("我们9点 开门。", ["我", "们", "9", "点", " 开", "门", "。"], id="chinese"),
        pytest.param("- One\n- two\n", ["-", " One", "\n-", " two", "\n"], id="list"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_that_tokens_together_are_the_text(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens
    assert "".join(tokens) == text


@pytest.mark.parametrize("text", ["We open at nine.", "我们九点开门。"], ids=["en", "zh"])
async def test_that_a_stream_comes_token_by_token(
    vllm: FakeVllm, chat: ChatOpenAI, text: str
) -> None:
    vllm.says(text)
    chunks: list[AIMessageChunk] = []

    await read(chat, chunks, logprobs=True)

    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert words_of(chunks) == tokens_of(text)
    assert whole.response_metadata["finish_reason"] == "stop"
    logprobs = whole.response_metadata["logprobs"]["content"]
    assert [token["token"] for token in logprobs] == tokens_of(text)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] == len(tokens_of(text))


async def test_that_a_stream_is_laid_out_as_vllm_does(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    vllm.says("At nine.", "Nine.")

    answer = await http.post("chat/completions", json=request(n=2, stream=True))

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    *events, last = answer.text.removesuffix("\n\n").split("\n\n")
    choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events]
    assert [(choice["index"], choice["delta"].get("content")) for choice in choices] == [
        *[(0, ""), (1, ""), (0, "At"), (1, "Nine."), (0, " nine.")],
        *[(0, ""), (1, "")],
    ]
    assert [choice["delta"].get("role") for choice in choices[:3]] == ["assistant"] * 2 + [None]
    assert [choice["finish_reason"] for choice in choices[-3:]] == [None, "stop", "stop"]
    assert last == "data: [DONE]"


@pytest.mark.parametrize("stream", [True, False])
async def test_that_no_answer_is_longer_than_asked_for(
    vllm: FakeVllm, chat: ChatOpenAI, stream: bool
) -> None:
    vllm.says("We open at nine.")

    answer = await chat.ainvoke("When?", max_tokens=2, stream=stream)

    assert answer.text == "We open"
    assert answer.response_metadata["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        pytest.param(Break.dies(2), openai.APIConnectionError, id="dies"),
        pytest.param(Break.error(2), openai.APIError, id="error"),
        pytest.param(Break.garbage(2), ValueError, id="garbage"),
    ],
)
async def test_that_a_stream_breaks_after_some_tokens(
    vllm: FakeVllm, chat: ChatOpenAI, broken: Break, error: type[Exception]
) -> None:
    vllm.says("We open at nine.", broken=broken)
    chunks: list[AIMessageChunk] = []

    with pytest.raises(error):
        await read(chat, chunks)

    assert words_of(chunks) == ["We", " open"]


async def test_that_a_stream_can_end_without_its_end(vllm: FakeVllm, chat: ChatOpenAI) -> None:
    vllm.says("We open at nine.", broken=Break.ends(2))
    chunks: list[AIMessageChunk] = []

    await read(chat, chunks)

    assert words_of(chunks) == ["We", " open"]
    assert not any("finish_reason" in chunk.response_metadata for chunk in chunks)


async def test_that_a_stalled_stream_goes_on_when_released(
    vllm: FakeVllm, chat: ChatOpenAI
) -> None:
    vllm.says("We open at nine.", broken=Break.stalls(2))
    chunks: list[AIMessageChunk] = []
    reading = asyncio.create_task(read(chat, chunks))
    await vllm.until(lambda: vllm.stalled)
    assert not reading.done()

    vllm.release()

    await reading
    assert words_of(chunks) == tokens_of("We open at nine.")
    assert vllm.stalled == 0


async def test_that_a_stall_holds_up_no_other_request(vllm: FakeVllm, chat: ChatOpenAI) -> None:
    vllm.says("We open at nine.", broken=Break.stalls(0))
    vllm.says("At nine.")
    reading = asyncio.create_task(read(chat, []))
    await vllm.until(lambda: vllm.stalled)

    chunks: list[AIMessageChunk] = []
    await read(chat, chunks)

    assert words_of(chunks) == ["At", " nine."]
    vllm.release()
    await reading


async def test_that_hanging_up_in_the_middle_is_counted(vllm: FakeVllm, chat: ChatOpenAI) -> None:
    vllm.says("We open at nine.", broken=Break.stalls(2))
    reading = asyncio.create_task(read(chat, []))
    await vllm.until(lambda: vllm.stalled)

    reading.cancel()

    await vllm.until(lambda: vllm.abandoned == 1)
    assert vllm.stalled == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_that_an_answer_takes_the_time_of_its_tokens(
    vllm: FakeVllm, http: httpx.AsyncClient, stream: bool
) -> None:
    vllm.says("We open at nine.")
    vllm.first_token_seconds, vllm.token_seconds = 0.05, 0.01
    started = time.perf_counter()

    await http.post("chat/completions", json=request(stream=stream))

    assert time.perf_counter() - started >= 0.05 + 3 * 0.01


async def test_that_the_first_token_does_not_wait_for_the_others(
    vllm: FakeVllm, chat: ChatOpenAI
) -> None:
    vllm.says("We open")
    vllm.token_seconds = 60.0
    arriving = chat.astream("When?")

    first = next_token = await anext(arriving)
    while not next_token.text:
        next_token = await anext(arriving)

    assert (first.text, next_token.text) == ("", "We")
    await arriving.aclose()
    await vllm.until(lambda: vllm.abandoned == 1)


# Outages: all requests, until they end.


@pytest.mark.parametrize("stream", [True, False])
async def test_that_an_outage_hits_every_request_until_it_is_mended(
    vllm: FakeVllm, http: httpx.AsyncClient, stream: bool
) -> None:
    vllm.breaks(Fault.server_error())
    failed = [
        (await http.post("chat/completions", json=request(stream=stream))).status_code
        for _ in range(3)
    ]

    vllm.mends()

    assert failed == [500] * 3
    assert (await http.post("chat/completions", json=request())).status_code == 200
    assert (await http.get("models")).status_code == 200


async def test_that_an_outage_can_be_everywhere(vllm: FakeVllm, http: httpx.AsyncClient) -> None:
    vllm.breaks(Fault.garbage(), everywhere=True)

    assert (await http.get("models")).text == Fault.garbage().body


async def test_that_every_stream_can_break(vllm: FakeVllm, chat: ChatOpenAI) -> None:
    vllm.reply = lambda _: ["We open at nine."]
    vllm.breaks(Break.dies(2))

    for _ in range(2):
        chunks: list[AIMessageChunk] = []
        with pytest.raises(openai.APIConnectionError):
            await read(chat, chunks)
        assert words_of(chunks) == ["We", " open"]


async def test_that_an_answer_in_one_piece_is_cut_where_every_stream_dies(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    vllm.breaks(Break.dies(2))

    with pytest.raises(httpx.RemoteProtocolError):
        await http.post("chat/completions", json=request())


async def test_that_a_request_that_hangs_ends_with_its_client(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    vllm.fails(Fault.hangs())
    asking = asyncio.create_task(http.post("chat/completions", json=request()))
    await vllm.until(lambda: vllm.chats)

    asking.cancel()
    await vllm.until(lambda: vllm.abandoned)

    assert vllm.chats[0].at <= vllm.abandoned_at[0] <= asyncio.get_running_loop().time()


async def test_that_a_server_can_go_away_and_come_back(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    await vllm.disappears()
    with pytest.raises(httpx.ConnectError):
        await http.get("models")

    await vllm.returns()

    assert (await http.get("models")).status_code == 200
