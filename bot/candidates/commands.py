"""Replies to commands: what each says, and which buttons stand under it."""

from collections.abc import Sequence

from bot.candidates.article import as_answer
from bot.commands import Command
from bot.knowledge.scoring import Hit
from bot.messages import Candidate, Choice, Language
from prompts import Prompts


def command_reply(
    command: Command,
    language: Language,
    article: Sequence[Hit],
    prompts: Prompts,
    *,
    has_stopped: bool = False,
) -> Candidate:
    """Return the reply to any command but "/human".

    `article` are the passages of the article that a "/start" names, if it names one. `has_stopped`
    says whether a "/stop" ended an answer.
    """
    match command.name:
        case "start":
            return _start(language, article, prompts)
        case "language":
            return _language(command, language, prompts)
        case "stop":
            return _stop(language, prompts, has_stopped=has_stopped)
        case "forget":
            return _forget(command, language, prompts)
        case "export":
            return Candidate(source="command", text=prompts.text("export", language))
        case _:
            return _help(language, prompts)


def _start(language: Language, article: Sequence[Hit], prompts: Prompts) -> Candidate:
    if article:
        return as_answer(article)
    return Candidate(source="courtesy", text=prompts.text("start", language))


def _help(language: Language, prompts: Prompts) -> Candidate:
    return Candidate(
        source="command",
        text=prompts.text("help", language),
        choices=(Choice(label=prompts.labels("choices", language)["human"], command="/human"),),
    )


def _language(command: Command, language: Language, prompts: Prompts) -> Candidate:
    if command.is_understood:
        task = "language_set" if command.language else "language_automatic"
        return Candidate(source="command", text=prompts.text(task, language))
    labels = prompts.labels("choices", language)
    return Candidate(
        source="command",
        text=prompts.text("language", language),
        choices=(
            Choice(label=labels["english"], command="/language en"),
            Choice(label=labels["chinese"], command="/language zh"),
            Choice(label=labels["automatic"], command="/language auto"),
        ),
    )


def _stop(language: Language, prompts: Prompts, *, has_stopped: bool) -> Candidate:
    task = "stopped" if has_stopped else "nothing_to_stop"
    return Candidate(
        source="command",
        text=prompts.text(task, language),
        features={"stopped": float(has_stopped)},
    )


def _forget(command: Command, language: Language, prompts: Prompts) -> Candidate:
    if command.is_confirmed:
        return Candidate(source="command", text=prompts.text("forgotten", language))
    if command.argument:
        return Candidate(source="command", text=prompts.text("kept", language))
    labels = prompts.labels("choices", language)
    return Candidate(
        source="command",
        text=prompts.text("forget", language),
        choices=(
            Choice(label=labels["forget_yes"], command="/forget yes"),
            Choice(label=labels["forget_no"], command="/forget no"),
        ),
    )
