"""Who may see an article or use a tool: everybody, nobody outside the team, or some by name.

A name is a channel (`slack`), or one part of an address there: a workspace, a channel or a person
(`slack:T0123`).
"""

import re
from collections.abc import Collection

from bot.messages import Dialogue

Audience = tuple[str, ...]

PUBLIC, INTERNAL = "public", "internal"
EVERYBODY: Audience = (PUBLIC,)
CHANNELS = ("telegram", "slack", "web", "terminal")
_NAME = re.compile(rf"(?:{'|'.join(CHANNELS)})(?::[\w.-]+)?")


def checked(names: Collection[str]) -> Audience:
    """Return an audience in a fixed order.

    Raises ValueError for a name that nobody can have, and where one of the two that stand for
    everybody and nobody is not alone.
    """
    for name in names:
        if name not in (PUBLIC, INTERNAL) and not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} must be public, internal, one of {', '.join(CHANNELS)}, or a workspace "
                "or channel there, such as slack:T0123"
            )
    found = tuple(sorted({*names}))
    if not found:
        raise ValueError("it names nobody; say public, internal, or the channels")
    if len(found) > 1 and {PUBLIC, INTERNAL} & {*found}:
        raise ValueError("public and internal stand alone")
    return found


def audiences_of(dialogue: Dialogue) -> frozenset[str]:
    """Return the audiences that a dialogue belongs to: everybody, its channel, and parts of it."""
    parts = (f"{dialogue.channel}:{part}" for part in re.split("[:/@]", dialogue.address))
    return frozenset((PUBLIC, dialogue.channel, *parts))
