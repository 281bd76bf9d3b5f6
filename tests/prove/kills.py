"""R1: the program is killed at random moments while people write on every channel."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.log.store import open_read_only
from tests.prove.checking import Findings, check
from tests.prove.program import Interpreter, Program, Starter, nursery
from tests.prove.proof import Row, Setup
from tests.prove.town import Town, open_town

AIM = "0 unanswered, 0 answered twice, 0 rows lost or doubled, order kept"
STRAYS_A_KILL = 1.5
STRAYS_A_KILL_SHORT = 4.0  # of a few kills, on a machine that has other things to do
RESTART_SECONDS = 5.0
SETTLE_SECONDS = 120.0
START_SECONDS = 60.0
KILLED_AT_START = 0.2  # of the kills, while the program is still starting
ALIVE_SECONDS = 3.0
PEOPLE = 50
PAUSE_SECONDS = 2.0


@dataclass
class Trial:
    """A town, its program, and what happens there in the meantime."""

    town: Town
    program: Program
    living: "asyncio.Task[None]"

    async def settle(self) -> Findings:
        """Let the program finish what is open, end it, and compare everything."""
        self.town.calm()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self.living
                await self._until_nothing_is_open()
        await self.program.stop()
        return check(self.town, self.program.database)

    async def _until_nothing_is_open(self) -> None:
        # The log is another process's, so nobody tells of its end.
        while self.town.web.waiting or self.town.slack.unacknowledged or self._is_open():  # noqa: ASYNC110
            await asyncio.sleep(0.2)

    def _is_open(self) -> bool:
        return bool(self.town.telegram.unconfirmed) or open_work(self.program.database) > 0


def open_work(database: Path) -> int:
    """Return how many messages and replies the log still has to deal with."""
    db = open_read_only(database)
    try:
        [number] = db.execute(
            "SELECT (SELECT count(*) FROM inbox WHERE turn IS NULL AND withdrawn_at IS NULL)"
            " + (SELECT count(*) FROM outbox WHERE state IN ('ready', 'sending'))"
        ).fetchone()
    finally:
        db.close()
    return int(number)


@contextlib.asynccontextmanager
async def open_trial(
    setup: Setup,
    starter: Starter,
    *,
    people: int = PEOPLE,
    pause_seconds: float = PAUSE_SECONDS,
    name: str = "town",
) -> AsyncIterator[Trial]:
    """Open a town with its program, which is not started yet."""
    folder = setup.folder / name
    folder.mkdir(parents=True)
    rng = random.Random(f"{setup.seed} {name}")
    async with open_town(rng, folder, free_port(), people) as town:
        program = Program(starter, folder, town.settings)
        living = asyncio.create_task(town.live(pause_seconds))
        try:
            yield Trial(town, program, living)
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            await program.close()


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def random_kills(setup: Setup) -> Sequence[Row]:
    """Kill the program again and again, each time at another moment."""
    if setup.scale == "long":
        return await _random_kills(setup, Interpreter(), kills=200)
    async with nursery() as starter:
        return await _random_kills(setup, starter, kills=12)


async def _random_kills(setup: Setup, starter: Starter, *, kills: int) -> Sequence[Row]:
    began, rng = time.monotonic(), random.Random(setup.seed)
    restarts: list[float] = []
    async with open_trial(setup, starter) as trial:
        for number in range(1, kills + 1):
            await trial.program.start()
            trial.town.forget_answers()
            if number > 1 and rng.random() < KILLED_AT_START:
                await asyncio.sleep(rng.uniform(0, ALIVE_SECONDS))
            else:
                restarts.append(await first_answer(trial))
                await asyncio.sleep(rng.uniform(0, ALIVE_SECONDS))
            await trial.program.kill()
            if number % 20 == 0:
                setup.progress(f"{number} kills, {len(trial.town.messages)} messages")
        seconds = time.monotonic() - began
        await trial.program.start()
        found = await trial.settle()
    took = time.monotonic() - began
    rate = found.messages / seconds
    most = STRAYS_A_KILL if setup.scale == "long" else STRAYS_A_KILL_SHORT
    return [
        Row(
            proof="R1",
            what=f"SIGKILL at {kills} random moments, {PEOPLE} people, {rate:.1f} messages/s",
            aim=AIM,
            reached=str(found),
            holds=found.are_none and found.messages > kills,
            seconds=took,
        ),
        Row(
            proof="R1",
            what="placeholders and beginnings that stay behind",
            aim=f"≤ {most:g} a kill",
            reached=f"{found.placeholders} placeholders and {found.beginnings} beginnings in "
            f"{kills} kills, {found.strays / kills:.2f} a kill",
            holds=found.strays <= most * kills,
            seconds=took,
        ),
        Row(
            proof="D6",
            what="what the platforms got and show, against the log, text by text",
            aim="equal",
            reached=f"{found.messages} dialogues, {len(found.differing)} differ",
            holds=not found.differing,
            seconds=took,
        ),
        *([_restart_row(restarts, took)] if setup.scale == "long" else ()),
    ]


async def first_answer(trial: Trial) -> float:
    """Return the seconds from a start to the first answer that somebody sees after it."""
    try:
        async with asyncio.timeout(START_SECONDS):
            await trial.town.next_answer()
    except TimeoutError:
        written = trial.program.output()[-2000:]
        raise AssertionError(f"No answer in {START_SECONDS} s. {written}") from None
    return time.monotonic() - trial.program.started_at


def _restart_row(restarts: Sequence[float], took: float) -> Row:
    ordered = sorted(restarts[1:])  # the first start also makes the vectors
    middle, last = ordered[len(ordered) // 2], ordered[-1]
    return Row(
        proof="R1",
        what=f"from {len(ordered)} restarts to the first new answer",
        aim=f"≤ {RESTART_SECONDS:.0f} s",
        reached=f"middle {middle:.1f} s, longest {last:.1f} s",
        holds=last <= RESTART_SECONDS,
        seconds=took,
    )
