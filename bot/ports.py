"""What the core needs from the outside, as small protocols."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.messages import (
    Attachment,
    Feedback,
    Incoming,
    Language,
    Outgoing,
    Place,
    Stage,
    TurnId,
    Withdrawal,
)


class Inbox(Protocol):
    """Where channels put what they receive.

    All of these return once it is on the disk, and raise LogError when it could not be stored:
    leave the event unacknowledged then, so that the platform sends it again.
    """

    async def accept(self, incoming: Incoming) -> bool:
        """Store a message, or a new version of one; return whether it is new."""
        ...

    async def withdraw(self, withdrawal: Withdrawal) -> bool:
        """Store that a message was deleted; return whether there is such a message."""
        ...

    async def rate(self, feedback: Feedback) -> bool:
        """Store what a customer thinks of a reply; return whether there is such a reply."""
        ...

    async def move(self, channel: str, old: str, new: str) -> None:
        """Let the conversations at address `old`, or below it (`old:…`), go on at `new`."""
        ...

    def leave(self, channel: str, event_key: str, address: str) -> None:
        """Note that nobody waits any more for the answer to a message: the model may stop.

        The message is answered all the same, from the articles, for when they come back.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """A question that was passed on to the team and not settled yet."""

    text: str
    address: str
    asked_at: str


class Dialogues(Protocol):
    """What channels may read of the log."""

    async def takes_part(self, channel: str, address: str, customer: str) -> bool:
        """Return whether this customer has been answered at this address."""
        ...

    async def open_questions(self, channel: str, customer: str) -> Sequence[OpenQuestion]:
        """Return a customer's questions that wait for a person, newest first."""
        ...

    async def reply(self, channel: str, turn: TurnId) -> Outgoing | None:
        """Return a reply as it went out, or None when there is none."""
        ...

    async def language(self, channel: str, customer: str) -> Language | None:
        """Return the language that a customer chose, else the last one written, else None."""
        ...


class Channel(Protocol):
    """A place where customers write: Telegram, Slack, the web page, the terminal."""

    @property
    def name(self) -> str:
        """The channel's name in messages and in the log."""
        ...

    @property
    def answers_a_second(self) -> float:
        """How many answers it can send a second, to all customers together; else infinite."""
        ...

    async def run(self) -> None:
        """Receive messages, handing each to the inbox, until cancelled."""
        ...

    async def reserve(self, place: Place) -> str | None:
        """Post what holds the place of an answer's beginning; return its id once it is there.

        None where `preview` needs none: it shows nothing that stays, or it can be found again.
        Raises DeliveryError when it can't be posted.
        """
        ...

    async def prepare(self, outgoing: Outgoing, *, is_doubtful: bool) -> tuple[str, ...]:
        """Return the posts that a reply shall stand in, in order, so that `send` can be repeated.

        They are stored and come back in `replaces`. `is_doubtful` says that the reply, or its
        beginning, may have been posted before: what the platform shows of it is found again.
        Raises DeliveryInDoubt where nobody can know, DeliveryError where another try may succeed,
        DeliveryRefused where none will.
        """
        ...

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Deliver a prepared reply and return the platform's ids of the posts that now show it.

        Raises DeliveryError where another try may succeed, DeliveryInDoubt where that has to be
        found out first, DeliveryRefused where none will.
        """
        ...

    async def show_progress(self, place: Place, stage: Stage) -> None:
        """Show that an answer is on its way ("typing …"); never raises for a platform's refusal."""
        ...

    async def preview(self, place: Place, text: str) -> str | None:
        """Show the beginning of an answer, checked, in Markdown, that is still being written.

        Every call brings all of the text so far. Returns the id of the post that shows it where
        that post stays (`send` then gets it in `replaces`), else None. Raises DeliveryError when
        it can't be shown: the answer is written on, and sent as a whole.
        """
        ...

    def trouble(self) -> str | None:
        """Say in one sentence why customers can't be reached here now, or None when they can."""
        ...


class Platform(Channel, Protocol):
    """A channel behind somebody else's servers."""

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the content of a file. Raises AttachmentError when it can't be had."""
        ...

    async def close(self) -> None:
        """Close what `send` needs; called after the last reply."""
        ...

    async def check(self) -> str:
        """Ask the platform whether the settings work; return what it is, for the operator.

        Raises SettingsError when they don't, ChannelUnreachable when it can't be asked now.
        """
        ...
