"""Calls that change something: made once, after a yes, and told to whoever said it.

Who waits for an agent is told as soon as it is decided: that something came of a call, and the
message that says so, are stored in one transaction.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from sqlite_utils import Database

from bot.actions.calls import Acted, with_given
from bot.actions.declarations import Tool
from bot.actions.outcomes import outcome
from bot.actions.results import fields, sentences
from bot.actions.toolbox import Toolbox
from bot.errors import ActionError, ActionInDoubt
from bot.log import actions as log
from bot.log import notices
from bot.log.actions import Action
from bot.log.store import Store
from bot.messages import Candidate, Dialogue, Language, Outgoing
from prompts import Prompts

logger = logging.getLogger(__name__)

# The whole message must be one of these; "yes, but to my office" is no yes.
_YES = re.compile(
    r"(yes|yeah|yep|y|ok|okay|sure|confirm|confirmed|go ahead|do it)( please)?"
    r"|yes (do it|go ahead)"
    r"|是|是的|好|好的|好吧|行|可以|确认|确定|对|对的|没错|嗯|同意",
    re.IGNORECASE,
)
_NO = re.compile(
    r"(no|nope|n|don['’]?t|do not)( please| thanks| thank you| do it)?"
    r"|不|不是|不用|不用了|不要|不要了|不行|不可以|不同意|算了|否|别|先不",
    re.IGNORECASE,
)


def verdict(text: str) -> bool | None:
    """Return whether a message says yes (True) or no (False), and nothing else; else None."""
    plain = re.sub(r"[\s!！.。,，~～]+", " ", text).strip()
    if _YES.fullmatch(plain):
        return True
    return False if _NO.fullmatch(plain) else None


class Confirmations:
    """Keeps what waits for a yes, and carries out what got one."""

    def __init__(
        self, toolbox: Toolbox, store: Store, prompts: Prompts, now: Callable[[], datetime]
    ) -> None:
        self._toolbox = toolbox
        self._store = store
        self._prompts = prompts
        self._now = now
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._send: Callable[[Outgoing], None] = _at_the_next_start

    def send_through(self, send: Callable[[Outgoing], None]) -> None:
        """Have stored messages sent by `send`; without it they leave after the next start."""
        self._send = send

    async def resume(self) -> None:
        """Give up what an earlier run of the program began: nobody knows whether it was done.

        What is told of it is stored, and leaves with everything else that was not sent.
        """
        now = self._now()

        def give_up(db: Database) -> int:
            interrupted = log.give_up_interrupted(db, now)
            for key in dict.fromkeys([*interrupted, *log.decided_before(db)]):
                self._tell(db, key, now)
            return len(interrupted)

        if number := await self._store.write(give_up):
            logger.warning("%d actions were interrupted; people must look into them.", number)

    async def pressed(self, dialogue: Dialogue, argument: str, language: Language) -> Acted:
        """Return the reply to a button, which says yes or no to the call that it names."""
        word, _, code = argument.partition(" ")
        action = await self._store.read(lambda db: log.named(db, dialogue, code.strip()))
        if action is None:
            return self._says("action_unknown_button", language)
        return await self.decided(action, word == "yes", language)

    async def decided(self, action: Action, is_yes: bool, language: Language) -> Acted:
        """Return the reply to a customer's yes or no. What was decided before stays so."""
        if action.state != "asked":
            return await self.told(action, language)
        now, tool = self._now(), self._toolbox.allowed(action.dialogue).get(action.tool)
        if action.expires_at is None or action.expires_at < now.isoformat() or tool is None:
            return self._says("action_expired", language)
        if not is_yes:
            await self._store.write(lambda db: log.decline(db, action.id, now))
        elif tool.approval == "agent":
            await self._store.write(lambda db: log.hand_over(db, action.id, now))
        elif action.id not in self._running:
            self._begin(action, tool, lambda db: log.start(db, action.id, now))
        return await self.told(action, language)

    async def told(self, action: Action, language: Language) -> Acted:
        """Return the reply that says what became of a call, once that is known."""
        if running := self._running.get(action.id):
            await asyncio.shield(running)
        found = await self._store.read(lambda db: log.get(db, action.id))
        if found is None:
            return self._says("action_unknown_button", language)
        return outcome(found, language, self._prompts)

    async def approve(self, key: str, account: str) -> bool:
        """Carry out what waits for an agent; return whether it still waited."""
        action = await self._store.read(lambda db: log.get(db, key))
        tool = self._toolbox.tool(action.tool) if action else None
        if action is None or tool is None:
            return False
        if key in self._running:
            return False
        now = self._now()
        self._begin(action, tool, lambda db: log.approve(db, key, account, now))
        return await asyncio.shield(self._running[key])

    async def refuse(self, key: str, account: str) -> bool:
        """Refuse what waits for an agent; return whether it still waited."""
        now = self._now()

        def refuse(db: Database) -> tuple[bool, Outgoing | None]:
            counts = log.refuse(db, key, account, now)
            return counts, self._tell(db, key, now) if counts else None

        counts, told = await self._store.write(refuse)
        self._pass_on(told)
        return counts

    async def close(self) -> None:
        """End what runs; it stays begun, so that the next start gives it up."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _begin(self, action: Action, tool: Tool, start: Callable[[Database], bool]) -> None:
        """Begin a call that nothing but the program's end interrupts: not even its customer."""
        task = asyncio.create_task(self._start(action, tool, start))
        self._running[action.id] = task
        task.add_done_callback(lambda _: self._running.pop(action.id))

    async def _start(self, action: Action, tool: Tool, start: Callable[[Database], bool]) -> bool:
        """Store that a call begins, then make it; return whether it may be made."""
        may_be_made = await self._store.write(start)
        if may_be_made:
            await self._carry_out(action, tool)
        return may_be_made

    async def _carry_out(self, action: Action, tool: Tool) -> None:
        state: Literal["done", "failed", "unknown"] = "unknown"
        told = result = error = None
        arguments = with_given(tool, action.arguments, action.dialogue, action.id)
        try:
            found = await self._toolbox.call(action.tool, arguments, key=action.id)
            state, result = "done", found.text
            values = fields(tool, found, action.language)
            told = sentences(tool, action.arguments, values, action.language) or None
        except ActionInDoubt as err:
            error = str(err)
        except ActionError as err:
            state, error = "failed", str(err)
        except Exception as err:  # whatever it is: the call was begun
            logger.exception("The tool %s could not be called.", action.tool)
            error = type(err).__name__
        if error:
            logger.warning("The action %s of %s is %s: %s", action.id, action.tool, state, error)
        now = self._now()

        def settle(db: Database) -> Outgoing | None:
            log.settle(db, action.id, state, told, now, result=result, error=error)
            return self._tell(db, action.id, now)

        self._pass_on(await self._store.write(settle))

    def _tell(self, db: Database, key: str, now: datetime) -> Outgoing | None:
        """Store the message that tells what came of a call, if an agent decided on it."""
        action = log.get(db, key)
        if action is None or not action.is_decided or action.told_in is None:
            return None
        [candidate] = outcome(action, action.language, self._prompts).candidates
        outgoing = notices.notice(
            db, action.dialogue, action.told_in, candidate, action.language, "action/decided", now
        )
        if outgoing:
            log.link(db, [key], outgoing.turn)
        return outgoing

    def _pass_on(self, outgoing: Outgoing | None) -> None:
        if outgoing:
            self._send(outgoing)

    def _says(self, task: str, language: Language) -> Acted:
        candidate = Candidate(source="action", text=self._prompts.text(task, language))
        return Acted(candidates=(candidate,))


def _at_the_next_start(outgoing: Outgoing) -> None:
    logger.info("Message %d leaves after the next start.", outgoing.id)
