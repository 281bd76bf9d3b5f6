"""The program under test: the real one, in a process of its own, ended and started at will."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[2]
OURS = ("FRONTDESK_", "TELEGRAM_", "SLACK_")
MODULE = "tests.prove.launcher"


class Running(Protocol):
    """A process that runs the program."""

    pid: int

    async def wait(self) -> int:
        """Wait for its end and return its exit code, negative for a signal."""
        ...


class Starter(Protocol):
    """Starts the program."""

    async def start(self, environment: Mapping[str, str], folder: Path) -> Running:
        """Start it in a folder, where it writes to output.txt."""
        ...


class Interpreter:
    """Starts the program as an operator does, with all that has to be loaded."""

    async def start(self, environment: Mapping[str, str], folder: Path) -> Running:
        """Start it."""
        with (folder / "output.txt").open("ab") as written:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE, "run"),
                cwd=folder,  # no frontdesk.toml of the developer's
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=written,
                stderr=asyncio.subprocess.STDOUT,
            )


class _Copy:
    """A copy of the loaded program."""

    def __init__(self, pid: int, ended: "asyncio.Future[int]") -> None:
        self.pid = pid
        self._ended = ended

    async def wait(self) -> int:
        """Wait for its end."""
        return await asyncio.shield(self._ended)


class Nursery:
    """Starts copies of a program that is loaded already: the same code, seconds earlier."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._ends: dict[int, asyncio.Future[int]] = {}

    async def start(self, environment: Mapping[str, str], folder: Path) -> Running:
        """Start a copy."""
        output = str(folder / "output.txt")
        order = {"environment": dict(environment), "folder": str(folder), "output": output}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        pid = await self._started.get()
        return _Copy(pid, self._end_of(pid))

    async def listen(self) -> None:
        """Hear what the nursery tells, until its end."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            fact: dict[str, Any] = json.loads(line)
            if "started" in fact:
                self._started.put_nowait(fact["started"])
            else:
                self._end_of(fact["ended"]).set_result(fact["code"])

    def _end_of(self, pid: int) -> "asyncio.Future[int]":
        return self._ends.setdefault(pid, asyncio.get_running_loop().create_future())


@contextlib.asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """Keep a nursery while the body runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", MODULE, "nursery"),
        cwd=ROOT,
        env=clean_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    found = Nursery(process)
    listening = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening


def clean_environment() -> dict[str, str]:
    """Return this process's environment without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "PYTHONPATH": str(ROOT)}


class Program:
    """The program with its data: running, or between two runs."""

    def __init__(self, starter: Starter, folder: Path, settings: Mapping[str, str]) -> None:
        self._starter = starter
        self._folder = folder
        self._settings = settings
        self._running: Running | None = None
        self.started_at = 0.0
        self.starts = 0

    @property
    def database(self) -> Path:
        """The log."""
        return self._folder / "data" / "frontdesk.db"

    async def start(self, die_at: str = "") -> None:
        """Start it, perhaps to die at a step."""
        settings = {"FRONTDESK_DATA": str(self._folder / "data"), "FRONTDESK_EXPLORATION": "0"}
        settings |= self._settings
        if die_at:
            settings["FRONTDESK_TEST_DIE_AT"] = die_at
        self.started_at = time.monotonic()
        self._running = await self._starter.start({**clean_environment(), **settings}, self._folder)
        self.starts += 1

    async def kill(self) -> None:
        """End it at once: nothing of it runs any more."""
        await self._end(signal.SIGKILL)

    async def stop(self, seconds: float = 30.0) -> int:
        """Ask it to end; return its exit code. Raises TimeoutError when it doesn't in time."""
        async with asyncio.timeout(seconds):
            return await self._end(signal.SIGTERM)

    async def died(self, seconds: float) -> int:
        """Wait for its death; return its exit code. Raises TimeoutError when it lives on."""
        assert self._running is not None
        async with asyncio.timeout(seconds):
            code = await self._running.wait()
        self._running = None
        return code

    async def close(self) -> None:
        """Leave nothing running."""
        if self._running:
            await self.kill()

    def output(self) -> str:
        """Return what it wrote, in all of its runs."""
        written = self._folder / "output.txt"
        return written.read_text(encoding="utf-8", errors="replace") if written.exists() else ""

    def memory_megabytes(self) -> float:
        """Return the memory that it holds now."""
        status = (self._process / "status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def open_files(self) -> int:
        """Return how many files and sockets it has open."""
        return len(list((self._process / "fd").iterdir()))

    @property
    def _process(self) -> Path:
        assert self._running is not None
        return Path("/proc") / str(self._running.pid)

    async def _end(self, number: signal.Signals) -> int:
        assert self._running is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._running.pid, number)
        code = await self._running.wait()
        self._running = None
        return code
