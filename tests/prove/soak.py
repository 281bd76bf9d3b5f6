"""R12: hours of people writing while platforms and model fail now and then."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.fakes import slack_api, telegram_api, vllm_api
from tests.prove.kills import AIM, Trial, first_answer, open_trial
from tests.prove.program import Interpreter
from tests.prove.proof import Row, Setup

PEOPLE = 20
PAUSE_SECONDS = 4.0
FAULT_EVERY_SECONDS = 5.0
MODEL_OUTAGE_SECONDS = 3.0
SAMPLE_SECONDS = 10.0
WARM_UP_SECONDS = 600.0
SHARE_OF_WARM_UP = 0.25  # at most, where less than 40 minutes are given
GROWTH_PERCENT_AN_HOUR = 5.0
MORE_FILES = 10
TELEGRAM_METHODS = ("sendMessage", "editMessageText", "getUpdates")
SLACK_METHODS = ("chat.postMessage", "chat.update", "chat.startStream", "chat.stopStream")


@dataclass(frozen=True, slots=True)
class Sample:
    """What the program held at a time, in seconds from the start."""

    at: float
    megabytes: float
    files: int


async def soak(setup: Setup) -> Sequence[Row]:
    """Let people live with faults; compare everything at the end."""
    began, rng = time.monotonic(), random.Random(setup.seed)
    seconds = setup.soak_minutes * 60
    async with open_trial(
        setup, Interpreter(), people=PEOPLE, pause_seconds=PAUSE_SECONDS, name="soak"
    ) as trial:
        await trial.program.start()
        await first_answer(trial)
        failing = asyncio.create_task(fail_now_and_then(trial, rng))
        try:
            samples = await _watch(trial, seconds, setup.progress)
        finally:
            failing.cancel()
            await asyncio.gather(failing, return_exceptions=True)
        _heal(trial)
        found = await trial.settle()
    took = time.monotonic() - began
    return [
        Row(
            proof="R12",
            what=f"{setup.soak_minutes:g} minutes, {PEOPLE} people, faults at random",
            aim=AIM,
            reached=str(found),
            holds=found.are_none and found.messages > PEOPLE,
            seconds=took,
        ),
        *growth_rows(samples, seconds, took),
    ]


async def fail_now_and_then(trial: Trial, rng: random.Random) -> None:
    """Let one thing go wrong after the other, for ever."""
    while True:
        await asyncio.sleep(rng.expovariate(1 / FAULT_EVERY_SECONDS))
        await rng.choice([_fail_telegram, _fail_slack, _cut_sockets, _fail_model])(trial, rng)


async def _fail_telegram(trial: Trial, rng: random.Random) -> None:
    fault = telegram_api.Fault
    what = [fault.flood(rng.randint(1, 3)), fault.server_error(), fault.dropped()]
    what.append(fault.answer_lost())
    trial.town.telegram.fail_next(rng.choice(TELEGRAM_METHODS), rng.choice(what))


async def _fail_slack(trial: Trial, rng: random.Random) -> None:
    fault = slack_api.Fault
    what = [fault.flood(rng.randint(1, 3)), fault.server_error(), fault.dropped()]
    what.append(fault.answer_lost())
    trial.town.slack.fail_next(rng.choice(SLACK_METHODS), rng.choice(what))


async def _cut_sockets(trial: Trial, rng: random.Random) -> None:
    slack = trial.town.slack
    await rng.choice([slack.drop_sockets, slack.refresh_sockets, slack.close_sockets])()


async def _fail_model(trial: Trial, rng: random.Random) -> None:
    fault, broken, model = vllm_api.Fault, vllm_api.Break, trial.town.model
    outages = [fault.server_error(), fault.too_many_requests(), fault.garbage(), fault.dropped()]
    model.breaks(rng.choice([*outages, broken.dies(5), broken.error(5), broken.ends(5)]))
    await asyncio.sleep(MODEL_OUTAGE_SECONDS)
    model.mends()


def _heal(trial: Trial) -> None:
    trial.town.telegram.succeed_again()
    trial.town.model.mends()


async def _watch(trial: Trial, seconds: float, progress: Callable[[str], None]) -> list[Sample]:
    began, samples = time.monotonic(), list[Sample]()
    while (passed := time.monotonic() - began) < seconds:
        program = trial.program
        samples.append(Sample(passed, program.memory_megabytes(), program.open_files()))
        if len(samples) % 30 == 0:
            newest = samples[-1]
            progress(
                f"{passed / 60:.0f} min, {len(trial.town.messages)} messages,"
                f" {newest.megabytes:.0f} MB, {newest.files} files"
            )
        # What is done with is not kept for ever here either.
        trial.town.telegram.calls.clear()
        trial.town.slack.calls.clear()
        trial.town.model.calls.clear()
        await asyncio.sleep(SAMPLE_SECONDS)
    return samples


def growth_rows(samples: Sequence[Sample], seconds: float, took: float) -> list[Row]:
    """Return how memory and files grew once the program was warm."""
    warm_up = min(WARM_UP_SECONDS, seconds * SHARE_OF_WARM_UP)
    warm = [sample for sample in samples if sample.at >= warm_up]
    percent = _growth_percent_an_hour(warm)
    third = max(1, len(warm) // 3)
    early = [sample.files for sample in warm[:third]] or [0]
    late = [sample.files for sample in warm[-third:]] or [0]
    middles = statistics.median(early), statistics.median(late)
    return [
        Row(
            proof="R12",
            what=f"memory after the first {warm_up / 60:.0f} minutes",
            aim=f"grows ≤ {GROWTH_PERCENT_AN_HOUR:.0f} % an hour",
            reached=f"{percent:+.1f} % an hour, {warm[-1].megabytes if warm else 0:.0f} MB at last",
            holds=len(warm) > 2 and percent <= GROWTH_PERCENT_AN_HOUR,
            seconds=took,
        ),
        Row(
            proof="R12",
            what="open files and sockets",
            aim=f"no more at the end than at the start, within {MORE_FILES}",
            reached=f"{middles[0]:.0f} in the middle of the first third, {middles[1]:.0f} of the "
            f"last; {max(early)} and {max(late)} at most",
            holds=bool(warm) and middles[1] <= middles[0] + MORE_FILES,
            seconds=took,
        ),
    ]


def _growth_percent_an_hour(samples: Sequence[Sample]) -> float:
    if len(samples) < 3:
        return float("nan")
    hours = [sample.at / 3600 for sample in samples]
    slope, _ = np.polyfit(hours, [sample.megabytes for sample in samples], 1)
    return float(100 * slope / samples[0].megabytes)
