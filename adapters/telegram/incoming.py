"""What a customer wrote in Telegram, as the core sees it; no Telegram type goes further."""

import hashlib
import re

from telegram import Message, MessageEntity, Update, User
from telegram.constants import ChatType, MessageEntityType
from telegram.ext import filters

from adapters.rendering import well_formed
from adapters.telegram.address import CHANNEL, Address, message_key
from adapters.telegram.attachments import attachments_of
from bot.messages import Incoming, Language

COMMANDS = ("start", "help", "human", "language", "stop", "forget", "export")


def incoming_from(update: Update, me: User) -> Incoming | None:
    """Return the customer's message in an update, or None when there is nothing to answer.

    `me` is the bot itself. A message without words, such as a photo, has the text "".
    """
    message = update.message or update.business_message
    if message is None or not _is_a_customers(message) or not _is_for_us(message, me):
        return None
    if filters.StatusUpdate.ALL.check_update(update):
        return None
    return _incoming(message, _event_keys(update.update_id, message, me), me)


def edited_from(update: Update, me: User) -> Incoming | None:
    """Return the new version of a message in an update, or None when its words are not new."""
    message = update.edited_message or update.edited_business_message
    if message is None or not _is_a_customers(message) or not _is_for_us(message, me):
        return None
    words = well_formed(_words(message))
    if not words or message.location:  # a live location is "edited" as long as it is shared
        return None
    key = address_of(message).key
    edited_at = int(message.edit_date.timestamp()) if message.edit_date else 0
    version = hashlib.sha256(words.encode()).hexdigest()[:16]
    keys = (
        f"edit:{key}:{message.message_id}:{edited_at}:{version}",
        _update_key(update.update_id, message, me),
    )
    return _incoming(message, keys, me, edits=message_key(me.id, key, message.message_id))


def _incoming(
    message: Message, event_keys: tuple[str, ...], me: User, edits: str | None = None
) -> Incoming:
    assert message.from_user
    return Incoming(
        channel=CHANNEL,
        event_keys=event_keys,
        address=str(address_of(message)),
        customer=str(message.from_user.id),
        text=_without_mention(well_formed(_words(message)), me),
        language=language_of(message.from_user),
        attachments=attachments_of(message),
        edits=edits,
        album=_album(message),
    )


def language_of(person: User) -> Language | None:
    """Return the language that a person's app is set to, when it is one of ours."""
    match (person.language_code or "").lower().replace("_", "-").split("-")[0]:
        case "zh":
            return "zh"
        case "en":
            return "en"
    return None


def migration_in(message: Message) -> tuple[str, str] | None:
    """Return the old and the new chat when a message says that a group became a supergroup."""
    if new := message.migrate_to_chat_id:
        return str(message.chat.id), str(new)
    if old := message.migrate_from_chat_id:
        return str(old), str(message.chat.id)
    return None


def address_of(message: Message, person: int | None = None) -> Address:
    """Return the conversation of a message: of who wrote it, or in a group of `person`."""
    if message.business_connection_id:
        return Address(message.chat.id, connection=message.business_connection_id)
    topic = message.message_thread_id if message.is_topic_message else None
    if _is_private(message):
        return Address(message.chat.id, topic or 0)
    if person is None:
        person = message.from_user.id if message.from_user else 0
    return Address(message.chat.id, topic or 0, person)


def _event_keys(update_id: int, message: Message, me: User) -> tuple[str, ...]:
    # The message first: that key comes back with the reply, which in a group points at it.
    chat = address_of(message).key
    return message_key(me.id, chat, message.message_id), _update_key(update_id, message, me)


def _update_key(update_id: int, message: Message, me: User) -> str:
    # With the time: after a quiet week Telegram's numbers begin anew, and may come a second time.
    return f"update:{me.id}:{update_id}:{int(message.date.timestamp())}"


def _album(message: Message) -> str | None:
    album = message.media_group_id
    return f"album:{address_of(message).key}:{album}" if album else None


def _words(message: Message) -> str:
    return message.text or message.caption or ""


def _is_private(message: Message) -> bool:
    return message.chat.type == ChatType.PRIVATE


def _is_a_customers(message: Message) -> bool:
    if message.from_user is None or message.from_user.is_bot:
        return False
    if message.sender_chat:  # a channel's post in its group comes in the name of no person
        return False
    if message.business_connection_id:
        # In a business account's chat the other one is the account's owner, or a bot for him.
        return message.from_user.id == message.chat.id and not message.sender_business_bot
    return True


def _is_for_us(message: Message, me: User) -> bool:
    if _is_private(message):
        return True
    if message.chat.type not in (ChatType.GROUP, ChatType.SUPERGROUP):
        return False
    replied = message.reply_to_message
    is_reply = bool(replied and replied.from_user and replied.from_user.id == me.id)
    return is_reply or _names_us(message, me)


def _names_us(message: Message, me: User) -> bool:
    entities = {**message.parse_entities(), **message.parse_caption_entities()}
    return any(_is_our_name(entity, text.lower(), me) for entity, text in entities.items())


def _is_our_name(entity: MessageEntity, text: str, me: User) -> bool:
    handle = f"@{me.username}".lower()
    match entity.type:
        case MessageEntityType.TEXT_MENTION:
            return entity.user == me
        case MessageEntityType.MENTION:
            return text == handle
        case MessageEntityType.BOT_COMMAND:
            # One without a name may be another bot's, unless we know it and it begins the text.
            return text.endswith(handle) or (entity.offset == 0 and text[1:] in COMMANDS)
    return False


def _without_mention(text: str, me: User) -> str:
    return re.sub(rf"\s*@{re.escape(me.username or me.first_name)}\b", "", text, flags=re.I).strip()
