"""The programs under measurement: each a process of its own, with what it used so far."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 20.0
OURS = ("FRONTDESK_", "TELEGRAM_", "SLACK_")
_TICKS = os.sysconf("SC_CLK_TCK")


class ProgramError(Exception):
    """A program ended, or did not do its part; the message ends with what it wrote."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used since its start: seconds of all cores, and its largest memory."""

    cpu_seconds: float
    peak_megabytes: float


class Program:
    """A running program."""

    def __init__(self, process: asyncio.subprocess.Process, output: Path) -> None:
        self._process = process
        self._output = output

    def usage(self) -> Usage:
        """Return what it used so far."""
        self.check()
        return usage(self._process.pid)

    def check(self) -> None:
        """Raise ProgramError when it has ended."""
        if self._process.returncode is not None:
            raise ProgramError(f"A program ended early. {self.output()}")

    def output(self) -> str:
        """Return the end of what it wrote."""
        return self._output.read_text(encoding="utf-8", errors="replace")[-3000:]

    async def finish(self) -> str:
        """Wait for its end and return what it wrote. Raises ProgramError when it failed."""
        if await self._process.wait():
            raise ProgramError(f"A program failed. {self.output()}")
        return self._output.read_text(encoding="utf-8")

    async def stop(self) -> None:
        """End it; one that does not end by itself is killed."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def started(
    module: str, *words: str, folder: Path, settings: Mapping[str, str]
) -> AsyncIterator[Program]:
    """Run a module of ours in `folder` while the body runs, with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    output = folder / "output.txt"
    with output.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *words),
            cwd=folder,  # no frontdesk.toml of the developer's
            env={**inherited, "PYTHONPATH": str(ROOT), **settings},
            stdin=asyncio.subprocess.PIPE,
            stdout=written,
            stderr=asyncio.subprocess.STDOUT,
        )
    program = Program(process, output)
    try:
        yield program
    finally:
        await program.stop()


def usage(pid: int) -> Usage:
    """Return what a process used so far."""
    process = Path("/proc") / str(pid)
    # The name of the program, in brackets, may hold spaces.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = (process / "status").read_text()
    kilobytes = int(status.partition("VmHWM:")[2].split()[0])
    return Usage(ticks / _TICKS, kilobytes / 1024)
