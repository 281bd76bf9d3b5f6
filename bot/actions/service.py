"""Answers with tools: what was confirmed, what an example asks for, what the model chooses."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bot import grounding
from bot.actions import arguments as checks
from bot.actions.agent import Agent, Ended, Offer
from bot.actions.calls import Acted, Asker, Calls
from bot.actions.confirmations import Confirmations, verdict
from bot.actions.declarations import Declarations, Tool
from bot.actions.matching import Match, asking, match
from bot.actions.toolbox import Toolbox
from bot.errors import ActionError
from bot.limits import Allowance
from bot.log import actions as log
from bot.log.actions import Action
from bot.log.store import Store
from bot.messages import Candidate, Dialogue, Generation, Passage, PassageId, Turn
from bot.understanding import Understood
from prompts import Prompts

logger = logging.getLogger(__name__)


class Actions:
    """Everything that tools do for customers, as declared in a file of `folder`.

    `agent` is None where no model may choose tools.
    """

    def __init__(
        self,
        declared: Declarations,
        folder: Path,
        store: Store,
        prompts: Prompts,
        agent: Agent | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limits = declared.limits
        self._toolbox = Toolbox(declared, folder)
        self._store = store
        self._prompts = prompts
        self._agent = agent
        self._now = now
        self.confirmations = Confirmations(self._toolbox, store, prompts, now)

    @property
    def tools(self) -> Collection[str]:
        """The names of the declared tools."""
        return self._toolbox.names

    async def prepare(self) -> None:
        """Start and reach every server before a customer needs it; those that fail are logged."""
        await self._toolbox.prepare()

    async def answer(
        self,
        message: Understood,
        dialogue: Dialogue,
        history: Sequence[Turn],
        allowance: Allowance,
        *,
        only: Collection[str] | None = None,
    ) -> Acted | None:
        """Return the reply to a message that tools answer; None leaves it to the articles.

        `only` names the tools that may be used for it; None: all. What was said yes to, and a
        value that a tool asked for, go on in any case.
        Raises LogError when a call could not be stored; then it was not made.
        """
        if message.command and message.command.name == "confirm":
            argument = message.command.argument
            return await self.confirmations.pressed(dialogue, argument, message.language)
        if message.kind != "question":
            return None
        asked, untold = await self._store.read(
            lambda db: (log.just_asked(db, dialogue), log.untold(db, dialogue))
        )
        if asked and (is_yes := verdict(message.text)) is not None:
            return await self.confirmations.decided(asked, is_yes, message.language)
        if untold:
            return await self._catch_up(untold, message)
        return await self._act(message, dialogue, history, allowance, only)

    async def close(self) -> None:
        """End what runs, and every server that was started."""
        await self.confirmations.close()
        await self._toolbox.close()

    async def _catch_up(self, untold: Action, message: Understood) -> Acted:
        """Return what became of something that was said yes to, before the answer to the rest."""
        told = await self.confirmations.told(untold, message.language)
        return replace(told, is_whole=verdict(message.text) is not None)

    async def _act(
        self,
        message: Understood,
        dialogue: Dialogue,
        history: Sequence[Turn],
        allowance: Allowance,
        only: Collection[str] | None,
    ) -> Acted | None:
        allowed = self._toolbox.allowed(dialogue)
        going_on = asking(message.text, history, allowed)
        tools = {
            name: tool
            for name, tool in allowed.items()
            if only is None or name in only or name == going_on
        }
        asker = Asker.of(dialogue, message.language, message.text, history)
        calls = Calls(self._toolbox, self._store, self._prompts, self._limits, asker, self._now)
        if found := match(message.text, message.written, history, tools):
            return await self._matched(calls, found, tools[found.name])
        if not tools or self._agent is None or not self._agent.can_act:
            return None
        return await self._chosen(self._agent, calls, message, history, tools, allowance)

    async def _matched(self, calls: Calls, found: Match, tool: Tool) -> Acted:
        if found.missing:
            return calls.ask_for(tool, found.missing)
        try:
            return await _carried_on(calls, found.name, tool, found.arguments)
        except ActionError as err:
            logger.warning("The tool %s can't be used: %s", found.name, err)
            return Acted(candidates=(calls.failure(),))

    async def _chosen(
        self,
        agent: Agent,
        calls: Calls,
        message: Understood,
        history: Sequence[Turn],
        tools: Mapping[str, Tool],
        allowance: Allowance,
    ) -> Acted | None:
        """Return the reply with the tools that the model chose, no candidates where it chose none.

        None where it could not be asked.
        """
        offers = [offer for name in tools if (offer := await self._offer(calls, name, tools[name]))]
        async with allowance.model_call() as seconds:
            if not seconds or not offers:
                return None
            run = await agent.run(
                message,
                history,
                offers,
                seconds=min(seconds, self._limits.seconds),
                turns=self._limits.calls + 1,
            )
        if isinstance(run.ended, _Settled):
            return replace(run.ended.acted, generation=run.generation)
        if not calls.reading.keys:
            return Acted(candidates=(), generation=run.generation, is_whole=False)
        return _with_draft(calls.reply(), calls.reading.seen, run.generation, message)

    async def _offer(self, calls: Calls, name: str, tool: Tool) -> Offer | None:
        """Return a tool as the model sees it, None while its server can't be reached."""
        try:
            schema = await self._toolbox.schema(name)
        except ActionError as err:
            logger.warning("The tool %s can't be used: %s", name, err)
            return None
        return Offer(
            name=name,
            description=self._toolbox.description(name),
            schema=checks.without_given(schema, tool.parameters),
            call=partial(_call_of_model, calls, name, tool),
        )


