"""The Telegram channel: what receives, what sends, and what both of them share."""

import asyncio
import logging
from functools import partial

from starlette.routing import Route
from telegram import BotCommand, User, WebhookInfo
from telegram.error import InvalidToken, TelegramError

from adapters.rendering import Links
from adapters.telegram.address import CHANNEL, Address
from adapters.telegram.business import BusinessAccounts
from adapters.telegram.client import TelegramClient
from adapters.telegram.health import Health
from adapters.telegram.incoming import COMMANDS
from adapters.telegram.limits import TELEGRAM_LIMITS, Limits
from adapters.telegram.polling import Polling
from adapters.telegram.posting import Poster
from adapters.telegram.presence import TelegramPresence
from adapters.telegram.presses import Presses
from adapters.telegram.preview import Previews
from adapters.telegram.receiving import Receiver
from adapters.telegram.sending import Sender, parse_address
from adapters.telegram.webhook import Webhook, checked_secret
from bot.errors import ChannelUnreachable, SettingsError
from bot.messages import LANGUAGES, Attachment, Outgoing, Place, Stage
from bot.ports import Inbox
from prompts import Prompts

logger = logging.getLogger(__name__)


class TelegramChannel:
    """One bot on Telegram.

    It asks Telegram for updates, or with `webhook_url` has them posted to `routes()`.
    Raises SettingsError for a webhook without a usable secret.
    """

    def __init__(
        self,
        *,
        token: str,
        inbox: Inbox,
        prompts: Prompts,
        links: Links,
        base_url: str | None = None,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        limits: Limits = TELEGRAM_LIMITS,
        poll_seconds: int = 25,
        timeout_seconds: float = 10.0,
        stall_seconds: float = 10.0,
        watch_seconds: float = 60.0,
        first_delay_seconds: float = 1.0,
        longest_delay_seconds: float = 30.0,
        typing_repeat_seconds: float = 4.0,
        typing_limit_seconds: float = 60.0,
    ) -> None:
        self._new_client = partial(TelegramClient, token, base_url, timeout_seconds, stall_seconds)
        self._client = self._new_client()
        self._inbox = inbox
        self._prompts = prompts
        self._webhook_url = webhook_url
        self._me: User | None = None
        self._menu: asyncio.Task[None] | None = None
        self._health = Health(first_delay_seconds, longest_delay_seconds)
        self._limits = limits
        pacer = limits.pacer()
        business = BusinessAccounts(self._client)
        self._presses = Presses(self._client, inbox, prompts, pacer)
        receiver = Receiver(self._client, inbox, self._presses, business)
        parts = (self._client, receiver, self._health, self._introduce)
        self._polling = Polling(*parts, poll_seconds=poll_seconds)
        self._webhook = (
            Webhook(
                *parts,
                url=webhook_url,
                secret=checked_secret(webhook_secret),
                watch_seconds=watch_seconds,
            )
            if webhook_url
            else None
        )
        self._presence = TelegramPresence(
            self._client,
            pacer,
            repeat_seconds=typing_repeat_seconds,
            limit_seconds=typing_limit_seconds,
        )
        poster = Poster(self._client, pacer, business, self._move)
        self._sender = Sender(poster, prompts, links)
        self._previews = Previews(poster, pacer, prompts, links)

    @property
    def name(self) -> str:
        """Return "telegram"."""
        return CHANNEL

    @property
    def answers_a_second(self) -> float:
        """Return what Telegram's limit for all chats together leaves."""
        return self._limits.answers_a_second

    def trouble(self) -> str | None:
        """Say in one sentence why customers can't be reached here now, or None when they can."""
        return self._health.trouble

    def routes(self) -> list[Route]:
        """Return what the web server must serve for the webhook; nothing without one."""
        return self._webhook.routes() if self._webhook else []

    async def check(self) -> str:
        """Ask Telegram whether it knows the token; return what the bot is, for the operator.

        Raises SettingsError when it does not, ChannelUnreachable when it can't be asked now.
        """
        client = self._new_client()
        try:
            me = await client.bot.get_me()
            webhook = await client.bot.get_webhook_info()
        except InvalidToken as err:
            raise SettingsError(client.explain(err)) from None
        except TelegramError as err:
            # "from None": the library's error may hold the token.
            raise ChannelUnreachable(client.explain(err)) from None
        finally:
            await client.close()
        return f"@{me.username}. {_privacy(me)} {self._about(webhook)}"

    async def run(self) -> None:
        """Receive messages until cancelled; errors of the network heal by themselves.

        Replies can be sent before, meanwhile and after, until `close`.
        """
        await self._client.open()
        try:
            await (self._webhook or self._polling).run()
        finally:
            # Not the connections for calls: running answers are sent after this.
            await self._client.close_polling()

    async def close(self) -> None:
        """Close the connections once the last reply is sent; a later `send` opens them again."""
        if self._menu:
            self._menu.cancel()
            await asyncio.gather(self._menu, return_exceptions=True)
        await self._presses.close()
        await self._presence.stop_all()
        await self._client.close()

    async def reserve(self, place: Place) -> str | None:
        """Post what the beginning of an answer then fills; None where it is shown as a draft.

        Raises DeliveryError when it can't be posted.
        """
        await self._client.open()
        return await self._previews.reserve(place)

    async def prepare(self, outgoing: Outgoing, *, is_doubtful: bool) -> tuple[str, ...]:
        """Return the posts of a reply, a placeholder for each part that has none yet.

        Nothing is ever doubtful here: what is filled is an edit. Raises DeliveryError where
        another try may succeed, DeliveryRefused where none will.
        """
        self._presence.stop(parse_address(outgoing.address))
        self._previews.forget(outgoing.address, outgoing.in_reply_to)
        await self._client.open()
        return await self._sender.prepare(outgoing)

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Fill the posts of a prepared reply; return the ids of those that show it.

        Raises DeliveryError where another try may succeed, DeliveryRefused where none will.
        """
        await self._client.open()
        return await self._sender.send(outgoing)

    async def preview(self, place: Place, text: str) -> str | None:
        """Show the beginning of an answer; return the id of the post that shows it, if one stays.

        Raises DeliveryError when it can't be shown.
        """
        await self._client.open()
        return await self._previews.show(place, text)

    async def show_progress(self, place: Place, stage: Stage) -> None:
        """Show "typing …" until the reply is sent, a minute at most."""
        await self._client.open()
        self._presence.start(Address.parse(place.address))

    async def fetch(self, attachment: Attachment) -> bytes:
        """Return the content of a file. Raises AttachmentError when it can't be had."""
        await self._client.open()
        return await self._client.download(attachment)

    async def _introduce(self) -> User:
        """Learn who we are, once; take the bot back from a webhook unless it shall have one."""
        if self._me is None:
            me = await self._client.bot.get_me()
            if self._webhook is None:
                await self._client.bot.delete_webhook(drop_pending_updates=False)
            self._me = me
            self._menu = asyncio.create_task(self._set_menu())
        return self._me

    async def _set_menu(self) -> None:
        """Tell Telegram the commands; English for everybody, Chinese for apps set to it."""
        for language in LANGUAGES:
            words = self._prompts.labels(CHANNEL, language)
            menu = [BotCommand(command, words[command]) for command in COMMANDS]
            try:
                await self._client.bot.set_my_commands(
                    menu, language_code=None if language == "en" else language
                )
            except TelegramError as err:
                # Customers can write the commands all the same.
                logger.warning("The menu of commands is not set: %s", self._client.explain(err))

    async def _move(self, old: int, new: int) -> None:
        try:
            await self._inbox.move(CHANNEL, str(old), str(new))
        except Exception:
            # The reply goes on to the new chat; Telegram's own notice of the move comes as well.
            logger.exception("That chat %s became %s was not stored", old, new)

    def _about(self, webhook: WebhookInfo) -> str:
        waiting = f"{webhook.pending_update_count} updates wait."
        error = webhook.last_error_message
        problem = f" Telegram's last error with it: {error}." if error else ""
        url = self._client.without_token(webhook.url)  # many put it there
        if self._webhook_url and webhook.url == self._webhook_url:
            return f"Telegram posts updates to {url}; {waiting}{problem}"
        if self._webhook_url:
            return f"The webhook will be set to {self._webhook_url} at the start; {waiting}"
        if webhook.url:
            return (
                f"A webhook is set to {url}; it is removed at the start, because "
                f"TELEGRAM_WEBHOOK_URL is not set. {waiting}{problem}"
            )
        return f"Updates are asked for; {waiting}"


def _privacy(me: User) -> str:
    if me.can_read_all_group_messages:
        return (
            "Privacy mode is off: in groups Telegram passes on every message, and only those that "
            "mention the bot, reply to it or are commands are answered and kept."
        )
    return (
        "Privacy mode is on: in groups Telegram passes on only commands, replies to the bot and "
        "mentions; if mentions don't arrive, turn it off with /setprivacy in @BotFather and add "
        "the bot to the group again."
    )
