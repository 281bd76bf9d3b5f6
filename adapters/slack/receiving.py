"""What Slack tells the app: each thing is stored before Slack hears "received".

Bolt answers Slack before it calls a listener, so everything is taken in a middleware that runs
before all else: it returns 200 only when the core has it. If it can't be stored, Slack gets no
acknowledgement and sends the event again in a new envelope. Slack's retry marks decide nothing:
the retry may be the only copy that arrives.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.slack.actions import Press, command_from, complaint_from, press_from, shortcut_from
from adapters.slack.afterwards import Afterwards
from adapters.slack.incoming import (
    CHANNEL,
    Origin,
    Written,
    edit_from,
    message_from,
    withdrawal_from,
)
from adapters.slack.installations import SlackInstallations
from adapters.slack.reactions import reaction_from
from bot.errors import LogError
from bot.messages import Incoming
from bot.ports import Dialogues, Inbox

logger = logging.getLogger(__name__)

HANDLED_EVENTS = frozenset(
    {
        "app_home_opened",
        "app_mention",
        "app_uninstalled",
        "message",
        "reaction_added",
        "reaction_removed",
        "tokens_revoked",
    }
)
# Only apps from before `agent_view` get these.
OLDER_EVENTS = frozenset({"assistant_thread_context_changed", "assistant_thread_started"})


class Receiver(AsyncMiddleware):
    """Takes what Slack sends, over a socket or as HTTP requests."""

    def __init__(
        self,
        inbox: Inbox,
        dialogues: Dialogues,
        afterwards: Afterwards,
        installations: SlackInstallations | None,
        *,
        answer_channels: frozenset[str],
        private_channels: frozenset[str],
        storing_seconds: float,
    ) -> None:
        self._storing_seconds = storing_seconds
        self._inbox = inbox
        self._dialogues = dialogues
        self._afterwards = afterwards
        self._installations = installations
        self._answer_channels = answer_channels
        self._private_channels = private_channels
        self.trouble: str | None = None

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],
    ) -> BoltResponse:
        """Store what a request brings; Bolt has nothing left to do but to answer."""
        return await self.receive(req.body)

    async def receive(self, body: Mapping[str, Any]) -> BoltResponse:
        """Store what a request brings; only a 200 acknowledges it."""
        if body.get("type") == "url_verification":
            return BoltResponse(status=200, body={"challenge": str(body.get("challenge", ""))})
        try:
            async with asyncio.timeout(self._storing_seconds):
                await self._take(body)
        except UnicodeEncodeError:
            # An id that is no text: no database takes it, however often it comes.
            logger.warning("An event of Slack's can't be stored in any way; it is dropped.")
        except Exception as err:
            # One line where the reason is known: hundreds come at once while the database is held.
            is_known = isinstance(err, LogError | TimeoutError)
            logger.error(
                "Event %s was not stored (%s); Slack will send it again.",
                _id_of(body),
                err or type(err).__name__,
                exc_info=not is_known,
            )
            self.trouble = "Messages from Slack can't be stored at the moment."
            return BoltResponse(status=503)
        return BoltResponse(status=200, body="")

    async def _take(self, body: Mapping[str, Any]) -> None:
        with_team = self._installations is not None
        kind = body.get("type")
        if kind == "event_callback":
            if origin := Origin.of(body, with_team=with_team):
                await self._take_event(body["event"], origin, body)
        elif kind == "block_actions":
            if press := press_from(body, with_team=with_team):
                await self._take_press(press)
        elif kind == "view_submission":
            if complaint := complaint_from(body, with_team=with_team):
                await self._inbox.rate(complaint)
                self._stored(body)
        elif kind == "message_action":
            asked = shortcut_from(body, self._private_channels, with_team=with_team)
            await self._accept(asked, body)
        elif "command" in body:
            await self._accept(command_from(body, with_team=with_team), body)

    async def _accept(self, incoming: Incoming | None, body: Mapping[str, Any]) -> None:
        if incoming is not None:
            await self._inbox.accept(incoming)
            self._stored(body)

    def _stored(self, body: Mapping[str, Any]) -> None:
        self.trouble = None
        logger.debug("Event %s stored", _id_of(body))

    # Events.

    async def _take_event(
        self, event: Mapping[str, Any], origin: Origin, body: Mapping[str, Any]
    ) -> None:
        kind, subtype = event.get("type"), event.get("subtype")
        if withdrawal := withdrawal_from(event, origin):
            await self._inbox.withdraw(withdrawal)
            self._stored(body)
        elif kind == "message" and subtype == "message_changed":
            edit = edit_from(event, origin, self._private_channels)
            # Channels tell of every change, also of messages that were never for us.
            if edit and await self._is_for_us(edit):
                await self._accept(edit.incoming, body)
        elif kind in ("message", "app_mention"):
            await self._take_message(event, origin, body)
        elif kind in ("reaction_added", "reaction_removed"):
            if feedback := reaction_from(event, origin):
                await self._inbox.rate(feedback)
                self._stored(body)
        elif kind in ("app_uninstalled", "tokens_revoked"):
            await self._forget_workspace(event, origin)
        else:
            self._open_tab(event, origin)

    async def _take_message(
        self, event: Mapping[str, Any], origin: Origin, body: Mapping[str, Any]
    ) -> None:
        written = message_from(event, origin, self._private_channels)
        if written is None or not await self._is_for_us(written):
            logger.debug("Event %s is nothing to answer", _id_of(body))
            return
        is_new = await self._inbox.accept(written.incoming)
        self._stored(body)
        if is_new and written.is_direct and not written.is_reply:
            self._afterwards.begin("A thread's title", self._afterwards.name_thread(written))

    async def _is_for_us(self, written: Written) -> bool:
        if written.is_direct or written.is_mention:
            return True
        incoming = written.incoming
        if not written.is_reply and written.channel in self._answer_channels:
            return True
        # What begins a thread was answered there only if this is a new version of it.
        if not written.is_reply and not incoming.edits:
            return False
        return not written.calls_others and await self._dialogues.takes_part(
            CHANNEL, incoming.address, incoming.customer
        )

    async def _forget_workspace(self, event: Mapping[str, Any], origin: Origin) -> None:
        tokens = event.get("tokens")
        is_ours = event.get("type") == "app_uninstalled" or (
            isinstance(tokens, dict) and tokens.get("bot")
        )
        if self._installations and origin.team and is_ours:
            await self._installations.async_delete_installation(
                enterprise_id=None, team_id=origin.team
            )
            logger.info("The Slack workspace %s removed the app.", origin.team)

    def _open_tab(self, event: Mapping[str, Any], origin: Origin) -> None:
        kind, person, channel = event.get("type"), event.get("user"), event.get("channel")
        thread = event.get("assistant_thread")
        if kind == "assistant_thread_started" and isinstance(thread, dict):
            self._suggest(origin, thread.get("channel_id"), thread.get("user_id"), thread)
        elif kind == "app_home_opened" and event.get("tab") == "messages":
            self._suggest(origin, channel, person, {})
        elif kind == "app_home_opened" and isinstance(person, str):
            channel = channel if isinstance(channel, str) else ""
            self._afterwards.begin(
                "The Home tab", self._afterwards.show_home(origin.team, person, channel)
            )

    def _suggest(
        self, origin: Origin, channel: object, person: object, thread: Mapping[str, Any]
    ) -> None:
        if not isinstance(channel, str) or not isinstance(person, str):
            return
        root = thread.get("thread_ts")
        self._afterwards.begin(
            "Suggested questions",
            self._afterwards.suggest(
                origin.team, channel, person, root if isinstance(root, str) else None
            ),
        )

    # Buttons.

    async def _take_press(self, press: Press) -> None:
        if feedback := press.feedback:
            await self._inbox.rate(feedback)
            if feedback.verdict == "down":
                self._afterwards.begin("The feedback form", self._afterwards.ask_why(press))
        elif incoming := press.command:
            await self._inbox.accept(incoming)
            self._afterwards.begin("A used button", self._afterwards.mark_as_used(press, incoming))
        elif press.button == "share":
            self._afterwards.begin("A shared answer", self._afterwards.share(press))
        self.trouble = None


def _id_of(body: Mapping[str, Any]) -> object:
    """Return what names a request in the log, without anything that people wrote."""
    return body.get("event_id") or body.get("type") or "command"
