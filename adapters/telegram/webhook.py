"""Updates that Telegram posts to us.

The secret that was agreed with Telegram is compared first; without it nothing is read. An update is
answered with 200 only when it is stored; after any other answer Telegram posts it again.
"""

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from telegram import User, WebhookInfo
from telegram.error import BadRequest, RetryAfter, TelegramError

from adapters.telegram.client import ALLOWED_UPDATES, TelegramClient, seconds_to_wait
from adapters.telegram.health import Health
from adapters.telegram.receiving import NotStored, Receiver
from bot.errors import SettingsError

logger = logging.getLogger(__name__)

PATH = "/telegram/webhook"
_RECENT = timedelta(minutes=5)  # Telegram tries again within two
_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_LARGEST_BODY = 1_000_000
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}", re.ASCII)


def checked_secret(secret: str | None) -> str:
    """Return the secret. Raises SettingsError for none, or one that Telegram would not take."""
    if not secret or not _SECRET.fullmatch(secret):
        raise SettingsError(
            "TELEGRAM_WEBHOOK_URL needs TELEGRAM_WEBHOOK_SECRET: set it to 16 to 256 letters, "
            "digits, '_' or '-' that nobody can guess."
        )
    return secret


class Webhook:
    """Takes what Telegram posts, and watches whether Telegram gets through."""

    def __init__(
        self,
        client: TelegramClient,
        receiver: Receiver,
        health: Health,
        introduce: Callable[[], Awaitable[User]],
        *,
        url: str,
        secret: str,
        watch_seconds: float,
    ) -> None:
        self._client = client
        self._receiver = receiver
        self._health = health
        self._introduce = introduce
        self._url = url
        self._secret = secret
        self._watch_seconds = watch_seconds
        self._me: User | None = None
        self._is_agreed = False

    def routes(self) -> list[Route]:
        """Return the route to serve at the address that Telegram was given."""
        return [Route(PATH, self._receive, methods=["POST"])]

    async def run(self) -> None:
        """Tell Telegram where to post, and watch, until cancelled."""
        while True:
            try:
                self._me = await self._introduce()
                await self._watch()
                await asyncio.sleep(self._watch_seconds)
            except RetryAfter as err:
                self._health.report(self._client.explain(err))
                await asyncio.sleep(seconds_to_wait(err))
            except TelegramError as err:
                self._health.report(self._client.explain(err))
                await self._health.back_off()
            except Exception:
                # An answer that is not Telegram's, as from a proxy: watching must outlive it.
                logger.exception("Telegram could not be asked about the webhook")
                self._health.report("Telegram's answer can't be read; it is asked again.")
                await self._health.back_off()

    async def _watch(self) -> None:
        info = await self._client.bot.get_webhook_info()
        # Also when the address is the same: the secret may be new.
        if info.url != self._url or not self._is_agreed:
            try:
                await self._agree()
            except BadRequest as err:
                self._health.report(self._refusal(err))
                return
            info = await self._client.bot.get_webhook_info()
        self._health.report(_problem(info))

    async def _agree(self) -> None:
        await self._client.bot.set_webhook(
            self._url,
            secret_token=self._secret,
            allowed_updates=ALLOWED_UPDATES,
            drop_pending_updates=False,
        )
        self._is_agreed = True

    def _refusal(self, error: BadRequest) -> str:
        return (
            f"Telegram refuses TELEGRAM_WEBHOOK_URL ({self._client.redacted(error)}): set it to a "
            "public https address at port 443, 80, 88 or 8443."
        )

    async def _receive(self, request: Request) -> Response:
        given = request.headers.get(_HEADER, "").encode()
        if not hmac.compare_digest(given, self._secret.encode()):
            return Response(status_code=403)
        if (update := _update_in(await _body_of(request))) is None:
            return Response(status_code=400)
        return Response(status_code=200 if await self._is_stored(update) else 503)

    async def _is_stored(self, update: dict[str, Any]) -> bool:
        if self._me is None:
            return False
        try:
            await self._receiver.take(update, self._me)
        except TelegramError as err:
            logger.warning("An update was not taken: %s", self._client.explain(err))
            return False
        except NotStored as err:
            self._health.report(str(err))
            return False
        return True


async def _body_of(request: Request) -> bytes | None:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_BODY:
                return None
    except ClientDisconnect:
        return None
    return bytes(body)


def _update_in(body: bytes | None) -> dict[str, Any] | None:
    try:
        update = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(update, dict) or type(update.get("update_id")) is not int:
        return None
    return update


def _problem(info: WebhookInfo) -> str | None:
    # Telegram keeps the last error after it is over, and some update waits at any busy moment.
    if not info.last_error_message or not info.pending_update_count or not info.last_error_date:
        return None
    if datetime.now(UTC) - info.last_error_date > _RECENT:
        return None
    return (
        f"Telegram can't post to TELEGRAM_WEBHOOK_URL ({info.last_error_message}); "
        f"{info.pending_update_count} updates wait: check that this address leads here over https."
    )
