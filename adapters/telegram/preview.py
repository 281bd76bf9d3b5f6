"""The beginning of an answer, while it is being written.

Private chats have drafts, which vanish when the answer comes. Elsewhere, and where Telegram takes
no draft, a placeholder is posted once and edited; the answer then goes in its place. A preview
never waits: without a free slot it is skipped.
"""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.rendering import Links, safe_markdown
from adapters.telegram.address import Address, Post, question_of
from adapters.telegram.formatting import Formatted, formatted
from adapters.telegram.limits import ChatPacer
from adapters.telegram.posting import CannotEdit, Poster
from adapters.telegram.sending import parse_address
from bot.errors import DeliveryError
from bot.messages import Place
from prompts import Prompts

_NO_DRAFTS_SECONDS = 600.0
_KEPT = 1000


@dataclass(slots=True)
class _Shown:
    post: Post
    message: Formatted | None = None


class Previews:
    """Shows how an answer grows."""

    def __init__(
        self,
        poster: Poster,
        pacer: ChatPacer,
        prompts: Prompts,
        links: Links,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._poster = poster
        self._pacer = pacer
        self._prompts = prompts
        self._links = links
        self._clock = clock
        self._shown: dict[tuple[str, str], _Shown] = {}
        self._no_drafts_until: dict[str, float] = {}

    async def reserve(self, place: Place) -> str | None:
        """Post the placeholder that is then edited; None where a draft shows the answer.

        Raises DeliveryError when it can't be posted, or not now.
        """
        address = parse_address(place.address)
        if self._takes_drafts(address):
            return None
        if not self._pacer.take(address.key, "post"):
            raise DeliveryError("There is no free slot to show the beginning of an answer.")
        question = question_of(place.in_reply_to) if address.person else None
        words = self._prompts.labels("telegram", place.language)["placeholder"]
        post = await self._poster.post(address, words, question=question, is_paced=True)
        self._shown[place.address, place.in_reply_to] = _Shown(post)
        _drop_oldest(self._shown)
        return str(post)

    async def show(self, place: Place, text: str) -> str | None:
        """Show all of a text so far; return the id of the post that shows it, if one stays.

        Raises DeliveryError when it can't be shown.
        """
        parts = formatted(safe_markdown(text, self._links), self._links)
        shown = self._shown.get((place.address, place.in_reply_to))
        if not parts:
            return str(shown.post) if shown else None
        if shown:
            await self._edit(shown, parts[0])
            return str(shown.post)
        if self._takes_drafts(address := parse_address(place.address)):
            await self._draft(address, place, parts[-1])
        return None

    def forget(self, address: str, in_reply_to: str) -> None:
        """End the preview of an answer: it is sent, or given up."""
        self._shown.pop((address, in_reply_to), None)

    def _takes_drafts(self, address: Address) -> bool:
        refused_until = self._no_drafts_until.get(address.key, 0.0)
        return address.is_private and refused_until <= self._clock()

    async def _draft(self, address: Address, place: Place, message: Formatted) -> None:
        if not self._pacer.take(address.key, "draft"):
            return
        # 31 bits, which is what Telegram means by an integer, and never 0.
        draft_id = zlib.crc32(f"{place.address} {place.in_reply_to}".encode()) >> 1 or 1
        if not await self._poster.draft(address, draft_id, message):
            self._no_drafts_until[address.key] = self._clock() + _NO_DRAFTS_SECONDS
            _drop_oldest(self._no_drafts_until)

    async def _edit(self, shown: _Shown, message: Formatted) -> None:
        if shown.message == message or not self._pacer.take(shown.post.chat.key, "edit"):
            return
        try:
            await self._poster.edit(shown.post, message, is_paced=True)
        except CannotEdit as err:
            raise DeliveryError(f"The beginning of an answer can't be edited: {err}.") from None
        shown.message = message


def _drop_oldest(kept: dict[Any, Any]) -> None:
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]
