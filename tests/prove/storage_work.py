"""Processes that write to a log, back it up, put it back or upgrade it until they are killed.

Each tells what it has done through a pipe, once it is done.
"""

import asyncio
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from bot.log import backup, conversations, inbox
from bot.log.store import Store, open_read_only
from bot.messages import Incoming
from tests.benchmarks.made_log import Maker

WRITERS = 8
AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.prove.storage_work"])

Work = Callable[..., None]


class Child:
    """A process that runs `work` and whose reports are read as they come."""

    def __init__(self, work: Work, *arguments: Any) -> None:
        self._reports, tell = _PROCESSES.Pipe(duplex=False)
        self.process: BaseProcess = _PROCESSES.Process(target=work, args=(*arguments, tell))
        self.process.start()
        tell.close()

    def next_report(self) -> Any:
        """Wait for a report; None once the process has ended."""
        try:
            return self._reports.recv()
        except (EOFError, OSError):
            return None

    def reports(self) -> list[Any]:
        """Return what was reported and not read yet, up to the end of the process."""
        found = []
        while (report := self.next_report()) is not None:
            found.append(report)
        self.process.join()
        self._reports.close()
        return found

    def kill_after(self, seconds: float) -> list[Any]:
        """Let it work for so long, then kill it; return its last reports."""
        killer = threading.Timer(seconds, self.process.kill)
        killer.start()
        found = self.reports()
        killer.join()
        return found

    @property
    def was_killed(self) -> bool:
        return self.process.exitcode == -signal.SIGKILL


def write(path: Path, first: int, tell: Connection) -> None:
    """Write from many conversations at once, while pages and a backup read; tell what is stored."""
    asyncio.run(_write(path, first, tell))


async def _write(path: Path, first: int, tell: Connection) -> None:
    numbers = count(first)
    with Store(path) as store:
        maker = await store.read(lambda db: Maker(db, 1000, seed=first))
        threading.Thread(target=_back_up_again_and_again, args=(path,), daemon=True).start()
        await asyncio.gather(
            _browse(store), *(_write_messages(store, maker, numbers, tell) for _ in range(WRITERS))
        )


async def _write_messages(
    store: Store, maker: Maker, numbers: Iterator[int], tell: Connection
) -> None:
    for number in numbers:
        await _write_message(store, maker, number)
        tell.send(number)


async def _write_message(store: Store, maker: Maker, number: int) -> None:
    if number % 2:
        await store.write(lambda db: maker.write(db, number))
    else:
        await store.write(lambda db: inbox.receive(db, waiting_message(number), AT))


def waiting_message(number: int) -> Incoming:
    """Return a message that gets no answer."""
    return Incoming(
        channel="telegram",
        event_keys=(f"update:{number}",),
        address=f"waits-{number % 7}",
        customer=f"waits-{number % 7}",
        text=f"Where is my parcel {number}? 包裹呢",
    )


async def _browse(store: Store) -> None:
    while True:
        await store.browse(conversations.conversations)
        await store.browse(
            lambda db: conversations.conversations(db, conversations.Filters(text="parcel"))
        )


def _back_up_again_and_again(path: Path) -> None:
    while True:
        backup.backup(path, path.with_name("meanwhile.db"), AT, lambda *_: None)


def append(path: Path, tell: Connection) -> None:
    """Write numbered rows, one a transaction, for ever: any copy must hold the first of them."""

    async def run() -> None:
        with Store(path) as store:
            [first] = await store.read(
                lambda db: db.execute("SELECT count(*) FROM inbox").fetchone()
            )
            for number in count(first):
                await _receive(store, number)
                tell.send(number)

    asyncio.run(run())


async def _receive(store: Store, number: int) -> None:
    await store.write(lambda db: inbox.receive(db, waiting_message(number), AT))


def numbers(path: Path) -> list[int]:
    """Return the numbers of the rows that `append` wrote, in the order of their transactions."""
    db = open_read_only(path)
    try:
        rows = db.execute("SELECT event_key FROM inbox ORDER BY id").fetchall()
    finally:
        db.close()
    return [int(key.removeprefix("update:")) for (key,) in rows]


def copy(path: Path, folder: Path, moment: datetime, tell: Connection) -> None:
    """Make one backup."""
    tell.send("begun")
    tell.send(backup.backup(path, folder, moment, lambda *_: None))


def put_back(path: Path, source: Path, moment: datetime, tell: Connection) -> None:
    """Restore one backup."""
    tell.send("begun")
    backup.restore(path, source, moment)
    tell.send("done")


def upgrade(path: Path, tell: Connection) -> None:
    """Open a database of an earlier version."""
    tell.send("begun")
    with Store(path):
        tell.send("done")


@contextmanager
def working(work: Work, *arguments: Any) -> Iterator[Child]:
    """Run a child and kill it at the end."""
    child = Child(work, *arguments)
    try:
        yield child
    finally:
        child.process.kill()
        child.reports()


def pause(rng: random.Random, longest: float) -> float:
    """Return a moment up to `longest` seconds, early ones as likely as late ones in each decade."""
    return float(longest * 10 ** rng.uniform(-2, 0))


def is_whole(path: Path) -> bool:
    """Return what SQLite says itself of a file, its indexes and references."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        [found] = connection.execute("PRAGMA integrity_check").fetchone()
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()
    return found == "ok" and not broken


def elapsed(begun: float) -> float:
    """Return the seconds since `begun` of time.monotonic()."""
    return time.monotonic() - begun
