"""Frontdesk as an operator runs it, that can be made to die at a step of its work.

    python -m tests.prove.launcher run       like `frontdesk run`
    python -m tests.prove.launcher nursery   loads the program once, then starts copies of it: one
                                             for each line with {"environment", "folder", "output"};
                                             answers with the copies' numbers, and with their ends

Slack's limits of a whole workspace are lifted (50 edits a minute are less than the load); all
others hold. FRONTDESK_TEST_DIE_AT=STEP:COUNT kills the process at the COUNT-th passage of a step,
such as `outbox.sent.committed`; tests/prove/steps.py has them all.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from sqlite_utils import Database
from telegram import Bot

from adapters.pacing import Pace
from adapters.slack import SlackChannel
from adapters.slack.workspaces import SlackLimits
from adapters.telegram import TelegramChannel
from adapters.web.channel import WebChannel
from bot import app, channels
from bot.console import Console
from bot.log import inbox, outbox, record
from bot.settings import load_settings

NO_PACE = Pace(1000, 0.001)
CHANNELS = (TelegramChannel, SlackChannel, WebChannel)
WRITES = {
    "inbox.receive": inbox,
    "inbox.start_attempt": inbox,
    "inbox.set_preview": inbox,
    "record.exchange": record,
    "outbox.start_sending": outbox,
    "outbox.sent": outbox,
}
CALLS = ("reserve", "preview", "prepare", "send")


class Death:
    """Waits for one passage of a step, and kills the process there."""

    def __init__(self, step: str, count: int) -> None:
        self.step = step
        self._left = itertools.count(count, -1)
        self._is_written = False

    def passes(self, step: str) -> None:
        """Go on, or die."""
        if step == self.step and next(self._left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of the log that can die before it is committed, or after."""

        @wraps(work)
        def done(*args: Any, **kwargs: Any) -> Any:
            result = work(*args, **kwargs)
            self.passes(f"{step}.written")
            self._is_written |= self.step == f"{step}.committed"
            return result

        return done

    def execute(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """Return a way to run SQL that can die after a commit, before anybody hears of it."""

        @wraps(execute)
        def executed(db: Database, sql: str, *args: Any) -> Any:
            result = execute(db, sql, *args)
            if self._is_written and sql == "COMMIT":
                self._is_written = False
                self.passes(self.step)
            return result

        return executed

    def call(
        self, step: str, method: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        """Return a request to the outside before or after which the process can die."""

        @wraps(method)
        async def called(*args: Any, **kwargs: Any) -> Any:
            self.passes(f"{step}.begun")
            result = await method(*args, **kwargs)
            self.passes(f"{step}.done")
            return result

        return called


def arm(death: Death) -> None:
    """Put the death into the program's steps."""
    for step, module in WRITES.items():
        name = step.partition(".")[2]
        setattr(module, name, death.write(step, getattr(module, name)))
    setattr(Database, "execute", death.execute(Database.execute))  # noqa: B010
    for channel, name in itertools.product(CHANNELS, CALLS):
        setattr(channel, name, death.call(f"channel.{name}", getattr(channel, name)))
    # What tells the platforms that something arrived.
    for owner, name in (
        (AsyncBaseSocketModeClient, "send_socket_mode_response"),
        (Bot, "get_updates"),
    ):
        setattr(owner, name, death.call("acknowledge", getattr(owner, name)))


def run() -> None:
    """Run everything until a signal comes."""
    slack = SlackLimits(update=NO_PACE, stream=NO_PACE, read=NO_PACE)
    setattr(channels, "SlackChannel", partial(SlackChannel, limits=slack))  # noqa: B010
    if die_at := os.environ.get("FRONTDESK_TEST_DIE_AT"):
        step, _, count = die_at.partition(":")
        arm(Death(step, int(count)))
    console = Console()
    console.log_to_here()
    asyncio.run(app.run_everything(load_settings(), console))


def nursery() -> None:
    """Start copies of the loaded program until the input ends."""
    signal.signal(signal.SIGCHLD, lambda *_: _report_ends())
    while line := sys.stdin.readline():
        order = json.loads(line)
        if (process := os.fork()) == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(order)
            run()
            sys.exit(0)
        _tell({"started": process})


def _report_ends() -> None:
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not process:
            return
        _tell({"ended": process, "code": os.waitstatus_to_exitcode(status)})


def _tell(fact: dict[str, int]) -> None:
    os.write(sys.__stdout__.fileno(), json.dumps(fact).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    output = Path(order["output"]).open("ab")  # noqa: SIM115
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


if __name__ == "__main__":
    {"run": run, "nursery": nursery}[sys.argv[1]]()
