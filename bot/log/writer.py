"""The one connection that writes, on a thread of its own.

Jobs that wait together are committed together (one disk flush for all of them), each in its own
savepoint, so that one that raises takes nothing of the others with it.
"""

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from sqlite_utils import Database

from bot.errors import LogError

logger = logging.getLogger(__name__)

LARGEST_BATCH = 256
EMPTY_WAL_AGAIN_SECONDS = 1.0
# Of the job, not of the disk: to try again would be no better.
DEFECTS = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
Outcome = tuple["Job", Any, BaseException | None]


class Job:
    """Work for the writer; whoever claims it first runs it, or gives it up."""

    def __init__(self, work: Callable[[Database], Any]) -> None:
        self.work = work
        self.result: Future[Any] = Future()
        self._claim = threading.Lock()

    def claim(self) -> bool:
        """Take the job; return False when somebody else has."""
        return self._claim.acquire(blocking=False)


class _WalRequest(Job):
    """Asks for an empty WAL instead of for a transaction."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)


class Writer:
    """Runs jobs with `db`, which belongs to it from now on."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._has_wal_to_empty = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def add(self, work: Callable[[Database], Any]) -> Job:
        """Let work wait for its transaction."""
        job = Job(work)
        self._jobs.put(job)
        return job

    def empty_wal(self) -> Job:
        """Let the WAL be emptied, again and again while a reader is in the way."""
        job = _WalRequest()
        self._jobs.put(job)
        return job

    def close(self) -> None:
        """Finish what waits, then close the connection."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_last, next_try = False, 0.0
        while not is_last:
            batch, is_last = self._next_batch()
            self._work_off(batch)
            if self._has_wal_to_empty and time.monotonic() >= next_try:
                self._try_to_empty_wal()
                next_try = time.monotonic() + EMPTY_WAL_AGAIN_SECONDS
        self._db.close()

    def _next_batch(self) -> tuple[list[Job], bool]:
        """Wait for jobs; return them, and whether they are the last ones."""
        timeout = EMPTY_WAL_AGAIN_SECONDS if self._has_wal_to_empty else None
        batch: list[Job] = []
        with contextlib.suppress(queue.Empty):
            job = self._jobs.get(timeout=timeout)
            while job is not None:
                batch.append(job)
                if len(batch) == LARGEST_BATCH:
                    return batch, False
                job = self._jobs.get_nowait()
            return batch, True
        return batch, False

    def _work_off(self, batch: list[Job]) -> None:
        mine = [job for job in batch if job.claim()]
        failure = _commit(self._db, [job for job in mine if not isinstance(job, _WalRequest)])
        for job in mine:
            if isinstance(job, _WalRequest):
                self._has_wal_to_empty = True
                _settle(job, None, self._try_to_empty_wal())
        if failure:
            self._refuse_waiting(failure)

    def _refuse_waiting(self, failure: LogError) -> None:
        """Tell those who came meanwhile, too: each would wait as long to learn the same."""
        for _ in range(self._jobs.qsize()):
            job = self._jobs.get_nowait()
            if job is None or isinstance(job, _WalRequest):
                self._jobs.put(job)
            elif job.claim():
                _settle(job, None, failure)

    def _try_to_empty_wal(self) -> LogError | None:
        """Bring the WAL into the file without waiting for readers; they hold up no message."""
        db = self._db
        try:
            [patience] = db.execute("PRAGMA busy_timeout").fetchone()
            db.execute("PRAGMA busy_timeout = 0")
            try:
                [is_busy, *_] = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                db.execute(f"PRAGMA busy_timeout = {patience}")
        except sqlite3.Error as err:
            return LogError(f"The database's WAL can't be emptied ({err}); is the disk full?")
        self._has_wal_to_empty = bool(is_busy)
        return None


def _commit(db: Database, batch: list[Job]) -> LogError | None:
    """Run jobs in one transaction and settle them after the commit.

    Returns the error when nothing could be stored because another program holds the database.
    """
    if not batch:
        return None
    outcomes: list[Outcome] = []
    try:
        db.execute("BEGIN IMMEDIATE")
        outcomes = [_run(db, job) for job in batch]
        db.execute("COMMIT")
    except sqlite3.Error as err:
        with contextlib.suppress(sqlite3.Error):
            db.rollback()
        failure = _storage_error(err)
        outcomes = [(job, None, failure) for job in batch]
        return failure if _is_locked(err) else None
    finally:
        for outcome in outcomes:
            _settle(*outcome)
    return None


def _run(db: Database, job: Job) -> Outcome:
    """Run a job in its savepoint. Raises sqlite3.Error when the whole transaction is in doubt."""
    db.execute("SAVEPOINT job")
    try:
        value = job.work(db)
    except Exception as err:  # a job's own error belongs to its caller, not to this thread
        if isinstance(err, sqlite3.Error) and not db.conn.in_transaction:
            raise  # the others of the batch are gone too, and must be told
        db.execute("ROLLBACK TO job")
        db.execute("RELEASE job")
        is_storage = isinstance(err, sqlite3.Error) and not isinstance(err, DEFECTS)
        return job, None, _storage_error(err) if is_storage else err
    db.execute("RELEASE job")
    return job, value, None


def _is_locked(err: sqlite3.Error) -> bool:
    return getattr(err, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _settle(job: Job, value: Any, error: BaseException | None) -> None:
    if not job.result.set_running_or_notify_cancel():
        return
    if error is None:
        job.result.set_result(value)
    else:
        job.result.set_exception(error)


def _storage_error(err: Exception) -> LogError:
    logger.error("The database refused a write: %s", err)
    return LogError(f"The database refused a write ({err}); is the disk full or read-only?")
