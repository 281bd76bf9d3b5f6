"""Answers that appear while they are written, with Slack's own streaming.

A stream is one post. Its text can only grow, and Slack ends it by itself after some minutes. What
can't be finished in the stream is put in its place by an edit: the post is what counts, the stream
only how it comes about.
"""

import logging
from collections import OrderedDict
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_chat_stream import AsyncChatStream

from adapters.slack.addresses import Address, Post, unscoped
from adapters.slack.client import NETWORK_ERRORS, in_doubt, library_logger
from adapters.slack.formatting import MESSAGE_LIMIT, Body, Formatter
from adapters.slack.workspaces import Workspaces
from bot.errors import DeliveryError, DeliveryInDoubt
from bot.messages import Place

logger = logging.getLogger(__name__)

_REMEMBERED = 1000
# Stands for the post of a beginning until its id is known; no post has such an id.
BEGUN = "begun"
_ROOM = 200  # below a message's limit: what is cut may be closed and grow a little


@dataclass(slots=True)
class _Stream:
    """`text` is what the library was given; it may hold the end of it back after a 429."""

    where: Address
    library: AsyncChatStream
    post: Post | None = None
    text: str = ""
    is_sound: bool = True


class Streams:
    """The answers that are being streamed, by the message they answer."""

    def __init__(self, workspaces: Workspaces, formatter: Formatter) -> None:
        self._workspaces = workspaces
        self._formatter = formatter
        self._live: OrderedDict[tuple[str, str], _Stream] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lost: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._begun: OrderedDict[tuple[str, str], None] = OrderedDict()

    def reserve(self, place: Place) -> str | None:
        """Return what is stored before the beginning of an answer is streamed; None without one.

        A later run of the program then knows that the beginning may stand there.
        """
        if not self._is_streamed(Address.parse(place.address).answering(place.in_reply_to)):
            return None
        _remember(self._begun, (place.address, place.in_reply_to), None)
        return BEGUN

    def _is_streamed(self, where: Address) -> bool:
        return where.thread is not None and not where.person

    async def preview(self, place: Place, text: str) -> str | None:
        """Show the beginning of an answer; return its post, or None where there is no stream.

        Raises DeliveryError when Slack refused it.
        """
        where = Address.parse(place.address).answering(place.in_reply_to)
        key = (place.address, place.in_reply_to)
        if not self._is_streamed(where) or key in self._refused:
            return None
        if not (markdown := self._first_part(text)):
            return None
        if (stream := self._live.get(key)) is None:
            stream = await self._new(where, place)
            await self._start(key, stream, markdown)
        else:
            await self._append(stream, markdown)
        return str(stream.post) if stream.post else None

    def _first_part(self, text: str) -> str:
        markdown = self._formatter.preview(text)
        return (
            markdown
            if len(markdown) < MESSAGE_LIMIT - _ROOM
            else self._formatter.parts(markdown)[0]
        )

    async def _new(self, where: Address, place: Place) -> _Stream:
        token = await self._workspaces.token(where.team)
        library = AsyncChatStream(
            self._workspaces.client(token),
            channel=where.channel,
            logger=library_logger(),
            thread_ts=str(where.thread),
            buffer_size=1,
            # Slack wants to know in channels for whom it streams.
            recipient_team_id=where.team or await self._workspaces.home_team(),
            recipient_user_id=unscoped(place.customer)[1],
        )
        return _Stream(where, library)

    async def _start(self, key: tuple[str, str], stream: _Stream, markdown: str) -> None:
        try:
            answer = await self._workspaces.send_now(
                stream.where, "stream", lambda _: stream.library.append(markdown_text=markdown)
            )
            if answer is None:
                return
            if not stream.library.ts:
                raise in_doubt("Slack's answer does not name the stream.")
        except DeliveryError as err:
            _remember(self._refused, key, None)
            if isinstance(err, DeliveryInDoubt):
                _remember(self._lost, key, None)
            raise
        stream.post = Post(stream.where.channel, str(stream.library.ts), stream.where.team)
        stream.text = markdown
        _remember(self._live, key, stream)

    def may_have_begun(self, address: str, in_reply_to: str, *, is_begun: bool) -> bool:
        """Return whether a stream under a message may be there of which nothing is known.

        `is_begun` says whether one was reserved, by this run of the program or by an earlier one.
        """
        key = address, in_reply_to
        return key in self._lost or (is_begun and key not in self._begun)

    def posts_of_others(self, address: str, in_reply_to: str) -> set[Post]:
        """Return the posts of the streams that belong to other messages."""
        own = (address, in_reply_to)
        return {each.post for key, each in self._live.items() if each.post and key != own}

    async def _append(self, stream: _Stream, markdown: str) -> None:
        if not stream.is_sound or not markdown.startswith(stream.text):
            return
        if not (more := markdown[len(stream.text) :]):
            return
        try:
            answer = await self._workspaces.send_now(
                stream.where, "stream", lambda _: stream.library.append(markdown_text=more)
            )
        except DeliveryError as err:
            if err.retry_after_seconds is None:
                stream.is_sound = False
            else:
                stream.text = markdown
            raise
        if answer is not None:
            stream.text = markdown

    async def finish(self, post: Post, body: Body, metadata: dict[str, object]) -> bool:
        """End the stream of a post so that it shows `body`; return False where an edit must.

        Raises DeliveryError when Slack asks to wait.
        """
        found = [key for key, stream in self._live.items() if stream.post == post]
        if not found:
            return False
        stream = self._live[found[0]]
        if not stream.is_sound or not body.markdown.startswith(stream.text):
            del self._live[found[0]]
            await self._end(stream)
            return False
        rest, stream.text = body.markdown[len(stream.text) :], body.markdown
        try:
            await self._workspaces.send(
                stream.where,
                "stream",
                lambda _: stream.library.stop(
                    markdown_text=rest,
                    blocks=[dict(each) for each in body.below] or None,
                    metadata=metadata,
                ),
            )
        except DeliveryError as err:
            if err.retry_after_seconds is not None:
                raise
            logger.info("Stream in %s not finished; it is edited instead.", stream.where.channel)
            del self._live[found[0]]
            return False
        del self._live[found[0]]
        return True

    async def _end(self, stream: _Stream) -> None:
        """Let Slack close a stream, as a message can't be edited before."""
        await self.end(stream.where, str(stream.post.ts) if stream.post else "")

    async def end(self, where: Address, ts: str) -> None:
        """Let Slack close a stream of which nothing more is known, as after a restart."""
        try:
            await self._workspaces.ask(
                where.team, lambda client: client.chat_stopStream(channel=where.channel, ts=ts)
            )
        except (SlackApiError, *NETWORK_ERRORS) as err:
            logger.info("Stream in %s not closed: %s", where.channel, type(err).__name__)


def _remember(known: OrderedDict, key: tuple[str, str], value: object) -> None:  # type: ignore[type-arg]
    known[key] = value
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
