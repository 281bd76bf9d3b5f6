"""Receiving over Socket Mode: a connection that heals by itself."""

import asyncio
import logging

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from adapters.slack.client import NETWORK_ERRORS, explain, library_logger, seconds_to_wait
from adapters.slack.workspaces import Workspaces

logger = logging.getLogger(__name__)

_CLOSING_SECONDS = 2.0


class _Handler(AsyncSocketModeHandler):
    """Acknowledges also what Bolt can't read: it would be no better the next time."""

    async def handle(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        """Let Bolt answer a request; one that can't be answered now comes again."""
        assert isinstance(client, SocketModeClient)
        try:
            await super().handle(client, req)
        except (AttributeError, LookupError, TypeError, ValueError) as err:
            logger.warning("A request of Slack's can't be read (%s).", type(err).__name__)
            await client.send_socket_mode_response(SocketModeResponse(req.envelope_id))
        except NETWORK_ERRORS as err:
            logger.info("An acknowledgement was not sent (%s); it comes again.", type(err).__name__)


class Socket:
    """One app's socket, for as long as it is run."""

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        workspaces: Workspaces,
        *,
        ping_seconds: float,
        patience_seconds: float,
        first_delay_seconds: float,
        longest_delay_seconds: float,
    ) -> None:
        self._app = app
        self._app_token = app_token
        self._client = workspaces.client(app_token)
        self._ping_seconds = ping_seconds
        self._patience_seconds = patience_seconds
        self._first_delay_seconds = first_delay_seconds
        self._longest_delay_seconds = longest_delay_seconds
        self._socket: SocketModeClient | None = None
        self._trouble: str | None = "Slack has not been reached yet."

    def trouble(self) -> str | None:
        """Say in one sentence why nothing is received now, or None."""
        if self._trouble:
            return self._trouble
        if self._socket is None or not _is_connected(self._socket):
            return "The connection to Slack is lost; connecting again."
        return None

    async def check(self) -> None:
        """Ask Slack whether it knows the app token. Raises what the library raises."""
        await self._client.apps_connections_open(app_token=self._app_token)

    async def run(self) -> None:
        """Receive until cancelled."""
        delay = 0.0
        while True:
            try:
                await self._connect_and_watch()
                delay = 0.0
            except (SlackApiError, *NETWORK_ERRORS) as err:
                self._report(explain(err, "SLACK_APP_TOKEN", self._client.base_url))
                delay = self._longer(delay)
                await asyncio.sleep(_asked_to_wait(err) or delay)
            except Exception:
                # An answer that is not Slack's, as from a proxy: the channel must outlive it.
                logger.exception("Connecting to Slack failed")
                self._report("Slack's answer can't be read; it is asked again.")
                delay = self._longer(delay)
                await asyncio.sleep(delay)

    def _longer(self, delay: float) -> float:
        return min(max(self._first_delay_seconds, 2 * delay), self._longest_delay_seconds)

    async def _connect_and_watch(self) -> None:
        """Keep one Socket Mode client until it has been without a connection for too long.

        The client connects again by itself, but it can get stuck: it tries an address that Slack
        gave it until it works, and Slack's addresses work once.
        """
        address = (await self._client.apps_connections_open(app_token=self._app_token))["url"]
        handler = _Handler(
            self._app,
            self._app_token,
            logger=library_logger(),
            web_client=self._client,
            ping_interval=self._ping_seconds,
        )
        handler.client.wss_uri = address
        try:
            async with asyncio.timeout(self._patience_seconds):
                await handler.connect_async()  # type: ignore[no-untyped-call]
            self._socket = handler.client
            self._report(None)
            await self._wait_until_lost(handler.client)
        finally:
            self._socket = None
            await _close(handler.client)

    async def _wait_until_lost(self, client: SocketModeClient) -> None:
        loop = asyncio.get_running_loop()
        last_seen = loop.time()
        while loop.time() - last_seen < self._patience_seconds:
            await asyncio.sleep(self._ping_seconds)
            if _is_connected(client):
                last_seen = loop.time()
        logger.warning("Slack's socket is stuck; starting a new one.")

    def _report(self, trouble: str | None) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("%s", trouble)
        if self._trouble and not trouble:
            logger.info("Slack is reached.")
        self._trouble = trouble


def _asked_to_wait(error: Exception) -> float | None:
    return seconds_to_wait(error) if isinstance(error, SlackApiError) else None


def _is_connected(client: SocketModeClient) -> bool:
    socket = client.current_session
    return socket is not None and not socket.closed and not client.stale


async def _close(client: SocketModeClient) -> None:
    """Close a client in any state, also one whose peer no longer answers."""
    tasks = [client.message_processor, client.current_session_monitor, client.message_receiver]
    try:
        async with asyncio.timeout(_CLOSING_SECONDS):
            await client.close()  # type: ignore[no-untyped-call]
    except TimeoutError:
        logger.info("Slack's socket did not close in time.")
    finally:
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await client.aiohttp_client_session.close()
