"""Whether the database file is whole.

Checking reads all of it: at once for a small file, beside the work for a large one, since a restart
must not keep customers waiting.
"""

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

logger = logging.getLogger(__name__)

LARGEST_CHECKED_AT_START = 64 * 2**20  # bytes; read in about half a second
# The first seconds after a restart belong to the customers who waited.
PAUSE_SECONDS = 20.0


def quick_problem(db: Database) -> str | None:
    """Return what is wrong with a file's structure, or None. Raises sqlite3.DatabaseError."""
    return _problem(db, "PRAGMA quick_check(1)")


def thorough_problem(db: Database) -> str | None:
    """Return what is wrong with a file, its indexes and references, or None.

    Raises sqlite3.DatabaseError.
    """
    if problem := _problem(db, "PRAGMA integrity_check(1)"):
        return problem
    broken = db.execute("PRAGMA foreign_key_check").fetchone()
    return f"a row of {broken[0]} refers to one of {broken[2]} that is missing" if broken else None


def _problem(db: Database, check: str) -> str | None:
    [found] = db.execute(check).fetchone()
    return None if found == "ok" else str(found)


class BackgroundCheck:
    """Checks the file at `path` once, on a thread of its own; `problem` is what it found."""

    def __init__(self, path: Path, pause_seconds: float = PAUSE_SECONDS) -> None:
        self.problem: str | None = None
        self._path = path
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-check", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave off and wait until the file is closed."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        if self._stopping.wait(self._pause_seconds):
            return
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
            # Lets `stop` through at any moment, also just before the check begins.
            connection.set_progress_handler(self._stopping.is_set, 100_000)
            try:
                self.problem = quick_problem(Database(connection))
            except sqlite3.DatabaseError as err:
                self.problem = None if self._stopping.is_set() else str(err)
        if self.problem:
            logger.error("The database %s is damaged: %s", self._path, self.problem)
        elif not self._stopping.is_set():
            logger.info("The database %s is whole.", self._path)
