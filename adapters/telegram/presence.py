""" "typing …" in a Telegram chat."""

import asyncio
import logging

from telegram.constants import ChatAction
from telegram.error import RetryAfter, TelegramError

from adapters.presence import Presence
from adapters.telegram.address import Address
from adapters.telegram.client import TelegramClient, seconds_to_wait
from adapters.telegram.limits import ChatPacer

logger = logging.getLogger(__name__)


class TelegramPresence(Presence[Address]):
    """Telegram shows the sign for five seconds.

    So it is sent again until `stop`, or until `limit_seconds` are over: a sign that never ends
    would be a lie. A sign never waits for its turn: without a free slot it is left out.
    """

    def __init__(
        self,
        client: TelegramClient,
        pacer: ChatPacer,
        *,
        repeat_seconds: float = 4.0,
        limit_seconds: float = 60.0,
    ) -> None:
        super().__init__()
        self._client = client
        self._pacer = pacer
        self._repeat_seconds = repeat_seconds
        self._limit_seconds = limit_seconds

    async def _show(self, where: Address) -> None:
        try:
            async with asyncio.timeout(self._limit_seconds):
                while True:
                    if self._pacer.take(where.key, "sign"):
                        await self._show_once(where)
                    await asyncio.sleep(self._repeat_seconds)
        except TimeoutError:
            logger.info("Typing in chat %s ended after %s s", where.chat, self._limit_seconds)
        except TelegramError as err:
            if isinstance(err, RetryAfter):
                self._pacer.hold(where.key, seconds_to_wait(err))
            # Nobody misses the sign; the reply itself is what must arrive.
            logger.info("Typing in chat %s not shown: %s", where.chat, type(err).__name__)
        except Exception as err:
            # An answer that is not Telegram's, as from a proxy.
            logger.warning("Typing in chat %s not shown (%s).", where.chat, type(err).__name__)

    async def _show_once(self, where: Address) -> None:
        await self._client.bot.send_chat_action(
            where.chat,
            ChatAction.TYPING,
            message_thread_id=where.topic or None,
            business_connection_id=where.connection or None,
        )
