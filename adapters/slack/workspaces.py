"""The workspaces that are served: each one's token, and requests to Slack with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.pacing import Pace, Pacer
from adapters.slack.addresses import Address, scoped
from adapters.slack.client import (
    DEFAULT_BASE_URL,
    NETWORK_ERRORS,
    delivery_error,
    error_code,
    explain,
    in_doubt,
    library_logger,
    seconds_to_wait,
)
from adapters.slack.installations import SlackInstallations
from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused

Request = Callable[[AsyncWebClient], Awaitable[Any]]
Kind = Literal["post", "update", "stream", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackLimits:
    """How fast Slack takes requests: new messages a channel, the others a workspace."""

    post: Pace = field(default_factory=lambda: Pace(1, 1.0))
    update: Pace = field(default_factory=lambda: Pace(50, 60.0))
    stream: Pace = field(default_factory=lambda: Pace(100, 60.0))
    read: Pace = field(default_factory=lambda: Pace(50, 60.0))


SLACK_LIMITS = SlackLimits()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the app is in a workspace, "" for what Slack does not tell."""

    team: str
    user: str
    bot: str


class Workspaces:
    """Makes requests in the right workspace, as fast as Slack allows."""

    def __init__(
        self,
        bot_token: str | None,
        installations: SlackInstallations | None,
        *,
        base_url: str | None,
        timeout_seconds: float,
        limits: SlackLimits,
    ) -> None:
        self.base_url = base_url or DEFAULT_BASE_URL
        self._bot_token = bot_token
        self._installations = installations
        self._timeout_seconds = timeout_seconds
        self._identities: dict[str, Identity] = {}
        self._post_seconds = limits.post.seconds / limits.post.count
        # The time to connect is counted apart: who runs out of that has posted nothing.
        self._timeout = aiohttp.ClientTimeout(connect=timeout_seconds, total=2 * timeout_seconds)
        paces = {
            "post": (limits.post,),
            "updates": (limits.update,),
            "streams": (limits.stream,),
            "reads": (limits.read,),
        }
        self._pacer = Pacer((), lambda place: paces.get(place.partition(" ")[0], ()))

    @property
    def are_many(self) -> bool:
        """Whether other workspaces can install the app, so that places must name theirs."""
        return self._installations is not None

    def client(self, token: str | None = None, **options: Any) -> AsyncWebClient:
        """Return a client with a token, by default the own workspace's."""
        return AsyncWebClient(
            token=token or self._bot_token,
            base_url=self.base_url,
            timeout=int(self._timeout_seconds) or 1,
            logger=library_logger(),
            # The SDK would post again after a lost answer; the core decides that.
            retry_handlers=[],
            **options,
        )

    async def token(self, team: str) -> str:
        """Return a workspace's token. Raises DeliveryRefused when it removed the app."""
        found = await self._installations.token(team) if self._installations and team else None
        if token := found or self._bot_token:
            return token
        raise DeliveryRefused(f"The Slack workspace {team!r} has not installed the app.")

    def token_name(self, team: str) -> str:
        """Return what to call a workspace's token before the operator."""
        is_own = self._bot_token or not team
        return "SLACK_BOT_TOKEN" if is_own else f"the token of the workspace {team}"

    async def home_team(self) -> str:
        """Return the workspace of the own token. Raises DeliveryError when Slack can't say."""
        return (await self.identity("")).team

    async def identity(self, team: str) -> Identity:
        """Return who the app is in a workspace. Raises DeliveryError when Slack can't say."""
        if team not in self._identities:
            try:
                answer = await self.ask(team, lambda client: client.auth_test())
            except (SlackApiError, *NETWORK_ERRORS) as err:
                raise DeliveryError(explain(err, self.token_name(team), self.base_url)) from err
            known = (str(answer.get(name) or "") for name in ("team_id", "user_id", "bot_id"))
            self._identities[team] = Identity(*known)
        return self._identities[team]

    async def direct(self, person: str, team: str) -> Address:
        """Return the DM with somebody. Raises DeliveryError when Slack does not open it."""
        response = await self.send_repeatably(
            Address(person, team=team),
            "update",
            lambda client: client.conversations_open(users=[person]),
        )
        return Address(str((response.get("channel") or {}).get("id")), team=team)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Open a session with the channel's timeouts."""
        async with aiohttp.ClientSession(timeout=self._timeout) as session:
            yield session

    async def ask(self, team: str, request: Request) -> Any:
        """Make a request that may be made again.

        Raises SlackApiError for Slack's "no", one of NETWORK_ERRORS when it can't be reached, and
        whatever the library trips over in an answer that is not Slack's.
        """
        token = await self.token(team)
        async with self.session() as session:
            return await request(self.client(token, session=session))

    async def send(self, where: Address, kind: Kind, request: Request) -> Any:
        """Make a request that shows something to people, once Slack will take it.

        Raises SlackApiError never, DeliveryError always: `code_of` tells Slack's word for it.
        """
        for place in _places(where, kind):
            await self._pacer.wait(place)
        try:
            return await self._send(where, kind, request)
        finally:
            if kind == "post":
                # Slack counts when a request arrives, and one may take longer than the next.
                self._pacer.hold(_places(where, kind)[0], self._post_seconds)

    async def send_now(self, where: Address, kind: Kind, request: Request) -> Any:
        """Make a request like `send` if it may go at once; else return None."""
        if not all(self._pacer.take(place) for place in _places(where, kind)):
            return None
        return await self._send(where, kind, request)

    async def send_repeatably(self, where: Address, kind: Kind, request: Request) -> Any:
        """Make a request like `send` that does no harm when it is made twice.

        Raises DeliveryInDoubt never: the request can be made again.
        """
        try:
            return await self.send(where, kind, request)
        except DeliveryInDoubt as err:
            raise DeliveryError(str(err)) from err.__cause__

    async def _send(self, where: Address, kind: Kind, request: Request) -> Any:
        try:
            return await self.ask(where.team, request)
        except DeliveryError:
            raise
        except (SlackApiError, *NETWORK_ERRORS) as err:
            if isinstance(err, SlackApiError) and (seconds := seconds_to_wait(err)) is not None:
                for place in _limited(where, kind):
                    self._pacer.hold(place, seconds)
            raise delivery_error(err, self.token_name(where.team), self.base_url) from err
        except Exception as err:
            # The library trips over answers that are not Slack's.
            raise in_doubt(f"Slack's answer can't be read ({type(err).__name__}).") from err


def _places(where: Address, kind: Kind) -> tuple[str, ...]:
    """Return what the pacer counts: the channel, and the workspace where Slack counts that."""
    channel = f"{kind} {scoped(where.team, where.channel)}"
    return (channel,) if kind == "post" else (channel, f"{kind}s {where.team}")


def _limited(where: Address, kind: Kind) -> tuple[str, ...]:
    """Return what waits when Slack asks for it.

    Edits and reading are refused in the whole workspace. Pieces of streams are, too, but their last
    pieces must not wait for each other.
    """
    return _places(where, kind) if kind in ("update", "read") else _places(where, kind)[:1]


def code_of(error: BaseException) -> str | None:
    """Return Slack's word for the "no" behind an error, or None when there was no answer."""
    cause = error if isinstance(error, SlackApiError) else error.__cause__
    return error_code(cause) if isinstance(cause, SlackApiError) else None
