"""R2: the program is killed before and after each step of its work with a message."""

import random
import time
from collections.abc import Sequence

from tests.prove.checking import Findings
from tests.prove.kills import AIM, Trial, first_answer, open_trial
from tests.prove.program import Starter, nursery
from tests.prove.proof import Row, Setup

KILLS = 10
LATEST_PASSAGE = 12
DEATH_SECONDS = 30.0
PEOPLE = 24
PAUSE_SECONDS = 0.5
# Each step with the two moments that a kill can come at: in the log before the commit and after it,
# in a request to a platform before it and after its answer.
STEPS = (
    ("inbox.receive.written", "inbox.receive.committed"),
    ("acknowledge.begun", "acknowledge.done"),
    ("inbox.start_attempt.written", "inbox.start_attempt.committed"),
    ("channel.reserve.begun", "channel.reserve.done"),
    ("inbox.set_preview.written", "inbox.set_preview.committed"),
    ("channel.preview.begun", "channel.preview.done"),
    ("record.exchange.written", "record.exchange.committed"),
    ("channel.prepare.begun", "channel.prepare.done"),
    ("outbox.start_sending.written", "outbox.start_sending.committed"),
    ("channel.send.begun", "channel.send.done"),
    ("outbox.sent.written", "outbox.sent.committed"),
)


async def kills_at_steps(setup: Setup) -> Sequence[Row]:
    """Kill the program at every step: a row for each, or in short one for all, after each step."""
    async with nursery() as starter:
        if setup.scale == "short":
            return [await _try(setup, starter, "each step", [last for _, last in STEPS], 1)]
        rows = []
        for points in STEPS:
            name = points[0].rpartition(".")[0]
            rows.append(await _try(setup, starter, name, points, KILLS))
            setup.progress(f"{name}: {rows[-1].reached}")
        return rows


async def _try(setup: Setup, starter: Starter, name: str, points: Sequence[str], kills: int) -> Row:
    """Kill the program at some points, each so often; then let it finish and compare."""
    began, rng = time.monotonic(), random.Random(f"{setup.seed} {name}")
    latest = LATEST_PASSAGE if kills > 1 else LATEST_PASSAGE // 2
    deaths = [(point, rng.randint(1, latest)) for point in points for _ in range(kills)]
    rng.shuffle(deaths)
    missed: list[str] = []
    async with open_trial(
        setup, starter, people=PEOPLE, pause_seconds=PAUSE_SECONDS, name=name.replace(" ", "-")
    ) as trial:
        await trial.program.start()
        await first_answer(trial)
        await trial.program.kill()
        for point, count in deaths:
            if not await _dies(trial, f"{point}:{count}"):
                missed.append(point)
        await trial.program.start()
        found = await trial.settle()
    return Row(
        proof="R2",
        what=f"killed at {name}, {len(deaths)} times",
        aim=f"{AIM}; 0 in doubt",
        reached=_reached(found, missed),
        holds=found.are_none and not missed and found.in_doubt == 0,
        seconds=time.monotonic() - began,
    )


async def _dies(trial: Trial, die_at: str) -> bool:
    """Start the program and wait for its death; return False when it came past no such point."""
    await trial.program.start(die_at)
    try:
        return await trial.program.died(DEATH_SECONDS) == -9
    except TimeoutError:
        await trial.program.kill()
        return False


def _reached(found: Findings, missed: Sequence[str]) -> str:
    never = f"; never came to {', '.join(sorted(set(missed)))}" if missed else ""
    return f"{found}, {found.in_doubt} in doubt, {found.strays} stray posts{never}"
