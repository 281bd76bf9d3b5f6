"""How fast Telegram lets a bot write."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from adapters.pacing import Pace, Pacer

Lane = Literal["post", "edit", "draft", "sign"]
REQUESTS_AN_ANSWER = 2
LANES: tuple[Lane, ...] = get_args(Lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be sent to all chats together, to one chat of a kind, and to one group in all.

    `beginnings` is what of a group's may go to answers that are still being written.
    """

    everywhere: tuple[Pace, ...]
    each: tuple[Pace, ...]
    group: tuple[Pace, ...]
    beginnings: tuple[Pace, ...] = ()

    @property
    def answers_a_second(self) -> float:
        """How many placeholders can be posted and filled a second, in all chats together."""
        paces = (pace.count / pace.seconds for pace in self.everywhere)
        return min(paces, default=math.inf) / REQUESTS_AN_ANSWER

    def pacer(self) -> "ChatPacer":
        """Return what keeps these limits."""
        return ChatPacer(self)


TELEGRAM_LIMITS = Limits(
    # Telegram takes 30 a second, and 20 a minute in a group. Each is counted over a little more
    # time, since some requests arrive nearer to each other than they left.
    everywhere=(Pace(30, 1.1),),
    each=(Pace(1, 1),),
    group=(Pace(20, 61),),
    beginnings=(Pace(8, 60),),
)


class ChatPacer:
    """Lets requests to chats, named by `Address.key`, go as fast as Telegram allows.

    Each kind of request has slots of its own, since Telegram counts messages: the edit that fills
    a placeholder must not wait a second for it, nor a message because of "typing …". In a group
    messages and edits count together. After a 429 nothing goes to the chat.
    """

    def __init__(self, limits: Limits) -> None:
        self._lanes = Pacer(limits.everywhere, lambda _: limits.each)
        self._groups = Pacer((), lambda _: limits.group)
        self._beginnings = Pacer((), lambda _: limits.beginnings)

    async def wait(self, chat: str, lane: Lane) -> None:
        """Return when one more request may go to this chat; it counts from then on."""
        if _is_group(chat):
            await self._groups.wait(chat)
        await self._lanes.wait(f"{lane} {chat}")

    def take(self, chat: str, lane: Lane) -> bool:
        """Return whether a request may go at once, ahead of nobody; if so, it counts.

        In a group only some edits may, so that beginnings of answers never use up its slots.
        """
        if not self._lanes.take(f"{lane} {chat}"):
            return False
        if not _is_group(chat) or lane not in ("post", "edit"):
            return True
        if lane == "edit" and not self._beginnings.take(chat):
            return False
        return self._groups.take(chat)

    def done(self, chat: str, lane: Lane) -> None:
        """Note that a request is over: Telegram counts when it arrives, which may be late."""
        self._lanes.done(f"{lane} {chat}")
        if _is_group(chat) and lane in ("post", "edit"):
            self._groups.done(chat)

    def hold(self, chat: str, seconds: float) -> None:
        """Let nothing go to this chat for so long: Telegram asked for that."""
        for lane in LANES:
            self._lanes.hold(f"{lane} {chat}", seconds)


def _is_group(chat: str) -> bool:
    return chat.startswith("-")
