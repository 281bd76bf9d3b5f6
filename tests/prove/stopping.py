"""R11: the program is asked to end while people write; nothing is lost, and it ends in time."""

import asyncio
import random
import time
from collections.abc import Sequence

from tests.prove.kills import AIM, first_answer, open_trial
from tests.prove.program import Interpreter, Starter, nursery
from tests.prove.proof import Row, Setup

ROUNDS = 20
STOP_SECONDS = 10.0
PATIENCE_SECONDS = 30.0
PEOPLE = 50
PAUSE_SECONDS = 1.5
ALIVE_SECONDS = 2.0


async def stops_under_load(setup: Setup) -> Sequence[Row]:
    """Ask the program to end at random moments, and start it again."""
    if setup.scale == "long":
        return await _stop(setup, Interpreter(), ROUNDS)
    async with nursery() as starter:
        return await _stop(setup, starter, 2)


async def _stop(setup: Setup, starter: Starter, rounds: int) -> Sequence[Row]:
    began, rng = time.monotonic(), random.Random(setup.seed)
    seconds: list[float] = []
    codes: set[int] = set()
    async with open_trial(
        setup, starter, people=PEOPLE, pause_seconds=PAUSE_SECONDS, name="stops"
    ) as trial:
        for number in range(1, rounds + 1):
            await trial.program.start()
            trial.town.forget_answers()
            await first_answer(trial)
            await asyncio.sleep(rng.uniform(0, ALIVE_SECONDS))
            asked = time.monotonic()
            codes.add(await trial.program.stop(PATIENCE_SECONDS))
            seconds.append(time.monotonic() - asked)
            setup.progress(f"{number} of {rounds}: ended in {seconds[-1]:.1f} s")
        await trial.program.start()
        found = await trial.settle()
    took = time.monotonic() - began
    return [
        Row(
            proof="R11",
            what=f"SIGTERM under load, {rounds} times",
            aim=f"exit ≤ {STOP_SECONDS:.0f} s with code 0",
            reached=f"longest {max(seconds):.1f} s, codes {sorted(codes)}",
            holds=max(seconds) <= STOP_SECONDS and codes == {0},
            seconds=took,
        ),
        Row(
            proof="R11",
            what="what was open at the end goes on after the restart",
            aim=AIM,
            reached=str(found),
            holds=found.are_none and found.messages > rounds,
            seconds=took,
        ),
    ]
