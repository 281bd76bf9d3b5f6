"""What vLLM sends: a whole completion, or the same in chunks, token by token."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"
_WIDE = r"\u2e80-\U0010ffff"
_TOKEN = re.compile(rf"\s*(?:[{_WIDE}]|[^\s{_WIDE}]+)|\s+$")


def tokens_of(text: str) -> list[str]:
    """Return a text in tokens: a word with the space before it, or one Chinese character."""
    return _TOKEN.findall(text)


def prompt_tokens(body: Json) -> int:
    """Return the prompt's length: a token for four letters, or for one Chinese character."""
    text = "".join(str(message["content"]) for message in body["messages"])
    wide = sum(ord(c) > 0x2E7F for c in text)
    return wide + (len(text) - wide) // 4


def log_probability(position: int) -> float:
    """Return what every token of the sample at `position` gets: the first is the likeliest."""
    return -0.25 * (position + 1)


def longest_answer(body: Json) -> int | None:
    """Return how many tokens an answer may have; the client library has a newer name for it."""
    return body.get("max_completion_tokens") or body.get("max_tokens")


def completion(body: Json, samples: Sequence[Sequence[str]]) -> Json:
    """Return the answer to a request without `stream`; `samples` are in tokens."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": position,
                "message": {"role": "assistant", "content": "".join(kept(body, tokens))},
                "finish_reason": _finish_reason(body, tokens),
                "logprobs": _logprobs(body, position, kept(body, tokens)),
            }
            for position, tokens in enumerate(samples)
        ],
        "usage": _usage(body, samples),
    }


def tool_call(body: Json, name: str, arguments: str) -> Json:
    """Return the answer of a model that calls a tool."""
    call = {
        "id": "chatcmpl-tool-1",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    return {**completion(body, [[]]), "choices": [choice]}


def steps(body: Json, samples: Sequence[Sequence[str]]) -> Iterator[list[bytes]]:
    """Yield the events of a stream up to its finish: those of all samples' first tokens, and so on.

    As in vLLM, the first token comes with an event that names the role.
    """
    first = [_event(body, i, {"role": "assistant", "content": ""}) for i in range(len(samples))]
    for row in zip_longest(*(kept(body, tokens) for tokens in samples)):
        step = [
            _event(body, i, {"content": token}, _logprobs(body, i, [token]))
            for i, token in enumerate(row)
            if token is not None
        ]
        yield [*first, *step]
        first = []


def ending(body: Json, samples: Sequence[Sequence[str]]) -> list[bytes]:
    """Return the events after the last token: why it is the last, what was used, the mark."""
    events = [
        _event(body, i, {"content": ""}, finish=_finish_reason(body, tokens))
        for i, tokens in enumerate(samples)
    ]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append(event({**_chunk(body), "choices": [], "usage": _usage(body, samples)}))
    return [*events, DONE]


def event(content: Json) -> bytes:
    """Return one server-sent event."""
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def error(message: str, code: int) -> Json:
    """Return the body of an error."""
    return {"error": {"message": message, "type": "BadRequestError", "param": None, "code": code}}


def kept(body: Json, tokens: Sequence[str]) -> Sequence[str]:
    """Return the tokens that an answer has room for."""
    return tokens[: longest_answer(body)]


def _event(
    body: Json, index: int, delta: Json, logprobs: Json | None = None, finish: str | None = None
) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return event({**_chunk(body), "choices": [choice]})


def _chunk(body: Json) -> Json:
    chunk = "chat.completion.chunk"
    return {"id": "chatcmpl-1", "object": chunk, "created": 1, "model": body["model"]}


def _finish_reason(body: Json, tokens: Sequence[str]) -> str:
    return "stop" if len(kept(body, tokens)) == len(tokens) else "length"


def _usage(body: Json, samples: Sequence[Sequence[str]]) -> Json:
    used = {
        "prompt_tokens": prompt_tokens(body),
        "completion_tokens": sum(len(kept(body, tokens)) for tokens in samples),
    }
    return {**used, "total_tokens": sum(used.values())}


def _logprobs(body: Json, position: int, tokens: Sequence[str]) -> Json | None:
    if not body.get("logprobs"):
        return None
    value = log_probability(position)
    content = [{"token": t, "logprob": value, "bytes": None, "top_logprobs": []} for t in tokens]
    return {"content": content}
