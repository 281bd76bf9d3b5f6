"""The policy in force: followed when the command line changes it, watched, and taken back."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from sqlite_utils import Database

from bot.console import Console
from bot.errors import LogError, RankingError
from bot.log import policies
from bot.log.decisions import decisions
from bot.log.policies import InForce
from bot.log.store import Store
from bot.ranking import watch
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.folder import PolicyFolder
from bot.ranking.in_force import PolicyInForce
from bot.ranking.rewards import Signal

FOLLOW_SECONDS = 5.0
WATCH_EVERY = timedelta(hours=1)
BEFORE = timedelta(days=30)  # of the policy before, that the one in force is held against


class PolicyUpkeep:
    """Keeps the policy in force, the folder of policies and the log in step."""

    def __init__(
        self,
        store: Store,
        folder: PolicyFolder,
        in_force: PolicyInForce,
        worth: Mapping[Signal, float],
        console: Console,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._folder = folder
        self._in_force = in_force
        self._worth = worth
        self._console = console
        self._now = now
        self._pause = pause
        self._copied: int | None = None  # changes that the log has

    async def run(self) -> None:
        """Follow the folder every few seconds, and judge the policy in force every hour."""
        watched = self._now()
        while True:
            await self.follow()
            if self._now() - watched >= WATCH_EVERY:
                await self.watch()
                watched = self._now()
            await self._pause(FOLLOW_SECONDS)

    async def follow(self) -> None:
        """Take over what came into force, and copy it into the log."""
        if self._in_force.reload():
            self._console.say(f"Policy in force: {self._in_force.version}.")
        try:
            if self._copied is None:
                self._copied = await self._store.read(policies.count)
            new = await asyncio.to_thread(self._changes, self._copied)
            if new:
                await self._store.write(lambda db: policies.record(db, new))
                self._copied += len(new)
        except (RankingError, LogError) as err:
            self._console.warn(f"What policies came into force is not in the log yet: {err}")

    async def watch(self) -> None:
        """Take the policy in force back if its replies turn out worse than those before it."""
        try:
            changes = await asyncio.to_thread(self._folder.changes)
            if not changes or changes[-1].policy == FixedOrder.version:
                return
            began = datetime.fromisoformat(changes[-1].at)
            why = await self._store.browse(
                lambda db: self._objection(db, changes[-1].policy, began)
            )
            if why:
                back = self._folder.before()
                self._folder.put_in_force(back, "watch", why, self._now())
                self._console.warn(f"Policy {changes[-1].policy} is taken back. {why}")
                await self.follow()
        except (RankingError, LogError) as err:
            self._console.warn(f"The policy in force can't be judged: {err}")

    def _objection(self, db: Database, policy: str, began: datetime) -> str | None:
        log = list(decisions(db, self._now(), since=began - BEFORE, with_features=False))
        before = [each for each in log if each.at < began and each.policy != policy]
        since = [each for each in log if each.at >= began and each.policy == policy]
        return watch.objection(watch.changes(before, since, self._worth))

    def _changes(self, known: int) -> list[InForce]:
        return [
            InForce(
                policy=change.policy,
                reason=change.reason,
                note=change.note,
                at=datetime.fromisoformat(change.at),
                trained=self._trained(change.policy),
            )
            for change in self._folder.changes()[known:]
        ]

    def _trained(self, version: str) -> Mapping[str, object] | None:
        return None if version == FixedOrder.version else self._folder.read(version).as_json()
