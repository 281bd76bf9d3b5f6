"""The model server as the operator is told about it, and the estimate of tokens."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from pydantic import SecretStr

from bot.errors import ModelError, ModelUnavailable
from bot.model import ChatModel, ModelWatch, estimated_tokens
from tests.fakes.vllm_api import MODEL, FakeVllm, Fault
from tests.small_shop import NO_MODEL


async def outcome(url: str, name: str = MODEL, key: str | None = None) -> str | None:
    watch = ModelWatch(url, name, SecretStr(key) if key else None)
    try:
        found = await watch.check()
        assert watch.trouble() == found
        return found
    finally:
        await watch.close()


async def test_that_nothing_is_known_before_the_first_question() -> None:
    watch = ModelWatch(NO_MODEL, MODEL, None)

    assert "not been asked" in (watch.trouble() or "")
    await watch.close()


async def test_that_a_server_with_the_model_is_well(vllm: FakeVllm) -> None:
    assert await outcome(vllm.url) is None


async def test_that_the_key_is_sent() -> None:
    async with FakeVllm(key="k-密") as vllm:
        assert "FRONTDESK_MODEL_KEY" in (await outcome(vllm.url, key="wrong") or "")
        assert "FRONTDESK_MODEL_KEY" in (await outcome(vllm.url) or "")
    async with FakeVllm(key="right") as vllm:
        assert await outcome(vllm.url, key="right") is None


async def test_that_a_missing_model_is_told_with_those_there_are(vllm: FakeVllm) -> None:
    said = await outcome(vllm.url, "another")

    assert said is not None
    assert "no model 'another'" in said
    assert said.endswith(f"set FRONTDESK_MODEL to one of: {MODEL}.")


async def test_that_a_server_that_is_not_there_is_told() -> None:
    said = await outcome(NO_MODEL)

    assert said is not None
    assert said.startswith(f"No model server answers at {NO_MODEL}")
    assert "FRONTDESK_MODEL_URL" in said


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(Fault.server_error(), "answered 500", id="500"),
        pytest.param(Fault(404, "no such page"), "usually ending in /v1", id="404"),
        pytest.param(Fault(403, ""), "FRONTDESK_MODEL_KEY", id="403"),
        pytest.param(Fault.garbage(), "no OpenAI-compatible server", id="html"),
        pytest.param(Fault.garbage("[]", "application/json"), "no OpenAI", id="list"),
        pytest.param(Fault.garbage('{"data": [1]}', "application/json"), "no OpenAI", id="numbers"),
        pytest.param(Fault.garbage("null", "application/json"), "no OpenAI", id="null"),
        pytest.param(Fault.garbage("\xff", "text/plain"), "no OpenAI", id="bytes"),
        pytest.param(Fault.dropped(), "No model server answers", id="hang-up"),
    ],
)
async def test_that_what_is_wrong_is_told_in_one_sentence(
    vllm: FakeVllm, fault: Fault, reason: str
) -> None:
    vllm.fails(fault)

    said = await outcome(vllm.url)

    assert said is not None
    assert reason in said
    assert len(said.splitlines()) == 1


async def test_that_a_server_is_well_again_after_a_failure(vllm: FakeVllm) -> None:
    watch = ModelWatch(vllm.url, MODEL, None)
    vllm.fails(Fault.server_error())
    assert await watch.check()

    assert await watch.check() is None
    assert watch.trouble() is None
    await watch.close()


async def test_that_the_watch_asks_until_it_is_cancelled(vllm: FakeVllm) -> None:
    watch = ModelWatch(vllm.url, MODEL, None)

    running = asyncio.create_task(watch.run())
    await vllm.until(lambda: vllm.calls)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    await watch.close()


@dataclass(frozen=True)
class Failing:
    fault: Fault
    error: type[ModelError]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Failing(Fault.server_error(), ModelUnavailable), id="500"),
        pytest.param(Failing(Fault.dropped(), ModelUnavailable), id="hang-up"),
        pytest.param(Failing(Fault.too_many_requests(), ModelError), id="429"),
        pytest.param(Failing(Fault.garbage(), ModelError), id="garbage"),
    ],
)
async def test_that_a_failed_request_is_one_of_our_errors(vllm: FakeVllm, case: Failing) -> None:
    model = ChatModel(url=vllm.url, name=MODEL, key=SecretStr("secret-key"))
    vllm.fails(case.fault)

    with pytest.raises(case.error) as caught:
        await model.sample([HumanMessage("你好")], n=1, temperature=0, max_tokens=5)

    await model.close()
    assert type(caught.value) is case.error
    assert "secret-key" not in str(caught.value)
    assert len(vllm.chats) == 1


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        pytest.param("", 1, 1, id="empty"),
        pytest.param("You can return an item within 30 days.", 9, 16, id="english"),
        pytest.param("商品送达后三十天内可以退货。", 14, 30, id="chinese"),
    ],
)
def test_that_tokens_are_rather_overestimated(text: str, least: int, most: int) -> None:
    assert least <= estimated_tokens(text) <= most


@given(st.text(), st.text())
def test_that_a_longer_text_never_takes_fewer_tokens(first: str, second: str) -> None:
    assert estimated_tokens(first + second) >= estimated_tokens(first) > 0
