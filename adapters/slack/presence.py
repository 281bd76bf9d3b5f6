"""What stands under a question while its answer is being written.

Slack takes it away itself where a new message comes, but not where one is edited, and not when it
hears of the status after the answer.
"""

import logging
from collections import OrderedDict

from slack_sdk.errors import SlackApiError

from adapters.presence import Presence
from adapters.slack.addresses import Address
from adapters.slack.client import error_code
from adapters.slack.workspaces import Workspaces
from bot.messages import Language
from prompts import Prompts

logger = logging.getLogger(__name__)

_REMEMBERED = 1000  # an answer that is dropped leaves its status to Slack, which ends it


class SlackPresence(Presence[Address]):
    """The status of a thread, in the customer's language."""

    def __init__(self, workspaces: Workspaces, prompts: Prompts) -> None:
        super().__init__()
        self._workspaces = workspaces
        self._prompts = prompts
        self._languages: OrderedDict[Address, Language] = OrderedDict()
        self._asked: OrderedDict[Address, None] = OrderedDict()

    def show(self, where: Address, language: Language) -> None:
        """Show the status in a thread; outside of threads Slack has none."""
        if where.thread is not None and not where.person:
            _remember(self._languages, where, language)
            self.start(where)

    def end(self, where: Address) -> bool:
        """Show no more there; return whether there may be a status that `clear` must take away."""
        self.stop(where)
        self._languages.pop(where, None)
        is_asked = where in self._asked
        self._asked.pop(where, None)
        return is_asked

    async def clear(self, where: Address) -> None:
        """Take the status away."""
        await self._set(where, "", [])

    async def _show(self, where: Address) -> None:
        if (language := self._languages.get(where)) is None:
            return
        words = self._prompts.labels("slack", language)
        _remember(self._asked, where, None)
        await self._set(where, words["status"], [words["loading_1"], words["loading_2"]])

    async def _set(self, where: Address, status: str, loading: list[str]) -> None:
        try:
            await self._workspaces.ask(
                where.team,
                lambda client: client.assistant_threads_setStatus(
                    channel_id=where.channel,
                    thread_ts=str(where.thread),
                    status=status,
                    loading_messages=loading or None,
                ),
            )
        except SlackApiError as err:
            logger.info("Status in %s not shown: %s", where.channel, error_code(err))
        except Exception as err:
            # Nobody misses the status, whatever Slack answered; the reply itself must arrive.
            logger.info("Status in %s not shown: %s", where.channel, type(err).__name__)


def _remember(known: OrderedDict, where: Address, value: object) -> None:  # type: ignore[type-arg]
    known[where] = value
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
