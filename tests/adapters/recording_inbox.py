"""Where channels under test put what they receive, and what they may read of the log."""

import asyncio
from collections.abc import Callable, Sequence

from bot.messages import Feedback, Incoming, Language, Outgoing, TurnId, Withdrawal
from bot.ports import OpenQuestion


class RecordingInbox:
    """Keeps new messages, knows old ones, and fails as often as it is told."""

    def __init__(self) -> None:
        self.accepted: list[Incoming] = []
        self.duplicates: list[Incoming] = []
        self.withdrawn: list[Withdrawal] = []
        self.ratings: list[Feedback] = []
        self.moves: list[tuple[str, str, str]] = []
        self.left: list[str] = []
        self.errors: list[Exception] = []
        self.refusals = 0
        self._keys: set[str] = set()
        self._changed = asyncio.Event()

    async def accept(self, incoming: Incoming) -> bool:
        self._fail_as_told()
        is_new = self._keys.isdisjoint(incoming.event_keys)
        (self.accepted if is_new else self.duplicates).append(incoming)
        self._keys.update(incoming.event_keys)
        self._notify()
        return is_new

    async def withdraw(self, withdrawal: Withdrawal) -> bool:
        self._fail_as_told()
        self.withdrawn.append(withdrawal)
        self._notify()
        return withdrawal.event_key in self._keys

    async def rate(self, feedback: Feedback) -> bool:
        self._fail_as_told()
        is_new = feedback.event_key not in self._keys
        if is_new:
            self.ratings.append(feedback)
            self._keys.add(feedback.event_key)
        self._notify()
        return is_new

    async def move(self, channel: str, old: str, new: str) -> None:
        self._fail_as_told()
        self.moves.append((channel, old, new))
        self._notify()

    def leave(self, channel: str, event_key: str, address: str) -> None:
        self.left.append(event_key)
        self._notify()

    async def until(self, is_true: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not is_true():
                await self._changed.wait()

    async def texts(self, count: int) -> list[str]:
        await self.until(lambda: len(self.accepted) >= count)
        return [incoming.text for incoming in self.accepted]

    def _fail_as_told(self) -> None:
        if self.errors:
            self.refusals += 1
            self._notify()
            raise self.errors.pop()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class KnownDialogues:
    """A log of what a test says it holds."""

    def __init__(self) -> None:
        self.parts: set[tuple[str, str]] = set()
        self.questions: dict[str, list[OpenQuestion]] = {}
        self.replies: dict[str, Outgoing] = {}
        self.languages: dict[str, Language] = {}

    async def takes_part(self, channel: str, address: str, customer: str) -> bool:
        return (address, customer) in self.parts

    async def open_questions(self, channel: str, customer: str) -> Sequence[OpenQuestion]:
        return self.questions.get(customer, [])

    async def reply(self, channel: str, turn: TurnId) -> Outgoing | None:
        return self.replies.get(turn)

    async def language(self, channel: str, customer: str) -> Language | None:
        return self.languages.get(customer)
