"""A whole reply: its parts, the posts it takes the place of, its buttons and its file."""

import logging
from collections.abc import Sequence

from telegram import InlineKeyboardMarkup

from adapters.rendering import Links, compose
from adapters.telegram import buttons
from adapters.telegram.address import Address, Post, question_of
from adapters.telegram.formatting import Formatted, formatted
from adapters.telegram.posting import CannotEdit, Poster
from bot.errors import DeliveryError, DeliveryRefused
from bot.messages import Document, Language, Outgoing
from prompts import Prompts

logger = logging.getLogger(__name__)


class Sender:
    """Delivers replies: posts a placeholder for each part, then fills them.

    An edit can be repeated, a post can't; and a placeholder too many says nothing wrong.
    """

    def __init__(self, poster: Poster, prompts: Prompts, links: Links) -> None:
        self._poster = poster
        self._prompts = prompts
        self._links = links

    async def prepare(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Return a post for each part of a reply, and one for its file.

        Raises DeliveryError where another try may succeed, DeliveryRefused where none will.
        """
        address, posts = parse_address(outgoing.address), _posts(outgoing.replaces)
        count = len(self._parts(outgoing))
        try:
            while len(posts) < count:
                question = (
                    question_of(outgoing.in_reply_to) if address.person and not posts else None
                )
                posts.append(await self._reserve(address, outgoing.language, question))
            if outgoing.document and len(posts) == count:
                posts.append(await self._reserve_for_file(address, outgoing.language))
        except DeliveryError as err:
            err.posts = _names(posts)
            raise
        return _names(posts)

    async def _reserve(self, where: Address, language: Language, question: int | None) -> Post:
        words = self._prompts.labels("telegram", language)["placeholder"]
        return await self._poster.post(where, words, question=question)

    async def _reserve_for_file(self, address: Address, language: Language) -> Post:
        """Post where nobody else reads it, or else where the customer is told how to get it."""
        if address.person:
            try:
                return await self._reserve(Address(address.person), language, None)
            except DeliveryRefused:  # Telegram lets a bot write first to nobody
                pass
        return await self._reserve(address, language, None)

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Fill the posts of a prepared reply, delete what is left of them; return their ids.

        Raises DeliveryError where another try may succeed, DeliveryRefused where none will.
        """
        posts = _posts(outgoing.replaces)
        try:
            shown = 0 if outgoing.is_retraction else await self._fill(outgoing, posts)
            await self._poster.delete(posts[shown:])
        except DeliveryError as err:
            if err.posts is None:
                err.posts = _names(posts)
            raise
        return _names(posts[:shown])

    async def _fill(self, outgoing: Outgoing, posts: Sequence[Post]) -> int:
        """Put each part into its post, in order; return how many posts that took."""
        address, parts, shown = parse_address(outgoing.address), self._parts(outgoing), 0
        try:
            for post, part in zip(posts, parts, strict=False):  # what is left is deleted later
                markup = self._markup(outgoing, address) if shown == len(parts) - 1 else None
                await self._put_text(address, post, part, markup)
                shown += 1
            if outgoing.document:
                await self._put_document(address, posts[shown], outgoing, outgoing.document)
                shown += 1
        except (CannotEdit, DeliveryRefused) as err:
            # What follows is posted anew, too, to keep the order; and no placeholder may stay that
            # nothing is going to fill.
            await self._poster.delete(posts[shown:])
            problem = f"A message can't be edited ({err}); it is posted anew."
            error = err if isinstance(err, DeliveryRefused) else DeliveryError(problem)
            error.posts = _names(posts[:shown])
            raise error from None
        return shown

    async def _put_text(
        self, address: Address, post: Post, part: Formatted, markup: InlineKeyboardMarkup | None
    ) -> None:
        if post.chat.key != address.key:
            raise CannotEdit("the conversation is in another chat by now")
        await self._poster.edit(post, part, markup=markup)

    async def _put_document(
        self, address: Address, post: Post, outgoing: Outgoing, document: Document
    ) -> None:
        if address.person and post.chat.chat != address.person:  # others read it there
            words = self._prompts.labels("telegram", outgoing.language)["only_in_private"]
            await self._poster.edit(post, Formatted(words, ()))
            return
        await self._poster.put_document(post, document.name, document.text.encode())

    def _parts(self, outgoing: Outgoing) -> list[Formatted]:
        parts = formatted(compose(outgoing, self._prompts, self._links), self._links)
        if not parts and not outgoing.document:
            raise DeliveryRefused(f"Reply {outgoing.id} has no words.")
        return parts

    def _markup(self, outgoing: Outgoing, address: Address) -> InlineKeyboardMarkup | None:
        if address.connection:  # the account's owner would see the presses, not us
            return None
        rows: list[buttons.Row] = []
        if outgoing.invites_feedback:
            words = self._prompts.labels("feedback", outgoing.language)
            rows += buttons.thumbs(outgoing.turn, outgoing.language, words)
        rows += buttons.choices(outgoing.choices, address.person)
        return buttons.keyboard(rows)


def parse_address(text: str) -> Address:
    """Read an address. Raises DeliveryRefused for one that is not Telegram's."""
    try:
        return Address.parse(text)
    except ValueError as err:
        raise DeliveryRefused(f"{text!r} is not an address in Telegram.") from err


def _names(posts: Sequence[Post]) -> tuple[str, ...]:
    return tuple(str(post) for post in posts)


def _posts(ids: tuple[str, ...]) -> list[Post]:
    found = []
    for text in ids:
        try:
            found.append(Post.parse(text))
        except ValueError:
            # Of an earlier version, which stored only the number: posted anew then.
            logger.info("Post %r is not known; it stays", text)
    return found
