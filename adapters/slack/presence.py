""" "… is typing" under a thread while an answer is being written."""

import asyncio
import logging

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.client import error_code
from adapters.slack.incoming import Address

logger = logging.getLogger(__name__)

# Slack shows it after the app's name and has no translation of it: "Frontdesk is typing…".
_STATUS = "is typing…"


class Presence:
    """Asks Slack for the sign in the background: a slow Slack must not hold up the answer.

    Slack takes the sign away by itself when the reply is posted.
    """

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._tasks: dict[Address, asyncio.Task[None]] = {}

    def start(self, where: Address) -> None:
        """Ask for the sign in a thread, unless that is under way."""
        if where not in self._tasks:
            task = asyncio.create_task(self._show(where))
            self._tasks[where] = task
            task.add_done_callback(lambda _: self._forget(where, task))

    def stop(self, where: Address) -> None:
        """Stop asking."""
        if task := self._tasks.pop(where, None):
            task.cancel()

    async def stop_all(self) -> None:
        """Stop asking anywhere and wait until it is done."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, where: Address, task: asyncio.Task[None]) -> None:
        if self._tasks.get(where) is task:
            del self._tasks[where]

    async def _show(self, where: Address) -> None:
        try:
            await self._client.assistant_threads_setStatus(
                channel_id=where.channel, thread_ts=str(where.thread), status=_STATUS
            )
        except SlackApiError as err:
            logger.info("Status in %s not shown: %s", where.channel, error_code(err))
        except Exception as err:
            # Nobody misses the sign, whatever Slack answered; the reply itself must arrive.
            logger.info("Status in %s not shown: %s", where.channel, type(err).__name__)
