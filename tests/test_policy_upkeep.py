"""The policy in force, while Frontdesk runs."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.console import Console
from bot.log import policies
from bot.log.store import Store
from bot.policy_upkeep import PolicyUpkeep
from bot.ranking import features
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.folder import CHANGES, PolicyFolder
from bot.ranking.in_force import PolicyInForce
from bot.ranking.linear import LinearModel
from bot.ranking.policy import Policy
from bot.ranking.rewards import WORTH
from bot.ranking.trained import TrainedPolicy
from tests.ranking.shop_log import write_visits
from tests.ranking.slates import ASKED, KNOWING, SLATE, model
from tests.small_shop import NOW

VISITS = 120


class Running:
    """A Frontdesk as far as its policies go."""

    def __init__(self, path: Path) -> None:
        self.folder = PolicyFolder(path / "policies")
        self.store = Store(path / "frontdesk.db")
        self.policy = PolicyInForce(self.folder)
        self.now = NOW
        self.upkeep = PolicyUpkeep(
            self.store, self.folder, self.policy, WORTH, Console(), lambda: self.now
        )

    def promote(self, version: str, learned: LinearModel) -> Policy:
        trained = TrainedPolicy(version=version, kind="greedy", model=learned, trained_on={})
        self.folder.save(trained)
        self.folder.put_in_force(version, "promoted", "Better.", self.now)
        return trained.policy()

    async def visits(self, policy: Policy, began: datetime, name: str) -> None:
        rng = random.Random(7)
        await self.store.write(lambda db: write_visits(db, policy, rng, VISITS, began, name))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.store.close()


async def test_that_what_is_promoted_chooses_at_once_and_is_logged(running: Running) -> None:
    await running.upkeep.follow()
    assert running.policy.version == FixedOrder.version

    running.promote("greedy/1", model(is_article=1.0))
    await running.upkeep.follow()
    await running.upkeep.follow()

    shares = running.policy.propensities(ASKED, features.described(ASKED, SLATE))
    [logged] = await running.store.read(policies.history)
    assert (running.policy.version, list(shares)) == ("greedy/1", [0, 0, 1, 0])
    assert (logged.policy, logged.reason, logged.at) == ("greedy/1", "promoted", NOW)
    assert logged.trained is not None
    assert logged.trained["kind"] == "greedy"


async def test_that_a_restart_goes_on_with_what_was_in_force(
    running: Running, tmp_path: Path
) -> None:
    running.promote("greedy/1", KNOWING)
    await running.upkeep.follow()
    running.store.close()

    again = Running(tmp_path)
    await again.upkeep.follow()

    assert again.policy.version == "greedy/1"
    assert len(await again.store.read(policies.history)) == 1
    again.store.close()


@pytest.mark.parametrize("damaged", [CHANGES, "greedy@2.json"])
async def test_that_a_damaged_file_changes_nothing(
    running: Running, damaged: str, caplog: pytest.LogCaptureFixture
) -> None:
    running.promote("greedy/1", KNOWING)
    await running.upkeep.follow()
    running.promote("greedy/2", KNOWING)
    (running.folder.path / damaged).write_text("{")

    await running.upkeep.follow()

    assert running.policy.version == "greedy/1"
    assert "damaged" in caplog.text


async def test_that_a_policy_that_turns_out_worse_is_taken_back(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    await running.visits(FixedOrder(), NOW - timedelta(days=2), "before")
    worse = running.promote("greedy/1", model(answers=-1.4, is_article=0.3))
    await running.visits(worse, NOW + timedelta(minutes=1), "since")
    running.now = NOW + timedelta(days=2)

    await running.upkeep.watch()

    assert running.policy.version == FixedOrder.version
    newest, _ = await running.store.read(policies.history)
    assert (newest.policy, newest.reason) == (FixedOrder.version, "watch")
    assert "the mean reward fell from" in newest.note
    assert "greedy/1 is taken back" in capsys.readouterr().err


async def test_that_a_good_policy_stays(running: Running) -> None:
    await running.visits(FixedOrder(), NOW - timedelta(days=2), "before")
    better = running.promote("greedy/1", KNOWING)
    await running.visits(better, NOW + timedelta(minutes=1), "since")
    running.now = NOW + timedelta(days=2)
    await running.upkeep.follow()

    await running.upkeep.watch()

    assert running.policy.version == "greedy/1"


async def test_that_the_fixed_order_is_never_taken_back(running: Running) -> None:
    await running.visits(FixedOrder(), NOW, "since")

    await running.upkeep.watch()

    assert running.folder.changes() == []


async def test_that_it_follows_by_itself_and_looks_back_every_hour(running: Running) -> None:
    await running.visits(FixedOrder(), NOW - timedelta(days=2), "before")
    worse = running.promote("greedy/1", model(answers=-1.4, is_article=0.3))
    await running.visits(worse, NOW + timedelta(minutes=1), "since")
    seen: list[str] = []

    async def pause(_: float) -> None:
        seen.append(running.policy.version)
        running.now += timedelta(minutes=100)
        if len(seen) == 3:
            raise StopAsyncIteration

    upkeep = PolicyUpkeep(
        running.store, running.folder, running.policy, WORTH, Console(), lambda: running.now, pause
    )
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await upkeep.run()

    assert seen[0] == "greedy/1"
    assert seen[-1] == FixedOrder.version
