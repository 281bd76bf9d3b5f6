"""What nobody should send, and what nobody may: spoilt payloads, and forged ones."""

import asyncio
import gc
import json
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette

from adapters.web.app import create_app
from adapters.web.channel import WebChannel
from prompts import Prompts
from tests.adapters.slack.channels import every_kind_of_event
from tests.adapters.spoiling import NAUGHTY, spoilt_object
from tests.adapters.telegram.channels import running
from tests.adapters.telegram.test_telegram_webhook import (
    HEADER,
    SAMPLES,
    SECRET,
    WRITTEN,
    webhook_channel,
)
from tests.fakes.slack_api import FakeSlack
from tests.fakes.telegram_api import FakeTelegram
from tests.prove.platform_desk import Stopwatch, desk, on_slack, rows_of
from tests.prove.proof import Row, Setup
from tests.small_shop import Desk

LARGEST_P99_MS = {"short": 250.0, "long": 50.0}  # of 200 one is enough to miss it
LARGEST_GROWTH_MB = 50.0
GOOD_ONE_IN = 20
GOOD = "Can I return an item within 30 days? good-"

Send = Callable[[bytes], Awaitable[int]]


class _Defects(logging.Handler):
    """Counts what the program did not foresee."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        # What it foresees, it says in a sentence of its own.
        if record.exc_info or record.name == "asyncio":
            _count(self, record.getMessage())


@contextmanager
def _watched() -> Iterator[_Defects]:
    """Count errors in the log, and those that nobody waited for."""
    defects, root = _Defects(), logging.getLogger()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _count(defects, str(context["message"])))
    root.addHandler(defects)
    try:
        yield defects
    finally:
        root.removeHandler(defects)
        loop.set_exception_handler(None)


def _count(defects: _Defects, message: str) -> None:
    defects.count += 1
    defects.first = defects.first or message


@dataclass(slots=True)
class _Run:
    """How a platform's payloads were taken. Times are of the processor, in milliseconds."""

    sent: int = 0
    good: int = 0
    answered: int = 0
    failed: int = 0
    times: list[float] = field(default_factory=list)
    memory_begin: float = 0.0
    memory_end: float = 0.0

    @property
    def p99(self) -> float:
        return sorted(self.times)[int(len(self.times) * 0.99)]

    @property
    def growth(self) -> float:
        return max(0.0, self.memory_end - self.memory_begin)


def memory_mb() -> float:
    """Return how much memory this process has."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def spoilt_body(sample: dict[str, Any], rng: random.Random) -> bytes:
    """Return a payload as it would come: spoilt inside, or not even JSON, or huge."""
    body = json.dumps(spoilt_object(sample, rng)).encode()
    kind = rng.random()
    if kind < 0.02:
        return body[: rng.randrange(len(body) + 1)]
    if kind < 0.03:
        return bytes(rng.randrange(256) for _ in range(200))
    if kind < 0.04:
        return b"[" * 100_000
    if kind < 0.045:
        return json.dumps({**sample, "text": rng.choice(NAUGHTY) * 2000}).encode()
    return body


async def spoilt_input(setup: Setup) -> Sequence[Row]:
    """R9: spoilt payloads to Slack's, Telegram's and the page's entrance, good ones among them."""
    rows = []
    for name, entrance in (("Slack", _slack), ("Telegram", _telegram), ("web API", _web)):
        setup.progress(f"R9: {name}")
        watch, folder = Stopwatch(), setup.folder / name
        folder.mkdir()
        with _watched() as defects:
            async with desk(folder) as at:
                run = await entrance(at, setup)
                await at.settled()
                run.answered = await _answered(at)
        rows.append(_row(name, run, defects, watch, LARGEST_P99_MS[setup.scale]))
    return rows


def _row(name: str, run: _Run, defects: _Defects, watch: Stopwatch, largest_p99_ms: float) -> Row:
    unhandled = defects.count + run.failed
    return Row(
        proof="R9",
        what=f"{name}: {run.sent} spoilt payloads, {run.good} good ones among them",
        aim=(
            "0 unhandled errors, every good one answered, "
            f"p99 at most {largest_p99_ms:.0f} ms of the processor, memory at most 50 MB more"
        ),
        reached=(
            f"{unhandled} unhandled errors{f' ({defects.first})' if defects.first else ''}, "
            f"{run.answered} of {run.good} answered, p99 {run.p99:.0f} ms, {run.growth:.0f} MB more"
        ),
        holds=unhandled == 0
        and run.answered == run.good
        and run.p99 <= largest_p99_ms
        and run.growth <= LARGEST_GROWTH_MB,
        seconds=watch.seconds,
    )


