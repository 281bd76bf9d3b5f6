"""Vectors from an OpenAI-compatible server, and what its failures come to."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from bot.errors import EncoderError
from bot.knowledge.embeddings_server import REST_SECONDS, EmbeddingsServer
from bot.knowledge.search import Knowledge
from bot.log.store import Store
from tests.small_shop import NOW, QUESTION


class FakeServer:
    """Answers as OpenAI does, in any order; `answer` stands for it where it is set."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.answer: bytes | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.calls.append({"path": self.path, **body})
                server.keys.append(self.headers["Authorization"])
                rows = [
                    {"index": number, "embedding": [float(len(text)), 1.0]}
                    for number, text in enumerate(body["input"])
                ]
                answer = server.answer or json.dumps({"data": rows[::-1]}).encode()
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    thread = threading.Thread(target=fake.http.serve_forever)
    thread.start()
    yield fake
    fake.http.shutdown()
    thread.join()
    fake.http.server_close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_that_vectors_come_in_the_texts_order_with_length_one(server: FakeServer) -> None:
    encoder = EmbeddingsServer(server.url, "small", SecretStr("k"))

    vectors = encoder.passages(["a", "bbb"])

    expected = np.array([[1, 1], [3, 1]]) / np.sqrt([[2], [10]])
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)
    assert server.calls[0]["path"] == "/v1/embeddings"
    assert (server.calls[0]["model"], server.keys) == ("small", ["Bearer k"])


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(500, None, id="error"),
        pytest.param(401, None, id="wrong-key"),
        pytest.param(200, b"<html>", id="no-json"),
        pytest.param(200, b"[]", id="other-shape"),
        pytest.param(200, b'{"data": []}', id="too-few"),
        pytest.param(200, b'{"data": [{"index": 0, "embedding": []}]}', id="empty"),
        pytest.param(200, b'{"data": [{"index": 0, "embedding": [0, 0]}]}', id="no-length"),
        pytest.param(200, b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}', id="no-number"),
    ],
)
def test_that_a_bad_answer_is_one_error_without_the_text(
    server: FakeServer, status: int, answer: bytes | None
) -> None:
    server.status, server.answer = status, answer

    with pytest.raises(EncoderError) as raised:
        EmbeddingsServer(server.url, "small").questions(["my secret"])

    assert "secret" not in str(raised.value)


def test_that_a_failing_server_is_left_alone_for_a_while(server: FakeServer) -> None:
    clock = Clock()
    encoder = EmbeddingsServer(server.url, "small", clock=clock)
    server.status = 503
    for _ in range(3):
        with pytest.raises(EncoderError):
            encoder.questions(["a"])
    server.status = 200
    clock.now = REST_SECONDS

    encoder.questions(["a"])

    assert len(server.calls) == 2


async def test_that_words_alone_decide_while_it_fails(
    server: FakeServer, store: Store, articles: Path
) -> None:
    knowledge = Knowledge(store, EmbeddingsServer(server.url, "small"))
    server.status = 503
    await knowledge.sync(articles, NOW)
    await knowledge.encode(lambda done, total: None)

    [best, *_] = await knowledge.search(QUESTION["en"], "en")
    knowledge.close()

    assert best.passage.article == "en/returns"
    assert best.similarity is None
    assert len(server.calls) == 1
