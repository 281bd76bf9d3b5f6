"""Run a command as a process group that does not outlive the program which started it.

    python -I launch.py COMMAND ARGUMENT ...

Started in a session of its own, with a pipe as standard input. The process forks: this half becomes
COMMAND, so its process id, its group and its exit code are the command's own; the other half, the
guard, stays in the group and waits at the pipe. When the starting program ends, however it ends,
the pipe closes, and the guard ends the whole group: SIGTERM, then SIGKILL. As the guard is a member
of the group, the group's number can't be given to others while it lives.

Only the standard library is used, and nothing of this package, so that it starts at once.
"""

import os
import signal
import sys
import time

GRACE_SECONDS = 3.0


def main() -> None:
    """Split into the command and its guard."""
    command = sys.argv[1:]
    if os.fork() == 0:
        guard()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command comes as a list of words
    except OSError as err:
        reason = f"{type(err).__name__}: can't run {command[0]!r}: {err.strerror}\n"
        os.write(1, reason.encode())
        os._exit(127)


def guard() -> None:
    """Wait until the pipe closes, then end the group, this process included."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        continue
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
