"""The database file: one connection writes, all others only read.

Every write is a function that gets the writing `Database` and runs on the writer's own thread.
Functions that wait together are committed together (one disk flush for all of them), each in its
own savepoint, so that one that raises takes nothing of the others with it. `write` returns only
after the commit: what it returned for is on the disk.

One writer is a rule, not a preference: SQLite 3.7.0 to 3.51.2 can lose commits when two
connections write or checkpoint a WAL at once (sqlite.org/wal.html, "The WAL-Reset Bug"). A lock
file keeps a second process from becoming a second writer.
"""

import asyncio
import contextlib
import fcntl
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from sqlite_utils import Database

from bot.errors import LogError
from bot.log.migrations import migrations

logger = logging.getLogger(__name__)

T = TypeVar("T")

READERS = 2
LARGEST_BATCH = 256
FIRST_SQLITE_WITHOUT_WAL_RESET_BUG = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Database], Any] | None  # None: empty the WAL
    result: "Future[Any]"


class Store:
    """The open database file.

    Raises LogError when the file is corrupt, can't be opened, is newer than this program, or is
    held by another process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _lock(path)
        try:
            _prepare(path)
        except BaseException:
            self._lock.close()
            raise
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._is_closed = False
        self._local = threading.local()
        self._opened: list[Database] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="log-reader")
        self._writer = threading.Thread(target=self._run_writer, name="log-writer", daemon=True)
        self._writer.start()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called: nothing can be read or written any more."""
        return self._is_closed

    async def write(self, work: Callable[[Database], T]) -> T:
        """Run `work` in a transaction and return its result once it is on the disk.

        Raises LogError when it could not be stored (disk full, say); nothing of it is kept then.
        """
        result: Future[T] = Future()
        with self._closing:
            self._refuse_when_closed()
            self._jobs.put(_Job(work, result))
        return await asyncio.wrap_future(result)

    async def empty_wal(self) -> None:
        """Bring what is committed into the file itself, so that the WAL keeps nothing erased.

        Where a reader is in the way, the next checkpoint does it. Raises LogError on a full disk.
        """
        result: Future[None] = Future()
        with self._closing:
            self._refuse_when_closed()
            self._jobs.put(_Job(None, result))
        await asyncio.wrap_future(result)

    async def read(self, work: Callable[[Database], T]) -> T:
        """Run `work` with a read-only connection and return its result."""
        with self._closing:
            self._refuse_when_closed()
            running = self._readers.submit(lambda: work(self._reader()))
        return await asyncio.wrap_future(running)

    def close(self) -> None:
        """Commit what waits and close every connection; a second call does nothing."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        # The writer goes last: only the last connection to a file brings its WAL into it.
        self._readers.shutdown()
        for db in self._opened:
            db.close()
        self._jobs.put(None)
        self._writer.join()
        self._lock.close()

    def _refuse_when_closed(self) -> None:
        if self._is_closed:
            raise LogError(f"The database {self.path} is closed: Frontdesk is stopping.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reader(self) -> Database:
        if not hasattr(self._local, "db"):
            self._local.db = open_read_only(self.path)
            self._opened.append(self._local.db)
        db: Database = self._local.db
        return db

    def _run_writer(self) -> None:
        db = _connect(self.path)
        while (job := self._jobs.get()) is not None:
            batch, stop = self._collect(job)
            _commit_batch(db, [job for job in batch if job.work])
            for job in batch:
                if job.work is None:
                    _empty_wal(db, job)
            if stop:
                break
        db.close()

    def _collect(self, first: _Job) -> tuple[list[_Job], bool]:
        batch = [first]
        with contextlib.suppress(queue.Empty):
            while len(batch) < LARGEST_BATCH:
                job = self._jobs.get_nowait()
                if job is None:
                    return batch, True
                batch.append(job)
        return batch, False


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


def _commit_batch(db: Database, batch: list[_Job]) -> None:
    """Run the jobs in one transaction and settle their futures after the commit."""
    if not batch:
        return
    outcomes: list[tuple[_Job, Any, BaseException | None]] = []
    try:
        db.execute("BEGIN IMMEDIATE")
        outcomes = [_run_job(db, job) for job in batch]
        db.commit()
    except sqlite3.Error as err:
        with contextlib.suppress(sqlite3.Error):
            db.rollback()
        failure = _storage_error(err)
        outcomes = [(job, None, failure) for job in batch]
    for job, value, error in outcomes:
        if not job.result.set_running_or_notify_cancel():
            continue
        if error is None:
            job.result.set_result(value)
        else:
            job.result.set_exception(error)


def _empty_wal(db: Database, job: _Job) -> None:
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as err:
        job.result.set_exception(_storage_error(err))
    else:
        job.result.set_result(None)


def _run_job(db: Database, job: _Job) -> tuple[_Job, Any, BaseException | None]:
    assert job.work
    try:
        with db.atomic():
            return job, job.work(db), None
    except sqlite3.Error as err:
        if not db.conn.in_transaction:  # the others of the batch are gone too, and must be told
            raise
        is_ours = isinstance(err, sqlite3.IntegrityError)
        return job, None, err if is_ours else _storage_error(err)
    except Exception as err:  # a job's own error belongs to its caller, not to this thread
        return job, None, err


def _storage_error(err: sqlite3.Error) -> LogError:
    logger.error("The database refused a write: %s", err)
    return LogError(f"The database refused a write ({err}); is the disk full or read-only?")


def _connect(path: Path) -> Database:
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten: erased means gone, not hidden.
    connection.execute("PRAGMA secure_delete = ON")
    return Database(connection)


def _prepare(path: Path) -> None:
    """Check the file and bring its schema up to date."""
    with _storage_errors_explained(path):
        db = _connect(path)
        try:
            _check_integrity(db, path)
            _check_known(db, path)
            migrations.apply(db)
        finally:
            db.close()


def _check_integrity(db: Database, path: Path) -> None:
    problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise LogError(
            f"The database {path} is damaged ({problem}); restore a backup, or move it away to "
            "start with an empty one."
        )


def _check_known(db: Database, path: Path) -> None:
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


def _lock(path: Path) -> IO[str]:
    """Hold the data folder for this process; the lock goes with the process, however it ends."""
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
        raise LogError(
            f"Another Frontdesk is using {path}; stop it first, or set FRONTDESK_DATA to another "
            "folder."
        ) from err
    return lock
