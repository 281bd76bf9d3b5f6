"""D3: the disk is full, fails, is locked or read-only, at each statement in turn."""

import asyncio
import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bot.errors import LogError
from bot.log.store import open_read_only
from bot.messages import Incoming
from tests.prove.proof import Row, Setup
from tests.prove.storage_work import elapsed
from tests.small_shop import QUESTION, Desk, incoming, open_desk

SMALL_DISK, ROOM_AGAIN = "4m", "64m"
MESSAGES_TO_FILL = 2000
DEADLINE_SECONDS = 30

Switch = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of SQLite. Some end the whole transaction, as SQLite does at its own choice."""

    name: str
    code: int
    message: str
    ends_transaction: bool = False

    def error(self) -> sqlite3.OperationalError:
        err = sqlite3.OperationalError(self.message)
        err.sqlite_errorcode = self.code
        return err


FULL = "database or disk is full"
FAULTS = (
    Fault("disk full", sqlite3.SQLITE_FULL, FULL),
    Fault("disk full, transaction ended", sqlite3.SQLITE_FULL, FULL, ends_transaction=True),
    Fault("I/O error", sqlite3.SQLITE_IOERR, "disk I/O error", ends_transaction=True),
    Fault("locked", sqlite3.SQLITE_BUSY, "database is locked"),
    Fault("read-only", sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
)


class FailingConnection:
    """The writer's connection, of which the n-th statement from now on fails, or two in a row."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._fault: Fault | None = None
        self._left = 0
        self._failures = 0
        self.statements = 0

    def fail(self, fault: Fault, statement: int, *, times: int = 1) -> None:
        self._fault, self._left, self._failures = fault, statement, times

    @property
    def has_failed(self) -> bool:
        return self._failures == 0

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        self.statements += 1
        self._left -= 1
        if self._fault and self._left < 0 and self._failures:
            self._failures -= 1
            if self._fault.ends_transaction:
                self._connection.rollback()
            raise self._fault.error()
        return self._connection.execute(*statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def failing_statements(setup: Setup) -> Sequence[Row]:
    """D3: whichever statement fails, nothing is acknowledged unstored, lost or answered twice."""
    step = 1 if setup.scale == "long" else 5
    rows = []
    for number, fault in enumerate(FAULTS):
        folder = setup.folder / str(number)
        folder.mkdir()
        rows.append(await _fail_each(folder, fault, range(0, 10_000, step)))
        setup.progress(f"D3: {rows[-1].what}: {rows[-1].reached}")
    return rows


async def _fail_each(folder: Path, fault: Fault, statements: range) -> Row:
    begun, trials, early, wrong = time.monotonic(), 0, 0, 0
    async with open_desk(folder) as desk:
        writer = await _failing(desk)
        for statement in statements:
            writer.fail(fault, statement, times=1 + trials % 2)
            key = f"{fault.name}-{statement}"
            early += await _delivered_until_taken(desk, key)
            await desk.settled()
            if not writer.has_failed:
                break  # there are no more statements in a message's life
            trials += 1
            wrong += not await _is_answered_once(desk, key)
    return Row(
        proof="D3",
        what=f"{fault.name} at one statement of a message's life, or at two in a row",
        aim="0 acknowledged before the commit, 0 lost, 0 answered twice",
        reached=f"{trials} statements: {early} early, {wrong} lost or doubled",
        holds=early == wrong == 0 and trials >= 40 // statements.step,
        seconds=elapsed(begun),
    )


async def _failing(desk: Desk) -> FailingConnection:
    def wrap(db: Database) -> FailingConnection:
        db.conn = FailingConnection(db.conn)  # type: ignore[assignment]
        return db.conn  # type: ignore[return-value]

    return await desk.store.write(wrap)


async def _delivered_until_taken(desk: Desk, key: str) -> int:
    """Deliver a message as a platform does, again until it is taken; return if that was early."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            with contextlib.suppress(LogError):
                await desk.delivery.accept(incoming(QUESTION["en"], key=key, address=key))
                return not _is_stored(desk, key)


def _is_stored(desk: Desk, key: str) -> bool:
    db = open_read_only(desk.store.path)
    try:
        return bool(db.execute("SELECT 1 FROM inbox_keys WHERE event_key = ?", [key]).fetchone())
    finally:
        db.close()


async def _is_answered_once(desk: Desk, key: str) -> bool:
    sent = [reply for reply in desk.channel.sent if reply.address == key]
    states = await desk.rows(
        "SELECT state, (SELECT count(*) FROM turns WHERE turns.conversation = outbox.conversation)"
        f" FROM outbox WHERE address = '{key}'"
    )
    return len(sent) == 1 and states == [("sent", 2)]


async def full_disk(setup: Setup) -> Sequence[Row]:
    """D3: a database that can't grow any more, then room again; as root also a full 4 MB disk."""
    async with open_desk(setup.folder, pause=_briefly) as desk:
        rows = [await _fill_up(desk, "no page more for the database", *_pages(desk))]
    if setup.scale == "long":
        disk = setup.folder / "disk"
        disk.mkdir()
        rows += await asyncio.to_thread(_on_small_disk, disk)
    return rows


def _on_small_disk(disk: Path) -> list[Row]:
    """Fill a real disk; [] where this user may not mount one."""
    if not _mount(disk, f"size={SMALL_DISK}"):
        return []
    try:
        return [asyncio.run(_fill_disk(disk))]
    finally:
        subprocess.run(["umount", disk], check=True)


async def _fill_disk(disk: Path) -> Row:
    async def nothing() -> None:
        pass

    async def enlarge() -> None:
        assert await asyncio.to_thread(_mount, disk, f"remount,size={ROOM_AGAIN}")

    async with open_desk(disk, pause=_briefly) as desk:
        return await _fill_up(desk, "a full 4 MB disk", nothing, enlarge)


def _mount(folder: Path, options: str) -> bool:
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def _long_message(key: str) -> Incoming:
    return incoming(QUESTION["zh"] * 20, key=key, address=key)


async def _briefly(_: float) -> None:
    await asyncio.sleep(0.01)


def _pages(desk: Desk) -> tuple[Switch, Switch]:
    async def limit() -> None:
        def work(db: Database) -> None:
            [pages] = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages + 20}").fetchone()

        await desk.store.write(work)

    async def free() -> None:
        # Until it shares its transaction with nothing that finds no room.
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await _is_freed(desk):  # noqa: ASYNC110 - nobody tells of room
                await asyncio.sleep(0.01)

    return limit, free


