""" "… is typing" under a Slack thread."""

import logging

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.presence import Presence
from adapters.slack.client import error_code
from adapters.slack.incoming import Address

logger = logging.getLogger(__name__)

# Slack shows it after the app's name and has no translation of it: "Frontdesk is typing…".
_STATUS = "is typing…"


class SlackPresence(Presence[Address]):
    """Slack takes the sign away by itself when the reply is posted."""

    def __init__(self, client: AsyncWebClient) -> None:
        super().__init__()
        self._client = client

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
