"""What people wrote, changed and deleted in Slack's channels, as the core sees it.

No Slack payload goes further than this module, `reactions` and `actions`.
"""

import contextlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.rendering import well_formed
from adapters.slack.addresses import Address, Post, scoped
from bot.messages import Attachment, AttachmentKind, Incoming, Withdrawal

CHANNEL = "slack"
_WRITTEN_BY_PEOPLE = (None, "file_share", "thread_broadcast")
_KINDS: dict[str, AttachmentKind] = {"image": "photo", "audio": "audio", "video": "video"}


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = Field(min_length=1)
    name: str | None = None
    mimetype: str | None = None
    size: int | None = None
    subtype: str | None = None


class _Message(BaseModel):
    """A message, as far as it matters here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    ts: str = Field(min_length=1)
    user: str = Field(min_length=1)
    text: str | None = None
    thread_ts: str | None = None
    parent_user_id: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    edited: object = None
    files: object = None

    @property
    def root(self) -> str | None:
        """The thread that it is a reply in."""
        return self.thread_ts if self.thread_ts != self.ts else None


class _Event(_Message):
    """A `message` or `app_mention` event."""

    type: str
    channel: str = Field(min_length=1)
    channel_type: str | None = None


class _Change(BaseModel):
    """A `message_changed` or `message_deleted` event."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str
    subtype: str
    channel: str = Field(min_length=1)
    message: _Message | None = None
    previous_message: _Message


@dataclass(frozen=True, slots=True)
class Origin:
    """Which event it is, whose app got it, and in which workspace ("" where there is only one)."""

    event_id: str
    team: str
    ourselves: frozenset[str]

    @classmethod
    def of(cls, body: Mapping[str, Any], *, with_team: bool) -> "Origin | None":
        """Read the envelope of an event; None when it is not one."""
        event_id, granted = body.get("event_id"), body.get("authorizations")
        if not isinstance(event_id, str) or not event_id or not isinstance(body.get("event"), dict):
            return None
        grants = [
            each
            for each in (granted if isinstance(granted, list) else [])
            if isinstance(each, dict)
        ]
        ourselves = [each.get("user_id") for each in grants if each.get("is_bot", True)]
        known = frozenset(user for user in ourselves if isinstance(user, str))
        # In a channel that is shared with another company, the envelope may name that one's.
        teams = [*(each.get("team_id") for each in grants), body.get("team_id")]
        team = next((each for each in teams if isinstance(each, str)), "")
        return cls(event_id, team if with_team else "", known)


@dataclass(frozen=True, slots=True)
class Written:
    """A message, and what decides whether it is for us."""

    incoming: Incoming
    channel: str
    is_mention: bool
    is_direct: bool
    is_reply: bool
    calls_others: bool


def message_from(
    event: Mapping[str, Any], origin: Origin, private_channels: frozenset[str] = frozenset()
) -> Written | None:
    """Return what a person wrote, or None when it is something else.

    A message without words, such as a file, has the text "".
    """
    try:
        parsed = _Event.model_validate(event)
    except ValidationError:
        # Most events are no message; Slack also sends messages without a user, as when it joins.
        return None
    if parsed.type not in ("message", "app_mention") or not _is_new(parsed, origin):
        return None
    is_direct = parsed.channel_type == "im" or parsed.channel.startswith("D")
    place = _Place(parsed.channel, is_direct, origin.team, private_channels)
    incoming = Incoming(
        channel=CHANNEL,
        event_keys=(place.key(parsed), f"event:{origin.event_id}"),
        address=str(place.address(parsed)),
        customer=scoped(origin.team, parsed.user),
        text=words(well_formed(parsed.text or ""), origin.ourselves),
        attachments=_attachments(parsed.files, origin.team),
    )
    return _written(incoming, place, parsed, origin, is_mention=parsed.type == "app_mention")


def _written(
    incoming: Incoming, place: "_Place", message: _Message, origin: Origin, *, is_mention: bool
) -> Written:
    mentioned = set(_MENTION.findall(message.text or ""))
    is_mention = is_mention or bool(mentioned & origin.ourselves)
    return Written(
        incoming=incoming,
        channel=place.channel,
        is_mention=is_mention,
        is_direct=place.is_direct,
        is_reply=message.root is not None,
        calls_others=bool(mentioned) and not is_mention,
    )


