"""Where things are in Telegram: chats, conversations in them, messages; and their ids in the log.

A chat is written as its number, and one that the bot looks after for a business account as
`b<connection>/<number>`: there Telegram numbers the messages of a person anew.
"""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

CHANNEL = "telegram"
_CHAT = re.compile(r"(?:b([^/\s]+)/)?(-?\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conversation takes place: a chat, a topic in it (0: none), a person in a group.

    A private chat is one conversation; in a group each person has one of their own. Written as
    `chat`, `chat:topic` or `chat:topic:person`. `connection` is the business account's.
    """

    chat: int
    topic: int = 0
    person: int = 0
    connection: str = ""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read what `str` wrote. Raises ValueError for anything else."""
        chat, *numbers = text.split(":")
        found = _CHAT.fullmatch(chat)
        if not found or len(numbers) > 2:
            raise ValueError(f"{text!r} is not an address in Telegram.")
        topic, person = [*(int(number) for number in numbers), 0, 0][:2]
        return cls(int(found[2]), topic, person, unquote(found[1] or ""))

    def __str__(self) -> str:
        if self.person:
            return f"{self.key}:{self.topic}:{self.person}"
        return f"{self.key}:{self.topic}" if self.topic else self.key

    @property
    def key(self) -> str:
        """The chat alone, as its messages are named and its requests are counted."""
        if not self.connection:
            return str(self.chat)
        return f"b{quote(self.connection, safe='')}/{self.chat}"

    @property
    def is_private(self) -> bool:
        """Whether the bot is alone with the customer, with no business account between them."""
        return self.chat > 0 and not self.connection

    def moved_to(self, chat: int) -> "Address":
        """Return the same conversation in the chat that this one became."""
        return replace(self, chat=chat)


@dataclass(frozen=True, slots=True)
class Post:
    """One message in a chat. Written as `chat:message`."""

    chat: Address
    message: int

    @classmethod
    def parse(cls, text: str) -> "Post":
        """Read what `str` wrote. Raises ValueError for anything else."""
        chat, _, message = text.rpartition(":")
        return cls(Address.parse(chat), int(message))

    def __str__(self) -> str:
        return f"{self.chat.key}:{self.message}"


def message_key(bot: int, chat: str, message: int) -> str:
    """Return the event key of a customer's message in the chat with this `Address.key`.

    In private chats each bot has numbers of its own, so another bot's messages are others.
    """
    return f"message:{bot}/{chat}:{message}"


def question_of(event_key: str) -> int | None:
    """Return the id of the message that an event's first key names, or None."""
    match = re.fullmatch(r"(?:message|edit):[^:]+:(\d+)(?::.*)?", event_key)
    return int(match[1]) if match else None
