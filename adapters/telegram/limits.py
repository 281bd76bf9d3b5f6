"""How fast Telegram lets a bot write."""

from dataclasses import dataclass

from adapters.pacing import Pace, Pacer

_SIGN = "sign "


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be sent to all chats together, to one private chat, and to one group."""

    everywhere: tuple[Pace, ...]
    chat: tuple[Pace, ...]
    group: tuple[Pace, ...]

    def pacer(self) -> "ChatPacer":
        """Return what keeps these limits."""
        return ChatPacer(self.everywhere, self._of)

    def _of(self, place: str) -> tuple[Pace, ...]:
        return self.group if place.removeprefix(_SIGN).startswith("-") else self.chat


TELEGRAM_LIMITS = Limits(
    everywhere=(Pace(30, 1),),
    chat=(Pace(1, 1),),
    group=(Pace(1, 1), Pace(20, 60)),
)


class ChatPacer(Pacer):
    """Lets requests to chats, named by `Address.key`, go as fast as Telegram allows.

    "typing …" is no message, so it has slots of its own: an answer that is ready at once must not
    wait a second because of it. After a 429 neither may go.
    """

    def take_sign(self, chat: str) -> bool:
        """Return whether "typing …" may be shown at once; if so, it counts."""
        return self.take(f"{_SIGN}{chat}")

    def hold(self, place: str, seconds: float) -> None:
        """Let nothing go to this chat for so long: Telegram asked for that."""
        super().hold(place, seconds)
        super().hold(f"{_SIGN}{place}", seconds)
