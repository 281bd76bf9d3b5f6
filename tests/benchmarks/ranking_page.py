"""What the page of the ranking costs on a large log: its figures, and who waits for them.

    python -m tests.benchmarks.ranking_page --decisions 100000     (make bench-ranking-page)

The log is made by the log's own functions (made_log.py), in a temporary folder, or `--log FILE`
has one. The page is asked for over and over, in process, while its figures are being made.
"""

import argparse
import asyncio
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bot.cli.tables import print_table
from bot.errors import AttachmentError
from bot.log.store import Store
from bot.messages import Attachment
from prompts import Prompts
from tests.adapters.admin.application import admin_app
from tests.benchmarks.made_log import BEGINNING, fill

PASSWORD = "only for this measurement"
DAYS = 90
BASE = "http://testserver"
BEING_MADE = "are being made"
# A log of any size spans half a year; its last 90 days have half of the replies.
TIMES = 100
PAUSE_SECONDS = 0.05


async def measure(path: Path) -> list[dict[str, Any]]:
    """Return a row for the page while its figures are made, and one for it afterwards."""
    with Store(path) as store:
        last = await store.read(time_of_last)
        app = await admin_app(store, lambda: last, Prompts.load(), no_files, PASSWORD)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url=BASE, headers={"Origin": BASE}
        ) as client:
            await client.post("/admin/login", data={"password": PASSWORD})
            began = time.perf_counter(), time.process_time()
            while_made = await _ask(client, is_made=False)
            made = time.perf_counter() - began[0], time.process_time() - began[1]
            afterwards = await _ask(client, is_made=True)
    return [
        {
            "page": "figures being made",
            "seconds": f"{made[0]:.1f}",
            "processor_seconds": f"{made[1]:.1f}",
            **_row(while_made),
        },
        {"page": "figures kept", "seconds": "", "processor_seconds": "", **_row(afterwards)},
    ]


async def _ask(client: httpx.AsyncClient, *, is_made: bool) -> list[float]:
    """Return how long each page took, until the figures are there, or so many times."""
    took: list[float] = []
    while len(took) < TIMES or not is_made:
        began = time.perf_counter()
        page = await client.get(f"/admin/ranking?days={DAYS}")
        took.append((time.perf_counter() - began) * 1000)
        assert page.status_code == 200
        if not is_made and BEING_MADE not in page.text:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    return took


def _row(took: list[float]) -> dict[str, Any]:
    return {
        "times": len(took),
        "median_ms": f"{np.median(took):.0f}",
        "p95_ms": f"{np.percentile(took, 95):.0f}",
        "longest_ms": f"{max(took):.0f}",
    }


def time_of_last(db: Any) -> datetime:
    """Return when the last turn of a log was."""
    [at] = db.execute("SELECT max(created_at) FROM turns").fetchone()
    return datetime.fromisoformat(at or BEGINNING.isoformat())


async def no_files(number: int) -> tuple[Attachment, bytes]:
    """Have no files."""
    raise AttachmentError("There are no files.")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--decisions", type=int, default=100_000, help="replies in 90 days")
    parser.add_argument("--log", type=Path, help="a log that was made before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frontdesk-ranking-") as folder:
        path = options.log or Path(folder) / "frontdesk.db"
        if not options.log:
            fill(path, 4 * options.decisions, lambda said: print(said, flush=True))
        print_table(asyncio.run(measure(path)))


if __name__ == "__main__":
    main()
