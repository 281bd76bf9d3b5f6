"""The real weights in the real vLLM."""

from pathlib import Path

import httpx
import pytest

from serving.engine import Engine
from serving.weights import DEFAULT_MODEL, SMOLLM2, is_whole
from tests.serving.real_engine import models_folder
from tests.serving.support import group_members

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

QUESTION = "You answer for a shop. Reply in one sentence: when does my parcel come?"


def client(of: Engine) -> httpx.Client:
    headers = {"Authorization": f"Bearer {of.api_key}"}
    return httpx.Client(base_url=of.url, headers=headers, timeout=300, trust_env=False)


def chat(of: Engine, **options: object) -> httpx.Response:
    messages = [{"role": "user", "content": QUESTION}]
    body = {"model": of.model, "messages": messages, "max_tokens": 24, **options}
    with client(of) as http:
        return http.post("chat/completions", json=body)


def metric(of: Engine, name: str) -> float:
    """Return the sum of a metric's samples."""
    with client(of) as http:
        text = http.get(of.url.removesuffix("/v1") + "/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def test_that_the_weights_are_whole_and_offered_by_their_name(engine: Engine) -> None:
    with client(engine) as http:
        offered = http.get("models").json()["data"]

    assert is_whole(models_folder() / DEFAULT_MODEL, SMOLLM2)
    assert [model["id"] for model in offered] == [DEFAULT_MODEL]


def test_that_one_request_brings_three_drafts(engine: Engine) -> None:
    answer = chat(engine, n=3, temperature=0.8, logprobs=True)

    choices = answer.json()["choices"]
    assert len(choices) == 3
    assert all(choice["message"]["content"].strip() for choice in choices)
    assert all("<|im_" not in choice["message"]["content"] for choice in choices)
    assert all(choice["logprobs"]["content"] for choice in choices)


def test_that_the_chat_template_is_used(engine: Engine) -> None:
    """The prompt holds more than the question: the template's roles and its system line."""
    with client(engine) as http:
        body = {"model": engine.model, "prompt": QUESTION}
        root = engine.url.removesuffix("/v1")
        question_tokens = http.post(f"{root}/tokenize", json=body).json()["count"]

    used = chat(engine).json()["usage"]

    assert used["prompt_tokens"] > question_tokens + 10


def test_that_a_short_answer_ends_by_itself(engine: Engine) -> None:
    answer = chat(
        engine,
        messages=[{"role": "user", "content": "Say only the word: yes"}],
        max_tokens=200,
        temperature=0,
    )

    assert answer.json()["choices"][0]["finish_reason"] == "stop"


def test_that_a_repeated_start_of_a_prompt_is_not_read_again(engine: Engine) -> None:
    long = [{"role": "system", "content": "We deliver in two to four working days. " * 40}]
    chat(engine, messages=[*long, {"role": "user", "content": "When?"}])
    before = metric(engine, "vllm:prefix_cache_hits_total")

    chat(engine, messages=[*long, {"role": "user", "content": "Where to?"}])

    assert metric(engine, "vllm:prefix_cache_hits_total") - before >= 256


def test_that_requests_without_the_key_are_refused(engine: Engine) -> None:
    answer = httpx.get(f"{engine.url}/models", trust_env=False)

    assert answer.status_code == 401


def test_that_no_key_is_in_the_process_list(engine: Engine) -> None:
    assert engine.pid is not None
    assert engine.api_key is not None
    command_lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in group_members(engine.pid)]

    assert len(command_lines) >= 2
    assert engine.api_key not in "".join(command_lines)


def test_that_the_log_holds_no_customers_text(engine: Engine) -> None:
    chat(engine)

    assert "parcel" not in engine.log.read_text()
