"""What the pages of the analysis cost on a large log: its figures, who waits for them, the list.

    python -m tests.benchmarks.analysis_page --turns 100000        (make bench-analysis-page)

The log is made by the log's own functions (made_log.py) in a temporary folder, or `--log FILE` has
one; `--times 10` then copies every row that the pages read ten times, which takes a minute where
writing it would take ten. Its messages get intents. Pages are asked for in process.
"""

import argparse
import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bot.cli.tables import print_table
from bot.log.store import Store
from prompts import Prompts
from tests.adapters.admin.application import admin_app
from tests.benchmarks.made_log import fill
from tests.benchmarks.ranking_page import (
    BASE,
    BEING_MADE,
    PASSWORD,
    PAUSE_SECONDS,
    TIMES,
    no_files,
    time_of_last,
)

INTENTS = 77
PERIODS = (28, 90)
LIST_TIMES = 15
# The tables that the pages read, each with its columns that name a row and so differ in a copy.
COPIED = {
    "customers": ("id", "external_id"),
    "conversations": ("id", "customer", "address"),
    "turns": ("id", "conversation", "replied_to"),
    "handoffs": ("conversation", "turn"),
    "inbox": ("event_key", "address", "customer", "turn", "reply"),
    "feedback": ("event_key", "turn", "customer"),
    "intent_labels": ("turn",),
}


def give_intents(path: Path) -> None:
    """Give every question an intent, some of them far more often than others."""
    rng = random.Random(1)
    names = [f"intent {number}" for number in range(INTENTS)]
    weights = [1 / (place + 1) for place in range(INTENTS)]
    with closing(sqlite3.connect(path)) as db, db:
        turns = db.execute("SELECT id, created_at FROM turns WHERE role = 'customer'").fetchall()
        drawn = rng.choices(names, weights, k=len(turns))
        db.executemany(
            "INSERT OR IGNORE INTO intent_labels VALUES (?, ?, 0.9, 'model', 'm', '', ?)",
            [(turn, name, at) for (turn, at), name in zip(turns, drawn, strict=True)],
        )


def multiply(path: Path, times: int) -> None:
    """Copy what the pages read, so often that there is `times` as much."""
    with closing(sqlite3.connect(path)) as db, db:
        for table, named in COPIED.items():
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            kept = [name for name in columns if name not in ("number",) or table == "turns"]
            if table in ("handoffs", "inbox", "feedback"):
                kept.remove("id")  # a number, given anew
            [most] = (
                db.execute(f"SELECT max(rowid) FROM {table}").fetchone()
                if (table != "intent_labels")
                else [0]
            )
            where = (
                "WHERE rowid <= :most"
                if table != "intent_labels"
                else ("WHERE turn NOT LIKE '%~%'")
            )
            for copy in range(1, times):
                values = [f"{name} || '~{copy}'" if name in named else name for name in kept]
                db.execute(
                    f"INSERT INTO {table} ({', '.join(kept)}) SELECT {', '.join(values)}"
                    f" FROM {table} {where}",
                    {"most": most},
                )


async def measure(path: Path) -> list[dict[str, Any]]:
    """Return a row for each page: while its figures are made, afterwards, and of the list."""
    with Store(path) as store:
        last = await store.read(time_of_last)
        app = await admin_app(store, lambda: last, Prompts.load(), no_files, PASSWORD)
        transport = httpx.ASGITransport(app)
        rows = []
        async with httpx.AsyncClient(
            transport=transport, base_url=BASE, headers={"Origin": BASE}, timeout=60
        ) as client:
            await client.post("/admin/login", data={"password": PASSWORD})
            for days in PERIODS:
                address = f"/admin/analysis?days={days}"
                began = time.perf_counter(), time.process_time()
                took = await _ask(client, address, is_made=False)
                made = time.perf_counter() - began[0], time.process_time() - began[1]
                rows.append(_row(f"analysis, {days} days, being made", took, made))
                took = await _ask(client, address, is_made=True)
                rows.append(_row(f"analysis, {days} days, kept", took))
            for name, query in _lists(last.date()):
                took = await _ask(client, f"/admin/?{query}", is_made=True, times=LIST_TIMES)
                rows.append(_row(f"list, {name}", took))
    return rows


def _lists(last: Any) -> Iterator[tuple[str, str]]:
    period = f"from={last - timedelta(days=27)}&to={last}"
    earlier = f"from={last - timedelta(days=118)}&to={last - timedelta(days=91)}"
    yield "newest", ""
    yield "28 days", period
    yield "28 days, a frequent intent", f"{period}&intent=intent+0"
    yield "28 days, a rare intent", f"{period}&intent=intent+76"
    yield "28 days, no intent (there is none)", f"{period}&intent=%3F"
    yield "28 days, handed on", f"{period}&reason=any"
    yield "28 days, complaints (there are none)", f"{period}&reason=complaint"
    yield "28 days, thumbs up", f"{period}&verdict=up"
    yield "28 days, solved", f"{period}&outcome=solved"
    yield "28 days, not solved", f"{period}&outcome=unsolved"
    yield "28 days, annoyed (there are few)", f"{period}&mood=annoyed"
    yield "28 days, another channel, empty", f"{period}&channel=slack"
    yield "an earlier 28 days, a frequent intent", f"{earlier}&intent=intent+0"
    yield "the whole log, a rare intent, handed on", "intent=intent+76&reason=any"
    cohort = "..".join(str(last - timedelta(days=each)) for each in (27, 27, 21))
    yield "customers who came back", f"{period}&cohort={cohort}"


async def _ask(
    client: httpx.AsyncClient, address: str, *, is_made: bool, times: int = TIMES
) -> list[float]:
    """Return how long each page took, until the figures are there, or so many times."""
    took: list[float] = []
    while len(took) < times or not is_made:
        began = time.perf_counter()
        page = await client.get(address)
        took.append((time.perf_counter() - began) * 1000)
        assert page.status_code == 200
        if not is_made and BEING_MADE not in page.text:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    return took


def _row(name: str, took: list[float], made: tuple[float, float] | None = None) -> dict[str, Any]:
    return {
        "page": name,
        "seconds": f"{made[0]:.1f}" if made else "",
        "processor_seconds": f"{made[1]:.1f}" if made else "",
        "times": len(took),
        "median_ms": f"{np.median(took):.0f}",
        "p95_ms": f"{np.percentile(took, 95):.0f}",
        "longest_ms": f"{max(took):.0f}",
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--turns", type=int, default=100_000, help="in the log that is made")
    parser.add_argument("--times", type=int, default=1, help="so often every row is there then")
    parser.add_argument("--log", type=Path, help="a log that was made before by this program")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frontdesk-analysis-") as folder:
        path = options.log or Path(folder) / "frontdesk.db"
        if not path.exists():
            fill(path, options.turns, lambda said: print(said, flush=True))
            give_intents(path)
            multiply(path, options.times)
        print_table(asyncio.run(measure(path)))


if __name__ == "__main__":
    main()
