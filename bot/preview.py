"""The beginning of an answer, shown while the rest is being written."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.errors import DeliveryError
from bot.messages import Place
from bot.ports import Channel

logger = logging.getLogger(__name__)


class Preview:
    """Shows a growing text at one place, one call at a time and the newest text each time.

    Whoever writes never waits for the platform. `keep` stores the id of a post that stays.
    """

    def __init__(
        self, channel: Channel, place: Place, keep: Callable[[str], Awaitable[object]]
    ) -> None:
        self._channel = channel
        self._place = place
        self._keep = keep
        self._text = ""
        self._post: str | None = None
        self._is_reserved = False
        self._showing: asyncio.Task[None] | None = None
        self._is_over = False

    @property
    def is_visible(self) -> bool:
        """Whether the customer may see something of the answer already."""
        return bool(self._text)

    async def show(self, text: str) -> None:
        """Show all of the text so far, as soon as the platform takes it."""
        self._text = text
        if self._showing is None and not self._is_over:
            self._showing = asyncio.create_task(self._run())

    async def finish(self) -> None:
        """Show no more, and wait until what is on its way has arrived."""
        self._is_over = True
        if self._showing:
            await self._showing

    def abandon(self) -> None:
        """Show no more, not even what is on its way."""
        self._is_over = True
        if self._showing:
            self._showing.cancel()
            self._showing = None

    async def _run(self) -> None:
        shown = ""
        while shown != self._text and not self._is_over:
            shown = self._text
            await self._show(shown)
        self._showing = None

    async def _show(self, text: str) -> None:
        try:
            if not self._is_reserved:
                self._is_reserved = True
                await self._note(await self._channel.reserve(self._place))
            post = await self._channel.preview(self._place, text)
        except DeliveryError as err:
            logger.info("The beginning of an answer could not be shown: %s", err)
            self._is_over = True
            return
        except Exception:  # the answer itself must not suffer
            logger.exception("The beginning of an answer could not be shown.")
            self._is_over = True
            return
        await self._note(post)

    async def _note(self, post: str | None) -> None:
        if post and post != self._post:
            self._post = post
            await self._keep(post)
