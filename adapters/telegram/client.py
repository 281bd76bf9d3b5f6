"""The Bot API for one token: its connections, its raw updates, its errors as our sentences."""

import asyncio
import json
import logging
import os
import ssl
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

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
    TimedOut,
)
from telegram.request import HTTPXRequest

from bot.errors import AttachmentError, DeliveryError, DeliveryRefused
from bot.messages import Attachment

logger = logging.getLogger(__name__)

DEFAULT_BASE_URL = "https://api.telegram.org"
ALLOWED_UPDATES = (
    "message",
    "edited_message",
    "callback_query",
    "message_reaction",
    "my_chat_member",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
)
LARGEST_FILE = 20_000_000  # bytes that Telegram lets a bot download
_TOO_LARGE = (
    f"The file is larger than the {LARGEST_FILE // 1_000_000} MB that Telegram lets a bot download."
)
_LONGEST = 12  # times the timeout: a file of the largest size needs a while


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


class _Request(HTTPXRequest):
    """Requests that end in time, and in no other way.

    Whoever waits for one may be cancelled; the request itself goes on to its end. A request that is
    cancelled while its answer comes in leaves httpcore's connection taken for ever (seen with
    1.0.9), and after 256 of them nothing could be sent any more. A server that sends a byte now and
    then, for ever, does not hold one longer than `longest_seconds`.
    """

    def __init__(self, longest_seconds: float | None, **settings: Any) -> None:
        super().__init__(**settings)
        self._longest_seconds = longest_seconds
        self._calls: set[asyncio.Task[tuple[int, bytes]]] = set()

    async def do_request(self, *args: Any, **settings: Any) -> tuple[int, bytes]:
        call = asyncio.create_task(self._in_time(*args, **settings))
        self._calls.add(call)
        call.add_done_callback(self._ended)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError as err:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise NetworkError("The connections were closed.") from err

    async def shutdown(self) -> None:
        calls = tuple(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await super().shutdown()  # last, since it also closes connections that were left taken

    async def _in_time(self, *args: Any, **settings: Any) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(self._longest_seconds):
                return await super().do_request(*args, **settings)
        except TimeoutError as err:
            raise TimedOut from err

    def _ended(self, call: asyncio.Task[tuple[int, bytes]]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # nobody may be waiting for it


class TelegramClient:
    """Opens and closes what one user of the Bot API needs."""

    def __init__(
        self,
        token: str,
        base_url: str | None,
        timeout_seconds: float,
        stall_seconds: float = 10.0,
    ) -> None:
        quiet_loggers()
        self._token = token.strip()
        self._base_url = (base_url or DEFAULT_BASE_URL).rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._stall_seconds = stall_seconds
        # Polling has its own connections, so that a flood of replies never starves it.
        self._polling = self._make_request()
        self._calling = self._make_request(_LONGEST * timeout_seconds)
        self.bot = Bot(
            self._token or "unset",
            base_url=f"{self._base_url}/bot",
            base_file_url=f"{self._base_url}/file/bot",
            request=self._calling,
            get_updates_request=self._polling,
        )

    def _make_request(self, longest_seconds: float | None = None) -> HTTPXRequest:
        seconds = self._timeout_seconds
        return _Request(
            longest_seconds,
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

    async def renew_polling(self) -> None:
        """Ask for updates over new connections from now on: the old ones may be dead."""
        old, self._polling = self._polling, self._make_request()
        await self._polling.initialize()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await old.shutdown()
        except (TimeoutError, httpx.HTTPError) as err:
            logger.info("Old connections were left open: %s", type(err).__name__)

    async def close(self) -> None:
        """Close the connections."""
        await self._polling.shutdown()
        await self._calling.shutdown()

    async def updates(self, offset: int | None, wait_seconds: int) -> Sequence[dict[str, Any]]:
        """Return unconfirmed updates as Telegram sent them, confirming those below `offset`.

        Raises TelegramError, and TimeoutError when there is no whole answer in the time given.

        Raw, because `Bot.get_updates` reads all or none: one update that the library can't read
        would block those behind it for good.
        """
        query: dict[str, str | int] = {
            "timeout": wait_seconds,
            "allowed_updates": json.dumps(ALLOWED_UPDATES),
        }
        if offset is not None:
            query["offset"] = offset
        seconds = wait_seconds + self._timeout_seconds
        # The library counts the time between two bytes, so a server that sends one now and then
        # would keep it waiting for ever.
        async with asyncio.timeout(seconds + self._stall_seconds):
            result: Any = await self._polling.post(
                f"{self.bot.base_url}/getUpdates?{urlencode(query)}", read_timeout=seconds
            )
        return [update for update in result if isinstance(update.get("update_id"), int)]

    async def download(self, attachment: Attachment) -> bytes:
        """Return a file's content. Raises AttachmentError when it can't be had."""
        if (attachment.size or 0) > LARGEST_FILE:
            raise AttachmentError(_TOO_LARGE)
        try:
            file = await self.bot.get_file(attachment.id)
            if (file.file_size or 0) > LARGEST_FILE:
                raise AttachmentError(_TOO_LARGE)
            content = bytes(await file.download_as_bytearray())
        except TelegramError as err:
            problem = f"A file can't be had from Telegram: {self.redacted(err)}."
            raise AttachmentError(problem) from None
        except (RuntimeError, OSError, TypeError, AttributeError) as err:
            # The library trips over answers that are not Telegram's.
            kind = type(err).__name__
            raise AttachmentError(f"Telegram's answer for a file can't be read ({kind}).") from None
        if len(content) > LARGEST_FILE:
            raise AttachmentError(_TOO_LARGE)
        return content

    def explain(self, error: TelegramError) -> str:
        """Say in one sentence what is wrong and how to mend it. Never holds the token."""
        text = self.redacted(error)
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
        """Return the error to raise for a request that Telegram did not take, or perhaps did."""
        match error:
            case RetryAfter():
                return DeliveryError("Telegram asks us to wait.", seconds_to_wait(error))
            case Forbidden() | BadRequest() | ChatMigrated():
                return DeliveryRefused(f"Telegram refused the reply: {self.redacted(error)}.")
        return DeliveryError(self.explain(error))

    def redacted(self, error: TelegramError) -> str:
        """Return Telegram's own words, without the token."""
        return self.without_token(str(error).rstrip("."))

    def without_token(self, text: str) -> str:
        """Return a text of Telegram's, or an address, without the token."""
        for secret in (self._token, quote(self._token, safe=""), self._token.partition(":")[2]):
            text = text.replace(secret, "<token>") if secret else text
        return text


def seconds_to_wait(error: RetryAfter) -> float:
    """Return what Telegram asked for, whatever the library's switch makes of it."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
