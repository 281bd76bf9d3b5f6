"""The database file: one connection writes, all others only read.

Every write is a function that gets the writing `Database` and runs on the writer's own thread.
`write` returns only after the commit: what it returned for is on the disk; what it raised for is
never stored later.

One writer is a rule, not a preference: SQLite 3.7.0 to 3.51.2 can lose commits when two
connections write or checkpoint a WAL at once (sqlite.org/wal.html, "The WAL-Reset Bug"). A lock
file keeps a second process from becoming a second writer.
"""

import asyncio
import contextlib
import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Self, TypeVar

from sqlite_utils import Database

from bot.errors import LogError, LogInUse
from bot.log.integrity import LARGEST_CHECKED_AT_START, BackgroundCheck, quick_problem
from bot.log.migrations import migrations
from bot.log.writer import Job, Writer

logger = logging.getLogger(__name__)

T = TypeVar("T")

READERS = 2
BROWSERS = 2
STUDENTS = 1
# Slack wants its acknowledgement within 3 seconds, and nobody else waits longer.
LONGEST_WAIT_SECONDS = 2.0
LOCKED_SECONDS = 1.5  # that another program may hold the database; less than the longest wait
LARGEST_IDLE_WAL = 64 * 2**20  # bytes; a backup that reads for minutes lets it grow
FIRST_SQLITE_WITHOUT_WAL_RESET_BUG = (3, 51, 3)


class Store:
    """The open database file.

    Raises LogError when the file is corrupt, can't be opened, is newer than this program, or is
    held by another process. A large file is checked while it is in use: see `trouble`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = lock(path)
        try:
            db = _prepare(path)
        except BaseException:
            self._lock.close()
            raise
        self._closing = threading.Lock()
        self._is_closed = False
        self._readers = _Readers(path, READERS)
        self._browsers = _Readers(path, BROWSERS)
        self._students = _Readers(path, STUDENTS)
        self._check = BackgroundCheck(path) if _is_large(path) else None
        self._writer = Writer(db)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called: nothing can be read or written any more."""
        return self._is_closed

    def trouble(self) -> str | None:
        """Say in one sentence what is wrong with the file, as far as that is known, or None."""
        problem = self._check.problem if self._check else None
        return _damaged(self.path, problem) if problem else None

    async def write(self, work: Callable[[Database], T]) -> T:
        """Run `work` in a transaction and return its result once it is on the disk.

        Raises LogError when it could not be stored (disk full, say, or others' work took more than
        two seconds before it); nothing of it is kept then.
        """
        with self._closing:
            self._refuse_when_closed()
            job = self._writer.add(work)
        outcome: asyncio.Future[T] = asyncio.wrap_future(job.result)
        await self._until_begun(job, outcome)
        return await outcome

    async def empty_wal(self) -> None:
        """Bring what is committed into the file itself, so that the WAL keeps nothing erased.

        Where a reader is in the way, it is done once that has ended. Raises LogError on a full
        disk.
        """
        with self._closing:
            self._refuse_when_closed()
            job = self._writer.empty_wal()
        await asyncio.wrap_future(job.result)

    async def read(self, work: Callable[[Database], T]) -> T:
        """Run `work`, which a customer waits for, with a read-only connection."""
        return await self._read(self._readers, work)

    async def browse(self, work: Callable[[Database], T]) -> T:
        """Run `work`, which may take long, with a read-only connection; `read` doesn't wait."""
        return await self._read(self._browsers, work)

    async def study(self, work: Callable[[Database], T]) -> T:
        """Run `work` that reads a large part of the log, one after the other; nobody else waits."""
        return await self._read(self._students, work)

    def close(self) -> None:
        """Commit what waits and close every connection; a second call does nothing."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        if self._check:
            self._check.stop()
        # The writer goes last: only the last connection to a file brings its WAL into it.
        for readers in (self._students, self._browsers):
            readers.interrupt()
        self._students.close()
        self._browsers.close()
        self._readers.close()
        self._writer.close()
        self._lock.close()

    async def _read(self, readers: "_Readers", work: Callable[[Database], T]) -> T:
        with self._closing:
            self._refuse_when_closed()
            running = readers.submit(work)
        return await asyncio.wrap_future(running)

    async def _until_begun(self, job: Job, outcome: "asyncio.Future[T]") -> None:
        try:
            done, _ = await asyncio.wait({outcome}, timeout=LONGEST_WAIT_SECONDS)
        except asyncio.CancelledError:
            outcome.cancel()
            raise
        if not done and job.claim():
            outcome.cancel()
            raise LogError(
                f"The database {self.path} was busy for more than {LONGEST_WAIT_SECONDS:.0f} "
                "seconds; is the disk slow, or does another program hold it?"
            )

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise LogError(f"The database {self.path} is closed: Frontdesk is stopping.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Readers:
    """Threads with a read-only connection each."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[Database] = []
        self._interrupted = threading.Event()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="log-reader")

    def submit(self, work: Callable[[Database], T]) -> Future[T]:
        return self._threads.submit(lambda: work(self._connection()))

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self._threads.shutdown()
        for db in self._opened:
            db.close()

    def _connection(self) -> Database:
        if not hasattr(self._local, "db"):
            self._local.db = open_read_only(self._path)
            # Reaches also a statement that is only about to begin, as `interrupt()` would not.
            self._local.db.conn.set_progress_handler(self._interrupted.is_set, 100_000)
            self._opened.append(self._local.db)
        db: Database = self._local.db
        return db


