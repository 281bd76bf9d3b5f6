"""One message at a time: posted, edited or deleted, at Telegram's pace.

After a 429 nothing goes to that chat before the time is over that Telegram asked for; other chats
don't wait for it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from telegram import (
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, RetryAfter, TelegramError

from adapters.pacing import Pacer
from adapters.telegram.address import Address, Post
from adapters.telegram.business import BusinessAccounts
from adapters.telegram.client import TelegramClient, in_doubt, seconds_to_wait, to_be_repeated
from adapters.telegram.formatting import QUIET, Formatted
from bot.errors import DeliveryError

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_AT_ONCE = 100  # messages that one request may delete


class CannotEdit(Exception):
    """The message is gone, or Telegram does not let it be changed any more."""


class Poster:
    """Makes the requests that change what a chat shows.

    They raise DeliveryError and its kinds, nothing of the library's. `is_paced` says that the
    caller has taken the slot for the request already.
    """

    def __init__(
        self,
        client: TelegramClient,
        pacer: Pacer,
        business: BusinessAccounts,
        moved: Callable[[int, int], Awaitable[None]],
    ) -> None:
        self._client = client
        self._pacer = pacer
        self._business = business
        self._moved = moved

    async def post(
        self,
        address: Address,
        message: Formatted,
        *,
        question: int | None = None,
        markup: InlineKeyboardMarkup | None = None,
        is_paced: bool = False,
    ) -> Post:
        """Post a message, under the one that it answers if that is still there.

        Raises DeliveryInDoubt when it may have arrived.
        """

        async def send(where: Address, reply: ReplyParameters | None) -> Message:
            return await self._send_anyhow(where, message, reply, markup)

        if not is_paced:
            await self._pacer.wait(address.key)
        return await self._send(address, send, _pointing_at(question))

    async def post_document(self, address: Address, name: str, content: bytes) -> Post:
        """Post a file. Raises DeliveryInDoubt when it may have arrived."""

        async def send(where: Address, reply: ReplyParameters | None) -> Message:
            return await self._client.bot.send_document(
                where.chat,
                content,
                filename=name,
                message_thread_id=where.topic or None,
                business_connection_id=where.connection or None,
            )

        await self._pacer.wait(address.key)
        return await self._send(address, send, None)

    async def edit(
        self,
        post: Post,
        message: Formatted,
        *,
        markup: InlineKeyboardMarkup | None = None,
        is_paced: bool = False,
    ) -> None:
        """Put another text into a message. Raises CannotEdit when that can't be done any more."""

        if not is_paced:
            await self._pacer.wait(post.chat.key)
        async with self._repeatable(post.chat):
            try:
                await self._edit_anyhow(post, message, markup)
            except BadRequest as err:
                if not _is_unchanged(err):
                    raise CannotEdit(self._client.redacted(err)) from None
            except ChatMigrated:
                raise CannotEdit("the group became a supergroup") from None

    async def delete(self, posts: Sequence[Post]) -> None:
        """Delete messages; those that are gone, or must stay, are left as they are."""
        chats = {post.chat for post in posts}
        for chat in chats:
            ids = [post.message for post in posts if post.chat == chat]
            for start in range(0, len(ids), _AT_ONCE):
                await self._delete(chat, ids[start : start + _AT_ONCE])

    async def draft(self, address: Address, draft_id: int, message: Formatted) -> bool:
        """Show a text that is still being written. Returns False when this chat takes none."""
        async with self._repeatable(address):
            try:
                return await self._client.bot.send_message_draft(
                    address.chat,
                    draft_id,
                    message.text,
                    message_thread_id=address.topic or None,
                    entities=message.entities or None,
                )
            except BadRequest:
                return False

    async def _send_anyhow(
        self,
        where: Address,
        message: Formatted,
        reply: ReplyParameters | None,
        markup: InlineKeyboardMarkup | None,
    ) -> Message:
        """Send a text; should Telegram refuse its entities, with code alone."""
        try:
            return await self._client.bot.send_message(
                where.chat,
                message.text,
                entities=message.entities or None,
                message_thread_id=where.topic or None,
                link_preview_options=_NO_PREVIEW,
                reply_parameters=reply,
                reply_markup=markup,
                business_connection_id=where.connection or None,
            )
        except BadRequest as err:
            if (plainer := _plainer(message)) == message or not _is_about_entities(err):
                raise
        await self._pacer.wait(where.key)
        return await self._send_anyhow(where, plainer, reply, markup)

    async def _edit_anyhow(
        self, post: Post, message: Formatted, markup: InlineKeyboardMarkup | None
    ) -> None:
        """Edit a text; should Telegram refuse its entities, with code alone."""
        try:
            await self._client.bot.edit_message_text(
                message.text,
                post.chat.chat,
                post.message,
                entities=message.entities or None,
                link_preview_options=_NO_PREVIEW,
                reply_markup=markup,
                business_connection_id=post.chat.connection or None,
            )
            return
        except BadRequest as err:
            if (plainer := _plainer(message)) == message or not _is_about_entities(err):
                raise
        await self._pacer.wait(post.chat.key)
        await self._edit_anyhow(post, plainer, markup)

    async def _delete(self, chat: Address, ids: list[int]) -> None:
        async with self._repeatable(chat):
            if chat.connection and not await self._business.may_delete(chat.connection):
                return
            await self._pacer.wait(chat.key)
            try:
                if chat.connection:
                    await self._client.bot.delete_business_messages(chat.connection, ids)
                else:
                    await self._client.bot.delete_messages(chat.chat, ids)
            except (BadRequest, ChatMigrated):
                return  # gone, or older than the two days in which they can be deleted

    async def _send(
        self,
        address: Address,
        send: Callable[[Address, ReplyParameters | None], Awaitable[Message]],
        reply: ReplyParameters | None,
    ) -> Post:
        async with self._once(address):
            try:
                message = await send(address, reply)
            except ChatMigrated as err:
                # The group became a supergroup; its old messages can't be pointed at.
                await self._moved(address.chat, err.new_chat_id)
                address = address.moved_to(err.new_chat_id)
                await self._pacer.wait(address.key)
                message = await send(address, None)
            return Post(Address(address.chat, connection=address.connection), message.message_id)

    @asynccontextmanager
    async def _once(self, address: Address) -> AsyncIterator[None]:
        """Translate the errors of a request that must not be repeated if it was carried out."""
        try:
            yield
        except TelegramError as err:
            if isinstance(err, RetryAfter):
                self._pacer.hold(address.key, seconds_to_wait(err))
            raise self._client.delivery_error(err) from err
        except (DeliveryError, CannotEdit):
            raise
        except Exception as err:
            # The library trips over answers that are not Telegram's.
            raise in_doubt(f"Telegram's answer can't be read ({type(err).__name__}).") from err

    @asynccontextmanager
    async def _repeatable(self, address: Address) -> AsyncIterator[None]:
        try:
            async with self._once(address):
                yield
        except DeliveryError as err:
            raise to_be_repeated(err) from err


def _pointing_at(question: int | None) -> ReplyParameters | None:
    return ReplyParameters(question, allow_sending_without_reply=True) if question else None


def _plainer(message: Formatted) -> Formatted:
    """Keep only the code: without it Telegram makes links of the addresses in it."""
    code = (entity for entity in message.entities if entity.type in QUIET)
    return Formatted(message.text, tuple(MessageEntity(e.type, e.offset, e.length) for e in code))


def _is_about_entities(error: BadRequest) -> bool:
    return "entit" in str(error).lower()


def _is_unchanged(error: BadRequest) -> bool:
    return "not modified" in str(error).lower()