def edit_from(
    event: Mapping[str, Any], origin: Origin, private_channels: frozenset[str] = frozenset()
) -> Written | None:
    """Return the new version of a message whose words its author changed, else None."""
    change = _change(event, "message_changed")
    if change is None or (new := change.message) is None or not _is_by_person(new, origin):
        return None
    edited = new.edited.get("ts") if isinstance(new.edited, dict) else None
    if not edited or new.text == change.previous_message.text:
        # Slack tells also that a link got a preview, or that a thread got a reply.
        return None
    place = _Place(change.channel, change.channel.startswith("D"), origin.team, private_channels)
    post = Post(change.channel, new.ts, origin.team)
    incoming = Incoming(
        channel=CHANNEL,
        event_keys=(
            post.key("edit", str(edited), place.thread_elsewhere(new)),
            f"event:{origin.event_id}",
        ),
        address=str(place.address(new)),
        customer=scoped(origin.team, new.user),
        text=words(well_formed(new.text or ""), origin.ourselves),
        attachments=_attachments(new.files, origin.team),
        edits=place.key(new),
    )
    return _written(incoming, place, new, origin, is_mention=False)


def withdrawal_from(event: Mapping[str, Any], origin: Origin) -> Withdrawal | None:
    """Return which message a person deleted, or None."""
    change = _change(event, "message_deleted") or _tombstone(event)
    if change is None or not _is_by_person(change.previous_message, origin):
        return None
    place = _Place(change.channel, change.channel.startswith("D"), origin.team, frozenset())
    return Withdrawal(channel=CHANNEL, event_key=place.key(change.previous_message))


@dataclass(frozen=True, slots=True)
class _Place:
    """A channel, and which conversation of it a message belongs to."""

    channel: str
    is_direct: bool
    team: str
    private_channels: frozenset[str]

    def address(self, message: _Message) -> Address:
        """One conversation for a DM, so that follow-ups have a history; one for each thread.

        Replies in a DM come in the thread of their question. That thread is still the DM's
        conversation; only a thread under somebody else's message, as every chat of the older
        `assistant_view` is, is one of its own.
        """
        if self.is_direct:
            return Address(self.channel, self._own_thread(message), self.team)
        person = message.user if self.channel in self.private_channels else None
        return Address(self.channel, message.root or message.ts, self.team, person)

    def key(self, message: _Message) -> str:
        post = Post(self.channel, message.ts, self.team)
        return post.key("message", message.user, self.thread_elsewhere(message))

    def thread_elsewhere(self, message: _Message) -> str | None:
        """Return the thread of a DM that its address does not name."""
        if self.is_direct and self._own_thread(message) is None:
            return message.root
        return None

    def _own_thread(self, message: _Message) -> str | None:
        return None if message.parent_user_id == message.user else message.root


def _change(event: Mapping[str, Any], subtype: str) -> _Change | None:
    try:
        change = _Change.model_validate(event)
    except ValidationError:
        return None
    return change if (change.type, change.subtype) == ("message", subtype) else None


def _tombstone(event: Mapping[str, Any]) -> _Change | None:
    """Return how Slack tells that a message with replies, such as an answer, was deleted."""
    change = _change(event, "message_changed")
    is_gone = change is not None and change.message and change.message.subtype == "tombstone"
    return change if is_gone else None


def _is_by_person(message: _Message, origin: Origin) -> bool:
    return (
        message.subtype in _WRITTEN_BY_PEOPLE
        and message.bot_id is None
        and message.user not in (*origin.ourselves, "USLACKBOT")
    )


def _is_new(event: _Event, origin: Origin) -> bool:
    return _is_by_person(event, origin) and event.edited is None


def _attachments(files: object, team: str) -> tuple[Attachment, ...]:
    """Return the files of a message; one that can't be read must not lose the words beside it."""
    found = []
    for file in files if isinstance(files, list) else []:
        with contextlib.suppress(ValidationError):
            found.append(_attachment(_File.model_validate(file), team))
    return tuple(found)


def _attachment(file: _File, team: str) -> Attachment:
    major = (file.mimetype or "").partition("/")[0]
    kind: AttachmentKind = _KINDS.get(major, "document" if file.mimetype else "other")
    if file.subtype == "slack_audio":
        kind = "voice"
    return Attachment(
        kind=kind,
        id=scoped(team, file.id),
        name=well_formed(file.name or ""),
        media_type=well_formed(file.mimetype or ""),
        size=file.size,
    )


_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
_MARKED_UP = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")


def words(text: str, ourselves: frozenset[str]) -> str:
    """Return Slack's markup as a person reads it, without mentions of the bot itself."""

    def readable(match: re.Match[str]) -> str:
        kind, target, label = match.groups()
        if kind == "@" and target in ourselves:
            return ""
        if kind == "!":
            return label or f"@{target.split('^')[0]}"
        if kind:
            return f"{kind}{label or target}"
        if not label or label == target or target.endswith(f":{label}"):
            return label or target
        return f"{label} ({target})"

    return re.sub(r"[ \t]{2,}", " ", html.unescape(_MARKED_UP.sub(readable, text))).strip()
