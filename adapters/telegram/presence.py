""" "typing …" in a chat while an answer is being written."""

import asyncio
import logging

from telegram.constants import ChatAction
from telegram.error import TelegramError

from adapters.telegram.client import TelegramClient
from adapters.telegram.incoming import Address

logger = logging.getLogger(__name__)


class Presence:
    """Shows the sign in any number of chats, and takes it away when the answer is there.

    Telegram shows it for five seconds, so it is sent again until `stop`, or until `limit_seconds`
    are over: a sign that never ends would be a lie.
    """

    def __init__(
        self, client: TelegramClient, *, repeat_seconds: float = 4.0, limit_seconds: float = 60.0
    ) -> None:
        self._client = client
        self._repeat_seconds = repeat_seconds
        self._limit_seconds = limit_seconds
        self._tasks: dict[Address, asyncio.Task[None]] = {}

    def start(self, address: Address) -> None:
        """Show the sign; a chat that shows it already keeps it."""
        if address not in self._tasks:
            task = asyncio.create_task(self._show(address))
            self._tasks[address] = task
            task.add_done_callback(lambda _: self._forget(address, task))

    def stop(self, address: Address) -> None:
        """Take the sign away."""
        if task := self._tasks.pop(address, None):
            task.cancel()

    async def stop_all(self) -> None:
        """Take every sign away and wait until it is done."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, address: Address, task: asyncio.Task[None]) -> None:
        if self._tasks.get(address) is task:
            del self._tasks[address]

    async def _show(self, address: Address) -> None:
        try:
            async with asyncio.timeout(self._limit_seconds):
                while True:
                    await self._client.bot.send_chat_action(
                        address.chat, ChatAction.TYPING, message_thread_id=address.topic or None
                    )
                    await asyncio.sleep(self._repeat_seconds)
        except TimeoutError:
            logger.info("Typing in chat %s ended after %s s", address.chat, self._limit_seconds)
        except TelegramError as err:
            # Nobody misses the sign; the reply itself is what must arrive.
            logger.info("Typing in chat %s not shown: %s", address.chat, type(err).__name__)
