"""Frontdesk as an operator runs it, but for the platforms' own limits; and what goes before.

    python -m tests.benchmarks.launcher run          like `frontdesk run`, as fast as it can
    python -m tests.benchmarks.launcher prepare F G  encode the articles; write into G which of the
                                                     questions in F an article answers (JSON)

The settings come from the environment, as ever; FRONTDESK_TEST_PROFILE=FILE profiles `run`.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from adapters.pacing import Pace
from adapters.slack import SlackChannel
from adapters.slack.workspaces import SlackLimits
from adapters.telegram import TelegramChannel
from adapters.telegram import limits as telegram
from bot import app, channels
from bot import frontdesk as parts
from bot.console import Console
from bot.frontdesk import open_frontdesk
from bot.limits import Limits
from bot.settings import load_settings
from tests.benchmarks.profiling import profiled

NO_PACE = Pace(1000, 0.001)
ENOUGH = 1_000_000
TELEGRAM = telegram.Limits(everywhere=(), each=(), group=())
SLACK = SlackLimits(post=NO_PACE, update=NO_PACE, stream=NO_PACE)


async def prepare(questions: Sequence[str]) -> list[str]:
    """Make every vector, and return the questions that an article answers."""
    async with open_frontdesk(load_settings(), Console()) as frontdesk:
        await frontdesk.encode(lambda done, total: None)
        found = [(text, await frontdesk.knowledge.search(text, "en")) for text in questions]
    return [text for text, hits in found if hits and hits[0].is_answer]


def lift_limits() -> None:
    """Let the channels write as fast as they can: the platforms' limits would be the result."""
    setattr(channels, "TelegramChannel", partial(TelegramChannel, limits=TELEGRAM))  # noqa: B010
    limits = partial(Limits, model_calls_per_minute=ENOUGH, model_calls_at_once=ENOUGH)
    setattr(parts, "Limits", limits)  # noqa: B010
    setattr(channels, "SlackChannel", partial(SlackChannel, limits=SLACK))  # noqa: B010


def run() -> None:
    """Run everything until a signal comes."""
    lift_limits()
    console = Console()
    console.log_to_here()
    asyncio.run(app.run_everything(load_settings(), console))


def main(words: Sequence[str]) -> None:
    """Run what the command line asks for."""
    match words:
        case ["run"]:
            profile = os.environ.get("FRONTDESK_TEST_PROFILE")
            profiled(run, Path(profile)) if profile else run()
        case ["prepare", asked, answered]:
            questions = json.loads(Path(asked).read_text(encoding="utf-8"))
            found = asyncio.run(prepare(questions))
            Path(answered).write_text(json.dumps(found), encoding="utf-8")
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
