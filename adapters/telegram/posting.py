"""One message at a time: posted, edited or deleted, at Telegram's pace.

After a 429 nothing goes to that chat before the time is over that Telegram asked for; other chats
don't wait for it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from telegram import (
    InlineKeyboardMarkup,
    InputMediaDocument,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, ChatMigrated, RetryAfter, TelegramError

from adapters.telegram.address import Address, Post
from adapters.telegram.business import BusinessAccounts
from adapters.telegram.client import TelegramClient, seconds_to_wait
from adapters.telegram.formatting import QUIET, Formatted
from adapters.telegram.limits import ChatPacer, Lane
from bot.errors import DeliveryError

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_AT_ONCE = 100  # messages that one request may delete
_NOT_EDITABLE = (
    "to edit not found",
    "can't be edited",
    "no text in the message to edit",  # it shows a file
    "message_id_invalid",
    "message_edit_time_expired",
    "message_author_required",
)


class CannotEdit(Exception):
    """The message is gone, or Telegram does not let it be changed any more."""


class Poster:
    """Makes the requests that change what a chat shows.

    They raise DeliveryError or DeliveryRefused, nothing of the library's. What failed may have been
    carried out all the same: to repeat it leaves a placeholder too many at most. `is_paced` says
    that the caller has taken the slot for the request already.
    """

    def __init__(
        self,
        client: TelegramClient,
        pacer: ChatPacer,
        business: BusinessAccounts,
        moved: Callable[[int, int], Awaitable[None]],
    ) -> None:
        self._client = client
        self._pacer = pacer
        self._business = business
        self._moved = moved

    async def post(
        self, address: Address, text: str, *, question: int | None = None, is_paced: bool = False
    ) -> Post:
        """Post a placeholder, under the message that is answered if that is still there."""
        if not is_paced:
            await self._pacer.wait(address.key, "post")
        async with self._request(address, "post"):
            try:
                message = await self._client.bot.send_message(
                    address.chat,
                    text,
                    message_thread_id=address.topic or None,
                    link_preview_options=_NO_PREVIEW,
                    reply_parameters=_pointing_at(question),
                    business_connection_id=address.connection or None,
                )
            except ChatMigrated as err:
                await self._moved(address.chat, err.new_chat_id)
                raise DeliveryError("The group became a supergroup; it goes on there.") from None
            return Post(Address(address.chat, connection=address.connection), message.message_id)

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
            await self._pacer.wait(post.chat.key, "edit")
        async with self._editing(post):
            await self._edit_anyhow(post, message, markup)

    async def put_document(self, post: Post, name: str, content: bytes) -> None:
        """Let a message show a file. Raises CannotEdit when that can't be done any more."""
        await self._pacer.wait(post.chat.key, "edit")
        async with self._editing(post):
            await self._client.bot.edit_message_media(
                InputMediaDocument(content, filename=name),
                post.chat.chat,
                post.message,
                business_connection_id=post.chat.connection or None,
            )

    @asynccontextmanager
    async def _editing(self, post: Post) -> AsyncIterator[None]:
        async with self._request(post.chat, "edit"):
            try:
                yield
            except BadRequest as err:
                if _is_unchanged(err):
                    return
                if not _is_about_message(err):
                    raise
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
        async with self._request(address, "draft"):
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
        await self._pacer.wait(post.chat.key, "edit")
        await self._edit_anyhow(post, plainer, markup)

    async def _delete(self, chat: Address, ids: list[int]) -> None:
        async with self._request(chat, "edit"):
            if chat.connection and not await self._business.may_delete(chat.connection):
                return
            await self._pacer.wait(chat.key, "edit")
            try:
                if chat.connection:
                    await self._client.bot.delete_business_messages(chat.connection, ids)
                else:
                    await self._client.bot.delete_messages(chat.chat, ids)
            except (BadRequest, ChatMigrated):
                return  # gone, or older than the two days in which they can be deleted

    @asynccontextmanager
    async def _request(self, address: Address, lane: Lane) -> AsyncIterator[None]:
        """Translate the errors of a request that concerns a chat, and note that it is over."""
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
            problem = f"Telegram's answer can't be read ({type(err).__name__})."
            raise DeliveryError(problem) from err
        finally:
            self._pacer.done(address.key, lane)


def _pointing_at(question: int | None) -> ReplyParameters | None:
    return ReplyParameters(question, allow_sending_without_reply=True) if question else None


def _plainer(message: Formatted) -> Formatted:
    """Keep only the code: without it Telegram makes links of the addresses in it."""
    code = (entity for entity in message.entities if entity.type in QUIET)
    return Formatted(message.text, tuple(MessageEntity(e.type, e.offset, e.length) for e in code))


def _is_about_entities(error: BadRequest) -> bool:
    return "entit" in str(error).lower()


def _is_about_message(error: BadRequest) -> bool:
    return any(words in str(error).lower() for words in _NOT_EDITABLE)


def _is_unchanged(error: BadRequest) -> bool:
    return "not modified" in str(error).lower()
