"""What a customer wrote in Telegram, as the core sees it; no Telegram type goes further."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telegram import Message, Update, User
from telegram.constants import ChatType, MessageEntityType
from telegram.ext import filters

from adapters.rendering import well_formed
from bot.messages import Incoming

CHANNEL = "telegram"
_ALBUMS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conversation takes place: a chat, a topic in it (0: none), a person in a group.

    A private chat is one conversation; in a group each person has one of their own. Written as
    `chat`, `chat:topic` or `chat:topic:person`.
    """

    chat: int
    topic: int = 0
    person: int = 0

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read what `str` wrote. Raises ValueError for anything else."""
        numbers = [int(number) for number in text.split(":")]
        if len(numbers) > 3:
            raise ValueError(f"{text!r} is not an address in Telegram.")
        return cls(*numbers)

    def __str__(self) -> str:
        if self.person:
            return f"{self.chat}:{self.topic}:{self.person}"
        return f"{self.chat}:{self.topic}" if self.topic else str(self.chat)


def incoming_from(update: Update, me: User) -> Incoming | None:
    """Return the customer's message in an update, or None when there is nothing to answer.

    `me` is the bot itself. A message without words, such as a photo, has the text "".
    """
    message = update.message
    if message is None or message.from_user is None or message.from_user.is_bot:
        return None
    if filters.StatusUpdate.ALL.check_update(update) or not _is_for_us(message, me):
        return None
    return Incoming(
        channel=CHANNEL,
        event_keys=_event_keys(update.update_id, message),
        address=str(_address_of(message)),
        customer=str(message.from_user.id),
        text=_without_mention(well_formed(_words(message)), me),
    )


class Albums:
    """Knows the albums that came with words: those speak for the pictures without any.

    An album comes as one message a picture, and an event's keys can't tell the order. So captions
    are looked for ahead, in all updates that came together, and remembered for later ones. A
    caption is never held back for a picture that came before it.
    """

    def __init__(self) -> None:
        self._with_words: dict[str, None] = {}

    def note(self, update: Mapping[str, Any]) -> None:
        """Remember the album of a caption, in an update as Telegram sent it."""
        match update:
            case {
                "message": {
                    "chat": {"id": int(chat)},
                    "media_group_id": str(album),
                    "caption": str(caption),
                }
            } if caption:
                self._with_words[_album_key(chat, album)] = None
        if len(self._with_words) > _ALBUMS_KEPT:
            del self._with_words[next(iter(self._with_words))]

    def speak_for(self, incoming: Incoming) -> bool:
        """Return whether a message is a picture without words in an album that has some."""
        return not self._with_words.keys().isdisjoint(incoming.event_keys)


def question_of(event_key: str) -> int | None:
    """Return the id of the message that an event's first key names, or None."""
    match = re.fullmatch(r"message:-?\d+:(\d+)", event_key)
    return int(match[1]) if match else None


def _address_of(message: Message) -> Address:
    topic = message.message_thread_id if message.is_topic_message else None
    person = message.from_user.id if message.from_user and not _is_private(message) else 0
    return Address(message.chat.id, topic or 0, person)


def _event_keys(update_id: int, message: Message) -> tuple[str, ...]:
    # The message first: that key comes back with the reply, which in a group points at it.
    keys = (f"message:{message.chat.id}:{message.message_id}", f"update:{update_id}")
    if message.media_group_id and not _words(message):
        # One answer for an album is enough. A picture with words has no such key, or one without
        # that came before would swallow them.
        return (*keys, _album_key(message.chat.id, message.media_group_id))
    return keys


def _album_key(chat: int, album: str) -> str:
    return f"album:{chat}:{album}"


def _words(message: Message) -> str:
    return message.text or message.caption or ""


def _is_private(message: Message) -> bool:
    return message.chat.type == ChatType.PRIVATE


def _is_for_us(message: Message, me: User) -> bool:
    if _is_private(message):
        return True
    if message.chat.type not in (ChatType.GROUP, ChatType.SUPERGROUP):
        return False
    replied = message.reply_to_message
    is_reply = bool(replied and replied.from_user and replied.from_user.id == me.id)
    return is_reply or _mentions(message, me)


def _mentions(message: Message, me: User) -> bool:
    entities = {**message.parse_entities(), **message.parse_caption_entities()}
    handle = f"@{me.username}".lower()
    for entity, text in entities.items():
        if entity.type == MessageEntityType.TEXT_MENTION and entity.user == me:
            return True
        if entity.type == MessageEntityType.MENTION and text.lower() == handle:
            return True
        if entity.type == MessageEntityType.BOT_COMMAND and text.lower().endswith(handle):
            return True
    return False


def _without_mention(text: str, me: User) -> str:
    return re.sub(rf"\s*@{re.escape(me.username or me.first_name)}\b", "", text, flags=re.I).strip()
