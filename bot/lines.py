"""One conversation's line: what waits there in order, and when an answer must begin anew.

People write one thought in several messages, correct them, and take them back. So an answer that
nobody has seen yet is dropped when there is more to answer, and found anew for all of it. They also
say "stop", or go away: then the model is not to write on.
"""

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol, TypeVar

from bot.commands import asks_to_stop, parse_command
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

    def stop(self) -> None:
        """Write no more, and add nothing to what is visible: the customer said so."""
        ...

    def leave(self) -> None:
        """Let no model write on, since nobody waits; there is to be an answer all the same."""
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
        self._left: set[str] = set()
        self._stops: set[int] = set()

    @property
    def has_stopped(self) -> bool:
        """Whether the last of what is answered asked to stop, and ended something by it."""
        last = self.answering[-1]
        return asks_to_stop(last.text) and (len(self.answering) > 1 or last.id in self._stops)

    def add(self, task: Task) -> None:
        """Let a task wait for its turn, or join what is being answered."""
        if isinstance(task, Received):
            self._add_message(task)
            return
        if isinstance(task, Removal) and task.message.id in self._answering_ids():
            self._interrupt()
        self._waiting.append(task)

    def leave(self, event_key: str) -> None:
        """Note that nobody waits any more for the answer to a message, until it comes again."""
        self._left.add(event_key)
        if self._attempt and self._is_left():
            self._attempt.leave()

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
            if not isinstance(message, Received) or not _go_together(self.answering, message):
                return
            self._waiting.popleft()
            self.answering.append(message)

    async def until_interrupted(self, attempt: Attempt[T]) -> T | None:
        """Return what an attempt comes to, or None when there is more to answer before that."""
        if self._is_outdated:
            return None
        self._attempt = attempt
        if self._is_left():
            attempt.leave()
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
        self._left.discard(message.event_key)
        being_answered = {each.id: each for each in self.answering}.get(message.id)
        if being_answered:
            if being_answered.text != message.text:
                self._interrupt()
            return
        if any(isinstance(task, Received) and task.id == message.id for task in self._waiting):
            return  # it is read anew when its turn comes
        if asks_to_stop(message.text) and self.answering:
            self._add_stop(message)
            return
        self._waiting.append(message)
        if self._belongs_to_answering(message):
            self._restarts += 1
            self._interrupt()

    def _add_stop(self, message: Received) -> None:
        """End the customer's answer: what is visible stays, one that nobody has seen is dropped."""
        # Before what others wrote: it speaks of what is being answered.
        behind = takewhile(lambda task: _is_joining(self.answering, task), self._waiting)
        self._waiting.insert(len(list(behind)), message)
        if _go_together(self.answering, message) and not (
            self._attempt and self._attempt.is_visible
        ):
            self._interrupt()
        elif self._attempt and self._is_stoppable_by(message):
            self._stops.add(message.id)
            self._attempt.stop()

    def _is_stoppable_by(self, message: Received) -> bool:
        asked = self.answering[-1]
        return asked.customer == message.customer and parse_command(asked.text) is None

    def _is_left(self) -> bool:
        return {message.event_key for message in self.answering} <= self._left

    def _belongs_to_answering(self, message: Received) -> bool:
        return (
            bool(self.answering)
            and _go_together(self.answering, message)
            and self._restarts < MOST_RESTARTS
            and not (self._attempt and self._attempt.is_visible)
        )

    def _answering_ids(self) -> set[int]:
        return {message.edits or message.id for message in self.answering}

    def _interrupt(self) -> None:
        self._is_outdated = True
        if self._finding:
            self._finding.cancel()


def _go_together(answering: Sequence[Received], message: Received) -> bool:
    """Return whether a message gets one answer with others: neither new versions nor commands.

    A command among other words would not be understood as one; "stop" ends what was asked before.
    """
    first, last = answering[0], answering[-1]
    return (
        first.customer == message.customer
        and first.edits is None
        and message.edits is None
        and parse_command(last.text) is None
        and (parse_command(message.text) is None or asks_to_stop(message.text))
    )


def _is_joining(answering: Sequence[Received], task: Task) -> bool:
    return isinstance(task, Received) and _go_together(answering, task)


def looks_unfinished(text: str) -> bool:
    """Return whether more may follow: no mark at its end, and no question that is whole."""
    is_finished = _FINISHED.search(text) or _WHOLE_QUESTION.search(text)
    return bool(text) and not is_finished and parse_command(text) is None
