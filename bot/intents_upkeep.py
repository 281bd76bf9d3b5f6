"""The intent classifier: followed when a new one is trained, and run over the log."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from bot.console import Console
from bot.errors import IntentsError, LogError
from bot.intents.in_force import IntentsInForce, says_what_is_wanted
from bot.intents.rows import OUT_OF_SCOPE
from bot.log import intents as labels
from bot.log.store import Store

FOLLOW_SECONDS = 5.0
# Short batches, and far between: a question waits for no more than one, and the cores are free
# for most of the time.
BATCH = 8
REST_SECONDS = 0.5


class IntentsUpkeep:
    """Keeps the classifier in force, its file and the labels of the log in step."""

    def __init__(
        self,
        store: Store,
        in_force: IntentsInForce,
        console: Console,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        named: Collection[str] = (),
    ) -> None:
        """`named` are the intents that the company's rules name."""
        self._named = named
        self._store = store
        self._in_force = in_force
        self._console = console
        self._now = now
        self._pause = pause
        # `_model` saw all turns up to `_done`. A pass goes from `_newest` down to there, and what
        # is not below `_before` is done; it is None where no pass is under way.
        self._model: str | None = None
        self._done = ""
        self._newest = ""
        self._before: str | None = None

    async def run(self) -> None:
        """Follow the file every few seconds, and label what the log has not labelled."""
        while True:
            await self.follow()
            is_more = await self.label()
            await self._pause(REST_SECONDS if is_more else FOLLOW_SECONDS)

    async def follow(self) -> None:
        """Take over a new classifier; one that can't be used is told, and the old one goes on."""
        try:
            if await self._in_force.reload():
                number = len(self._in_force.intents)
                self._console.say(f"Intents: {number}, told by {self._in_force.version}.")
                self.check_rules()
        except IntentsError as err:
            version = self._in_force.version
            goes_on = f"The classifier {version} goes on." if version else "No intent is told."
            self._console.warn(f"{err} {goes_on}")

    def check_rules(self) -> None:
        """Tell which intents of the rules the classifier doesn't know, or that there is none."""
        if self._in_force.version is None:
            if self._named:
                self._console.warn(
                    "The rules name intents, but no classifier is trained: run `frontdesk intents "
                    "train`."
                )
            return
        known = {*self._in_force.intents, OUT_OF_SCOPE}
        if unknown := [name for name in self._named if name not in known]:
            self._console.warn(
                f"The rules name intents that the classifier doesn't know: {', '.join(unknown)}. "
                "What they say of them is never done."
            )

    async def label(self) -> bool:
        """Label one batch of the log's questions, the newest first; return whether more may wait.

        A restart goes on where the log says that it is.
        """
        model = self._in_force.version
        if model is None:
            return False
        try:
            if model != self._model:
                self._model, self._done, self._before = model, "", None
            if self._before is None:
                self._newest = await self._store.browse(labels.newest)
                self._before = f"{self._newest}~"  # behind it, and before the next
            after, before = self._done, self._before
            batch = await self._store.browse(
                lambda db: labels.unlabelled(db, model, after, before, BATCH)
            )
            if not batch:
                self._done, self._before = self._newest, None
                return False
            asked = [turn for turn in batch if says_what_is_wanted(turn.text)]
            told = await self._in_force.told([turn.text for turn in asked])
            wanted = {turn.id: each for turn, each in zip(asked, told, strict=True)}
            now = self._now()
            await self._store.write(lambda db: labels.tell(db, wanted, now))
        except LogError as err:
            self._console.warn(f"The log's messages can't be labelled now: {err}")
            return False
        self._before = batch[-1].id
        return True
