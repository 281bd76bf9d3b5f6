"""A command and everything that it starts, ended together.

The group is started through `launch.py`, whose guard ends it if this program is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

LAUNCHER = Path(__file__).with_name("launch.py")
VANISH_SECONDS = 5.0
PRIVATE_PREFIXES = ("FRONTDESK_", "SLACK_", "TELEGRAM_")


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this program's environment without its own tokens and passwords, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not _is_private(name)}
    return kept | dict(extra)


def _is_private(name: str) -> bool:
    return name.startswith(PRIVATE_PREFIXES)


class ProcessGroup:
    """A running command with all its descendants that stay in its process group.

    Output goes to `output`, a file opened for writing. Raises OSError if no process can be made;
    a command that can't be found exits with 127 and says so in its output.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: BinaryIO
    ) -> None:
        self._leader = subprocess.Popen(
            [sys.executable, "-I", str(LAUNCHER), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The command's process id, which is also its group's number."""
        return self._leader.pid

    def exit_code(self) -> int | None:
        """Return the command's exit code (negative: the signal that ended it), None if it runs."""
        return self._leader.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait at most `seconds` for the command to exit and return its exit code."""
        try:
            return self._leader.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self, grace_seconds: float) -> None:
        """End the whole group: SIGTERM, at most `grace_seconds` of waiting, then SIGKILL."""
        if self.exit_code() is None:
            self._signal(signal.SIGTERM)
            self.wait(grace_seconds)
        self._signal(signal.SIGKILL)
        self._leader.wait()
        self._wait_until_gone()
        if self._leader.stdin is not None:
            self._leader.stdin.close()

    def _signal(self, number: int) -> bool:
        """Send a signal to the group; return whether there is a group."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS: no permission to signal zombies
            return False
        return True

    def _wait_until_gone(self) -> None:
        """Wait for killed descendants to vanish; collect those that fell to us (as process 1)."""
        deadline = time.monotonic() + VANISH_SECONDS
        while time.monotonic() < deadline and self._remains():
            time.sleep(0.01)

    def _remains(self) -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-self.pid, os.WNOHANG)
        return self._signal(0) and not _all_are_zombies(self.pid)


def _all_are_zombies(group: int) -> bool:
    """Return whether a group's processes only wait to be collected; False without /proc."""
    states = [state for state, its_group in _states_and_groups() if its_group == group]
    return bool(states) and set(states) <= {"Z", "X"}


def _states_and_groups() -> Iterator[tuple[str, int]]:
    """Yield state and process group of every process that /proc shows."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended since it was listed
            state, _parent, group = status.read_text().rpartition(")")[2].split()[:3]
            yield state, int(group)
