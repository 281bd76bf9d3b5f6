"""What people press, submit and type as a command in Slack, as the core sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.rendering import well_formed
from adapters.slack.addresses import Address, Post, scoped
from adapters.slack.formatting import COMMAND, FEEDBACK, LANGUAGE, PERSON, SHARE, CommandValue
from adapters.slack.incoming import CHANNEL, words
from bot.messages import COMPLAINTS, LANGUAGES, Complaint, Feedback, Incoming, Language, TurnId

COMPLAINT_MODAL = "frontdesk_complaint"
SHORTCUT = "ask_frontdesk"
SLASH_COMMAND = "/frontdesk"
_WORDS_OF_COMMANDS = frozenset({"start", "help", "human", "language", "stop", "forget", "export"})


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Named(_Loose):
    id: str = Field(min_length=1)


class _Shown(_Loose):
    ts: str = Field(min_length=1)
    user: str | None = None
    thread_ts: str | None = None
    text: str | None = None
    blocks: list[dict[str, Any]] = Field(default_factory=list)


class _Option(_Loose):
    value: str = ""


class _Action(_Loose):
    action_id: str
    value: str | None = None
    action_ts: str = ""
    selected_option: _Option | None = None


class _Container(_Loose):
    message_ts: str | None = None
    thread_ts: str | None = None
    channel_id: str | None = None
    is_ephemeral: bool = False


class _View(_Named):
    callback_id: str = ""
    private_metadata: str = ""
    hash: str = ""
    app_installed_team_id: str | None = None
    state: dict[str, Any] = Field(default_factory=dict)


class _Pressed(_Loose):
    """A `block_actions` payload."""

    user: _Named
    team: _Named | None = None
    channel: _Named | None = None
    message: _Shown | None = None
    container: _Container = _Container()
    view: _View | None = None
    trigger_id: str = ""
    actions: tuple[_Action, ...] = Field(min_length=1)


class _Submitted(_Loose):
    """A `view_submission` payload."""

    user: _Named
    team: _Named | None = None
    view: _View


class _Shortcut(_Loose):
    """A `message_action` payload."""

    callback_id: str
    user: _Named
    team: _Named | None = None
    channel: _Named
    message: _Shown
    trigger_id: str = ""


class _Command(_Loose):
    """What a slash command posts."""

    command: str
    user_id: str = Field(min_length=1)
    channel_id: str = Field(min_length=1)
    trigger_id: str = Field(min_length=1)
    text: str = ""
    team_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """One press of a button of ours."""

    button: Literal["feedback", "command", "person", "share", "language"]
    value: str
    person: str
    team: str
    trigger_id: str
    at: str
    post: Post | None
    thread: str | None
    is_private: bool
    text: str
    blocks: tuple[dict[str, Any], ...]
    view: str

    @property
    def customer(self) -> str:
        """Who pressed, as the core names people."""
        return scoped(self.team, self.person)

    @property
    def feedback(self) -> Feedback | None:
        """The thumb that was pressed, if it was one."""
        verdict, _, rest = self.value.partition(":")
        _, _, turn = rest.partition(":")
        if self.button != "feedback" or verdict not in ("up", "down") or not turn:
            return None
        return Feedback(
            channel=CHANNEL,
            event_key=f"feedback:{self.post or turn}:{self.person}:{self.at}",
            customer=self.customer,
            verdict=cast(Literal["up", "down"], verdict),
            origin="button",
            turn=TurnId(turn),
            post=str(self.post) if self.post and not self.is_private else None,
        )

    @property
    def language(self) -> Language:
        """The language of the reply whose thumb was pressed."""
        named = self.value.split(":")[1:2]
        return next((each for each in LANGUAGES if [each] == named), "en")

    @property
    def command(self) -> Incoming | None:
        """The command that the button stands for, if it stands for one."""
        value = CommandValue.parse(self.value)
        if self.button not in ("command", "person", "language") or value is None:
            return None
        if value.person not in ("", self.customer):
            return None
        return Incoming(
            channel=CHANNEL,
            event_keys=(self._command_key(value.command),),
            address=value.address,
            customer=self.customer,
            text=value.command,
        )

    def _command_key(self, command: str) -> str:
        if self.post is None:
            return f"home:{self.view}:{self.person}:{command}"
        # One message may have both; each of them counts once.
        kind = "person" if self.button == "person" else "button"
        return self.post.key(kind, self.person, self.thread)


_BUTTONS: Mapping[str, Literal["feedback", "command", "person", "share", "language"]] = {
    FEEDBACK: "feedback",
    COMMAND: "command",
    PERSON: "person",
    SHARE: "share",
    LANGUAGE: "language",
}


def press_from(body: Mapping[str, Any], *, with_team: bool) -> Press | None:
    """Return which button was pressed, or None for anything that is not ours."""
    try:
        parsed = _Pressed.model_validate(body)
    except ValidationError:
        return None
    action = parsed.actions[0]
    button = _BUTTONS.get(action.action_id.partition(":")[0])
    if button is None:
        return None
    team = _team(parsed.team, parsed.view, with_team=with_team)
    channel = parsed.channel.id if parsed.channel else parsed.container.channel_id
    ts = parsed.message.ts if parsed.message else parsed.container.message_ts
    thread = parsed.message.thread_ts if parsed.message else parsed.container.thread_ts
    value = action.value or (action.selected_option.value if action.selected_option else "")
    return Press(
        button=button,
        value=value,
        person=parsed.user.id,
        team=team,
        trigger_id=parsed.trigger_id,
        at=action.action_ts,
        post=Post(channel, ts, team) if channel and ts else None,
        thread=thread if thread != ts else None,
        is_private=parsed.container.is_ephemeral,
        text=(parsed.message.text or "") if parsed.message else "",
        blocks=tuple(parsed.message.blocks) if parsed.message else (),
        view=f"{parsed.view.id}-{parsed.view.hash}" if parsed.view else "",
    )


def complaint_from(body: Mapping[str, Any], *, with_team: bool) -> Feedback | None:
    """Return what a person says was wrong with a reply, or None for another form."""
    try:
        parsed = _Submitted.model_validate(body)
    except ValidationError:
        return None
    if parsed.view.callback_id != COMPLAINT_MODAL or not parsed.view.private_metadata:
        return None
    reason = _entered(parsed.view.state, "reason", "selected_option")
    chosen = reason.get("value") if isinstance(reason, dict) else None
    comment = _entered(parsed.view.state, "comment", "value")
    return Feedback(
        channel=CHANNEL,
        event_key=f"complaint:{parsed.view.id}",
        customer=scoped(_team(parsed.team, parsed.view, with_team=with_team), parsed.user.id),
        verdict="down",
        origin="button",
        turn=TurnId(parsed.view.private_metadata),
        complaint=cast(Complaint, chosen) if chosen in COMPLAINTS else None,
        comment=well_formed(comment) if isinstance(comment, str) else "",
    )


def _entered(state: Mapping[str, Any], block: str, field: str) -> object:
    """Return what a field of a form holds; Slack nests it by block and action."""
    found: object = state
    for name in ("values", block, block, field):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def shortcut_from(
    body: Mapping[str, Any], private_channels: frozenset[str], *, with_team: bool
) -> Incoming | None:
    """Return the message that a person asks about, or None for another shortcut.

    In DMs the answer is for that person alone, like that to a slash command.
    """
    try:
        parsed = _Shortcut.model_validate(body)
    except ValidationError:
        return None
    if parsed.callback_id != SHORTCUT:
        return None
    team = _team(parsed.team, with_team=with_team)
    message, channel, person = parsed.message, parsed.channel.id, parsed.user.id
    address = Address(channel, message.thread_ts or message.ts, team)
    if address.is_direct:
        # It may be the DM of two people: what one of them asks is not the other's.
        address = Address(channel, None, team, person)
    elif channel in private_channels:
        address = replace(address, person=person)
    key = Post(channel, message.ts, team).key("shortcut", person, None)
    return Incoming(
        channel=CHANNEL,
        event_keys=(key,),
        address=str(address),
        customer=scoped(team, person),
        text=words(well_formed(message.text or ""), frozenset()),
    )


def command_from(body: Mapping[str, Any], *, with_team: bool) -> Incoming | None:
    """Return what a person typed after `/frontdesk`: a question, or a command of the core.

    The answer is for that person alone, and what they type there is a conversation of its own.
    """
    try:
        parsed = _Command.model_validate(body)
    except ValidationError:
        return None
    if parsed.command != SLASH_COMMAND:
        return None
    team = parsed.team_id if with_team else ""
    return Incoming(
        channel=CHANNEL,
        event_keys=(f"command:{parsed.trigger_id}",),
        address=str(Address(parsed.channel_id, None, team, parsed.user_id)),
        customer=scoped(team, parsed.user_id),
        text=_typed(words(well_formed(parsed.text), frozenset())),
    )


def _typed(text: str) -> str:
    first = text.split(maxsplit=1)[0].lower() if text else "help"
    if first.lstrip("/") not in _WORDS_OF_COMMANDS:
        return text
    # "help me with my order" is a question, "language zh" is not.
    rest = text.split()[1:]
    is_command = len(rest) <= 1 if first.lstrip("/") in ("language", "forget") else not rest
    return " ".join((f"/{first.lstrip('/')}", *rest)) if is_command else text


def _team(team: _Named | None, view: _View | None = None, *, with_team: bool) -> str:
    """Return the workspace that installed the app; somebody of another one may use a form."""
    installed = (view.app_installed_team_id if view else None) or (team.id if team else "")
    return installed if with_team else ""
