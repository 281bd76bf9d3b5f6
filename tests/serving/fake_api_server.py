"""A small program that behaves like vLLM's API server, good and bad, for tests of the supervisor.

Like vLLM it takes `--model`, `--host` and `--port` among arguments it does not know, listens only
when it is ready, answers `/health`, `/v1/models` and streamed chats, guards `/v1` with
VLLM_API_KEY, and writes to its output.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True, help="folder for what it reports")
    parser.add_argument("--ready-after", type=float, default=0.0)
    parser.add_argument("--crash-after", type=int, help="answers to /health; 0: while it loads")
    parser.add_argument("--crashing-starts", type=int, default=10**6, help="how many crash")
    parser.add_argument("--ill-after", type=int, help="answers to /health of the first start")
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--fork", action="store_true", help="a child that ignores SIGTERM")
    parser.add_argument("--model")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    return parser.parse_known_args()[0]


class Handler(BaseHTTPRequestHandler):
    model = ""
    crash_after: int | None = None
    ill_after: int | None = None
    answers = count(1)

    def do_GET(self) -> None:
        if self.path == "/health":
            self.health(next(self.answers))
        elif not self.is_allowed():
            self.answer(401, {"error": "Unauthorized"})
        else:
            self.answer(200, {"data": [{"id": self.model}]})

    def health(self, number: int) -> None:
        is_ill = self.ill_after is not None and number > self.ill_after
        self.answer(503 if is_ill else 200, {})
        if number == self.crash_after:
            crash()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.is_allowed():
            self.answer(401, {"error": "Unauthorized"})
        elif asked["model"] != self.model:
            self.answer(404, {"error": f"The model {asked['model']} does not exist."})
        else:
            self.stream(asked["max_tokens"])

    def stream(self, tokens: int) -> None:
        self.send_response(200)
        self.end_headers()
        self.event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        for _ in range(tokens):
            self.event({"choices": [{"delta": {"content": "word "}}]})
        self.event({"choices": [], "usage": {"prompt_tokens": 350, "completion_tokens": tokens}})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, body: object) -> None:
        self.wfile.write(b"data: " + json.dumps(body).encode() + b"\n\n")

    def is_allowed(self) -> bool:
        key = os.environ.get("VLLM_API_KEY")
        return key is None or self.headers.get("Authorization") == f"Bearer {key}"

    def log_message(self, *_: object) -> None:
        return

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def note_start(chosen: argparse.Namespace) -> int:
    """Write down this start's process ids, arguments and environment; return its number."""
    pids = [os.getpid()]
    if chosen.fork:
        pids.append(subprocess.Popen([sys.executable, "-c", CHILD]).pid)
    number = len(list(chosen.state.glob("start-*.json"))) + 1
    noted = {"pids": pids, "arguments": sys.argv[1:], "environment": dict(os.environ)}
    draft = chosen.state / "draft"
    draft.write_text(json.dumps(noted))
    draft.rename(chosen.state / f"start-{number}.json")
    return number


def crash() -> None:
    print("(EngineCore pid=7) ERROR 01-31 23:59:59 [core.py:1] Traceback (most recent call last):")
    print("(EngineCore pid=7) ERROR 01-31 23:59:59 [core.py:1] ValueError: the weights are torn")
    print("RuntimeError: Engine core initialization failed. See root cause above.")
    print("nanobind: leaked 4 instances!", flush=True)
    os._exit(3)


def main() -> None:
    chosen = options()
    if chosen.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    number = note_start(chosen)
    print(f"loading {chosen.model}", flush=True)
    if number <= chosen.crashing_starts:
        Handler.crash_after = chosen.crash_after
    if number == 1:
        Handler.ill_after = chosen.ill_after
    if Handler.crash_after == 0:
        crash()
    time.sleep(chosen.ready_after)
    Handler.model = chosen.model
    ThreadingHTTPServer((chosen.host, chosen.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
