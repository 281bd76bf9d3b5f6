"""From one update, however it came, to the inbox.

An update that returns from `take` is stored, or is nothing to us, and may be confirmed. One that
can't be stored raises NotStored, and Telegram sends it again.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from telegram import BusinessConnection, ChatMemberUpdated, Update, User
from telegram.error import TelegramError

from adapters.telegram.address import CHANNEL, Address, message_key
from adapters.telegram.business import BusinessAccounts
from adapters.telegram.client import TelegramClient
from adapters.telegram.incoming import edited_from, incoming_from, migration_in
from adapters.telegram.presses import Press, Presses, press_from
from adapters.telegram.reactions import feedback_from
from bot.errors import LogError
from bot.messages import Feedback, Incoming, Withdrawal
from bot.ports import Inbox

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Move:
    """A group that goes on under another number."""

    old: str
    new: str


Event = Incoming | Withdrawal | Feedback | Move | Press | BusinessConnection


class NotStored(Exception):
    """The core did not take an update, so it must not be confirmed."""


class Receiver:
    """Hands each update to the inbox."""

    def __init__(
        self, client: TelegramClient, inbox: Inbox, presses: Presses, business: BusinessAccounts
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._presses = presses
        self._business = business

    async def take(self, raw: dict[str, Any], me: User) -> None:
        """Store what an update says.

        Raises NotStored when that fails, TelegramError when Telegram must be asked about it first
        and can't be.
        """
        update_id = int(raw["update_id"])
        try:
            update = Update.de_json(raw, self._client.bot)
            events = [_checked(event) for event in _events_in(update, me)]
        except Exception as err:
            # Without the traceback's message, which may quote the customer.
            logger.error("Update %s can't be read (%s); dropped", update_id, type(err).__name__)
            return
        try:
            for event in events:
                await self._store(event)
        except TelegramError:
            raise
        except Exception as err:
            logger.error(
                "Update %s was not stored (%s); Telegram will send it again.",
                update_id,
                err,
                exc_info=not isinstance(err, LogError),
            )
            raise NotStored("Messages from Telegram can't be stored at the moment.") from err
        logger.debug("Update %s held %d events", update_id, len(events))

    async def _store(self, event: Event) -> None:
        match event:
            case Incoming():
                if await self._is_to_be_answered(event):
                    await self._inbox.accept(event)
            case Withdrawal():
                await self._inbox.withdraw(event)
            case Feedback():
                await self._inbox.rate(event)
            case Move():
                await self._inbox.move(CHANNEL, event.old, event.new)
            case Press():
                await self._presses.take(event)
            case BusinessConnection():
                self._business.note(event)

    async def _is_to_be_answered(self, incoming: Incoming) -> bool:
        connection = Address.parse(incoming.address).connection
        return not connection or await self._business.may_reply(connection)


def _events_in(update: Update, me: User) -> Iterator[Event]:
    if update.message and (move := migration_in(update.message)):
        yield Move(*move)
    elif incoming := incoming_from(update, me) or edited_from(update, me):
        yield incoming
    elif update.callback_query:
        if press := press_from(update.update_id, update.callback_query, me):
            yield press
    elif update.message_reaction:
        if feedback := feedback_from(update.update_id, update.message_reaction):
            yield feedback
    elif update.business_connection:
        yield update.business_connection
    elif deleted := update.deleted_business_messages:
        chat = Address(deleted.chat.id, connection=deleted.business_connection_id).key
        for message_id in deleted.message_ids:
            yield Withdrawal(channel=CHANNEL, event_key=message_key(me.id, chat, message_id))
    elif update.my_chat_member:
        _log_membership(update.my_chat_member)


def _checked(event: Event) -> Event:
    """Return it. Raises ValueError for what can't be stored, and so would come for ever."""
    if isinstance(event, Press):
        Address.parse(str(event.address))
        f"{event.query}{event.data}".encode()
    elif isinstance(event, Incoming | Withdrawal | Feedback | Move):
        json.dumps(asdict(event), ensure_ascii=False).encode()
    if isinstance(event, Incoming):
        Address.parse(event.address)
        int(event.customer)
    return event


def _log_membership(change: ChatMemberUpdated) -> None:
    # A customer who blocks the bot is no trouble; the next reply to him is refused and marked so.
    status = change.new_chat_member.status
    logger.info("In chat %s the bot is now: %s", change.chat.id, status)
