"""What a reaction under a message says about it."""

from collections.abc import Iterable

from telegram import MessageReactionUpdated, ReactionType, ReactionTypeEmoji

from adapters.telegram.address import CHANNEL, Address, Post
from bot.messages import Feedback, Verdict

_UP = frozenset("👍❤🔥🎉👏💯🙏🥰😍🤩👌🏆⚡🤗🤝🫡🆒💘😘😁")
_DOWN = frozenset("👎💩🤮🤬😡🖕💔🥱😢😭🤡😨😱")


def feedback_from(update_id: int, reaction: MessageReactionUpdated) -> Feedback | None:
    """Return what a person's change of reactions says, or None when it says nothing."""
    if reaction.user is None or reaction.user.is_bot:
        return None
    before, now = _verdict(reaction.old_reaction), _verdict(reaction.new_reaction)
    if now == before:
        return None
    post = Post(Address(reaction.chat.id), reaction.message_id)
    return Feedback(
        channel=CHANNEL,
        event_key=f"reaction:{post}:{reaction.user.id}:{update_id}",
        customer=str(reaction.user.id),
        verdict=now or "withdrawn",
        origin="reaction",
        post=str(post),
    )


def _verdict(reactions: Iterable[ReactionType]) -> Verdict | None:
    """Return the newest verdict: people with Premium may leave several."""
    for reaction in reversed(list(reactions)):
        if isinstance(reaction, ReactionTypeEmoji):
            sign = reaction.emoji.rstrip("\N{VARIATION SELECTOR-16}")
            if sign in _UP:
                return "up"
            if sign in _DOWN:
                return "down"
    return None
