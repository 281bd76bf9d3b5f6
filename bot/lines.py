"""One conversation's line: what waits there in order, and when an answer must begin anew.

People write one thought in several messages, correct them, and take them back. So an answer that
nobody has seen yet is dropped when there is more to answer, and found anew for all of it.
"""

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from bot.commands import parse_command
from bot.log.inbox import Received
from bot.messages import Outgoing

T = TypeVar("T", covariant=True)

MOST_RESTARTS = 5  # who never stops writing is answered all the same
_FINISHED = re.compile(r"[.!?…。！？～~)）][\"'”’」』]?\s*\Z")
# Many leave the question mark out; four words after "how", or a Chinese question word, will do.
_WHOLE_QUESTION = re.compile(
    r"\A\s*(?:who|what|where|when|why|which|how|can|could|do|does|did|is|are|will|would|should)\b"
    r"(?:\s+\S+){3,}\s*\Z"
    r"|[吗呢么]\s*\Z|怎么|怎样|如何|多少|多久|什么|哪|能不能|可不可以|是不是|有没有",
    re.IGNORECASE,
)


class Attempt(Protocol[T]):
    """Work on an answer that may be dropped while nobody has seen anything of it."""

    @property
    def is_visible(self) -> bool:
        """Whether the customer may see something of it already."""
        ...

    async def run(self) -> T:
        """Do the work."""
        ...

    async def finish(self) -> None:
        """Show no more, and wait until what is on its way has arrived."""
        ...

    def abandon(self) -> None:
        """Show no more, not even what is on its way."""
        ...


@dataclass(frozen=True, slots=True)
class Removal:
    """A message that was deleted: its answer is to go, too."""

    message: Received


Task = Received | Removal | Outgoing


class Line:
    """What waits in one conversation. `answering` are the messages that are being answered."""

    def __init__(self) -> None:
        self.answering: list[Received] = []
        self._waiting: deque[Task] = deque()
        self._finding: asyncio.Task[Any] | None = None
        self._attempt: Attempt[Any] | None = None
        self._restarts = 0
        self._is_outdated = False

    def add(self, task: Task) -> None:
        """Let a task wait for its turn, or join what is being answered."""
        if isinstance(task, Received):
            self._add_message(task)
            return
        if isinstance(task, Removal) and task.message.id in self._answering_ids():
            self._interrupt()
        self._waiting.append(task)

    def next(self) -> Task | None:
        """Return the next task; with a message, `answering` begins."""
        task = self._waiting.popleft() if self._waiting else None
        if isinstance(task, Received):
            self.answering = [task]
            self._restarts = 0
        return task

    def absorb(self) -> None:
        """Answer together what was written together: take the messages that wait next."""
        self._is_outdated = False
        while self._waiting:
            message = self._waiting[0]
            if not isinstance(message, Received) or not _go_together(self.answering[0], message):
                return
            self._waiting.popleft()
            self.answering.append(message)

    async def until_interrupted(self, attempt: Attempt[T]) -> T | None:
        """Return what an attempt comes to, or None when there is more to answer before that."""
        if self._is_outdated:
            return None
        self._attempt = attempt
        self._finding = asyncio.ensure_future(attempt.run())
        try:
            await asyncio.wait({self._finding})
            return None if self._finding.cancelled() else self._finding.result()
        except asyncio.CancelledError:  # the program ends, and waits for no platform
            attempt.abandon()
            raise
        finally:
            self._finding.cancel()
            self._attempt = self._finding = None
            await attempt.finish()

    def _add_message(self, message: Received) -> None:
        being_answered = {each.id: each for each in self.answering}.get(message.id)
        if being_answered:
            if being_answered.text != message.text:
                self._interrupt()
            return
        if any(isinstance(task, Received) and task.id == message.id for task in self._waiting):
            return  # it is read anew when its turn comes
        self._waiting.append(message)
        if self._belongs_to_answering(message):
            self._restarts += 1
            self._interrupt()

    def _belongs_to_answering(self, message: Received) -> bool:
        return (
            bool(self.answering)
            and _go_together(self.answering[0], message)
            and self._restarts < MOST_RESTARTS
            and not (self._attempt and self._attempt.is_visible)
        )

    def _answering_ids(self) -> set[int]:
        return {message.edits or message.id for message in self.answering}

    def _interrupt(self) -> None:
        self._is_outdated = True
        if self._finding:
            self._finding.cancel()


def _go_together(first: Received, message: Received) -> bool:
    """Return whether two messages get one answer: of one person, neither new versions nor commands.

    A command among other words would not be understood as one.
    """
    return first.customer == message.customer and all(
        each.edits is None and parse_command(each.text) is None for each in (first, message)
    )


def looks_unfinished(text: str) -> bool:
    """Return whether more may follow: no mark at its end, and no question that is whole."""
    is_finished = _FINISHED.search(text) or _WHOLE_QUESTION.search(text)
    return bool(text) and not is_finished and parse_command(text) is None
