"""A whole reply: its parts, the posts it takes the place of, its buttons and its file."""

import logging
from dataclasses import dataclass, field

from telegram import InlineKeyboardMarkup

from adapters.rendering import Links, compose
from adapters.telegram import buttons
from adapters.telegram.address import Address, Post, question_of
from adapters.telegram.formatting import Formatted, formatted
from adapters.telegram.posting import CannotEdit, Poster
from bot.errors import DeliveryError, DeliveryInDoubt, DeliveryRefused
from bot.messages import Document, Outgoing
from prompts import Prompts

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Progress:
    """How far a reply came: the posts that show it, and those that still have to go."""

    shown: list[Post] = field(default_factory=list)
    old: list[Post] = field(default_factory=list)
    has_document: bool = False


class Sender:
    """Delivers replies. One that failed half-way goes on where it stopped."""

    def __init__(self, poster: Poster, prompts: Prompts, links: Links) -> None:
        self._poster = poster
        self._prompts = prompts
        self._links = links
        self._begun: dict[int, _Progress] = {}

    async def send(self, outgoing: Outgoing) -> tuple[str, ...]:
        """Show a reply; return the ids of the posts that show it.

        Raises DeliveryError where another try may succeed, DeliveryRefused where none will.
        """
        address = parse_address(outgoing.address)
        progress = self._begun.pop(outgoing.id, None) or _Progress(old=_posts(outgoing.replaces))
        try:
            await self._go_on(outgoing, address, progress)
        except DeliveryError as err:
            err.posts = tuple(str(post) for post in (*progress.shown, *progress.old))
            if not isinstance(err, DeliveryRefused | DeliveryInDoubt):  # else it never comes again
                self._begun[outgoing.id] = progress
            raise
        return tuple(str(post) for post in progress.shown)

    async def _go_on(self, outgoing: Outgoing, address: Address, progress: _Progress) -> None:
        parts = [] if outgoing.is_retraction else self._parts(outgoing)
        question = question_of(outgoing.in_reply_to) if address.person else None
        while len(progress.shown) < len(parts):
            index = len(progress.shown)
            markup = self._markup(outgoing, address) if index == len(parts) - 1 else None
            await self._show(address, parts[index], progress, None if index else question, markup)
        if progress.old:
            await self._poster.delete(progress.old)
            progress.old.clear()
        if outgoing.document and not progress.has_document:
            progress.shown.append(await self._post_document(outgoing, outgoing.document, address))
            progress.has_document = True

    async def _post_document(self, outgoing: Outgoing, document: Document, where: Address) -> Post:
        """Post a customer's file where nobody else reads it, or say where it can be had."""
        content = document.text.encode()
        if not where.person:
            return await self._poster.post_document(where, document.name, content)
        try:
            private = Address(where.person)
            return await self._poster.post_document(private, document.name, content)
        except DeliveryRefused:  # Telegram lets a bot write first to nobody
            words = self._prompts.labels("telegram", outgoing.language)["only_in_private"]
            return await self._poster.post(where, Formatted(words, ()), question=None, markup=None)

    def _parts(self, outgoing: Outgoing) -> list[Formatted]:
        parts = formatted(compose(outgoing, self._prompts, self._links), self._links)
        if not parts and not outgoing.document:
            raise DeliveryRefused(f"Reply {outgoing.id} has no words.")
        return parts

    async def _show(
        self,
        address: Address,
        part: Formatted,
        progress: _Progress,
        question: int | None,
        markup: InlineKeyboardMarkup | None,
    ) -> None:
        if progress.old:
            post = progress.old[0]
            try:
                await self._poster.edit(post, part, markup=markup)
            except CannotEdit as err:
                # Posted anew, and so is all that follows it, to keep the order. What can't be
                # edited is deleted in the end where it can be.
                logger.info("Post %s can't be edited (%s); posted anew", post, err)
                await self._poster.delete(progress.old)
                progress.old.clear()
            else:
                progress.shown.append(progress.old.pop(0))
                return
        progress.shown.append(
            await self._poster.post(address, part, question=question, markup=markup)
        )

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


def _posts(ids: tuple[str, ...]) -> list[Post]:
    found = []
    for text in ids:
        try:
            found.append(Post.parse(text))
        except ValueError:
            # Of an earlier version, which stored only the number: posted anew then.
            logger.info("Post %r is not known; it stays", text)
    return found