def open_read_only(path: Path) -> Database:
    """Return a connection that can't write.

    Raises LogError when there is no database at `path` or it can't be opened.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
        )
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as err:
        raise LogError(f"The database {path} can't be read ({err}).") from err
    return Database(connection)


def sqlite_warning() -> str | None:
    """Return a sentence when this SQLite has the WAL-reset bug, else None."""
    if (3, 7, 0) <= sqlite3.sqlite_version_info < FIRST_SQLITE_WITHOUT_WAL_RESET_BUG:
        return (
            f"SQLite {sqlite3.sqlite_version} has the WAL-reset bug: never open the database for "
            "writing with another program while Frontdesk runs."
        )
    return None


def _connect(path: Path) -> Database:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=LOCKED_SECONDS)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA journal_size_limit = {LARGEST_IDLE_WAL}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten: erased means gone, not hidden.
    connection.execute("PRAGMA secure_delete = ON")
    return Database(connection)


def _prepare(path: Path) -> Database:
    """Check the file, bring its schema up to date, and return the connection that writes."""
    with _storage_errors_explained(path):
        db = _connect(path)
        try:
            if not _is_large(path) and (problem := quick_problem(db)):
                raise LogError(_damaged(path, problem))
            refuse_unknown(db, path)
            migrations.apply(db)
        except BaseException:
            db.close()
            raise
        return db


def _is_large(path: Path) -> bool:
    return path.stat().st_size > LARGEST_CHECKED_AT_START


def _damaged(path: Path, problem: str) -> str:
    return (
        f"The database {path} is damaged ({problem}); stop Frontdesk and restore a backup with "
        "`frontdesk log restore FILE`, or move it away to start with an empty one."
    )


def refuse_unknown(db: Database, path: Path) -> None:
    """Raise LogError for a database that a newer program made."""
    known = {migration.name for migration in migrations.pending(db)}
    known |= {migration.name for migration in migrations.applied(db)}
    ours = set(migrations_by_name())
    if unknown := sorted(known - ours):
        raise LogError(
            f"The database {path} was made by a newer Frontdesk (it knows {unknown[0]!r}); "
            "install that version or a later one."
        )


def migrations_by_name() -> list[str]:
    """Return the names of all migrations that this program knows, in order."""
    return [migration.name for migration in migrations.pending(Database(memory=True))]


@contextlib.contextmanager
def _storage_errors_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as err:
        raise LogError(
            f"The database {path} can't be opened ({err}); if it is damaged, restore a backup or "
            "move it away, and see that the disk has room."
        ) from err


def lock(path: Path) -> IO[str]:
    """Hold the data folder for this process; the lock goes with the process, however it ends.

    Raises LogError when another one holds it, or the folder can't be written.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_path.open("w")
    except OSError as err:
        raise LogError(
            f"The data folder {path.parent} can't be written ({err.strerror}); set FRONTDESK_DATA "
            "to a folder that can."
        ) from err
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        lock.close()
        raise LogInUse(
            f"Another Frontdesk is using {path}; stop it first, or set FRONTDESK_DATA to another "
            "folder."
        ) from err
    return lock
