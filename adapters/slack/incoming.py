"""What a customer wrote in Slack, as the core sees it; no Slack payload goes further."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.rendering import well_formed
from bot.messages import Incoming

CHANNEL = "slack"
_WRITTEN_BY_PEOPLE = (None, "file_share")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conversation takes place: a DM, or a thread. Written as `channel[:thread]`."""

    channel: str
    thread: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read what `str` wrote."""
        channel, _, thread = text.partition(":")
        return cls(channel, thread or None)

    def __str__(self) -> str:
        return f"{self.channel}:{self.thread}" if self.thread else self.channel


class _Event(BaseModel):
    """A `message` or `app_mention` event, as far as it matters here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str
    channel: str = Field(min_length=1)
    ts: str = Field(min_length=1)
    user: str = Field(min_length=1)
    text: str | None = None
    thread_ts: str | None = None
    channel_type: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    edited: object = None

    @property
    def is_direct(self) -> bool:
        """Whether it was written in a DM with the bot."""
        return self.channel_type == "im" or self.channel.startswith("D")


class _Authorization(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: str | None = None


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    event_id: str = Field(min_length=1)
    event: _Event
    authorizations: tuple[_Authorization, ...] = ()


def incoming_from(body: Mapping[str, Any]) -> Incoming | None:
    """Return the customer's message in an event, or None when there is nothing to answer.

    A message without words, such as a file, has the text "".
    """
    try:
        parsed = _Body.model_validate(body)
    except ValidationError:
        # Most events are no message; Slack also sends messages without a user, as when it joins.
        return None
    event = parsed.event
    ourselves = {authorization.user_id for authorization in parsed.authorizations}
    if not _is_for_us(event, ourselves):
        return None
    return Incoming(
        channel=CHANNEL,
        event_keys=(f"message:{event.channel}:{event.ts}:{event.user}", f"event:{parsed.event_id}"),
        address=str(_address_of(event)),
        customer=event.user,
        text=words(well_formed(event.text or ""), ourselves),
    )


def _is_for_us(event: _Event, ourselves: set[str | None]) -> bool:
    is_new_from_person = (
        event.subtype in _WRITTEN_BY_PEOPLE
        and event.bot_id is None
        and event.edited is None
        and event.user not in ourselves
    )
    is_addressed = event.type == "app_mention" or (event.type == "message" and event.is_direct)
    return is_new_from_person and is_addressed


def _address_of(event: _Event) -> Address:
    """One conversation for a DM, so that follow-ups have a history; one for each thread."""
    if event.is_direct:
        return Address(event.channel, event.thread_ts)
    return Address(event.channel, event.thread_ts or event.ts)


_MARKED_UP = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")


def words(text: str, ourselves: set[str | None]) -> str:
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
