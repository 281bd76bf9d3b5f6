"""One message's dealings with tools: what is read for it, asked for, and put to its customer."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.actions import arguments as checks
from bot.actions.declarations import Limits, Tool
from bot.actions.results import Result, as_lines, described, fields, sentences
from bot.actions.toolbox import Toolbox
from bot.errors import ActionError
from bot.log import actions as log
from bot.log.store import Store
from bot.messages import Candidate, Choice, Dialogue, Generation, Language, Turn
from prompts import Prompts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """Replies to a message that tools answer, the calls behind them by key, the model's part.

    One that is not `is_whole` stands before the answer to the rest of the message; without
    candidates it only tells of the model's part.
    """

    candidates: tuple[Candidate, ...]
    keys: tuple[str, ...] = ()
    generation: Generation | None = None
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, in which language, and all that they wrote in this dialogue."""

    dialogue: Dialogue
    language: Language
    said: tuple[str, ...]

    @classmethod
    def of(
        cls, dialogue: Dialogue, language: Language, text: str, history: Sequence[Turn]
    ) -> "Asker":
        """Return who wrote a message, which stands behind its history."""
        said = (*(turn.text for turn in history if turn.role == "customer"), text)
        return cls(dialogue=dialogue, language=language, said=said)


@dataclass(slots=True)
class Reading:
    """What was read for a message: sentences to tell it, and the fields as the model sees them."""

    keys: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    has_failed: bool = False
    has_found_nothing: bool = False


class Calls:
    """Makes the calls that one message asks for."""

    def __init__(
        self,
        toolbox: Toolbox,
        store: Store,
        prompts: Prompts,
        limits: Limits,
        asker: Asker,
        now: Callable[[], datetime],
    ) -> None:
        self._toolbox = toolbox
        self._store = store
        self._prompts = prompts
        self._limits = limits
        self._asker = asker
        self._now = now
        self.reading = Reading()

    @property
    def has_calls_left(self) -> bool:
        """Whether another tool may be called for this message."""
        return len(self.reading.keys) < self._limits.calls

    async def read(self, name: str, tool: Tool, arguments: Mapping[str, Any]) -> str:
        """Call a tool that only reads; return what the model may see of its result.

        Raises LogError when the call could not be logged.
        """
        key, started = log.new_key(), self._now()
        self.reading.keys.append(key)
        result, error = None, None
        try:
            given = with_given(tool, arguments, self._asker.dialogue, key)
            result = await self._toolbox.call(name, given, key=key)
        except ActionError as err:
            logger.warning("The tool %s failed: %s", name, err)
            error = str(err)
        text = result.text if result else None
        asker, now = self._asker, self._now()
        await self._store.write(
            lambda db: log.was_read(
                db,
                key,
                asker.dialogue,
                name,
                arguments,
                asker.language,
                started,
                now,
                result=text,
                error=error,
            )
        )
        return self._seen(tool, arguments, result)

    def _seen(self, tool: Tool, arguments: Mapping[str, Any], result: Result | None) -> str:
        """Keep what may be told of a result (None: it failed); return what the model may see."""
        if result is None:
            self.reading.has_failed = True
            return "error: the tool failed"
        found = fields(tool, result, self._asker.language)
        text = sentences(tool, arguments, found, self._asker.language)
        if not found and not text:
            self.reading.has_found_nothing = True
            return "nothing was found"
        self.reading.told += [text] if text else []
        self.reading.seen.append(as_lines(found) or text)
        return self.reading.seen[-1]

    async def put(self, name: str, tool: Tool, arguments: Mapping[str, Any]) -> Acted:
        """Store a call that changes something, and ask the customer whether it shall be made."""
        asker, now = self._asker, self._now()
        summary = described(tool, arguments, asker.language)
        lasts = timedelta(minutes=self._limits.confirm_minutes)
        action = await self._store.write(
            lambda db: log.ask(
                db, asker.dialogue, name, arguments, summary, asker.language, now, lasts
            )
        )
        labels = self._prompts.labels("actions", asker.language)
        candidate = Candidate(
            source="action",
            text=self._prompts.text("action_confirm", asker.language, what=summary),
            choices=(
                Choice(label=labels["yes"], command=f"/confirm yes {action.code}"),
                Choice(label=labels["no"], command=f"/confirm no {action.code}"),
            ),
        )
        return Acted(candidates=(candidate,), keys=(action.id,))

    async def wanting(self, name: str, tool: Tool, arguments: Mapping[str, Any]) -> str | None:
        """Return the parameter whose value the customer has still to write, or None.

        Raises ActionError when the tool's server can't be reached.
        """
        schema = checks.without_given(await self._toolbox.schema(name), tool.parameters)
        return checks.missing(schema, arguments) or checks.invented(
            schema, tool.parameters, arguments, self._asker.said
        )

    async def misfit(self, name: str, tool: Tool, arguments: Mapping[str, Any]) -> str | None:
        """Return how arguments break the tool's schema, without their values, or None."""
        schema = checks.without_given(await self._toolbox.schema(name), tool.parameters)
        if unknown := checks.unknown(schema, arguments):
            return f"there is no argument {unknown[:64]!r}"
        return checks.problem(schema, arguments)

    def ask_for(self, tool: Tool, parameter: str) -> Acted:
        """Return the question for a value."""
        language = self._asker.language
        declared = tool.parameters.get(parameter)
        text = declared.ask.get(language) if declared else None
        if text is None:
            text = self._prompts.text("action_ask", language, name=parameter.replace("_", " "))
        return Acted(
            candidates=(Candidate(source="clarification", text=text),),
            keys=tuple(self.reading.keys),
        )

    def reply(self) -> Acted:
        """Return what was read, in the operator's own sentences."""
        reading, language = self.reading, self._asker.language
        keys = tuple(reading.keys)
        if reading.told:
            text = "\n\n".join(dict.fromkeys(reading.told))
            return Acted(candidates=(Candidate(source="action", text=text),), keys=keys)
        if reading.has_found_nothing and not reading.has_failed:
            person = Choice(
                label=self._prompts.labels("choices", language)["human"], command="/human"
            )
            text = self._prompts.text("action_nothing", language)
            candidate = Candidate(source="action", text=text, choices=(person,))
            return Acted(candidates=(candidate,), keys=keys)
        return Acted(candidates=(self.failure(),), keys=keys)

    def failure(self) -> Candidate:
        """Return the hand-off that is said when a tool failed."""
        return Candidate(
            source="handoff",
            text=self._prompts.text("action_failed", self._asker.language),
            handoff_reason="action_failed",
        )


def with_given(
    tool: Tool, arguments: Mapping[str, Any], dialogue: Dialogue, key: str
) -> dict[str, Any]:
    """Return arguments with those that the program fills in."""
    values = {"customer": f"{dialogue.channel}:{dialogue.customer}", "key": key}
    given = {
        name: values[parameter.given]
        for name, parameter in tool.parameters.items()
        if parameter.given
    }
    return {**arguments, **given}
