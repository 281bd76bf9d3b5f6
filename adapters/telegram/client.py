"""The Bot API for one token: its connections, its raw updates, its errors as our sentences."""

import json
import logging
import os
import ssl
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

import httpx

# python-telegram-bot 22 warns at each flood limit until its times are durations; this opts in.
os.environ.setdefault("PTB_TIMEDELTA", "true")

from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused

DEFAULT_BASE_URL = "https://api.telegram.org"
ALLOWED_UPDATES = ("message",)
# Nothing was sent to Telegram: there was no connection, not even through the proxy.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@cache
def _certificates() -> ssl.SSLContext:
    """Read the trusted certificates once: it takes a tenth of a second each time."""
    return httpx.create_ssl_context()


def quiet_loggers() -> None:
    """Keep the token and customers' texts out of the libraries' logs.

    httpx writes each address at INFO, and the address holds the token; python-telegram-bot writes
    texts at DEBUG.
    """
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)


class TelegramClient:
    """Opens and closes what one user of the Bot API needs."""

    def __init__(self, token: str, base_url: str | None, timeout_seconds: float) -> None:
        quiet_loggers()
        self._token = token.strip()
        self._base_url = (base_url or DEFAULT_BASE_URL).rstrip("/")
        self._timeout_seconds = timeout_seconds
        # Polling has its own connections, so that a flood of replies never starves it.
        self._polling = self._make_request()
        self._calling = self._make_request()
        self.bot = Bot(
            self._token or "unset",
            base_url=f"{self._base_url}/bot",
            request=self._calling,
            get_updates_request=self._polling,
        )

    def _make_request(self) -> HTTPXRequest:
        seconds = self._timeout_seconds
        return HTTPXRequest(
            read_timeout=seconds,
            write_timeout=seconds,
            connect_timeout=seconds,
            pool_timeout=seconds,
            httpx_kwargs={"verify": _certificates()},
        )

    async def open(self) -> None:
        """Open the connections, or open them again after `close`."""
        await self._polling.initialize()
        await self._calling.initialize()

    async def close_polling(self) -> None:
        """Close what asks for updates; calls go on."""
        await self._polling.shutdown()

    async def close(self) -> None:
        """Close the connections."""
        await self._polling.shutdown()
        await self._calling.shutdown()

    async def updates(self, offset: int | None, wait_seconds: int) -> Sequence[dict[str, Any]]:
        """Return unconfirmed updates as Telegram sent them, confirming those below `offset`.

        Raw, because `Bot.get_updates` reads all or none: one update that the library can't read
        would block those behind it for good.
        """
        query: dict[str, str | int] = {
            "timeout": wait_seconds,
            "allowed_updates": json.dumps(ALLOWED_UPDATES),
        }
        if offset is not None:
            query["offset"] = offset
        result: Any = await self._polling.post(
            f"{self.bot.base_url}/getUpdates?{urlencode(query)}",
            read_timeout=wait_seconds + self._timeout_seconds,
        )
        return [update for update in result if isinstance(update.get("update_id"), int)]

    def explain(self, error: TelegramError) -> str:
        """Say in one sentence what is wrong and how to mend it. Never holds the token."""
        text = self._redacted(error)
        match error:
            case InvalidToken() if "not found" in text.lower():
                return (
                    f"Telegram found no bot at {self._base_url}: set TELEGRAM_BOT_TOKEN to the "
                    "whole token from @BotFather, and check TELEGRAM_API_BASE_URL if it is set."
                )
            case InvalidToken():
                return (
                    "Telegram refused TELEGRAM_BOT_TOKEN: set it to the bot's current token, which "
                    "@BotFather shows under /mybots, API Token."
                )
            case Conflict():
                return (
                    "Another program receives this bot's messages: stop it, or set "
                    f"TELEGRAM_BOT_TOKEN to a bot of its own ({text})."
                )
            case NetworkError() if not isinstance(error, BadRequest):
                return (
                    f"Telegram can't be reached at {self._base_url}: check the network and "
                    f"TELEGRAM_API_BASE_URL ({text})."
                )
        return f"Telegram answered with an error: {text}."

    def delivery_error(self, error: TelegramError) -> DeliveryError:
        """Return the error to raise for a reply that Telegram did not take, or perhaps did."""
        match error:
            case RetryAfter():
                return DeliveryError("Telegram asks us to wait.", seconds_to_wait(error))
            case Forbidden() | BadRequest() | ChatMigrated():
                return DeliveryRefused(f"Telegram refused the reply: {self._redacted(error)}.")
            case InvalidToken() | Conflict():
                return DeliveryError(self.explain(error))
        if isinstance(error.__cause__, _NEVER_LEFT):
            return DeliveryError(self.explain(error))
        # A connection that was cut, a server that failed, an unreadable answer: any of them may
        # follow upon a post.
        return in_doubt(self.explain(error))

    def _redacted(self, error: TelegramError) -> str:
        text = str(error).rstrip(".")
        return text.replace(self._token, "<token>") if self._token else text


def in_doubt(sentence: str) -> DeliveryInDoubt:
    """Return the error to raise for a reply that Telegram may have posted."""
    return DeliveryInDoubt(f"{sentence} The reply may have arrived.")


def seconds_to_wait(error: RetryAfter) -> float:
    """Return what Telegram asked for, whatever the library's switch makes of it."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
