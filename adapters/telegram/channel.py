"""The Telegram channel: long polling in, plain text out.

An update is confirmed only after the core has stored its message: the offset of the next
`getUpdates` is what confirms, and it moves on one update at a time. Whatever happens in between,
Telegram sends the update again and the core knows its keys.
"""

import asyncio
import logging
from functools import partial
from typing import Any

from telegram import LinkPreviewOptions, ReplyParameters, Update, User
from telegram.error import ChatMigrated, InvalidToken, RetryAfter, TelegramError

from adapters.rendering import Style, render, utf16_length
from adapters.telegram.client import TelegramClient, in_doubt, seconds_to_wait
from adapters.telegram.incoming import CHANNEL, Address, Albums, incoming_from, question_of
from adapters.telegram.presence import TelegramPresence
from bot.errors import ChannelUnreachable, DeliveryError, DeliveryRefused, SettingsError
from bot.messages import Outgoing, Stage
from bot.ports import Inbox
from prompts import Prompts

logger = logging.getLogger(__name__)

STYLE = Style(limit=4096, length=utf16_length)
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class NotStored(Exception):
    """The core did not take a message, so its update stays unconfirmed."""


class TelegramChannel:
    """One bot on Telegram."""

    def __init__(
        self,
        *,
        token: str,
        inbox: Inbox,
        prompts: Prompts,
        base_url: str | None = None,
        poll_seconds: int = 25,
        timeout_seconds: float = 10.0,
        first_delay_seconds: float = 1.0,
        longest_delay_seconds: float = 30.0,
        typing_repeat_seconds: float = 4.0,
        typing_limit_seconds: float = 60.0,
    ) -> None:
        self._new_client = partial(TelegramClient, token, base_url, timeout_seconds)
        self._client = self._new_client()
        self._inbox = inbox
        self._prompts = prompts
        self._presence = TelegramPresence(
            self._client,
            repeat_seconds=typing_repeat_seconds,
            limit_seconds=typing_limit_seconds,
        )
        self._poll_seconds = poll_seconds
        self._first_delay_seconds = first_delay_seconds
        self._longest_delay_seconds = longest_delay_seconds
        self._delay_seconds = 0.0
        self._me: User | None = None
        self._offset: int | None = None
        self._trouble: str | None = "Telegram has not been reached yet."
        self._albums = Albums()
        self._sent_parts: dict[int, list[str]] = {}

    @property
    def name(self) -> str:
        """Return "telegram"."""
        return CHANNEL

    def trouble(self) -> str | None:
        """Say in one sentence why customers can't be reached here now, or None when they can."""
        return self._trouble

    async def check(self) -> None:
        """Ask Telegram whether it knows the token.

        Raises SettingsError when it does not, ChannelUnreachable when it can't be asked now.
        """
        client = self._new_client()
        try:
            await client.bot.get_me()
        except InvalidToken as err:
            raise SettingsError(client.explain(err)) from None
        except TelegramError as err:
            # "from None": the library's error may hold the token.
            raise ChannelUnreachable(client.explain(err)) from None
        finally:
            await client.close()

    async def run(self) -> None:
        """Receive messages until cancelled; errors of the network heal by themselves.

        Replies can be sent before, meanwhile and after, until `close`.
        """
        await self._client.open()
        try:
            while True:
                await self._poll_once_or_back_off()
        finally:
            # Not the connections for calls: running answers are sent after this.
            await self._client.close_polling()

    async def close(self) -> None:
        """Close the connections once the last reply is sent; a later `send` opens them again."""
        await self._presence.stop_all()
        await self._client.close()

    # Receiving.

    async def _poll_once_or_back_off(self) -> None:
        try:
            await self._poll_once()
        except RetryAfter as err:
            self._report(self._client.explain(err))
            await asyncio.sleep(seconds_to_wait(err))
        except TelegramError as err:
            self._report(self._client.explain(err))
            await self._back_off()
        except NotStored as err:
            self._report(str(err))
            await self._back_off()
        except Exception:
            # An answer that is not Telegram's, as from a proxy: polling must outlive it.
            logger.exception("A poll failed")
            self._report("Telegram's answer can't be read; it is asked again.")
            await self._back_off()

    def _report(self, trouble: str | None) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("%s", trouble)
        if self._trouble and not trouble:
            logger.info("Telegram is reached.")
        self._trouble = trouble

    async def _back_off(self) -> None:
        doubled = max(self._first_delay_seconds, 2 * self._delay_seconds)
        self._delay_seconds = min(doubled, self._longest_delay_seconds)
        await asyncio.sleep(self._delay_seconds)

    async def _poll_once(self) -> None:
        me = self._me or await self._introduce()
        # After trouble, ask without waiting: an idle chat must not hide that it is over.
        updates = await self._client.updates(
            self._offset, 0 if self._trouble else self._poll_seconds
        )
        for update in updates:
            self._albums.note(update)
        for update in updates:
            update_id = int(update["update_id"])
            await self._take(update_id, update, me)
            self._offset = update_id + 1
        if not updates:
            # All is confirmed, so ask from the start: after a quiet week Telegram's numbers begin
            # anew, perhaps below the old offset.
            self._offset = None
        self._delay_seconds = 0.0
        self._report(None)

    async def _introduce(self) -> User:
        """Learn who we are, and take the bot back to polling if it was on a webhook."""
        me = await self._client.bot.get_me()
        await self._client.bot.delete_webhook(drop_pending_updates=False)
        self._me = me
        return me

    async def _take(self, update_id: int, raw: dict[str, Any], me: User) -> None:
        try:
            update = Update.de_json(raw, self._client.bot)
            incoming = incoming_from(update, me)
        except Exception as err:
            # Without the traceback's message, which may quote the customer.
            logger.error("Update %s can't be read (%s); dropped", update_id, type(err).__name__)
            return
        if incoming is None or self._albums.speak_for(incoming):
            logger.debug("Update %s is nothing to answer", update_id)
            return
        try:
            is_new = await self._inbox.accept(incoming)
        except Exception as err:
            logger.exception("Update %s was not stored; Telegram will send it again", update_id)
            raise NotStored("Messages from Telegram can't be stored at the moment.") from err
        logger.debug("Update %s %s", update_id, "stored" if is_new else "seen before")

    # Sending.

    async def show_progress(self, address: str, stage: Stage) -> None:
        """Show "typing …" until the reply is sent, a minute at most."""
        await self._client.open()
        self._presence.start(Address.parse(address))

    async def send(self, outgoing: Outgoing) -> str:
        """Post a reply, in parts where it is long; return the id of the last part.

        A second call for the same reply goes on after the parts that were posted.
        """
        address = _parse(outgoing.address)
        self._presence.stop(address)
        await self._client.open()
        if not (texts := render(outgoing, self._prompts, STYLE)):
            raise DeliveryRefused(f"Reply {outgoing.id} has no words.")
        question = question_of(outgoing.in_reply_to) if address.person else None
        sent = self._sent_parts.pop(outgoing.id, [])
        try:
            for text in texts[len(sent) :]:
                sent.append(await self._post(address, text, None if sent else question))
        except DeliveryError as err:
            if sent and not isinstance(err, DeliveryRefused):
                self._sent_parts[outgoing.id] = sent
            raise
        return sent[-1]

    async def _post(self, address: Address, text: str, question: int | None) -> str:
        try:
            try:
                return await self._post_to(address.chat, address, text, question)
            except ChatMigrated as moved:
                # The group became a supergroup; its old messages can't be pointed at.
                return await self._post_to(moved.new_chat_id, address, text, None)
        except TelegramError as err:
            raise self._client.delivery_error(err) from err
        except Exception as err:
            # The library trips over answers that are not Telegram's.
            raise in_doubt(f"Telegram's answer can't be read ({type(err).__name__}).") from err

    async def _post_to(self, chat: int, address: Address, text: str, question: int | None) -> str:
        message = await self._client.bot.send_message(
            chat,
            text,
            message_thread_id=address.topic or None,
            link_preview_options=_NO_PREVIEW,
            reply_parameters=_pointing_at(question),
        )
        return str(message.message_id)


def _pointing_at(question: int | None) -> ReplyParameters | None:
    return ReplyParameters(question, allow_sending_without_reply=True) if question else None


def _parse(address: str) -> Address:
    try:
        return Address.parse(address)
    except ValueError as err:
        raise DeliveryRefused(f"{address!r} is not an address in Telegram.") from err
