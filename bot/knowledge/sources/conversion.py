"""PDF and Word files read in a process of their own, which has limits and can die of them.

Such a file can be made to take for ever, or all memory, whatever its size says. The process is
started with the first, reads one after the other, and ends by itself when nothing more comes.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from bot.errors import ArticlesError
from bot.knowledge.sources.document import Content

LONGEST_SECONDS = 60.0  # of one file
MOST_MEGABYTES = 1000  # of the process
# No tokens or passwords: whoever breaks the reader finds none.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


class Converter:
    """Reads files in another process, one at a time; may be used from any thread."""

    def __init__(
        self, *, seconds: float = LONGEST_SECONDS, megabytes: int = MOST_MEGABYTES
    ) -> None:
        self._seconds = seconds
        self._megabytes = megabytes
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def read(self, ending: str, content: bytes) -> Content:
        """Return a file's title and text, converted by what its ending asks for.

        Raises ArticlesError when it can't be read, takes too long or needs too much memory.
        """
        with self._lock:
            answer = self._ask(ending, content) or self._ask(ending, content)
        if answer is None:
            raise ArticlesError("the program that reads it does not start")
        if "problem" in answer:
            raise ArticlesError(answer["problem"])
        return Content(**answer)

    def close(self) -> None:
        """End the process, and with it what is being read; the next file starts another."""
        if process := self._process:
            process.kill()
        with self._lock:
            self._let_go()

    def _ask(self, ending: str, content: bytes) -> dict[str, Any] | None:
        """Return the process' answer, None where it had ended before it was asked."""
        process = self._started()
        assert process.stdin
        assert process.stdout
        request = json.dumps({"ending": ending, "size": len(content)}).encode()
        try:
            process.stdin.write(request + b"\n" + content)
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        return self._end(self._let_go())

    def _let_go(self) -> int:
        """Wait for the end of a process that ends; return its status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            assert pipe
            with contextlib.suppress(BrokenPipeError):  # what it did not read
                pipe.close()
        return process.wait()

    def _end(self, status: int) -> dict[str, str] | None:
        if status == 0:  # nothing had come for a while
            return None
        if status == -signal.SIGALRM:
            return {"problem": f"it takes longer than {self._seconds:g} s to read; split it"}
        return {"problem": f"the program that reads it ended (status {status})"}

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            known = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "bot.knowledge.sources.reader"),
                    *(str(self._seconds), str(self._megabytes)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries tell there what stands in a file
                env=known | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,  # Ctrl-C is for us
            )
        return self._process


converter = Converter()
atexit.register(converter.close)