class _Settled(Ended):
    """What the model wants to do has to be said to the customer first."""

    def __init__(self, acted: Acted) -> None:
        super().__init__()
        self.acted = acted


async def _call_of_model(calls: Calls, name: str, tool: Tool, arguments: Mapping[str, Any]) -> str:
    """Return what the model reads of a call that it asks for. Raises _Settled to end its work."""
    given = {key: value for key, value in arguments.items() if value is not None}
    if not calls.has_calls_left:
        raise _Settled(calls.reply())
    try:
        if parameter := await calls.wanting(name, tool, given):
            raise _Settled(calls.ask_for(tool, parameter))
        if wrong := await calls.misfit(name, tool, given):
            return f"error: {wrong}"
    except ActionError:
        raise _Settled(Acted(candidates=(calls.failure(),))) from None
    if tool.reads:
        return await calls.read(name, tool, given)
    raise _Settled(await calls.put(name, tool, given))


async def _carried_on(calls: Calls, name: str, tool: Tool, arguments: Mapping[str, Any]) -> Acted:
    """Return the reply of a tool whose arguments were found. Raises ActionError without it."""
    if parameter := await calls.wanting(name, tool, arguments):
        return calls.ask_for(tool, parameter)
    if not tool.reads:
        return await calls.put(name, tool, arguments)
    await calls.read(name, tool, arguments)
    return calls.reply()


def _with_draft(
    reply: Acted, seen: Sequence[str], generation: Generation, message: Understood
) -> Acted:
    """Return the reply with the model's own wording on its slate, checked against the results."""
    if reply.candidates[0].handoff_reason or not generation.texts:
        return replace(reply, generation=generation)
    told = [candidate.text for candidate in reply.candidates]
    passages = [_as_passage(text, message) for text in (*seen, *told)]
    [text] = generation.texts
    found = grounding.check(text, passages, message.text, message.language)
    draft = Candidate(
        source="draft", text=text, features={"support": found.support}, refusal=found.refusal
    )
    return replace(reply, candidates=(draft, *reply.candidates), generation=generation)


def _as_passage(text: str, message: Understood) -> Passage:
    """Return a result in the shape that drafts are checked against."""
    return Passage(
        id=PassageId(""),
        article="",
        title="",
        heading="",
        text=text,
        language=message.language,
        url="",
    )
