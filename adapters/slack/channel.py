"""The Slack channel: what it is made of."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from starlette.routing import Route

from adapters.rendering import Links
from adapters.slack import files
from adapters.slack.addresses import Address
from adapters.slack.afterwards import Afterwards
from adapters.slack.client import (
    NETWORK_ERRORS,
    explain,
    is_mended_by_settings,
    library_logger,
)
from adapters.slack.formatting import Formatter
from adapters.slack.http import Installer, SlackOAuth, event_routes, oauth_flow, oauth_routes
from adapters.slack.incoming import CHANNEL
from adapters.slack.manifest import SCOPES
from adapters.slack.posting import Posting
from adapters.slack.presence import SlackPresence
from adapters.slack.receiving import Receiver
from adapters.slack.recovery import SETTLING_SECONDS, Recovery
from adapters.slack.socket import Socket
from adapters.slack.streams import Streams
from adapters.slack.workspaces import SLACK_LIMITS, SlackLimits, Workspaces
from bot.errors import ChannelUnreachable, DeliveryInDoubt, DeliveryRefused, SettingsError
from bot.messages import Attachment, Outgoing, Place, Stage
from bot.ports import Dialogues, Inbox
from prompts import Prompts

logger = logging.getLogger(__name__)


class SlackChannel:
    """One app, in one workspace or in all that install it.

    With an app token it receives over Socket Mode, else as HTTP requests at `routes()`. Raises
    SettingsError when neither an app token nor a signing secret is given, or no bot token and no
    OAuth.
    """

    def __init__(
        self,
        *,
        bot_token: str | None,
        app_token: str | None,
        signing_secret: str | None,
        oauth: SlackOAuth | None,
        inbox: Inbox,
        dialogues: Dialogues,
        prompts: Prompts,
        links: Links,
        base_url: str | None = None,
        answer_channels: Iterable[str] = (),
        private_channels: Iterable[str] = (),
        limits: SlackLimits = SLACK_LIMITS,
        storing_seconds: float = 2.0,
        settling_seconds: float = SETTLING_SECONDS,
        timeout_seconds: float = 10,
        ping_seconds: float = 3.0,
        patience_seconds: float = 30.0,
        first_delay_seconds: float = 1.0,
        longest_delay_seconds: float = 30.0,
    ) -> None:
        bot_token, app_token, signing_secret = map(
            _stripped, (bot_token, app_token, signing_secret)
        )
        _require(bot_token, app_token, signing_secret, oauth)
        self._signing_secret = signing_secret
        self._oauth = oauth
        self._has_bot_token = bot_token is not None
        installations = oauth.installations if oauth else None
        self._workspaces = Workspaces(
            bot_token,
            installations,
            base_url=base_url,
            timeout_seconds=timeout_seconds,
            limits=limits,
        )
        self._flow = oauth_flow(oauth, self._installer()) if oauth else None
        formatter = Formatter(prompts, links)
        self._streams = Streams(self._workspaces, formatter)
        self._posting = Posting(self._workspaces, formatter, self._streams)
        self._recovery = Recovery(
            self._workspaces, self._streams, settling_seconds=settling_seconds
        )
        self._presence = SlackPresence(self._workspaces, prompts)
        self._afterwards = Afterwards(self._workspaces, dialogues, prompts, self._posting)
        self._receiver = Receiver(
            inbox,
            dialogues,
            self._afterwards,
            installations,
            answer_channels=frozenset(answer_channels),
            private_channels=frozenset(private_channels),
            storing_seconds=storing_seconds,
        )
        self._app = self._make_app(bot_token)
        self._socket = self._make_socket(
            app_token,
            ping_seconds=ping_seconds,
            patience_seconds=patience_seconds,
            first_delay_seconds=first_delay_seconds,
            longest_delay_seconds=longest_delay_seconds,
        )

    def _make_socket(self, app_token: str | None, **seconds: float) -> Socket | None:
        return Socket(self._app, app_token, self._workspaces, **seconds) if app_token else None

    def _installer(self) -> Installer:
        return Installer(
            base_url=self._workspaces.base_url, logger=library_logger(), retry_handlers=[]
        )

    def _make_app(self, bot_token: str | None) -> AsyncApp:
        # `before_authorize` and not `middleware`: Bolt asks auth.test before those, and when that
        # fails it tells Slack "received" for a message that nobody has seen.
        app = AsyncApp(
            name="frontdesk",
            token=None if self._flow else bot_token,
            signing_secret=self._signing_secret or "",
            logger=library_logger(),
            before_authorize=self._receiver,
            oauth_flow=self._flow,
            # It would answer requests that nobody signed.
            ssl_check_enabled=False,
        )
        # A client of ours as an argument would make Bolt warn about the environment's token.
        app.client.base_url = self._workspaces.base_url
        app.client.retry_handlers = []
        return app

    @property
    def name(self) -> str:
        """Return "slack"."""
        return CHANNEL

    @property
    def answers_a_second(self) -> float:
        """Return that nothing limits it: Slack counts for each conversation."""
        return math.inf

    def routes(self) -> list[Route]:
        """Return what the web server must serve for Slack."""
        routes = []
        if not self._socket and self._signing_secret:
            routes += event_routes(self._app, self._signing_secret)
        if self._flow:
            routes += oauth_routes(self._flow)
        return routes

    def trouble(self) -> str | None:
        """Say in one sentence why customers can't be reached here now, or None when they can."""
        return (self._socket.trouble() if self._socket else None) or self._receiver.trouble

    async def run(self) -> None:
        """Receive messages until cancelled; a lost connection heals by itself.

        Replies can be sent before, meanwhile and after.
        """
        if self._socket:
            await self._socket.run()
        await asyncio.Event().wait()

    async def close(self) -> None:
        """End what is still under way once the last reply is sent."""
        await self._presence.stop_all()
        await self._afterwards.close()

    async def show_progress(self, place: Place, stage: Stage) -> None:
        """Show under the question that it is being answered."""
        where = self._where(place.address, place.in_reply_to)
        self._presence.show(where, place.language)

    async def preview(self, place: Place, text: str) -> str | None:
        """Let the answer grow under the question; return its post, or None without a stream.

        Raises DeliveryError when Slack did not take it.
        """
        return await self._streams.preview(place, text)

    async def reserve(self, place: Place) -> str | None:
        """Return what says that an answer was begun: its beginning can be found again."""
        return self._streams.reserve(place)

    async def prepare(self, outgoing: Outgoing, *, is_doubtful: bool) -> tuple[str, ...]:
        """Return the posts that a reply shall stand in; of a doubtful one, what Slack shows of it.

        Raises DeliveryInDoubt where nobody can know, DeliveryError when Slack can't be asked now.
        """
        places = self._places(outgoing)
        return await self._recovery.posts(outgoing, places, is_doubtful=is_doubtful)

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Show a prepared reply, in parts where it is long; return its posts.

        Raises DeliveryError where another try may succeed, DeliveryInDoubt where `prepare` has to
        find out before, DeliveryRefused where none will.
        """
        places = self._places(outgoing)
        if outgoing.is_retraction:
            outgoing = replace(outgoing, replaces=await self._to_delete(outgoing, places))
        shown = [place for place in {*places} if self._presence.end(place)]
        try:
            return await self._posting.send(outgoing, places[0])
        finally:
            for place in shown:
                self._afterwards.begin("The end of a status", self._presence.clear(place))

    async def _to_delete(self, outgoing: Outgoing, places: list[Address]) -> tuple[str, ...]:
        """Return the posts that are to go, with a beginning of which only Slack knows."""
        try:
            return await self._recovery.posts(outgoing, places, is_doubtful=False)
        except DeliveryInDoubt as err:
            raise DeliveryRefused(str(err)) from err

    def _places(self, outgoing: Outgoing) -> list[Address]:
        """Return where each message that a reply answers is answered, its own first."""
        answered = (outgoing.in_reply_to, *outgoing.also_answers)
        return [self._where(outgoing.address, key) for key in answered]

    def _where(self, address: str, in_reply_to: str) -> Address:
        return Address.parse(address).answering(in_reply_to)

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the content of a file. Raises AttachmentError when it can't be had."""
        return await files.fetch(self._workspaces, attachment)

    async def check(self) -> str:
        """Ask Slack whether it knows the tokens; return what it is, for the operator.

        Raises SettingsError when it does not or a scope is missing, ChannelUnreachable when it
        can't be asked now.
        """
        mode = "over Socket Mode" if self._socket else "by HTTP at /slack/events"
        where = []
        if self._has_bot_token:
            where.append(f"as {await self._check_bot_token()}")
        if self._socket:
            await self._ask("SLACK_APP_TOKEN", self._socket.check())
        if self._oauth:
            where.append(f"in {await self._oauth.installations.count()} installed workspaces")
        return f"Slack answers {' and '.join(where)}, {mode}."

    async def _check_bot_token(self) -> str:
        answer = await self._ask(
            "SLACK_BOT_TOKEN", self._workspaces.ask("", lambda client: client.auth_test())
        )
        granted = {
            each.strip() for each in str(answer.headers.get("x-oauth-scopes", "")).split(",")
        }
        if missing := sorted(SCOPES - granted):
            raise SettingsError(
                f"SLACK_BOT_TOKEN lacks the scopes {', '.join(missing)}: add them under OAuth & "
                "Permissions, or paste adapters/slack/manifest.json again, then install the app "
                "to the workspace again."
            )
        return f"{answer.get('user', 'the app')} in {answer.get('team', 'the workspace')}"

    async def _ask(self, setting: str, asking: Awaitable[Any]) -> Any:
        try:
            return await asking
        except (SlackApiError, *NETWORK_ERRORS) as err:
            sentence = explain(err, setting, self._workspaces.base_url)
            if is_mended_by_settings(err):
                raise SettingsError(sentence) from None
            raise ChannelUnreachable(sentence) from None


def _stripped(secret: str | None) -> str | None:
    return (secret or "").strip() or None


def _require(
    bot_token: str | None,
    app_token: str | None,
    signing_secret: str | None,
    oauth: SlackOAuth | None,
) -> None:
    if not bot_token and not oauth:
        raise SettingsError(
            "SLACK_BOT_TOKEN is not set: set it to the Bot User OAuth Token (xoxb-…) under OAuth & "
            "Permissions of your Slack app, or set SLACK_CLIENT_ID and SLACK_CLIENT_SECRET, see "
            "docs/slack.md."
        )
    if not app_token and not signing_secret:
        raise SettingsError(
            "Neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set: set the first for Socket "
            "Mode or the second for HTTP, see docs/slack.md."
        )
