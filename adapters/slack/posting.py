"""Replies on their way into Slack: posts, edits of posts, and messages that only one can see."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.slack.addresses import Address, Post, unscoped
from adapters.slack.client import in_doubt
from adapters.slack.files import upload
from adapters.slack.formatting import Body, Formatter
from adapters.slack.history import History
from adapters.slack.streams import Streams
from adapters.slack.workspaces import Workspaces, code_of
from bot.errors import DeliveryError, DeliveryRefused
from bot.messages import Outgoing

logger = logging.getLogger(__name__)

REPLY_EVENT = "frontdesk_reply"
SHARED_EVENT = "frontdesk_shared"
# The post is gone, or Slack lets nobody edit it any more: a new one takes its place.
_NOT_EDITABLE = frozenset(
    {
        "cant_update_message",
        "edit_window_closed",
        "message_not_found",
        "thread_not_found",
        "block_mismatch",
    }
)
_ALREADY_GONE = frozenset({"message_not_found", "cant_delete_message", "channel_not_found"})
# The person can't be reached there, but in the DM with the app.
_NOT_THERE = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "user_not_in_channel",
        "is_archived",
        "method_not_supported_for_channel_type",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
    }
)


@dataclass(slots=True)
class _Stand:
    """What shows a reply, which posts it may still take over, and which must go.

    `seen` stands for the parts that only one person sees: Slack names no posts for them.
    """

    left: list[Post]
    seen: list[str]
    shown: list[Post] = field(default_factory=list)
    surplus: list[Post] = field(default_factory=list)
    elsewhere: Address | None = None

    @property
    def posts(self) -> tuple[str, ...]:
        """All of them, for another try."""
        return (*self.seen, *map(str, (*self.shown, *self.left, *self.surplus)))


class Posting:
    """Puts replies where they belong: over the posts that they replace, and into new ones."""

    def __init__(self, workspaces: Workspaces, formatter: Formatter, streams: Streams) -> None:
        self._workspaces = workspaces
        self._formatter = formatter
        self._streams = streams
        self._history = History(workspaces)

    async def send(self, outgoing: Outgoing, where: Address) -> tuple[str, ...]:
        """Show a reply and return its posts; a message that only one can see has none.

        Raises DeliveryError where another try may succeed, DeliveryInDoubt where Slack has to be
        read before, DeliveryRefused where none will.
        """
        mark = _seen_mark(outgoing)
        seen = [each for each in outgoing.replaces if each.startswith(mark)]
        stand = _Stand(posts_in(outgoing.replaces), seen)
        try:
            await self._send(outgoing, where, stand)
        except DeliveryError as err:
            err.posts = stand.posts
            raise
        return tuple(str(post) for post in stand.shown)

    async def _send(self, outgoing: Outgoing, where: Address, stand: _Stand) -> None:
        if not outgoing.is_retraction:
            bodies = self._formatter.bodies(outgoing)
            if not bodies:
                raise DeliveryRefused(f"Reply {outgoing.id} has no words.")
            if where.person:
                await self._show_one(outgoing, where, bodies, stand)
            else:
                await self._show_there(outgoing, where, bodies, stand)
        stand.surplus += stand.left
        stand.left = []
        while stand.surplus:
            await delete(self._workspaces, stand.surplus[0])
            stand.surplus.pop(0)
        # Last, as nothing tells whether it was sent before.
        await self._send_document(outgoing, where)

    async def _show_there(
        self, outgoing: Outgoing, where: Address, bodies: Sequence[Body], stand: _Stand
    ) -> None:
        """Show a reply; to who asked by a shortcut where the app is not, in the DM with it."""
        metadata = _metadata(REPLY_EVENT, outgoing)
        try:
            await self._show_all(stand.elsewhere or where, bodies, metadata, stand)
        except DeliveryRefused as err:
            is_shortcut = outgoing.in_reply_to.startswith("shortcut:")
            if not is_shortcut or stand.elsewhere or code_of(err) not in _NOT_THERE:
                raise
            stand.elsewhere = Address(unscoped(outgoing.customer)[1], team=where.team)
            await self._show_all(stand.elsewhere, bodies, metadata, stand)

    async def _show_all(
        self,
        where: Address,
        bodies: Sequence[Body],
        metadata: dict[str, object],
        stand: _Stand,
    ) -> None:
        while len(stand.shown) < len(bodies):
            body = bodies[len(stand.shown)]
            post = stand.left[0] if stand.left else None
            if post and await self._overwrite(post, body, metadata):
                stand.shown.append(stand.left.pop(0))
                continue
            # What follows a new post must be new too, or the parts would be out of order.
            stand.surplus += stand.left
            stand.left = []
            stand.shown.append(await self.post(where, body, metadata))

    async def post(self, where: Address, body: Body, metadata: dict[str, object]) -> Post:
        """Post a message. Raises DeliveryError when Slack did not take it, or perhaps did."""
        response = await self._workspaces.send(
            where,
            "post",
            lambda client: client.chat_postMessage(
                channel=where.channel,
                thread_ts=where.thread,
                metadata=metadata,
                **_content(body),
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        if not (ts := response.get("ts")):
            raise in_doubt("Slack's answer does not name the message.")
        return Post(str(response.get("channel") or where.channel), str(ts), where.team)

    async def _overwrite(self, post: Post, body: Body, metadata: dict[str, object]) -> bool:
        """Let a post show something else; return False when it can't be edited."""
        if await self._streams.finish(post, body, metadata):
            return True
        try:
            await self._update(post, body, metadata)
        except DeliveryError as err:
            if code_of(err) != "streaming_state_conflict":
                return _is_editable(err)
        else:
            return True
        await self._streams.end(Address(post.channel, team=post.team), post.ts)
        try:
            await self._update(post, body, metadata)
        except DeliveryError as err:
            return _is_editable(err)
        return True

    async def _update(self, post: Post, body: Body, metadata: dict[str, object]) -> None:
        await self._workspaces.send_repeatably(
            Address(post.channel, team=post.team),
            "update",
            lambda client: client.chat_update(
                channel=post.channel,
                ts=post.ts,
                metadata=metadata,
                **_content(body),
                unfurl_links=False,
                unfurl_media=False,
            ),
        )

    async def _show_one(
        self, outgoing: Outgoing, where: Address, bodies: Sequence[Body], stand: _Stand
    ) -> None:
        """Show a reply to one person: here if that can be, else in the DM with the app."""
        if where.thread and outgoing.invites_feedback:
            share = self._formatter.share_block(outgoing)
            bodies = [*bodies[:-1], Body(bodies[-1].markdown, (*bodies[-1].below, share))]
        while len(stand.seen) < len(bodies) and not where.is_direct:
            if not await self._post_privately(where, bodies[len(stand.seen)]):
                break
            stand.seen.append(f"{_seen_mark(outgoing)}{len(stand.seen)}")
        direct = Address(str(where.person), team=where.team)
        rest = bodies[len(stand.seen) :]
        await self._show_all(direct, rest, _metadata(REPLY_EVENT, outgoing), stand)

    async def _post_privately(self, where: Address, body: Body) -> bool:
        try:
            await self._workspaces.send(
                where,
                "post",
                lambda client: client.chat_postEphemeral(
                    channel=where.channel,
                    user=str(where.person),
                    thread_ts=where.thread,
                    **_content(body),
                ),
            )
        except DeliveryError as err:
            if code_of(err) in _NOT_THERE:
                return False
            raise
        return True

    async def share(self, outgoing: Outgoing, where: Address, since: str) -> None:
        """Post what is not posted yet of a private answer that came then. Raises DeliveryError."""
        metadata = _metadata(SHARED_EVENT, outgoing)
        count = await self._count(metadata, where, since)
        for body in self._formatter.bodies(outgoing)[count:]:
            await self.post(where, Body(body.markdown), metadata)

    async def _count(self, metadata: dict[str, object], where: Address, since: str) -> int:
        """Return how many parts the thread shows; only Slack knows that after a restart."""
        messages = await self._history.read(where, since)
        return sum(message.get("metadata") == metadata for message in messages)

    async def _send_document(self, outgoing: Outgoing, where: Address) -> None:
        if outgoing.document is None:
            return
        if not where.is_direct or where.person:
            # A file in a channel, or in a DM of two people, is not the customer's alone.
            team, person = unscoped(outgoing.customer)
            where = await self._workspaces.direct(person, team)
        await upload(self._workspaces, self, where, outgoing.document)


async def delete(workspaces: Workspaces, post: Post) -> None:
    """Delete a post. Raises DeliveryError when Slack does not now."""
    try:
        await workspaces.send_repeatably(
            Address(post.channel, team=post.team),
            "update",
            lambda client: client.chat_delete(channel=post.channel, ts=post.ts),
        )
    except DeliveryError as err:
        if code_of(err) not in _ALREADY_GONE:
            raise


def _is_editable(error: DeliveryError) -> bool:
    if code_of(error) in _NOT_EDITABLE:
        return False
    raise error


def _content(body: Body) -> dict[str, Any]:
    # Names stay text, whoever they name.
    return {"text": body.text, "blocks": body.blocks, "link_names": False, "parse": "none"}


def _metadata(event: str, outgoing: Outgoing) -> dict[str, object]:
    return {"event_type": event, "event_payload": {"reply_id": outgoing.turn}}


def _seen_mark(outgoing: Outgoing) -> str:
    return f"seen-{outgoing.id}-"  # nothing that can be read as a post


def posts_in(ids: Sequence[str]) -> list[Post]:
    """Return the posts among what stands for a reply's."""
    return [post for post in map(Post.parse, ids) if post]
