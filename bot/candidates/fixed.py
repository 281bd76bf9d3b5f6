"""Replies that need no article: courtesies, requests for words, and hand-offs."""

from bot.messages import Candidate, Choice, HandoffReason, Language
from bot.understanding import LONGEST_QUESTION, Understood
from prompts import Prompts

_HANDOFF_PROMPTS: dict[HandoffReason, str] = {
    "no_article": "handoff",
    "not_grounded": "handoff_not_grounded",
    "asked_for_person": "handoff_requested",
    "complaint": "handoff_complaint",
    "risk": "handoff_risk",
    "intent": "handoff_intent",
    "failure": "handoff_failure",
}


def reply_without_articles(
    message: Understood, prompts: Prompts, *, has_files: bool = False
) -> Candidate | None:
    """Return the reply to a message that asks nothing of the articles, or None for a question.

    Commands are answered elsewhere: None for them, too.
    """
    match message.kind:
        case "greeting" | "thanks" | "farewell":
            text = prompts.text(message.kind, message.language)
            return Candidate(source="courtesy", text=text)
        case "no_words":
            task = "no_text" if has_files else "no_words"
            return Candidate(source="clarification", text=prompts.text(task, message.language))
        case "too_long":
            text = prompts.text("too_long", message.language, limit=f"{LONGEST_QUESTION:,}")
            return Candidate(source="clarification", text=text)
        case "person":
            return handoff("asked_for_person", message.language, prompts)
        case "question" | "command":
            return None


def handoff(reason: HandoffReason, language: Language, prompts: Prompts) -> Candidate:
    """Return the reply that passes the conversation on to a person."""
    return Candidate(
        source="handoff",
        text=prompts.text(_HANDOFF_PROMPTS[reason], language),
        handoff_reason=reason,
    )


def busy(language: Language, prompts: Prompts) -> Candidate:
    """Return the reply to a message that can't be answered in time."""
    person = Choice(label=prompts.labels("choices", language)["human"], command="/human")
    return Candidate(source="busy", text=prompts.text("busy", language), choices=(person,))


def slow_down(language: Language, prompts: Prompts) -> Candidate:
    """Return the reply to a customer who writes faster than is answered."""
    return Candidate(source="busy", text=prompts.text("slow_down", language))
