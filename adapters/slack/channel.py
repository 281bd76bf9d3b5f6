"""The Slack channel: Socket Mode in, messages out.

Bolt answers Slack before it calls a listener, so messages are taken in a middleware that runs
before everything else: it returns, and Slack is told "received", only when the core has stored the
message. If it can't, Slack hears nothing and sends the event again in a new envelope.
"""

import asyncio
import logging
from functools import partial
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from adapters.rendering import Style, render
from adapters.slack.client import (
    DEFAULT_BASE_URL,
    MESSAGE_LIMIT,
    NETWORK_ERRORS,
    delivery_error,
    escape,
    explain,
    in_doubt,
    is_mended_by_settings,
    library_logger,
    link,
    seconds_to_wait,
)
from adapters.slack.incoming import CHANNEL, Address, incoming_from
from adapters.slack.presence import SlackPresence
from bot.errors import ChannelUnreachable, DeliveryError, DeliveryRefused, SettingsError
from bot.messages import Outgoing, Stage
from bot.ports import Inbox
from prompts import Prompts

logger = logging.getLogger(__name__)

STYLE = Style(limit=MESSAGE_LIMIT, escape=escape, name=link)
_CLOSING_SECONDS = 2.0


class SlackChannel:
    """One app in one workspace."""

    def __init__(
        self,
        *,
        bot_token: str,
        app_token: str,
        inbox: Inbox,
        prompts: Prompts,
        base_url: str | None = None,
        timeout_seconds: int = 10,
        ping_seconds: float = 3.0,
        patience_seconds: float = 30.0,
        first_delay_seconds: float = 1.0,
        longest_delay_seconds: float = 30.0,
    ) -> None:
        self._app_token = app_token.strip()
        self._new_client = partial(
            AsyncWebClient,
            token=bot_token,
            base_url=base_url or DEFAULT_BASE_URL,
            timeout=timeout_seconds,
            logger=library_logger(),
            # The SDK would post again after a lost answer; the core decides that.
            retry_handlers=[],
        )
        self._client = self._new_client()
        self._presence = SlackPresence(self._client)
        # The time to connect is counted apart: who runs out of that has posted nothing.
        self._posting_timeout = aiohttp.ClientTimeout(
            connect=timeout_seconds, total=2 * timeout_seconds
        )
        self._bot_token = bot_token
        self._inbox = inbox
        self._prompts = prompts
        self._ping_seconds = ping_seconds
        self._patience_seconds = patience_seconds
        self._first_delay_seconds = first_delay_seconds
        self._longest_delay_seconds = longest_delay_seconds
        self._socket: SocketModeClient | None = None
        self._connecting_trouble: str | None = "Slack has not been reached yet."
        self._storing_trouble: str | None = None
        self._sent_parts: dict[int, list[str]] = {}

    @property
    def name(self) -> str:
        """Return "slack"."""
        return CHANNEL

    def trouble(self) -> str | None:
        """Say in one sentence why customers can't be reached here now, or None when they can."""
        if self._connecting_trouble:
            return self._connecting_trouble
        if self._socket is None or not _is_connected(self._socket):
            return "The connection to Slack is lost; connecting again."
        return self._storing_trouble

    async def check(self) -> None:
        """Ask Slack whether it knows both tokens.

        Raises SettingsError when it does not or a scope is missing, ChannelUnreachable when it
        can't be asked now.
        """
        setting = "SLACK_BOT_TOKEN"
        try:
            await self._client.auth_test()
            setting = "SLACK_APP_TOKEN"
            await self._client.apps_connections_open(app_token=self._app_token)
        except (SlackApiError, *NETWORK_ERRORS) as err:
            sentence = explain(err, setting, self._client.base_url)
            if is_mended_by_settings(err):
                raise SettingsError(sentence) from None
            raise ChannelUnreachable(sentence) from None

    async def run(self) -> None:
        """Receive messages until cancelled; a lost connection heals by itself.

        Replies can be sent before, meanwhile and after.
        """
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

    async def close(self) -> None:
        """End what is still under way once the last reply is sent."""
        await self._presence.stop_all()

    def _longer(self, delay: float) -> float:
        return min(max(self._first_delay_seconds, 2 * delay), self._longest_delay_seconds)

    # Receiving.

    async def _connect_and_watch(self) -> None:
        """Keep one Socket Mode client until it has been without a connection for too long.

        The client connects again by itself, but it can get stuck: it tries an address that Slack
        gave it until it works, and Slack's addresses work once.
        """
        address = (await self._client.apps_connections_open(app_token=self._app_token))["url"]
        handler = AsyncSocketModeHandler(
            self._make_app(),
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

    def _make_app(self) -> AsyncApp:
        # `before_authorize` and not `middleware`: Bolt asks auth.test before those, and when that
        # fails it tells Slack "received" for a message that nobody has seen.
        app = AsyncApp(
            name="frontdesk",
            token=self._bot_token,
            logger=library_logger(),
            before_authorize=self._receive,
        )
        # A client of ours as an argument would make Bolt warn about the environment's token.
        app.client.base_url = self._client.base_url
        app.client.retry_handlers = []
        return app

    async def _receive(self, body: dict[str, Any]) -> BoltResponse:
        """Store the message in a request, then let Bolt acknowledge it: only a 200 does."""
        event_id = body.get("event_id")
        incoming = incoming_from(body)
        if incoming is None:
            logger.debug("Event %s is nothing to answer", event_id)
            return BoltResponse(status=200)
        try:
            is_new = await self._inbox.accept(incoming)
        except Exception:
            logger.exception("Event %s was not stored; Slack will send it again", event_id)
            self._storing_trouble = "Messages from Slack can't be stored at the moment."
            return BoltResponse(status=503)
        self._storing_trouble = None
        logger.debug("Event %s %s", event_id, "stored" if is_new else "seen before")
        return BoltResponse(status=200)

    def _report(self, trouble: str | None) -> None:
        if trouble and trouble != self._connecting_trouble:
            logger.warning("%s", trouble)
        if self._connecting_trouble and not trouble:
            logger.info("Slack is reached.")
        self._connecting_trouble = trouble

    # Sending.

    async def show_progress(self, address: str, stage: Stage) -> None:
        """Show "… is typing" in a thread; outside of threads Slack has no such sign."""
        where = Address.parse(address)
        if where.thread is not None:
            self._presence.start(where)

    async def send(self, outgoing: Outgoing) -> str:
        """Post a reply, in parts where it is long; return the `ts` of the last part.

        A second call for the same reply goes on after the parts that were posted.
        """
        self._presence.stop(Address.parse(outgoing.address))
        if not (texts := render(outgoing, self._prompts, STYLE)):
            raise DeliveryRefused(f"Reply {outgoing.id} has no words.")
        sent = self._sent_parts.pop(outgoing.id, [])
        try:
            for text in texts[len(sent) :]:
                sent.append(await self._post(outgoing, text))
        except DeliveryError as err:
            if sent and not isinstance(err, DeliveryRefused):
                self._sent_parts[outgoing.id] = sent
            raise
        return sent[-1]

    async def _post(self, outgoing: Outgoing, text: str) -> str:
        where = Address.parse(outgoing.address)
        metadata = {"event_type": "frontdesk_reply", "event_payload": {"reply_id": outgoing.turn}}
        try:
            async with aiohttp.ClientSession(timeout=self._posting_timeout) as session:
                response = await self._new_client(session=session).chat_postMessage(
                    channel=where.channel,
                    thread_ts=where.thread,
                    text=text,
                    unfurl_links=False,
                    unfurl_media=False,
                    metadata=metadata,
                )
        except (SlackApiError, *NETWORK_ERRORS) as err:
            raise delivery_error(err, self._client.base_url) from err
        except Exception as err:
            # The library trips over answers that are not Slack's.
            raise in_doubt(f"Slack's answer can't be read ({type(err).__name__}).") from err
        if not (ts := response.get("ts")):
            raise in_doubt("Slack's answer does not name the message.")
        return str(ts)


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
