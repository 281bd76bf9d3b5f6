"""What Slack shows: read back after a crash, and where a request's answer was lost."""

from collections.abc import Mapping
from typing import Any

from adapters.slack.addresses import Address
from adapters.slack.client import needed_scope
from adapters.slack.workspaces import Workspaces, code_of
from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused

Message = Mapping[str, Any]

_PAGE = 200  # messages; Slack may give fewer
_MOST_PAGES = 50
_NO_THREAD = frozenset({"thread_not_found", "message_not_found"})


class History:
    """Reads channels and threads."""

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces

    async def read(self, where: Address, since: str | None) -> list[Message]:
        """Return the messages of a thread, or those outside of threads, later than a ts, in order.

        Raises DeliveryInDoubt when Slack does not let the app read there, DeliveryError when it
        can't be asked now.
        """
        found: list[Message] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            page = await self._page(where, since, cursor)
            found += [each for each in page.get("messages") or () if isinstance(each, dict)]
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                # Slack gives the message that a thread begins with, however old.
                later = [each for each in found if str(each.get("ts")) > (since or "")]
                return sorted(later, key=lambda each: str(each.get("ts")))
        raise DeliveryInDoubt("What Slack shows there is too long to be read back.")

    async def _page(self, where: Address, since: str | None, cursor: str) -> Message:
        options: dict[str, Any] = {
            "channel": where.channel,
            "oldest": since,
            "include_all_metadata": True,
            "limit": _PAGE,
            "cursor": cursor or None,
        }
        try:
            answer = await self._workspaces.send_repeatably(
                where,
                "read",
                lambda client: (
                    client.conversations_replies(ts=where.thread, **options)
                    if where.thread
                    else client.conversations_history(**options)
                ),
            )
        except DeliveryError as err:
            if where.thread and code_of(err) in _NO_THREAD:
                return {}
            raise _unreadable(err) from err
        page: Message = answer.data
        return page


def _unreadable(error: DeliveryError) -> DeliveryError:
    """Return the error to raise: what may not be read now may never be."""
    if scope := needed_scope(error.__cause__):
        return DeliveryInDoubt(
            f"SLACK_BOT_TOKEN lacks the scope {scope}, so nobody can read back whether the reply "
            "arrived: add it under OAuth & Permissions, then install the app again."
        )
    if isinstance(error, DeliveryRefused):
        return DeliveryInDoubt(f"Slack does not let the app read there ({code_of(error)}).")
    return error
