"""What Slack shows of a reply that may have been posted before.

A finished post carries the reply's id in its metadata. The beginning of an answer, whose stream was
left when the program ended or a request's answer was lost, carries none: it is taken over, too.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.slack.addresses import Address, Post, time_of, unscoped
from adapters.slack.history import History, Message
from adapters.slack.posting import REPLY_EVENT, delete, posts_in
from adapters.slack.streams import BEGUN, Streams
from adapters.slack.workspaces import Identity, Workspaces
from bot.errors import DeliveryInDoubt
from bot.messages import Outgoing, TurnId

SETTLING_SECONDS = 2.0
# Ours and Slack's clocks may differ.
_CLOCK_DIFFERENCE = timedelta(minutes=10)


class Recovery:
    """Finds the posts that a reply shall stand in.

    Slack may list a post a moment late: where nothing unknown is found, it is asked again after
    `settling_seconds`, and then believed.
    """

    def __init__(
        self,
        workspaces: Workspaces,
        streams: Streams,
        *,
        settling_seconds: float = SETTLING_SECONDS,
    ) -> None:
        self._workspaces = workspaces
        self._history = History(workspaces)
        self._streams = streams
        self._settling_seconds = settling_seconds

    async def posts(
        self, outgoing: Outgoing, places: Sequence[Address], *, is_doubtful: bool
    ) -> tuple[str, ...]:
        """Return the posts of a reply in order, those it already has included.

        `places` are where its questions are answered, its own first. Raises DeliveryInDoubt where
        nobody can know, DeliveryError when Slack can't be asked now.
        """
        keys = (outgoing.in_reply_to, *outgoing.also_answers)
        is_begun = BEGUN in outgoing.replaces
        replaces = tuple(post for post in outgoing.replaces if post != BEGUN)
        outgoing = replace(outgoing, replaces=replaces)
        if not is_doubtful and not any(
            self._streams.may_have_begun(outgoing.address, key, is_begun=is_begun) for key in keys
        ):
            return replaces
        found = await self._found(outgoing, places[0])
        known = posts_in(outgoing.replaces)
        for place, key in dict(zip(places[1:], keys[1:], strict=True)).items():
            if place != places[0]:
                await self._delete_beginnings(outgoing, place, key)
        return tuple(map(str, _as_shown({*known, *found})))

    async def _found(self, outgoing: Outgoing, where: Address) -> set[Post]:
        found = await self._look(outgoing, where)
        if not found - set(posts_in(outgoing.replaces)):
            await asyncio.sleep(self._settling_seconds)
            found = await self._look(outgoing, where)
        if where.person and not where.is_direct and not found:
            raise DeliveryInDoubt("What only one person sees can't be read back.")
        return found

    async def _look(self, outgoing: Outgoing, where: Address) -> set[Post]:
        if where.person:
            since = time_of(outgoing.in_reply_to) or _before(outgoing.turn)
            return await self._in_direct(outgoing, where.person, where.team, since)
        if not outgoing.in_reply_to.startswith("shortcut:"):
            return await self._there(outgoing, where)
        # Where the app may not write, the answer went to the DM with the one who asked.
        team, person = unscoped(outgoing.customer)
        found = await self._in_direct(outgoing, person, team, _before(outgoing.turn))
        try:
            return found | await self._there(outgoing, where)
        except DeliveryInDoubt:
            return found

    async def _there(self, outgoing: Outgoing, where: Address) -> set[Post]:
        since = time_of(outgoing.in_reply_to) or _before(outgoing.turn)
        messages = await self._history.read(where, since)
        posts = _in(where, (each for each in messages if _is_of(each, outgoing.turn)))
        return posts | await self._beginnings(messages, outgoing, where)

    async def _in_direct(
        self, outgoing: Outgoing, person: str, team: str, since: str | None
    ) -> set[Post]:
        where = await self._workspaces.direct(person, team)
        messages = await self._history.read(where, since)
        return _in(where, (each for each in messages if _is_of(each, outgoing.turn)))

    async def _beginnings(
        self, messages: Sequence[Message], outgoing: Outgoing, where: Address
    ) -> set[Post]:
        """Return the posts of ours under the question that no reply owns."""
        # A new version's answer is not shown while it is written.
        if where.thread is None or outgoing.in_reply_to.startswith("edit:"):
            return set()
        candidates = [each for each in messages if not each.get("metadata")]
        if not any(each.get("bot_id") for each in candidates):
            return set()
        ourselves = await self._workspaces.identity(where.team)
        ours = _in(where, (each for each in candidates if _is_ours(each, ourselves)))
        return ours - self._streams.posts_of_others(outgoing.address, outgoing.in_reply_to)

    async def _delete_beginnings(self, outgoing: Outgoing, where: Address, key: str) -> None:
        """Take away the beginning of an answer to a message that is answered elsewhere now."""
        messages = await self._history.read(where, time_of(key))
        for post in await self._beginnings(messages, outgoing, where):
            await delete(self._workspaces, post)


def _in(where: Address, messages: Iterable[Message]) -> set[Post]:
    return {Post(where.channel, str(each["ts"]), where.team) for each in messages}


def _as_shown(posts: Iterable[Post]) -> list[Post]:
    return sorted(posts, key=lambda post: post.ts)


def _is_of(message: Message, turn: TurnId) -> bool:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != REPLY_EVENT:
        return False
    payload = metadata.get("event_payload")
    return isinstance(payload, dict) and payload.get("reply_id") == turn


def _is_ours(message: Message, ourselves: Identity) -> bool:
    # A file has no metadata either, but can't be overwritten.
    if message.get("files") or not message.get("bot_id"):
        return False
    return message["bot_id"] == ourselves.bot or message.get("user") == ourselves.user


def _before(turn: TurnId) -> str | None:
    """Return a ts before a reply was made, as its id tells; None where it does not."""
    try:
        made = UUID(turn)
    except ValueError:
        return None
    if made.version != 7:
        return None
    at = datetime.fromtimestamp((made.int >> 80) / 1000, UTC) - _CLOCK_DIFFERENCE
    return f"{at.timestamp():.6f}"
