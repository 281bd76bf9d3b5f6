"""Copies of the database, made while it is in use, and putting one back.

A copy is one moment of the log: it is read in one read transaction, which holds up no writer. It
gets its name only once it is whole and on the disk, so a file with a backup's name is a backup.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from sqlite_utils import Database

from bot.errors import LogError
from bot.log import erasure
from bot.log.integrity import thorough_problem
from bot.log.store import lock, open_read_only, refuse_unknown

Progress = Callable[[int, int], None]

_PAGES_A_STEP = 2000
_UNFINISHED = ".unfinished"
_NAME = "frontdesk-{:%Y%m%dT%H%M%SZ}.db"
_NAMES = "frontdesk-????????T??????Z.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did. `kept` is where the database lies that was there before, if there was.

    `erased_again` customers were erased since the backup, or asked for it: they are erased at the
    next start. None where no database tells who they are: it is gone, unreadable, or has nothing
    in common with the backup.
    """

    kept: Path | None
    erased_again: int | None


def backup(database: Path, target: Path, now: datetime, progress: Progress) -> Path:
    """Copy the database to the file `target`, or under the time's name into the folder `target`.

    A file that was there is replaced once the copy is proved to be whole. `progress` gets how many
    pages are copied, and of how many. Raises LogError when there is no good copy.
    """
    path = target / _NAME.format(now) if _is_folder(target) else target
    if path.exists() and database.exists() and path.samefile(database):
        raise LogError(f"{path} is the database itself; name another file for its backup.")
    with _explained(f"The backup {path} could not be made"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _unfinished(path) as copy:
            _copy(database, copy, progress)
            _check(copy)
            _put(copy, path)
    return path


def backups(folder: Path) -> list[Path]:
    """Return the backups with the time as their name, oldest first."""
    return sorted(folder.glob(_NAMES))


def keep_newest(folder: Path, number: int) -> list[Path]:
    """Delete the oldest of the backups beyond `number`, and return them."""
    gone = backups(folder)[:-number]
    for path in gone:
        path.unlink()
    return gone


def restore(database: Path, source: Path, now: datetime) -> Restored:
    """Put a backup in the place of the database, which stays under another name beside it.

    Raises LogError when a Frontdesk uses the database, or `source` is no whole backup of this
    version or an earlier one; nothing is changed then. Ended at any moment, it leaves the old
    database or the new one.
    """
    if not source.is_file():
        raise LogError(f"There is no backup {source}.")
    if database.exists() and source.samefile(database):
        raise LogError(f"{source} is the database itself, not a backup.")
    held = lock(database)
    failure = f"The backup {source} could not be restored"
    with closing(held), _explained(failure), _unfinished(database) as copy:
        shutil.copyfile(source, copy)
        _check(copy)
        _doubt_unsent(copy)
        erased = _ask_for_erasures_again(database, copy, now)
        _flush(copy)
        kept = _set_aside(database, now)
        _put(copy, database)
    return Restored(kept=kept, erased_again=erased)


def _is_folder(target: Path) -> bool:
    return target.is_dir() or not target.suffix


def _copy(database: Path, copy: Path, progress: Progress) -> None:
    with closing(open_read_only(database)) as source, closing(sqlite3.connect(copy)) as new:
        # The copy counts only once all of it is flushed, so it needs no journal on its way.
        new.execute("PRAGMA journal_mode = OFF")
        new.execute("PRAGMA synchronous = OFF")
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        # With a read transaction that lasts for all steps, writers don't make it begin anew.
        source.conn.backup(
            new, pages=_PAGES_A_STEP, progress=lambda _, left, all: progress(all - left, all)
        )
    _flush(copy)


def _check(copy: Path) -> None:
    """Raise LogError for a file that is not a whole log of this version or an earlier one."""
    # `immutable` leaves no -wal and -shm beside the file.
    uri = f"{copy.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(Database(sqlite3.connect(uri, uri=True))) as db:
        try:
            problem = thorough_problem(db)
            is_log = db.table("turns").exists() and db.table("erasures").exists()
        except sqlite3.DatabaseError as err:
            problem, is_log = str(err), True
        if problem:
            raise LogError(f"It is damaged ({problem}): take an earlier backup.")
        if not is_log:
            raise LogError("It is no database of Frontdesk.")
        refuse_unknown(db, copy)


def _doubt_unsent(copy: Path) -> None:
    """Let no reply be sent that may have been since: its platform is asked first, as after a kill.

    What "sending" means is the same in every version.
    """
    with closing(Database(sqlite3.connect(copy))) as new, new.atomic():
        new.execute("UPDATE outbox SET state = 'sending' WHERE state = 'ready'")


def _ask_for_erasures_again(database: Path, copy: Path, now: datetime) -> int | None:
    """Ask anew for erasing those who have been erased since; return how many they are."""
    if not database.exists():
        return None
    with closing(Database(sqlite3.connect(copy.absolute().as_uri(), uri=True))) as new:
        try:
            new.execute("ATTACH ? AS present", [f"{database.absolute().as_uri()}?mode=ro"])
            if not new.execute(_HAS_COMMON_PAST).fetchone()[0]:
                return None
            gone = new.execute(_ERASED_SINCE).fetchall()
        except sqlite3.Error:
            return None
        with new.atomic():
            for channel, customer in gone:
                erasure.request(new, channel, customer, now.isoformat())
    return len(gone)


# Erasing leaves the bare row of a message. By its time it is known to be the same message: that of
# another database, such as a new one that is still empty, says nothing about who was erased.
_BOTH = "main.inbox AS old JOIN present.inbox AS now USING (id, channel, received_at)"
_HAS_COMMON_PAST = f"SELECT EXISTS (SELECT 1 FROM {_BOTH}) OR NOT EXISTS (SELECT 1 FROM main.inbox)"
_ERASED_SINCE = f"""
    SELECT channel, old.customer FROM {_BOTH} WHERE now.customer = '' AND old.customer <> ''
    UNION SELECT channel, customer FROM present.erasures WHERE erased_at IS NULL
"""


def _set_aside(database: Path, now: datetime) -> Path | None:
    """Give the present database a second name; nothing that belongs to it stays beside it."""
    if not database.exists():
        return None
    kept = _free_name(database, f"before-restore-{now:%Y%m%dT%H%M%SZ}")
    # Closing the only connection brings the WAL into the file. Of a damaged one it is kept, too.
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    try:
        os.link(database, kept)
    except OSError:  # not every file system has links
        shutil.copyfile(database, kept)
        _flush(kept)
    wal = database.with_name(database.name + "-wal")
    if wal.exists():
        wal.replace(kept.with_name(kept.name + "-wal"))
    database.with_name(database.name + "-shm").unlink(missing_ok=True)
    _flush(database.parent)
    return kept


def _free_name(database: Path, what: str) -> Path:
    ends = chain([""], (f"-{number}" for number in count(2)))
    paths = (database.with_name(f"{database.stem}-{what}{end}.db") for end in ends)
    return next(path for path in paths if not path.exists())


def _put(copy: Path, path: Path) -> None:
    copy.replace(path)
    _flush(path.parent)


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Yield the name that the file has until it is whole; whatever is left there goes."""
    copy = path.with_name(path.name + _UNFINISHED)
    try:
        _remove(copy)
        yield copy
    finally:
        _remove(copy)


def _remove(copy: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextlib.contextmanager
def _explained(failure: str) -> Iterator[None]:
    try:
        yield
    except LogError as err:
        raise LogError(f"{failure}. {err}") from err
    except (OSError, sqlite3.Error) as err:
        raise LogError(f"{failure} ({err}); see that the disk has room.") from err
