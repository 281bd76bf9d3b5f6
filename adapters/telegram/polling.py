"""Long polling that heals itself.

An update is confirmed only after the core has stored it: the offset of the next `getUpdates` is
what confirms, and it moves on one update at a time. Whatever happens in between, Telegram sends the
update again and the core knows its keys.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from telegram import User
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError

from adapters.telegram.client import TelegramClient, seconds_to_wait
from adapters.telegram.health import Health
from adapters.telegram.receiving import NotStored, Receiver

logger = logging.getLogger(__name__)


class Polling:
    """Asks for updates again and again."""

    def __init__(
        self,
        client: TelegramClient,
        receiver: Receiver,
        health: Health,
        introduce: Callable[[], Awaitable[User]],
        *,
        poll_seconds: int,
    ) -> None:
        self._client = client
        self._receiver = receiver
        self._health = health
        self._introduce = introduce
        self._poll_seconds = poll_seconds
        self._offset: int | None = None

    async def run(self) -> None:
        """Receive until cancelled."""
        while True:
            await self._poll_or_back_off()

    async def _poll_or_back_off(self) -> None:
        try:
            await self._poll(await self._introduce())
        except RetryAfter as err:
            self._health.report(self._client.explain(err))
            await asyncio.sleep(seconds_to_wait(err))
        except TimeoutError:
            # The connection is open and nothing comes: waiting longer would not help.
            self._health.report("Telegram stopped answering; it is asked again.")
            await self._client.renew_polling()
            await self._health.back_off()
        except TelegramError as err:
            self._health.report(self._client.explain(err))
            if isinstance(err, NetworkError) and not isinstance(err, BadRequest):
                await self._client.renew_polling()
            await self._health.back_off()
        except NotStored as err:
            self._health.report(str(err))
            await self._health.back_off()
        except Exception:
            # An answer that is not Telegram's, as from a proxy: polling must outlive it.
            logger.exception("A poll failed")
            self._health.report("Telegram's answer can't be read; it is asked again.")
            await self._health.back_off()

    async def _poll(self, me: User) -> None:
        # After trouble, ask without waiting: an idle chat must not hide that it is over.
        wait_seconds = 0 if self._health.trouble else self._poll_seconds
        updates = await self._client.updates(self._offset, wait_seconds)
        for update in updates:
            await self._receiver.take(update, me)
            self._offset = int(update["update_id"]) + 1
        if not updates:
            # All is confirmed, so ask from the start: after a quiet week Telegram's numbers begin
            # anew, perhaps below the old offset.
            self._offset = None
        self._health.report(None)
