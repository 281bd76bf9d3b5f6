"""Measure what Frontdesk adds to the model's own time, and what a message costs.

    python -m tests.benchmarks.channels --customers 1 50 200 --channel both --json FILE

The program runs as a process of its own, with its log, its search and its checks; the platform,
the model and the customers are this process. The model takes 50 ms to its first token and 5 ms to
each of the 19 others. A customer asks the next question when the answer to the last one is whole.
docs/performance.md says what the columns mean.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.bench import Bench, Plan, Subject
from tests.benchmarks.measurement import table
from tests.benchmarks.programs import ROOT, ProgramError

CACHE = ROOT / ".cache" / "bench-channels"
QUICK_CUSTOMERS, QUICK_MESSAGES = [1, 10], 30


def _report(said: str) -> None:
    sys.stderr.write(said + "\n")
    sys.stderr.flush()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.channels")
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--customers", type=_positive, nargs="+", default=[1, 50, 200])
    parser.add_argument("--messages", type=_positive, default=600, help="about, for each number")
    parser.add_argument("--channel", choices=["telegram", "slack", "both"], default="both")
    parser.add_argument("--sentences", type=_positive, default=1, help="of each answer")
    parser.add_argument("--quick", action="store_true", help="a first look, about a minute")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--profile", type=Path, help="write the last run's cProfile figures here")
    return parser.parse_args(words)


def _plan(chosen: argparse.Namespace) -> Plan:
    both = chosen.channel == "both"
    subjects: list[Subject] = ["bare", "telegram", "slack"] if both else ["bare", chosen.channel]
    if chosen.profile:
        subjects.remove("bare")
    customers, messages = chosen.customers, chosen.messages
    if chosen.quick:
        customers, messages = QUICK_CUSTOMERS, QUICK_MESSAGES
    return Plan(subjects, customers, messages, sentences=chosen.sentences, profile=chosen.profile)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    chosen = _arguments(words)
    # A program that ends leaves requests half read at the fakes.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder:
        bench = Bench(_plan(chosen), Path(folder), CACHE, _report)
        try:
            found = asyncio.run(bench.measure())
        except ProgramError as err:
            _report(str(err))
            return 1
        except KeyboardInterrupt:
            return 130
    sys.stdout.write(table(found) + "\n")
    if chosen.json:
        chosen.json.write_text(json.dumps([one.as_json() for one in found], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
