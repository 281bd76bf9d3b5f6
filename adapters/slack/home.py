"""The app's own pages in Slack: the Home tab, the form after a thumb down, first questions."""

from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    DividerBlock,
    HeaderBlock,
    InputBlock,
    MarkdownTextObject,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    RadioButtonsElement,
    SectionBlock,
)
from slack_sdk.models.views import View

from adapters.slack.actions import COMPLAINT_MODAL
from adapters.slack.formatting import LANGUAGE, PERSON, command_button, escape
from bot.messages import COMPLAINTS, LANGUAGES, Choice, Language
from bot.ports import OpenQuestion
from prompts import Prompts

_QUESTIONS_SHOWN = 10
_QUESTION_LENGTH = 300
_COMMENT_LENGTH = 1000
_NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}


def home_view(
    prompts: Prompts, language: Language, questions: Sequence[OpenQuestion], address: str
) -> View:
    """Return the Home tab: what the app does, the language, open questions, and a person."""
    words = prompts.labels("slack", language)
    blocks = [
        HeaderBlock(text=_plain(words["home_title"])),
        SectionBlock(text=_mrkdwn(escape(words["home_text"]))),
        *_buttons(prompts, language, address),
        DividerBlock(),
        HeaderBlock(text=_plain(words["open_questions"])),
        *_open(words["waiting_since"], questions),
    ]
    if not questions:
        blocks.append(SectionBlock(text=_mrkdwn(escape(words["no_open_questions"]))))
    return View(type="home", blocks=blocks)


def _buttons(prompts: Prompts, language: Language, address: str) -> list[Any]:
    words = prompts.labels("slack", language)
    if not address:
        return [SectionBlock(text=_mrkdwn(escape(words["home_start"])))]
    languages = [
        command_button(
            f"{LANGUAGE}:{each}", Choice(label=_NAMES[each], command=f"/language {each}"), address
        )
        for each in LANGUAGES
    ]
    person = command_button(PERSON, Choice(label=words["person"], command="/human"), address)
    return [ActionsBlock(elements=[*languages, person])]


def _open(since: str, questions: Sequence[OpenQuestion]) -> list[SectionBlock]:
    return [
        SectionBlock(
            text=_mrkdwn(
                f"{escape(question.text[:_QUESTION_LENGTH])}\n"
                f"_{since.format(since=question.asked_at[:10])}_"
            )
        )
        for question in questions[:_QUESTIONS_SHOWN]
    ]


def complaint_view(prompts: Prompts, language: Language, turn: str) -> View:
    """Return the form that asks what was wrong with a reply."""
    words = prompts.labels("feedback", language)
    reasons = [Option(value=complaint, text=_plain(words[complaint])) for complaint in COMPLAINTS]
    return View(
        type="modal",
        callback_id=COMPLAINT_MODAL,
        private_metadata=turn,
        title=_plain(prompts.labels("slack", language)["complaint_title"]),
        submit=_plain(words["send"]),
        close=_plain(words["cancel"]),
        blocks=[
            InputBlock(
                block_id="reason",
                label=_plain(words["ask_why"]),
                element=RadioButtonsElement(action_id="reason", options=reasons),
                optional=True,
            ),
            InputBlock(
                block_id="comment",
                label=_plain(words["comment"]),
                element=PlainTextInputElement(
                    action_id="comment", multiline=True, max_length=_COMMENT_LENGTH
                ),
                optional=True,
            ),
        ],
    )


def suggested_prompts(
    prompts: Prompts, language: Language | None
) -> tuple[str, list[dict[str, str]]]:
    """Return a title and questions to start with, in both languages where none is known."""
    languages = (language,) if language else LANGUAGES
    words = [prompts.labels("slack", each) for each in languages]
    title = " / ".join(each["prompts_title"] for each in words)
    questions = [
        {"title": each[f"prompt_{number}_title"], "message": each[f"prompt_{number}"]}
        for each in words
        for number in (1, 2)
    ]
    return title, questions


def without_buttons(blocks: Sequence[dict[str, Any]], block_id: str) -> list[dict[str, Any]]:
    """Return a message's blocks without those that were used."""
    return [block for block in blocks if block.get("block_id") != block_id]


def _plain(text: str) -> PlainTextObject:
    return PlainTextObject(text=text, emoji=True)


def _mrkdwn(text: str) -> MarkdownTextObject:
    return MarkdownTextObject(text=text, verbatim=True)
