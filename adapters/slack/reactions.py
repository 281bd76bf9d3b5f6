"""What a reaction says about a reply."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.slack.addresses import Post, scoped
from adapters.slack.incoming import CHANNEL, Origin
from bot.messages import Feedback, Verdict

_UP = frozenset(
    "+1 thumbsup heart tada white_check_mark heavy_check_mark 100 clap ok_hand raised_hands "
    "pray star smile".split()
)
_DOWN = frozenset("-1 thumbsdown x no_entry no_entry_sign confused disappointed angry".split())


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    channel: str = Field(min_length=1)
    ts: str = Field(min_length=1)


class _Reaction(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str
    user: str = Field(min_length=1)
    reaction: str
    item: _Item


def reaction_from(event: Mapping[str, Any], origin: Origin) -> Feedback | None:
    """Return what a reaction says about a post, or None when it says neither yes nor no."""
    try:
        parsed = _Reaction.model_validate(event)
    except ValidationError:
        return None
    name = parsed.reaction.split("::")[0]
    if name not in _UP | _DOWN or parsed.user in origin.ourselves:
        return None
    return Feedback(
        channel=CHANNEL,
        event_key=f"event:{origin.event_id}",
        customer=scoped(origin.team, parsed.user),
        verdict="withdrawn" if parsed.type == "reaction_removed" else _verdict(name),
        origin="reaction",
        post=str(Post(parsed.item.channel, parsed.item.ts, origin.team)),
    )


def _verdict(name: str) -> Verdict:
    return "up" if name in _UP else "down"
