"""Replies as Slack's messages: Markdown that calls nobody, in parts, with buttons below.

A message is a `markdown` block, which Slack shows as Markdown, and a `text` for notifications. All
that a button needs is in it, so it works after a restart.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ContextActionsBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    MarkdownBlock,
    PlainTextObject,
)

from adapters.rendering import Links, compose, plain_text, safe_markdown, split_text, well_formed
from adapters.rendering.markdown import open_fence
from bot.messages import Choice, Outgoing
from prompts import Prompts

Blocks = list[dict[str, Any]]

# The advised length of one message. Slack takes 12,000 characters of Markdown and about 13,200 in
# all blocks of a message; the text for notifications comes on top.
MESSAGE_LIMIT = 4000
_LABEL_LIMIT = 75
_VALUE_LIMIT = 2000
_CHOICES_AT_ONCE = 24

FEEDBACK = "frontdesk_feedback"
COMMAND = "frontdesk_command"
PERSON = "frontdesk_person"
SHARE = "frontdesk_share"
LANGUAGE = "frontdesk_language"
CHOICES = "frontdesk_choices"


@dataclass(frozen=True, slots=True)
class Body:
    """One message: its Markdown, and the blocks below it."""

    markdown: str
    below: tuple[Mapping[str, Any], ...] = ()

    @property
    def blocks(self) -> Blocks:
        """All blocks of it."""
        return [MarkdownBlock(text=self.markdown).to_dict(), *(dict(each) for each in self.below)]

    @property
    def text(self) -> str:
        """What a notification shows."""
        return escape(plain_text(self.markdown))[:MESSAGE_LIMIT]


@dataclass(frozen=True, slots=True)
class CommandValue:
    """What travels in a button that stands for a command: the command and where it belongs.

    `person` is who may press it, "" for everybody.
    """

    command: str
    address: str
    person: str = ""

    @classmethod
    def parse(cls, text: object) -> "CommandValue | None":
        """Read what `str` wrote; None for anything else."""
        try:
            values = json.loads(str(text))
            return cls(str(values["c"]), str(values["a"]), str(values.get("p", "")))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def __str__(self) -> str:
        person = {"p": self.person} if self.person else {}
        return json.dumps({"c": self.command, "a": self.address, **person}, ensure_ascii=False)


class Formatter:
    """Knows the texts and the hosts that a reply may link to."""

    def __init__(self, prompts: Prompts, links: Links) -> None:
        self.prompts = prompts
        self._links = links

    def preview(self, text: str) -> str:
        """Return the beginning of an answer as harmless Markdown."""
        return harmless(safe_markdown(well_formed(text), self._links)).strip()

    def parts(self, markdown: str) -> list[str]:
        """Return harmless Markdown in messages that are harmless each."""
        parts = split_markdown(markdown)
        if len(parts) < 2:
            return parts
        # Half of what was code or a link is neither.
        return [harmless(safe_markdown(part, self._links)) for part in parts]

    def whole(self, outgoing: Outgoing) -> str:
        """Return all of a reply as harmless Markdown."""
        return harmless(compose(outgoing, self.prompts, self._links)).strip()

    def bodies(self, outgoing: Outgoing) -> list[Body]:
        """Return the messages of a reply, in order."""
        parts = self.parts(self.whole(outgoing))
        below = tuple(self.below(outgoing))
        return [Body(part, below if part is parts[-1] else ()) for part in parts]

    def below(self, outgoing: Outgoing) -> Blocks:
        """Return the buttons under a reply."""
        blocks: Blocks = []
        if outgoing.invites_feedback:
            blocks.append(feedback_block(outgoing, self.prompts))
        if buttons := self._buttons(outgoing):
            blocks.append(ActionsBlock(block_id=CHOICES, elements=buttons).to_dict())
        return blocks

    def _buttons(self, outgoing: Outgoing) -> list[ButtonElement]:
        buttons = [
            command_button(f"{COMMAND}:{number}", choice, outgoing.address, outgoing.customer)
            for number, choice in enumerate(outgoing.choices[:_CHOICES_AT_ONCE])
        ]
        if outgoing.invites_feedback and not outgoing.handed_off:
            label = self.prompts.labels("feedback", outgoing.language)["person"]
            person = Choice(label=label, command="/human")
            buttons.append(command_button(PERSON, person, outgoing.address))
        return [button for button in buttons if len(button.value or "") <= _VALUE_LIMIT]

    def share_block(self, outgoing: Outgoing) -> dict[str, Any]:
        """Return the button that shows a private answer to all."""
        label = self.prompts.labels("slack", outgoing.language)["share"]
        button = ButtonElement(text=_plain(label), action_id=SHARE, value=str(outgoing.turn))
        return dict(ActionsBlock(block_id=SHARE, elements=[button]).to_dict())


def feedback_block(outgoing: Outgoing, prompts: Prompts) -> dict[str, Any]:
    """Return Slack's own thumbs for a reply."""
    words = prompts.labels("feedback", outgoing.language)

    def button(verdict: str) -> FeedbackButtonObject:
        value = f"{verdict}:{outgoing.language}:{outgoing.turn}"
        return FeedbackButtonObject(text=_plain(words[verdict]), value=value)

    element = FeedbackButtonsElement(
        action_id=FEEDBACK, positive_button=button("up"), negative_button=button("down")
    )
    return dict(ContextActionsBlock(block_id=FEEDBACK, elements=[element]).to_dict())


def command_button(action_id: str, choice: Choice, address: str, person: str = "") -> ButtonElement:
    """Return a button that stands for a command, of this person alone where one is given."""
    value = str(CommandValue(choice.command, address, person))
    return ButtonElement(text=_plain(choice.label), action_id=action_id, value=value)


def _plain(label: str) -> PlainTextObject:
    return PlainTextObject(text=label[:_LABEL_LIMIT], emoji=True)


def escape(text: str) -> str:
    """Make text harmless in Slack's markup: without `<` and `>` there are no calls or links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_MARKS = re.compile(
    r"<(?=[!@#]|[a-z][a-z0-9+.-]*:)|@(?=(?:channel|here|everyone)(?![^\W_]))", re.IGNORECASE
)
_WORD_JOINER = "\u2060"  # shows nothing, and keeps two characters from being read as one sign


def harmless(markdown: str) -> str:
    """Return Markdown in which Slack finds none of its own marks: it reads them there too.

    `compose` and `safe_markdown` take them out; this is the second wall.
    """
    return _MARKS.sub(rf"\g<0>{_WORD_JOINER}", markdown)


_FENCE_ROOM = 40


def split_markdown(markdown: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """Return Markdown in messages; a block of code that is cut is closed and opened again."""
    parts = split_text(markdown, limit - _FENCE_ROOM)
    opened = ""
    whole = []
    for part in parts:
        text = f"{opened}\n{part}" if opened else part
        opened = open_fence(text)[: _FENCE_ROOM // 2]
        whole.append(f"{text}\n{opened}" if opened else text)
    return whole


def code_blocks(text: str, limit: int = MESSAGE_LIMIT) -> Sequence[str]:
    """Return a plain text as blocks of code, in messages."""
    quiet = text.replace("```", "'''")
    return [f"```\n{harmless(part)}\n```" for part in split_text(quiet, limit // 2)]
