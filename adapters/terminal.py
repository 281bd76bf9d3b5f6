"""The terminal as a channel: type a line, read the answer; works in pipes as well.

Each run is a conversation of its own. Standard input is read in a thread, because neither a
terminal nor a file can be awaited in the same way.
"""

import asyncio
import io
import logging
import math
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import TextIO

from rich.console import Console
from rich.status import Status

from adapters.rendering import Style, render, title_with_url, well_formed
from bot.errors import DeliveryInDoubt, DeliveryRefused, LogError
from bot.messages import Citation, Incoming, Language, Outgoing, Place, Stage
from bot.ports import Inbox
from prompts import Prompts

logger = logging.getLogger(__name__)

CHANNEL = "terminal"
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _harmless(text: str) -> str:
    """Drop what would steer the terminal instead of being shown."""
    return _CONTROL_CHARACTERS.sub("", text)


def _name(citation: Citation) -> str:
    return _harmless(title_with_url(citation))


STYLE = Style(limit=sys.maxsize, escape=_harmless, name=_name)


class TerminalChannel:
    """One conversation with whoever sits at the terminal."""

    def __init__(
        self,
        inbox: Inbox,
        prompts: Prompts,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        *,
        patience_seconds: float = 120.0,
    ) -> None:
        self._inbox = inbox
        self._prompts = prompts
        self._stdin = stdin or sys.stdin
        self._console = Console(file=stdout or sys.stdout, highlight=False, emoji=False)
        self._patience_seconds = patience_seconds
        self._address = uuid.uuid4().hex
        self._asked = 0
        self._answered = asyncio.Event()
        self._status: Status | None = None
        self._language: Language = "en"

    @property
    def name(self) -> str:
        """Return "terminal"."""
        return CHANNEL

    @property
    def answers_a_second(self) -> float:
        """Return that nothing limits it."""
        return math.inf

    def trouble(self) -> str | None:
        """Return None: whoever started the program can see it."""
        return None

    async def run(self) -> None:
        """Read and answer lines until the input ends."""
        lines = _lines_of(self._stdin)
        while True:
            self._show_prompt()
            if (line := await lines.get()) is None:
                return
            if text := well_formed(line).strip():
                await self._ask(text)

    async def _ask(self, text: str) -> None:
        self._asked += 1
        self._answered.clear()
        incoming = Incoming(
            channel=CHANNEL,
            event_keys=(f"{self._address}:{self._asked}",),
            address=self._address,
            customer=CHANNEL,
            text=text,
        )
        try:
            await self._inbox.accept(incoming)
            async with asyncio.timeout(self._patience_seconds):
                await self._answered.wait()
        except LogError as err:
            logger.error("A line was not stored: %s", err)
            self._print(self._prompts.labels("errors", self._language)["not_stored"])
        except TimeoutError:
            self._print(self._prompts.labels("errors", self._language)["answer_late"])
        finally:
            self._hide_progress()

    async def reserve(self, place: Place) -> str | None:
        """Return None: nothing is shown before the reply."""
        return None

    async def prepare(self, outgoing: Outgoing, *, is_doubtful: bool) -> tuple[str, ...]:
        """Return what the reply replaces; what was printed can't be found again.

        Raises DeliveryInDoubt for a reply that may have been printed.
        """
        if is_doubtful:
            raise DeliveryInDoubt("It may have been printed on a terminal that was closed since.")
        return outgoing.replaces

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Print a reply, with what can be typed next and what is sent along; return its id.

        Raises DeliveryRefused for one that belongs to an earlier run.
        """
        if outgoing.address != self._address:
            raise DeliveryRefused("The terminal that asked was closed.")
        self._hide_progress()
        self._language = outgoing.language
        self._print("\n\n".join([*render(outgoing, self._prompts, STYLE), *_additions(outgoing)]))
        self._answered.set()
        return (f"{self._address}:{outgoing.id}",)

    async def preview(self, place: Place, text: str) -> str | None:
        """Show nothing: what is printed can't be taken back."""
        return None

    async def show_progress(self, place: Place, stage: Stage) -> None:
        """Show a moving sign, on a terminal only."""
        is_here = place.address == self._address
        if is_here and self._console.is_terminal and self._status is None:
            self._status = self._console.status("…")
            self._status.start()

    def _hide_progress(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _show_prompt(self) -> None:
        if self._console.is_terminal:
            self._console.print("> ", end="")

    def _print(self, text: str) -> None:
        # Replies are no markup of ours, and a terminal wraps lines by itself.
        self._console.print(text, markup=False, soft_wrap=True)
        if self._console.is_terminal:
            self._console.print()


def _additions(outgoing: Outgoing) -> Iterator[str]:
    if outgoing.choices:
        yield "\n".join(_harmless(f"[{each.command}] {each.label}") for each in outgoing.choices)
    if outgoing.document:
        yield _harmless(f"{outgoing.document.name}:\n{outgoing.document.text}")


def _lines_of(stream: TextIO) -> asyncio.Queue[str | None]:
    """Read lines in a thread that nobody waits for; None is the end.

    A thread of the loop's pool would keep the program from ending until the next line.
    """
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    read_line = _reader(stream)

    def read() -> None:
        line: str | None = "started"
        while line is not None:
            line = read_line() or None
            try:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            except RuntimeError:
                return  # the loop has ended before the input

    threading.Thread(target=read, name="terminal-input", daemon=True).start()
    return lines


def _reader(stream: TextIO) -> Callable[[], str]:
    """Return a function that reads one line.

    It goes below the buffer where there is one: a thread that sleeps inside a buffered read holds
    its lock, and Python aborts when it finds that lock held at the end of the program.
    """
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, io.RawIOBase):
        return stream.readline
    encoding = stream.encoding

    def read_line() -> str:
        return raw.readline().decode(encoding, "replace")

    return read_line
