"""What the core needs from the outside, as small protocols."""

from typing import Protocol

from bot.messages import Incoming, Outgoing, Stage


class Inbox(Protocol):
    """Where channels put what they receive."""

    async def accept(self, incoming: Incoming) -> bool:
        """Store a message; return whether it is new. Acknowledge the event only after this.

        Raises LogError when it could not be stored: leave the event unacknowledged, so that the
        platform sends it again.
        """
        ...


class Channel(Protocol):
    """A place where customers write: Telegram, Slack, the web page, the terminal."""

    @property
    def name(self) -> str:
        """The channel's name in messages and in the log."""
        ...

    async def run(self) -> None:
        """Receive messages, handing each to `Delivery.accept`, until cancelled."""
        ...

    async def send(self, outgoing: Outgoing) -> str:
        """Deliver a reply and return the platform's id of it.

        Raises DeliveryError where another try may succeed, DeliveryRefused where none will.
        """
        ...

    async def show_progress(self, address: str, stage: Stage) -> None:
        """Show that an answer is on its way ("typing …"); never raises for a platform's refusal."""
        ...

    def trouble(self) -> str | None:
        """Say in one sentence why customers can't be reached here now, or None when they can."""
        ...


class Platform(Channel, Protocol):
    """A channel behind somebody else's servers."""

    async def close(self) -> None:
        """Close what `send` needs; called after the last reply."""
        ...

    async def check(self) -> None:
        """Ask the platform whether the settings work.

        Raises SettingsError when they don't, ChannelUnreachable when it can't be asked now.
        """
        ...
