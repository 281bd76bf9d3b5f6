"""What the operator sees in the terminal: what was found, what runs where, and progress."""

import asyncio
import logging
from collections.abc import Sequence

import rich.console
from rich.logging import RichHandler
from rich.markup import escape

from bot.knowledge.articles import Broken
from bot.knowledge.search import Synced
from bot.ports import Channel
from bot.settings import Settings
from serving.engine import Engine

_EVERY_SECONDS = 0.25
_REPEAT_SECONDS = 10.0
_MANY = 50  # files, which take long enough to show progress
PLAIN_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Console:
    """Prints for people; the process log goes to standard error beside it."""

    def __init__(self, *, stderr: bool = True) -> None:
        self._out = rich.console.Console(stderr=stderr, highlight=False, soft_wrap=True)
        self._tenths: dict[str, int] = {}  # shown last, by the step
        self._told: frozenset[Broken] | None = None

    def log_to_here(self, level: int = logging.WARNING) -> None:
        """Send the process log to this console: coloured for people, else one line a record.

        Libraries that log request lines (with tokens in them) stay at WARNING whatever `level` is.
        """
        if self._out.is_terminal:
            handler = RichHandler(console=self._out, show_path=False, markup=False)
            logging.basicConfig(level=level, format="%(name)s: %(message)s", handlers=[handler])
        else:
            logging.basicConfig(level=level, format=PLAIN_FORMAT)
        for name in ("httpx", "httpcore", "openai", "slack_bolt", "slack_sdk", "telegram"):
            logging.getLogger(name).setLevel(logging.WARNING)

    def say(self, text: str) -> None:
        """Print one line."""
        self._out.print(escape(text))

    def warn(self, text: str) -> None:
        """Print one line that the operator should act on."""
        self._out.print(f"[yellow]Warning:[/] {escape(text)}")

    def error(self, text: str) -> None:
        """Print one line about what ended the program."""
        self._out.print(f"[red]Error:[/] {escape(text)}")

    def articles(self, synced: Synced) -> None:
        """Tell what was brought in and left out; the second time only what differs."""
        changes = synced.changes
        if changes.any or self._told is None:
            self.say(f"Articles: {synced.articles} in {synced.passages} passages.")
        if changes.any:
            self.say(
                f"Articles since the last time: {changes.added} added, {changes.changed} changed, "
                f"{changes.retired} retired."
            )
        for broken in synced.broken:
            if broken not in (self._told or ()):
                self.warn(f"{broken.path} was left out: {broken.reason}.")
        self._told = frozenset(synced.broken)

    def syncing(self, stage: str, done: int, total: int) -> None:
        """Show how far many changed articles are read or indexed, at each tenth."""
        if total >= _MANY and self._is_next(f"articles {stage}", done, total):
            self.say(f"Articles {stage}: {done} of {total}.")

    def fetching(self, done: int, total: int) -> None:
        """Show how many pages of a website were asked for, at each tenth."""
        if done * 10 // total != (done - 1) * 10 // total:
            self.say(f"Asked for {done} of {total} pages.")

    def encoding(self, done: int, total: int) -> None:
        """Show how far the vectors of new passages are, at each tenth."""
        if self._is_next("encoding", done, total):
            percent = done * 10 // total * 10
            self.say(f"Search by meaning: {percent}% of {total} new passages encoded.")

    def copied(self, done: int, total: int) -> None:
        """Show how far a copy is, at each tenth."""
        if self._is_next("copied", done, total):
            self.say(f"Copied {done * 10 // total * 10}%.")

    def step(self, what: str, done: int, total: int) -> None:
        """Show how far a step of long work is, at each tenth."""
        if self._is_next(what, done, total):
            self.say(f"{what}: {done} of {total}.")

    def learning(self, stage: str, done: int, total: int) -> None:
        """Show how far a step of the intents is, at each tenth of one that takes long."""
        if total >= _MANY and self._is_next(f"messages {stage} of {total}", done, total):
            self.say(f"Messages {stage}: {done} of {total}.")

    def asking(self, done: int, total: int) -> None:
        """Show how many questions were asked, at each tenth."""
        if done * 10 // total != (done - 1) * 10 // total:
            self.say(f"Asked {done} of {total} questions.")

    def _is_next(self, step: str, done: int, total: int) -> bool:
        """Return whether another tenth of a step is reached than when it was shown last."""
        tenth = done * 10 // max(total, 1)
        is_next = self._tenths.get(step) != tenth
        self._tenths[step] = tenth
        return is_next

    def started(
        self, settings: Settings, channels: Sequence[Channel], password: str | None
    ) -> None:
        """Tell where everything is."""
        address = f"http://{settings.frontdesk_host}:{settings.frontdesk_port}"
        self.say(f"Customer page: {address}/")
        self.say(f"Admin pages: {address}/admin")
        if password:
            self.say(f"Admin password, shown only now: {password}")
        self.say(f"Channels: {', '.join(channel.name for channel in channels)}. Ctrl-C stops.")

    async def follow_engine(self, engine: Engine) -> None:
        """Show the engine's states as they change, and that it is alive in between."""
        loop = asyncio.get_running_loop()
        state, said_at = "", 0.0
        while True:
            if engine.state == "stopped":
                await asyncio.sleep(_EVERY_SECONDS)
                continue
            is_waiting = engine.state in ("preparing", "loading")
            if engine.state != state or (is_waiting and loop.time() - said_at > _REPEAT_SECONDS):
                state, said_at = engine.state, loop.time()
                self.say(f"Model {engine.state}: {engine.detail}.")
            await asyncio.sleep(_EVERY_SECONDS)

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self.say("Stopping: finishing running answers, ending the engine …")
