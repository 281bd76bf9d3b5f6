"""Measure an OpenAI-compatible server: time to the first token and output tokens a second.

    python -m serving.benchmark --url http://127.0.0.1:8000/v1 --model NAME --chats 1 8 32

Every chat has the same start of its prompt (a shop's instructions and passages) and an end of its
own, as in a customer's chat; about 350 to 400 tokens in all. Each answer is `--tokens` tokens long.
The first round warms the server up and does not count. The key of a server that wants one is read
from FRONTDESK_MODEL_KEY, so that it isn't in the process list.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from serving.errors import BenchmarkError

TIMEOUT_SECONDS = 600.0
INSTRUCTIONS = """\
You answer the customers of Riverbank Outdoor, a shop for tents, boots and rain jackets. Answer \
only from the passages. If they do not hold the answer, say that you pass the question to a \
colleague. Write two or three short sentences and name the passage in brackets.
[1] Returns. Anything unused can be sent back within 30 days of delivery. Start a return on the \
Returns page, print the label and hand the parcel in at any post office. The money is back \
within five working days after the parcel has reached our warehouse. Sale items can be exchanged \
only.
[2] Delivery. Orders placed before 14:00 on a working day leave the same day. Standard delivery \
takes two to four working days and costs 4.90; above 50 it is free. Express delivery takes one \
working day and costs 9.90. We deliver to the European Union, to Norway and to Switzerland.
[3] Warranty. Our own tents have a warranty of five years on seams, zips and poles. Wear and \
storm damage are not covered. Send a photo of the damage with the order number; we answer within \
two working days. Repairs that the warranty does not cover are offered at cost.
[4] Sizes. Our boots run small: take half a size more than usual. The size table on each \
product's page is in centimetres of the foot's length."""
QUESTION = (
    "My order number is {order}. How long do I have to send back the boots, what will that cost "
    "me, and when do I get the money back?"
)


@dataclass(frozen=True, slots=True)
class Server:
    """The server to measure: base URL ending in `/v1`, model name, key if it wants one."""

    url: str
    model: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One streamed answer: seconds to its first token; tokens of the answer and of its prompt."""

    first_token_seconds: float
    output_tokens: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What `chats` at once brought: median seconds to the first token, tokens a second in all."""

    chats: int
    first_token_seconds: float
    output_tokens_per_second: float
    prompt_tokens: int


async def measure(
    client: httpx.AsyncClient, server: Server, chats: int, *, rounds: int, tokens: int
) -> Measurement:
    """Let `chats` chats ask at once, `rounds` times over.

    Raises BenchmarkError if the server refuses, or can't be reached.
    """
    answers: list[Answer] = []
    started = time.perf_counter()
    for number in range(rounds):
        orders = [1_000 * (number + 1) + chat for chat in range(chats)]
        answers += await asyncio.gather(*(_ask(client, server, order, tokens) for order in orders))
    seconds = time.perf_counter() - started
    return Measurement(
        chats=chats,
        first_token_seconds=statistics.median(a.first_token_seconds for a in answers),
        output_tokens_per_second=sum(a.output_tokens for a in answers) / seconds,
        prompt_tokens=max(a.prompt_tokens for a in answers),
    )


async def measure_all(
    server: Server,
    counts: Sequence[int],
    *,
    rounds: int,
    tokens: int,
    progress: Callable[[str], None],
) -> list[Measurement]:
    """Measure `server` with each of `counts` chats, after one round that does not count."""
    results: list[Measurement] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False) as client:
        progress("warming up")
        await measure(client, server, 1, rounds=1, tokens=tokens)
        for step, chats in enumerate(counts, 1):
            progress(f"{step} of {len(counts)}: {chats} chats, {rounds} rounds")
            results.append(await measure(client, server, chats, rounds=rounds, tokens=tokens))
    return results


def table(results: Sequence[Measurement]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| chats | time to first token, p50 (ms) | output tokens/s | prompt tokens |",
        "|---:|---:|---:|---:|",
    ]
    for one in results:
        first = f"{one.first_token_seconds * 1000:.0f}"
        rate = f"{one.output_tokens_per_second:.1f}"
        lines.append(f"| {one.chats} | {first} | {rate} | {one.prompt_tokens} |")
    return "\n".join(lines)


async def _ask(client: httpx.AsyncClient, server: Server, order: int, tokens: int) -> Answer:
    """Ask one question and time its answer."""
    started = time.perf_counter()
    first: float | None = None
    used: dict[str, int] = {}
    async for event in _events(client, server, _request(server.model, order, tokens)):
        if first is None and _text(event):
            first = time.perf_counter() - started
        used = event.get("usage") or used
    if first is None or not used:
        raise BenchmarkError(
            f"The server at {server.url} sent an empty answer: check that {server.model!r} is a "
            "chat model and that its log has no error."
        )
    return Answer(first, used["completion_tokens"], used["prompt_tokens"])


def _request(model: str, order: int, tokens: int) -> dict[str, object]:
    """Return the body of one request; `ignore_eos` is vLLM's, and others pass over it."""
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": QUESTION.format(order=order)},
        ],
        "max_tokens": tokens,
        "ignore_eos": True,
        "temperature": 0.7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def _events(
    client: httpx.AsyncClient, server: Server, body: dict[str, object]
) -> AsyncIterator[dict[str, Any]]:
    """Yield the server-sent events of one streamed answer."""
    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    url = f"{server.url.rstrip('/')}/chat/completions"
    try:
        async with client.stream("POST", url, json=body, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                raise _refusal(server, answer.status_code, (await answer.aread()).decode())
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    yield json.loads(line.removeprefix("data: "))
    except httpx.HTTPError as err:
        raise BenchmarkError(
            f"The server at {server.url} can't be reached ({type(err).__name__}): start it, or "
            "give its address with --url."
        ) from err


def _refusal(server: Server, status: int, body: str) -> BenchmarkError:
    return BenchmarkError(
        f"The server at {server.url} refused with status {status}: check --url, --model and the "
        f"key in FRONTDESK_MODEL_KEY. It said: {body[:200]}"
    )


def _text(event: dict[str, Any]) -> str:
    """Return the text that an event adds; a model that thinks first says that elsewhere."""
    return "".join(
        choice["delta"].get("content") or choice["delta"].get("reasoning") or ""
        for choice in event.get("choices", [])
    )


def _report(said: str) -> None:
    sys.stderr.write(said + "\n")
    sys.stderr.flush()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.benchmark", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1", help="base URL, with /v1")
    parser.add_argument("--model", required=True, help="the name by which the server knows it")
    parser.add_argument("--chats", type=_positive, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=_positive, default=3, help="questions of each chat")
    parser.add_argument("--tokens", type=_positive, default=64, help="length of each answer")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    chosen = _arguments(words)
    server = Server(chosen.url, chosen.model, os.environ.get("FRONTDESK_MODEL_KEY"))
    work = measure_all(
        server,
        chosen.chats,
        rounds=chosen.rounds,
        tokens=chosen.tokens,
        progress=_report,
    )
    try:
        sys.stdout.write(table(asyncio.run(work)) + "\n")
    except BenchmarkError as err:
        _report(str(err))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
