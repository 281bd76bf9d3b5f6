"""Names of places in Slack: conversations, posts, and the keys of what people do there.

All of them are text in the log, so all that a reply needs is in them: after a restart nothing else
is left. Where several workspaces are served, channels and people carry their workspace: `T1/C1`.
"""

from dataclasses import dataclass, replace

_KINDS_OF_POSTS = ("message", "edit", "button", "person", "shortcut")


def scoped(team: str, name: str) -> str:
    """Name a channel, a person or a file of a workspace; `team` is "" where there is only one."""
    return f"{team}/{name}" if team else name


def unscoped(text: str) -> tuple[str, str]:
    """Return the workspace and the name that `scoped` put together."""
    team, slash, name = text.partition("/")
    return (team, name) if slash else ("", text)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conversation takes place: `[team/]channel[:thread][@person]`.

    A DM is one conversation without a thread. With a `person` nobody else in the channel sees the
    replies.
    """

    channel: str
    thread: str | None = None
    team: str = ""
    person: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read what `str` wrote."""
        place, _, person = text.partition("@")
        team, place = unscoped(place)
        channel, _, thread = place.partition(":")
        return cls(channel, thread or None, team, person or None)

    def __str__(self) -> str:
        thread = f":{self.thread}" if self.thread else ""
        person = f"@{self.person}" if self.person else ""
        return f"{scoped(self.team, self.channel)}{thread}{person}"

    @property
    def is_direct(self) -> bool:
        """Whether it is a DM with the app."""
        return self.channel.startswith("D")

    def answering(self, event_key: str) -> "Address":
        """Return where the reply to a message goes: in a DM, the thread under that message."""
        if self.thread is None and self.is_direct and not self.person:
            return replace(self, thread=_thread_of(event_key))
        return self


@dataclass(frozen=True, slots=True)
class Post:
    """One message in Slack: `[team/]channel:ts`."""

    channel: str
    ts: str
    team: str = ""

    @classmethod
    def parse(cls, text: str) -> "Post | None":
        """Read what `str` wrote; None for anything else, such as a message only one can see."""
        team, place = unscoped(text)
        channel, _, ts = place.partition(":")
        return cls(channel, ts, team) if channel and ts[:1].isdigit() else None

    def __str__(self) -> str:
        return f"{scoped(self.team, self.channel)}:{self.ts}"

    def key(self, kind: str, detail: str, thread: str | None) -> str:
        """Return the key of something that happened to it, or of the message itself.

        `thread` is given where a reply to it belongs into another thread than its own.
        """
        return ":".join((kind, str(self), detail, *([thread] if thread else [])))


def time_of(event_key: str) -> str | None:
    """Return the ts of the message that an event is about, or None where it is about none."""
    kind, *fields = event_key.split(":")
    return fields[1] if kind in _KINDS_OF_POSTS and len(fields) >= 3 else None


def _thread_of(event_key: str) -> str | None:
    """Return the thread of a DM that a reply to this event belongs to, or None."""
    kind, *fields = event_key.split(":")
    if kind not in _KINDS_OF_POSTS or not 3 <= len(fields) <= 4:
        return None
    return fields[3] if len(fields) == 4 else fields[1]
