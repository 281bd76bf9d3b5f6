"""Measure what a large log costs: the same work in logs of different lengths.

    python -m tests.benchmarks.log --turns 10000 1000000

The logs are made by the log's own functions (made_log.py), a million turns in some ten minutes and
3 GB, and deleted at the end unless `--folder` says where they shall stay. docs/performance.md has
the figures.
"""

import argparse
import asyncio
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bot.intents.report import report
from bot.log import (
    analysis,
    backup,
    conversations,
    erasure,
    export,
    inbox,
    outbox,
    record,
    transcripts,
)
from bot.log.integrity import quick_problem
from bot.log.store import Store, open_read_only
from bot.sending import PatientWriter
from tests.benchmarks.made_log import CHANNEL, EXAMPLE, RARE, REGULAR, Maker, fill
from tests.fakes.vllm_api import FakeVllm
from tests.scenarios.test_program import model_settings, started

WRITTEN = 1000
WRITERS = 50
REPEATS = 5
COMMON = {"en": "return", "zh": "退货"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured in one log."""

    name: str
    value: float
    unit: str = "ms"


def measure(path: Path) -> Iterator[Figure]:
    """Measure everything that only reads, then what writes."""
    yield Figure("size", path.stat().st_size / 2**20, "MB")
    db = open_read_only(path)
    for name, work in _reads(db):
        yield Figure(name, _median_ms(partial(work, db)))
    db.close()
    yield Figure("open the database", _median_ms(lambda: Store(path).close()))
    yield Figure("start until the first answer", asyncio.run(_start_seconds(path)), "s")
    yield from asyncio.run(_writes(path))
    yield from _checks_and_copies(path)


def _reads(db: Database) -> Iterator[tuple[str, Callable[[Database], Any]]]:
    page = conversations.conversations
    yield "admin list, first page", page
    newest, oldest = _turn_times(db)
    middle = datetime.fromtimestamp((newest.timestamp() + oldest.timestamp()) / 2, UTC)
    deep = conversations.PageKey(last_turn_at=middle.isoformat(), id="")
    yield "admin list, page in the middle", lambda db: page(db, after=deep)
    for name, filters in {
        "handed off and open": conversations.Filters(is_open=True),
        "handed off": conversations.Filters(handed_off=True),
        "one language": conversations.Filters(language="zh"),
        "another channel, empty": conversations.Filters(channel="slack"),
    }.items():
        yield f"admin list, {name}", partial(page, filters=filters)
    for language in ("en", "zh"):
        yield f"search, common word, {language}", _search(COMMON[language])
        yield f"search, rare word, {language}", _search(RARE[language])
    yield "search, common and rare word", _search(f"{COMMON['en']} {RARE['en']}")
    [conversation] = db.execute(
        "SELECT conversation FROM turns ORDER BY id DESC LIMIT 1"
    ).fetchone()
    yield "transcript", lambda db: transcripts.transcript(db, conversation)
    yield "export of a customer, 200 questions", _export(REGULAR)
    yield "context of a message", _context
    yield "report of what customers wanted, the whole log", partial(_report, since=oldest)


def _search(text: str) -> Callable[[Database], Any]:
    return lambda db: conversations.conversations(db, conversations.Filters(text=text))


def _export(customer: str) -> Callable[[Database], Any]:
    return lambda db: export.customer_data(db, CHANNEL, customer)


def _context(db: Database) -> Any:
    [last] = db.execute("SELECT max(id) FROM inbox").fetchone()
    return record.context(db, inbox.received(db, last), 12)


def _report(db: Database, since: datetime) -> Any:
    until = datetime.now(UTC)
    return report(analysis.messages(db, since, until, {}), since, until)


def _turn_times(db: Database) -> tuple[datetime, datetime]:
    row = db.execute("SELECT max(last_turn_at), min(last_turn_at) FROM conversations").fetchone()
    return datetime.fromisoformat(row[0]), datetime.fromisoformat(row[1])


async def _start_seconds(path: Path) -> float:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    async with FakeVllm() as model:
        begun = time.perf_counter()
        articles, settings = EXAMPLE / "articles", model_settings(model)
        async with started(path.parent, articles, port, **settings) as program:
            await program.until_ready()
            answer = await program.ask("How long do I have to return a jacket?")
            taken = time.perf_counter() - begun
            answer.raise_for_status()
            await program.stop()
    return taken


async def _writes(path: Path) -> list[Figure]:
    with Store(path) as store:
        rate = await _messages_a_second(store)
        seconds, longest = await _erase(store)
    return [
        Figure("messages stored, answered and noted as sent", rate, "/s"),
        Figure("erase a customer, in all", 1000 * seconds),
        Figure("erase a customer, longest wait of another write", 1000 * longest),
    ]


async def _messages_a_second(store: Store) -> float:
    """Let many conversations write at once, each step a transaction as in real work."""
    maker = await store.read(lambda db: Maker(db, 10_000))
    [stored] = await store.read(lambda db: db.execute("SELECT max(id) FROM inbox").fetchone())
    numbers = iter(range(stored, stored + WRITTEN))
    begun = time.perf_counter()
    await asyncio.gather(*(_write_exchanges(store, maker, numbers) for _ in range(WRITERS)))
    return WRITTEN / (time.perf_counter() - begun)


async def _write_exchanges(store: Store, maker: Maker, numbers: Iterator[int]) -> None:
    for number in numbers:
        await _write_exchange(store, maker, number)


async def _write_exchange(store: Store, maker: Maker, number: int) -> None:
    message, now = maker.message(number), datetime.now(UTC)
    waiting = (await store.write(lambda db: inbox.receive(db, message, now))).waiting
    assert waiting
    answer = maker.answer(number, message.text)
    outgoing = await store.write(lambda db: record.exchange(db, [waiting], answer, now))
    assert outgoing
    posts = [f"{message.address}:{number}"]
    leaving = await store.write(lambda db: outbox.start_sending(db, outgoing, posts))
    await store.write(lambda db: outbox.sent(db, leaving, posts, now))


async def _erase(store: Store) -> tuple[float, float]:
    """Return how long erasing a customer takes, and the longest that others waited meanwhile."""
    now = datetime.now(UTC)
    await store.write(lambda db: erasure.request(db, CHANNEL, "c400", now.isoformat()))
    waits: list[float] = []
    others = asyncio.create_task(_touch(store, waits))
    begun = time.perf_counter()
    await PatientWriter(store).erase_requested(now)
    taken = time.perf_counter() - begun
    others.cancel()
    await asyncio.wait([others])
    return taken, max(waits)


async def _touch(store: Store, waits: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await store.write(lambda db: inbox.set_text(db, 0, ""))
        waits.append(time.perf_counter() - begun)


def _checks_and_copies(path: Path) -> Iterator[Figure]:
    db = open_read_only(path)
    yield Figure("quick check", _seconds(lambda: quick_problem(db)), "s")
    db.close()
    copy, now = path.with_name("copy.db"), datetime.now(UTC)
    yield Figure("backup", _seconds(lambda: backup.backup(path, copy, now, lambda *_: None)), "s")
    yield Figure("restore", _seconds(lambda: backup.restore(path, copy, now)), "s")
    copy.unlink()


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _median_ms(work: Callable[[], object]) -> float:
    return 1000 * sorted(_seconds(work) for _ in range(REPEATS))[REPEATS // 2]


def _tell(said: str) -> None:
    sys.stderr.write(said + "\n")
    sys.stderr.flush()


def _table(columns: dict[int, list[Figure]]) -> str:
    lines = ["| | " + " | ".join(f"{turns:,} turns" for turns in columns) + " |"]
    lines.append("| --- |" + " ---: |" * len(columns))
    for figures in zip(*columns.values(), strict=True):
        cells = [f"{figure.value:,.{_digits(figure)}f} {figure.unit}" for figure in figures]
        lines.append(f"| {figures[0].name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _digits(figure: Figure) -> int:
    return 0 if figure.value >= 100 else 1


def _measured(folder: Path, turns: int) -> list[Figure]:
    path = folder / str(turns) / "frontdesk.db"
    taken = float("nan")  # where the log was there before
    if not path.exists():
        taken = _seconds(lambda: fill(path, turns, _tell))
    figures = [Figure("messages made without waiting for the disk", turns / 2 / taken, "/s")]
    for figure in measure(path):
        _tell(f"{turns:,} turns: {figure.name} {figure.value:.1f} {figure.unit}")
        figures.append(figure)
    return figures


def main(words: Sequence[str] | None = None) -> None:
    """Make the logs, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.log", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--turns", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where logs are kept, or made and left")
    chosen = parser.parse_args(words)
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="frontdesk-log-"))
    try:
        columns = {turns: _measured(folder, turns) for turns in chosen.turns}
    finally:
        if not chosen.folder:
            shutil.rmtree(folder)
    sys.stdout.write(_table(columns) + "\n")


if __name__ == "__main__":
    main()