async def _is_freed(desk: Desk) -> bool:
    with contextlib.suppress(LogError):
        await desk.store.write(
            lambda db: db.execute("PRAGMA max_page_count = 4294967294").fetchone()
        )
        return True
    return False


async def _fill_up(desk: Desk, what: str, limit: Switch, free: Switch) -> Row:
    """Let customers write until nothing more can be stored, make room, and let them write again."""
    begun = time.monotonic()
    await limit()
    keys, refused, early = [], 0, 0
    for number in range(MESSAGES_TO_FILL):
        keys.append(f"full-{number}")
        try:
            await desk.delivery.accept(
                incoming(QUESTION["zh"] * 20, key=keys[-1], address=keys[-1])
            )
            early += not _is_stored(desk, keys[-1])
        except LogError:
            refused += 1
        if refused == 10:
            break
    await free()
    for key in keys:
        early += await _delivered_until_taken(desk, key)
    async with asyncio.timeout(4 * DEADLINE_SECONDS):
        while len(desk.channel.sent) < len(keys):  # noqa: ASYNC110 - the machine may be busy
            await asyncio.sleep(0.05)
    await desk.settled()
    wrong = sum([not await _is_answered_once(desk, key) for key in keys])
    return Row(
        proof="D3",
        what=what,
        aim="0 acknowledged before the commit, 0 lost once there is room, 0 answered twice",
        reached=f"{len(keys)} messages, {refused} refused while full, {early} early,"
        f" {wrong} lost or doubled",
        holds=early == wrong == 0 and refused == 10,
        seconds=elapsed(begun),
    )