async def _answered(at: Desk) -> int:
    return await rows_of(
        at,
        "SELECT COUNT(DISTINCT inbox.id) FROM inbox JOIN turns ON turns.replied_to = inbox.turn"
        " JOIN outbox ON outbox.turn = turns.id"
        f" WHERE inbox.text LIKE '{GOOD}%' AND outbox.state = 'sent'",
    )


async def _feed(
    setup: Setup, samples: Sequence[Any], send: Send, good: Callable[[int], Awaitable[int]]
) -> _Run:
    """Send spoilt payloads, and now and then a good one."""
    rng, run = random.Random(setup.seed), _Run()
    total = 200 if setup.scale == "short" else 10_000
    for number in range(total):
        body = spoilt_body(samples[number % len(samples)], rng)
        began = time.process_time()
        status = await send(body)
        run.times.append(1000 * (time.process_time() - began))
        run.sent += 1
        run.failed += status >= 500
        if number % GOOD_ONE_IN == 0:
            run.failed += await good(number) != 200
            run.good += 1
        if number == total // 10:
            run.memory_begin = memory_mb()
    run.memory_end = memory_mb()
    return run


def _client(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")


async def _slack(at: Desk, setup: Setup) -> _Run:
    async with FakeSlack() as slack:
        over_http = {"app_token": None, "signing_secret": slack.signing_secret}
        async with (
            on_slack(at, slack, **over_http) as channel,
            _client(Starlette(routes=channel.routes())) as client,
        ):
            samples = [each.payload for each in await every_kind_of_event(slack, channel)]

            async def send(body: bytes) -> int:
                text = body.decode("utf-8", "replace")
                kind = "application/json"
                if '"event_id"' not in text[:2000]:
                    text, kind = urlencode({"payload": text}), "application/x-www-form-urlencoded"
                headers = {"Content-Type": kind, **slack.signed(text)}
                answer = await client.post("/slack/events", content=text, headers=headers)
                return answer.status_code

            async def good(number: int) -> int:
                event = await slack.customer_writes(
                    f"{GOOD}{number}", user=f"U{number}", channel=f"D{number}"
                )
                return await send(json.dumps(event.payload).encode())

            return await _feed(setup, samples, send, good)


async def _telegram(at: Desk, setup: Setup) -> _Run:
    inbox: Any = at.delivery
    async with FakeTelegram() as telegram:
        channel = webhook_channel(telegram, inbox, watch_seconds=0.1)
        at.delivery.add(channel)
        async with running(channel), _client(Starlette(routes=channel.routes())) as client:
            await telegram.until(lambda: channel.trouble() is None)

            async def send(body: bytes) -> int:
                answer = await client.post(
                    "/telegram/webhook", content=body, headers={HEADER: SECRET}
                )
                return answer.status_code

            async def good(number: int) -> int:
                telegram.add_chat(5000 + number)
                person = {"id": 5000 + number, "is_bot": False, "first_name": "Ada"}
                chat = {"id": 5000 + number, "type": "private"}
                message = {**WRITTEN, "from": person, "chat": chat, "text": f"{GOOD}{number}"}
                update = {"update_id": 10**6 + number, "message": message}
                return await send(json.dumps(update).encode())

            samples = [{"update_id": number, **each} for number, each in enumerate(SAMPLES)]
            run = await _feed(setup, samples, send, good)
            await at.settled()
            return run


@asynccontextmanager
async def _page(at: Desk) -> AsyncIterator[httpx.AsyncClient]:
    web = WebChannel(at.delivery, at.store, answer_timeout_seconds=20)
    at.delivery.add(web)

    async def ready() -> dict[str, str | None]:
        return {}

    app = create_app(
        web, [], ready, lambda: {"model": "ready", "detail": ""}, at.registry, Prompts.load()
    )
    async with _client(app) as client:
        yield client


async def _web(at: Desk, setup: Setup) -> _Run:
    async with _page(at) as client:
        samples = [
            {"text": "hello", "id": "m1", "conversation": secrets.token_urlsafe(24)},
            {"text": "退货", "customer": "ada"},
        ]

        async def send(body: bytes) -> int:
            answer = await client.post(
                "/api/v1/messages", content=body, headers={"Content-Type": "application/json"}
            )
            return answer.status_code

        async def good(number: int) -> int:
            return await send(json.dumps({"text": f"{GOOD}{number}"}).encode())

        return await _feed(setup, samples, send, good)


# R10.

FORGED: tuple[dict[str, Any], ...] = (
    {"secret": "another-secret"}, {"age": 301}, {"age": -330}, {"age": 360},
)  # fmt: skip


async def forged_input(setup: Setup) -> Sequence[Row]:
    """R10: what is not signed, not with the secret, or not one's own, changes nothing."""
    count = 120 if setup.scale == "short" else 1000
    rows = []
    for name, forge, right in (
        ("Slack requests with a wrong or an old signature", _forge_slack, {401}),
        ("Telegram updates with a wrong secret", _forge_telegram, {403}),
        ("web requests for somebody else's conversation", _forge_web, {403, 404}),
    ):
        watch, folder = Stopwatch(), setup.folder / forge.__name__
        folder.mkdir()
        async with desk(folder) as at:
            statuses = await forge(at, count)
            processed = await rows_of(at, "SELECT COUNT(*) FROM inbox WHERE text LIKE 'forged%'")
        through = sum(status not in right for status in statuses)
        rows.append(
            Row(
                proof="R10",
                what=f"{len(statuses)} {name}",
                aim="0 let through, 0 processed",
                reached=f"{through} let through, {processed} processed",
                holds=(through, processed) == (0, 0) and len(statuses) == count,
                seconds=watch.seconds,
            )
        )
    return rows


async def _forge_slack(at: Desk, count: int) -> list[int]:
    async with FakeSlack() as slack:
        over_http = {"app_token": None, "signing_secret": slack.signing_secret}
        async with (
            on_slack(at, slack, **over_http) as channel,
            _client(Starlette(routes=channel.routes())) as client,
        ):
            event = await slack.customer_writes("forged")
            body, other = json.dumps(event.payload), json.dumps({**event.payload, "event_id": "Ev"})
            right, statuses = slack.signed(body), []
            for number in range(count):
                wrong = [
                    {},
                    {"X-Slack-Signature": right["X-Slack-Signature"]},
                    {**right, "X-Slack-Request-Timestamp": "yesterday"},
                    {**right, "X-Slack-Signature": f"v0={secrets.token_hex(32)}"},
                    slack.signed(other),
                    *(slack.signed(body, **each) for each in FORGED),
                ]
                headers = {"Content-Type": "application/json", **wrong[number % len(wrong)]}
                answer = await client.post("/slack/events", content=body, headers=headers)
                statuses.append(answer.status_code)
    return statuses


async def _forge_telegram(at: Desk, count: int) -> list[int]:
    inbox: Any = at.delivery
    async with FakeTelegram() as telegram:
        channel = webhook_channel(telegram, inbox, watch_seconds=0.1)
        async with running(channel), _client(Starlette(routes=channel.routes())) as client:
            await telegram.until(lambda: channel.trouble() is None)
            statuses = []
            for number in range(count):
                wrong = ["", SECRET[:-1], f"{SECRET}x", SECRET.upper(), secrets.token_hex(16)]
                message = {**WRITTEN, "text": "forged"}
                answer = await client.post(
                    "/telegram/webhook",
                    json={"update_id": number, "message": message},
                    headers={HEADER: wrong[number % len(wrong)]} if number % 6 else {},
                )
                statuses.append(answer.status_code)
    return statuses


async def _forge_web(at: Desk, count: int) -> list[int]:
    async with _page(at) as client:
        asked = await client.post("/api/v1/messages", json={"text": GOOD})
        token = str(asked.json()["conversation"])
        statuses = []
        for number in range(count):
            guesses = [token[:-1], f"{token}x", token.swapcase(), token[::-1]]
            guess = (*guesses, secrets.token_urlsafe(24))[number % 5]
            if number % 2:
                answer = await client.get(f"/api/v1/conversations/{guess}")
            else:
                answer = await client.post(
                    "/api/v1/messages",
                    json={"text": "forged", "conversation": token},
                    headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
                )
            statuses.append(answer.status_code)
    return statuses
