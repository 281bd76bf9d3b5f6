"""What stands under a question while its answer is being written: Slack takes it away itself."""

import logging

from slack_sdk.errors import SlackApiError

from adapters.presence import Presence
from adapters.slack.addresses import Address
from adapters.slack.client import error_code
from adapters.slack.workspaces import Workspaces
from bot.messages import Language
from prompts import Prompts

logger = logging.getLogger(__name__)


class SlackPresence(Presence[Address]):
    """The status of a thread, in the customer's language."""

    def __init__(self, workspaces: Workspaces, prompts: Prompts) -> None:
        super().__init__()
        self._workspaces = workspaces
        self._prompts = prompts
        self._languages: dict[Address, Language] = {}

    def show(self, where: Address, language: Language) -> None:
        """Show the status in a thread; outside of threads Slack has none."""
        if where.thread is not None and not where.person:
            self._languages[where] = language
            self.start(where)

    def stop(self, where: Address) -> None:
        """Take the status away; Slack does it itself where a reply comes."""
        super().stop(where)
        self._languages.pop(where, None)

    async def _show(self, where: Address) -> None:
        words = self._prompts.labels("slack", self._languages[where])
        try:
            await self._workspaces.ask(
                where.team,
                lambda client: client.assistant_threads_setStatus(
                    channel_id=where.channel,
                    thread_ts=str(where.thread),
                    status=words["status"],
                    loading_messages=[words["loading_1"], words["loading_2"]],
                ),
            )
        except SlackApiError as err:
            logger.info("Status in %s not shown: %s", where.channel, error_code(err))
        except Exception as err:
            # Nobody misses the status, whatever Slack answered; the reply itself must arrive.
            logger.info("Status in %s not shown: %s", where.channel, type(err).__name__)
