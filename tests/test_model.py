"""The model server as the operator is told about it, and the estimate of tokens."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.errors import ModelError, ModelUnavailable, SettingsError
from bot.model import PROBE_TOKENS, ChatModel, Timeouts, estimated_tokens
from bot.model_calls import Call
from bot.model_watch import ModelWatch
from tests.fakes.vllm_api import MODEL, Break, FakeVllm, Fault
from tests.small_shop import NO_MODEL, eventually

NESTED = "[" * 100_000


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


@pytest.mark.parametrize("key", ["“k-1”", "密", "k-1\nk-2"])
def test_that_a_key_that_no_request_can_carry_is_told(key: str) -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_MODEL_KEY") as told:
        ModelWatch(NO_MODEL, MODEL, SecretStr(key))

    assert key not in str(told.value)


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
        pytest.param(Fault.garbage(NESTED, "application/json"), "no OpenAI", id="nested"),
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


async def test_that_a_hint_lets_the_watch_ask_at_once(vllm: FakeVllm) -> None:
    watch = ModelWatch(vllm.url, MODEL, None)
    running = asyncio.create_task(watch.run())
    await eventually(lambda: watch.trouble() is None)
    vllm.model = "another"

    watch.look()

    await eventually(lambda: "no model" in (watch.trouble() or ""))
    assert len(vllm.calls) == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await watch.close()


async def test_that_a_server_that_never_answers_is_told_in_time(vllm: FakeVllm) -> None:
    vllm.fails(Fault.hangs())
    watch = ModelWatch(vllm.url, MODEL, None)

    said = await watch.check(seconds=0.1)

    assert (said or "").startswith("No model server answers")
    await watch.close()


# Requests: what becomes of them, and how long they may take.

HI = [("human", "你好")]
TEXT = "We open at nine. We close at six."


@asynccontextmanager
async def opened(vllm: FakeVllm, **timeouts: float) -> AsyncIterator[tuple[ChatModel, list[Call]]]:
    """Open a model, with what it notes of its requests."""
    calls: list[Call] = []
    key = SecretStr("secret-key")
    times = Timeouts(**timeouts)
    model = ChatModel(url=vllm.url, name=MODEL, key=key, timeouts=times, note=calls.append)
    try:
        yield model, calls
    finally:
        await model.close()


async def sample(model: ChatModel, **options: Any) -> None:
    await model.sample(HI, n=2, temperature=0, max_tokens=20, **options)


async def stream(model: ChatModel, **options: Any) -> None:
    writing = model.write(HI, temperature=0, max_tokens=20, **options)
    async with contextlib.aclosing(writing.deltas()) as deltas:
        async for _ in deltas:
            pass


BOTH = pytest.mark.parametrize("ask", [sample, stream])
Ask = Callable[..., Coroutine[Any, Any, None]]


@pytest.mark.parametrize(
    ("fault", "error", "outcome"),
    [
        pytest.param(Fault.server_error(), ModelUnavailable, "unavailable", id="500"),
        pytest.param(Fault(503, "{}"), ModelUnavailable, "unavailable", id="503"),
        pytest.param(Fault.dropped(), ModelUnavailable, "unavailable", id="hang-up"),
        pytest.param(Fault.too_many_requests(), ModelError, "unavailable", id="429"),
        pytest.param(Fault(401, "{}"), ModelError, "missing", id="401"),
        pytest.param(Fault(403, "{}"), ModelError, "missing", id="403"),
        pytest.param(Fault(404, "{}"), ModelError, "missing", id="404"),
        pytest.param(Fault(400, "{}"), ModelError, "refused", id="400"),
        pytest.param(Fault(422, "{}"), ModelError, "refused", id="422"),
        pytest.param(Fault.garbage(), ModelError, "broken", id="garbage"),
        pytest.param(Fault.garbage("{}", "application/json"), ModelError, "broken", id="json"),
        pytest.param(Fault.hangs(), ModelUnavailable, "late", id="hangs"),
    ],
)
@BOTH
async def test_that_a_failed_request_is_one_of_our_errors_and_noted(
    vllm: FakeVllm, ask: Ask, fault: Fault, error: type[ModelError], outcome: str
) -> None:
    vllm.fails(fault)
    async with opened(vllm, visible=0.5) as (model, calls):
        with pytest.raises(error) as caught:
            await ask(model)

    assert type(caught.value) is error
    assert "secret-key" not in str(caught.value)
    assert [call.outcome for call in calls] == [outcome]
    assert len(vllm.chats) == 1


UNSURE = {"logprobs": {"content": [{"logprob": None}]}}


def one_event(**choice: object) -> Fault:
    """Return a stream of one event."""
    event = {"object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}
    return Fault.garbage(f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n", "text/event-stream")


@pytest.mark.parametrize(
    ("ask", "fault"),
    [
        (sample, Fault.garbage(NESTED, "application/json")),
        (stream, Fault.garbage(f"data: {NESTED}\n\n", "text/event-stream")),
        (stream, one_event(delta={"content": "Hi"}, finish_reason="stop", **UNSURE)),
    ],
    ids=["nested", "nested-stream", "no-probability"],
)
async def test_that_an_answer_that_nobody_can_read_is_broken(
    vllm: FakeVllm, ask: Ask, fault: Fault
) -> None:
    vllm.fails(fault)
    async with opened(vllm, visible=5.0) as (model, calls):
        with pytest.raises(ModelError):
            await ask(model)

    assert [call.outcome for call in calls] == ["broken"]


@pytest.mark.parametrize("count", ["many", {}, -1, 2**70, None])
async def test_that_a_count_of_tokens_that_is_none_is_not_believed(
    vllm: FakeVllm, count: object
) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": 3, "total_tokens": 3}
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}}
    body = json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage})
    vllm.fails(Fault.garbage(body, "application/json"))
    async with opened(vllm) as (model, _):
        found = await model.sample(HI, n=1, temperature=0, max_tokens=20)

    assert (found.input_tokens, found.output_tokens) == (None, 3)


@BOTH
async def test_that_no_library_asks_again_by_itself(ask: Ask) -> None:
    async with FakeVllm() as vllm, opened(vllm, visible=2.0) as (model, _):
        for fault in (Fault.server_error(), Fault.dropped(), Fault.too_many_requests()):
            vllm.breaks(fault)
            with pytest.raises(ModelError):
                await ask(model)

        assert len(vllm.chats) == 3


@pytest.mark.parametrize(
    ("text", "outcome"), [(TEXT, "answered"), ("", "empty"), ("word " * 30, "answered")]
)
@BOTH
async def test_that_an_answer_is_noted(vllm: FakeVllm, ask: Ask, text: str, outcome: str) -> None:
    vllm.reply = lambda body: [text] * (body.get("n") or 1)
    async with opened(vllm) as (model, calls):
        await ask(model, is_retry=True)

    [call] = calls
    assert (call.outcome, call.is_retry) == (outcome, True)
    assert (call.first_token_seconds is None) == (ask is sample)


@BOTH
async def test_that_being_late_is_not_held_against_a_model_that_had_little_time(
    vllm: FakeVllm, ask: Ask
) -> None:
    vllm.breaks(Fault.hangs())
    async with opened(vllm, visible=1.0) as (model, calls):
        with pytest.raises(ModelUnavailable, match="no draft within"):
            await ask(model, seconds=0.05)
        with pytest.raises(ModelUnavailable, match="no time"):
            await ask(model, seconds=0.0)

    assert [call.outcome for call in calls] == ["left"]


@pytest.mark.parametrize(
    ("timeouts", "is_visible", "said"),
    [
        ({"visible": 1.0}, False, "no draft within 1 s"),
        ({"visible": 0.5, "between_tokens": 1.0}, True, "no more of a draft for 1 s"),
        ({"between_tokens": 1.0}, False, "no more of a draft for 1 s"),
        ({"whole": 1.0}, True, "no whole draft within 1 s"),
    ],
    ids=["visible", "between-once-visible", "between", "whole"],
)
async def test_that_a_stalled_stream_ends_at_the_nearest_limit(
    vllm: FakeVllm, timeouts: dict[str, float], is_visible: bool, said: str
) -> None:
    vllm.says(TEXT, broken=Break.stalls(4))
    async with opened(vllm, **timeouts) as (model, calls):
        writing = model.write(HI, temperature=0, max_tokens=20)
        writing.is_visible = is_visible

        with pytest.raises(ModelUnavailable, match=said):
            async for _ in writing.deltas():
                pass

        assert writing.text == "We open at nine."
        assert [call.outcome for call in calls] == ["late"]
        await vllm.until(lambda: vllm.abandoned == 1)


async def test_that_a_visible_text_may_take_longer_than_its_beginning(vllm: FakeVllm) -> None:
    vllm.says(TEXT)
    vllm.token_seconds = 0.1
    async with opened(vllm, visible=0.3) as (model, calls):
        writing = model.write(HI, temperature=0, max_tokens=20)
        writing.is_visible = True
        async for _ in writing.deltas():
            pass

    assert writing.text == TEXT
    assert [call.outcome for call in calls] == ["answered"]


@BOTH
async def test_that_a_cancelled_request_is_noted_as_left_and_ends_at_the_server(
    vllm: FakeVllm, ask: Ask
) -> None:
    vllm.hold()
    async with opened(vllm) as (model, calls):
        asking = asyncio.create_task(ask(model))
        await vllm.until(lambda: vllm.chats)

        asking.cancel()

        await vllm.until(lambda: vllm.abandoned == 1)
        assert [call.outcome for call in calls] == ["left"]


async def test_that_the_server_sees_each_of_a_hundred_streams_end_that_are_left(
    vllm: FakeVllm,
) -> None:
    vllm.reply = lambda _: ["word " * 20]
    vllm.breaks(Break.stalls(2))
    async with opened(vllm) as (model, calls):

        async def leave() -> None:
            writing = model.write(HI, temperature=0, max_tokens=20)
            async with contextlib.aclosing(writing.deltas()) as deltas:
                await anext(deltas)

        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(leave())
        left_at = asyncio.get_running_loop().time()
        await vllm.until(lambda: vllm.abandoned == 100)

        assert {call.outcome for call in calls} == {"left"}
        assert max(vllm.abandoned_at) - left_at < 1.0


async def test_that_a_server_that_can_not_be_reached_is_unavailable() -> None:
    model = ChatModel(url=NO_MODEL, name=MODEL)

    with pytest.raises(ModelUnavailable):
        await stream(model)
    with pytest.raises(ModelUnavailable):
        await model.probe(1.0)

    await model.close()


@pytest.mark.parametrize("text", [TEXT, "Hi", "word " * 50], ids=["some", "one", "more"])
async def test_that_a_probe_is_a_small_request_that_nobody_is_told_of(
    vllm: FakeVllm, text: str
) -> None:
    vllm.says(text)
    async with opened(vllm) as (model, calls):
        model.trouble = lambda: "not asked for now"
        await model.probe(5.0)

    [sent] = vllm.chats
    assert sent.body["max_completion_tokens"] == PROBE_TOKENS
    assert (sent.body["stream"], calls) == (True, [])


@pytest.mark.parametrize(
    "outage",
    [
        Fault.server_error(),
        Fault.too_many_requests(),
        Fault.garbage(),
        Fault.garbage("{}", "application/json"),
        Fault.hangs(),
        Fault(404, "{}"),
        Break.dies(5),
        Break.stalls(1),
    ],
)
async def test_that_a_probe_of_a_failing_model_fails(vllm: FakeVllm, outage: Fault | Break) -> None:
    vllm.reply = lambda _: ["word " * 50]
    vllm.breaks(outage)
    async with opened(vllm) as (model, _):
        with pytest.raises(ModelError):
            await model.probe(0.3)


async def test_that_a_probe_without_text_fails(vllm: FakeVllm) -> None:
    vllm.says("")
    async with opened(vllm) as (model, _):
        with pytest.raises(ModelError, match="no text"):
            await model.probe(5.0)


async def test_that_a_server_that_refuses_the_probe_itself_is_well(vllm: FakeVllm) -> None:
    vllm.fails(Fault(400, "{}"))
    async with opened(vllm) as (model, _):
        await model.probe(5.0)

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
