"""The reply that the tests of every channel send."""

from dataclasses import replace
from typing import Any

from bot.messages import Citation, ConversationId, Outgoing, TurnId

RETURNS = Citation(article="returns", title="Returns", url="https://shop.example/returns")
REPLY = Outgoing(
    id=1,
    conversation=ConversationId("c1"),
    turn=TurnId("01890a5d-ac96-774b-bcce-b302099a8057"),
    channel="test",
    address="ada",
    customer="ada",
    in_reply_to="message:1",
    text="You can return it within 30 days.",
    source="article",
    language="en",
    citations=(RETURNS,),
    candidates=1,
    handed_off=False,
)


def reply(**changes: Any) -> Outgoing:
    """Return the sample reply with other values in some fields."""
    return replace(REPLY, **changes)
