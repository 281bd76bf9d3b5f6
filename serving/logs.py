"""What a server's log says about why it ended."""

import os
import re
from pathlib import Path

TAIL_BYTES = 65_536

# "(EngineCore pid=12) ERROR 01-31 23:59:59 [core.py:100] " before what is said
PREFIX = re.compile(r"^(\([^)]*pid=\d+\)\s*)?((ERROR|WARNING|INFO) \S+ \S+ \[[^\]]+\]\s?)?")
EXCEPTION = re.compile(r"^([A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit|Killed)\b|.*: error): ?")
CONSEQUENCE = re.compile(r"See root cause above|Engine core proc .* died|EngineDeadError")
NOISE = re.compile(r"nanobind|leaked|resource_tracker|warnings\.warn|^\s*-? ?\.\.\. skipped|^\^+$")


def last_meaningful_line(log: Path) -> str:
    """Return the last line of `log` that names an error, else the last that says something.

    Errors that only report another process's error are passed over. An absent or empty log gives
    an empty string.
    """
    lines = [PREFIX.sub("", line).strip() for line in tail(log).splitlines()]
    said = [line for line in lines if line and not NOISE.search(line)]
    causes = [line for line in said if EXCEPTION.match(line) and not CONSEQUENCE.search(line)]
    return (causes or said or [""])[-1][:500]


def tail(log: Path, size_bytes: int = TAIL_BYTES) -> str:
    """Return the last `size_bytes` of `log` as text, or an empty string if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size_bytes))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
