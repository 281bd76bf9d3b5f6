"""The fake model server keeps to what vLLM keeps to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.fakes.vllm_api import MODEL, FakeVllm, Fault, log_probability


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


async def test_that_a_client_that_goes_away_is_noticed(
    vllm: FakeVllm, http: httpx.AsyncClient
) -> None:
    vllm.hold()
    answer = asyncio.create_task(http.post("chat/completions", json=request()))
    await vllm.until(lambda: vllm.chats)

    answer.cancel()

    await vllm.until(lambda: vllm.abandoned == 1)
