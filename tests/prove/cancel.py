"""M4: nobody waits any more. The page's HTTP, the core and the model's HTTP, with a fake model."""

import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from adapters.web.api import new_token
from adapters.web.app import create_app
from adapters.web.channel import WebChannel
from prompts import Prompts
from tests.fakes.vllm_api import Break, FakeVllm
from tests.fakes.vllm_replies import tokens_of
from tests.prove.proof import Row, Setup
from tests.small_shop import (
    QUESTION,
    RETURNS_EN,
    RETURNS_ZH,
    Desk,
    ScriptedChannel,
    open_desk,
)

TRIALS = {"short": 10, "long": 100}
LONGEST_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
MESSAGES = "/api/v1/messages"
# An answer, and how many of its tokens come before the model stalls: a sentence is visible then.
ANSWERS = [
    (QUESTION["en"], RETURNS_EN, "You can return an item within 30 days of delivery. Sale"),
    (QUESTION["zh"], RETURNS_ZH, "商品送达后30天内可以退货。"),
]
STOPS = ["/stop", "stop", "停"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Where customers write to, and the model behind it."""

    http: httpx.AsyncClient
    desk: Desk
    model: FakeVllm
    rng: random.Random

    async def asked(self, *, is_visible: bool) -> "Asked":
        """Ask in a new conversation; return when the model writes, and shows something or not."""
        question, answer, beginning = self.rng.choice(ANSWERS)
        if is_visible:
            self.model.says(answer, broken=Break.stalls(len(tokens_of(beginning))))
        else:
            self.model.hold()
        calls = len(self.model.chats)
        asked = Asked(self, {"conversation": new_token(), "id": "first", "text": question})
        await self.model.until(lambda: len(self.model.chats) > calls)
        if is_visible:
            await asked.until_text()
        return asked

    async def say(self, body: Json) -> Json:
        """Send a message and return its answer."""
        answer: Json = (await self.http.post(MESSAGES, json=body)).json()
        return answer

    async def seconds_until_hung_up(self, since: float, before: int) -> float:
        """Return how long after `since` the model saw that its client had gone."""
        await self.model.until(lambda: len(self.model.abandoned_at) > before)
        return self.model.abandoned_at[before] - since


class Asked:
    """A message whose sender reads the answer's events."""

    def __init__(self, counter: Counter, body: Json) -> None:
        self.body = body
        self._http = counter.http
        self._saw_text = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def until_text(self) -> None:
        """Wait until something of the answer is there."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._saw_text.wait()

    async def hang_up(self) -> None:
        """Close the connection."""
        self._reading.cancel()
        await asyncio.wait({self._reading})

    async def done(self) -> Json:
        """Return the answer."""
        return await self._reading

    async def _read(self) -> Json:
        headers = {"Accept": "text/event-stream"}
        request = self._http.stream("POST", MESSAGES, json=self.body, headers=headers)
        async with request as response, aclosing(response.aiter_lines()) as lines:
            async for line in lines:
                if line == "event: text":
                    self._saw_text.set()
                if line.startswith("data: ") and '"turn"' in line:
                    found: Json = json.loads(line.removeprefix("data: "))
                    return found
        raise AssertionError("the stream ended without an answer")


async def m4(setup: Setup) -> Sequence[Row]:
    """Hang-ups, second questions and "stop": how soon the model is let go, and what is answered."""
    rng = random.Random(setup.seed)
    kinds = [
        ("the page hangs up", hang_up),
        ("a second question", second_question),
        ("the customer says stop", stop),
    ]
    async with opened(setup, rng) as counter:
        return [await _row(setup, counter, what, trial) for what, trial in kinds]


async def hang_up(counter: Counter, number: int) -> float:
    """Ask, go away, come back: the answer is there, once."""
    asked = await counter.asked(is_visible=number % 2 == 0)
    before, since = counter.model.abandoned, _now()
    await asked.hang_up()
    seconds = await counter.seconds_until_hung_up(since, before)
    counter.model.release()
    first, again = await counter.say(asked.body), await counter.say(asked.body)
    assert first["turn"] == again["turn"]
    return seconds


async def second_question(counter: Counter, number: int) -> float:
    """Ask, and ask more before anything is visible: one answer to both."""
    asked = await counter.asked(is_visible=False)
    before, since = counter.model.abandoned, _now()
    more = Asked(counter, {**asked.body, "id": "second", "text": f"And {number} sale items?"})
    seconds = await counter.seconds_until_hung_up(since, before)
    counter.model.release()
    assert (await asked.done())["turn"] == (await more.done())["turn"]
    return seconds


async def stop(counter: Counter, number: int) -> float:
    """Ask, and say stop: before anything is visible one answer to both, after it one each."""
    is_visible = number % 2 == 0
    asked = await counter.asked(is_visible=is_visible)
    before, since = counter.model.abandoned, _now()
    word = counter.rng.choice(STOPS)
    stopping = Asked(counter, {**asked.body, "id": "second", "text": word})
    seconds = await counter.seconds_until_hung_up(since, before)
    counter.model.release()
    first, second = await asked.done(), await stopping.done()
    assert (first["turn"] == second["turn"]) is not is_visible
    assert second["reply"]["source"] == "command"
    return seconds


async def _row(
    setup: Setup, counter: Counter, what: str, trial: Callable[[Counter, int], Awaitable[float]]
) -> Row:
    started, trials = time.monotonic(), TRIALS[setup.scale]
    replies_before, seconds = await _replies(counter.desk), []
    for number in range(trials):
        seconds.append(await trial(counter, number))
        if number % 10 == 9:
            setup.progress(f"M4 {what}: {number + 1} of {trials}")
    await counter.desk.settled()
    due = trials * 3 // 2 if trial is stop else trials
    replies, wrong = await _replies(counter.desk) - replies_before, await _wrong(counter.desk)
    quick = sum(each <= LONGEST_SECONDS for each in seconds)
    return Row(
        proof="M4",
        what=what,
        aim=f"model let go within 1 s: {trials} of {trials}; {due} replies, 0 missing or doubled",
        reached=(
            f"{quick} of {trials} (median {statistics.median(seconds):.2f} s, "
            f"longest {max(seconds):.2f} s); {replies} replies, {wrong} missing or doubled"
        ),
        holds=quick == trials and replies == due and wrong == 0,
        seconds=time.monotonic() - started,
    )


async def _replies(desk: Desk) -> int:
    [(count,)] = await desk.rows("SELECT count(*) FROM outbox WHERE state = 'sent'")
    assert isinstance(count, int)
    return count


async def _wrong(desk: Desk) -> int:
    """Return how many messages have no reply that was sent, or more than one."""
    rows = await desk.rows(
        "SELECT 1 FROM inbox LEFT JOIN outbox ON outbox.turn = inbox.reply AND state = 'sent'"
        " GROUP BY inbox.id HAVING count(outbox.id) <> 1"
    )
    return len(rows)


@asynccontextmanager
async def opened(setup: Setup, rng: random.Random) -> AsyncIterator[Counter]:
    """Open the small shop with the web as its channel, served over HTTP."""
    async with (
        FakeVllm() as model,
        open_desk(
            setup.folder, model_url=model.url, channel=ScriptedChannel("web"), streams=True
        ) as desk,
    ):
        web = WebChannel(desk.delivery, desk.store)
        desk.delivery.add(web)
        async with _served(web, desk) as url:
            limits = httpx.Limits(max_keepalive_connections=0)
            async with httpx.AsyncClient(
                base_url=url, trust_env=False, timeout=PATIENCE_SECONDS, limits=limits
            ) as http:
                yield Counter(http=http, desk=desk, model=model, rng=rng)


@asynccontextmanager
async def _served(web: WebChannel, desk: Desk) -> AsyncIterator[str]:
    async def ready() -> dict[str, str | None]:
        return {}

    def model_status() -> dict[str, str]:
        return {"model": "ready"}

    app = create_app(web, [], ready, model_status, desk.registry, Prompts.load())
    config = uvicorn.Config(app, port=0, log_level="warning", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not server.started:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving


def _now() -> float:
    return asyncio.get_running_loop().time()
