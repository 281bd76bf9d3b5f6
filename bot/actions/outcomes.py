"""What a customer is told of a call that they were asked about: true, and without its error."""

from typing import Literal

from bot.actions.calls import Acted
from bot.log.actions import Action
from bot.messages import Candidate, Language
from prompts import Prompts


def outcome(action: Action, language: Language, prompts: Prompts) -> Acted:
    """Return the reply that says what became of a call, or that it waits for an agent."""
    match action.state:
        case "declined":
            return _said(action, prompts.text("action_declined", language))
        case "waiting":
            return _handed_on("approval", "action_waiting", action, language, prompts)
        case "refused":
            text = prompts.text("action_refused", language, what=action.summary)
            return _said(action, text)
        case "done":
            done = prompts.text("action_done", language, what=action.summary)
            return _said(action, action.outcome or done)
        case "failed":
            return _handed_on("action_failed", "action_undone", action, language, prompts)
        case _:
            return _handed_on("action_failed", "action_in_doubt", action, language, prompts)


def _said(action: Action, text: str) -> Acted:
    return Acted(candidates=(Candidate(source="action", text=text),), keys=(action.id,))


def _handed_on(
    reason: Literal["approval", "action_failed"],
    task: str,
    action: Action,
    language: Language,
    prompts: Prompts,
) -> Acted:
    candidate = Candidate(
        source="handoff",
        text=prompts.text(task, language, what=action.summary),
        handoff_reason=reason,
    )
    return Acted(candidates=(candidate,), keys=(action.id,))
