"""Disks that lose power: SQLite's files in memory, and what a cut may leave of them.

Between two syncs a disk may write what it was given in any order, or not at all. So a cut keeps any
subset of the sectors that were written since, of every file.
"""
# ruff: noqa: N802 - SQLite's own names of methods

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import apsw

SECTOR = 512
Files = dict[str, bytes]
Write = tuple[int, bytes]


class Disk:
    """Files as the program sees them, and as they are safely on the disk."""

    def __init__(self, files: Files, before_change: Callable[[], None] = lambda: None) -> None:
        self.seen = {name: bytearray(content) for name, content in files.items()}
        self.safe = {name: bytearray(content) for name, content in files.items()}
        self._unsynced: dict[str, list[Write | int]] = {name: [] for name in files}
        self._before_change = before_change

    def create(self, name: str) -> None:
        if name not in self.seen:
            self.seen[name], self.safe[name], self._unsynced[name] = bytearray(), bytearray(), []

    def delete(self, name: str) -> None:
        for files in (self.seen, self.safe, self._unsynced):
            files.pop(name, None)

    def write(self, name: str, offset: int, data: bytes) -> None:
        self._before_change()
        _put(self.seen[name], offset, data)
        self._unsynced[name].append((offset, data))

    def truncate(self, name: str, size: int) -> None:
        self._before_change()
        _cut(self.seen[name], size)
        self._unsynced[name].append(size)

    def sync(self, name: str) -> None:
        self._before_change()
        for change in self._unsynced[name]:
            _change(self.safe[name], change)
        self._unsynced[name].clear()

    def after_cut(self, rng: random.Random) -> Files:
        """Return the files as they may be found when the power comes back."""
        kept_share = rng.choice((0.0, 0.5, 0.9, 1.0))
        files = {}
        for name, safe in self.safe.items():
            content = bytearray(safe)
            for change in self._unsynced[name]:
                if isinstance(change, int):
                    if rng.random() < kept_share:
                        _cut(content, change)
                    continue
                for sector in _sectors(change):
                    if rng.random() < kept_share:
                        _put(content, *sector)
            files[name] = bytes(content)
        return files


def _sectors(write: Write) -> list[Write]:
    """Return a write in the pieces that a disk writes as a whole."""
    offset, data = write
    borders = [0, *range(SECTOR - offset % SECTOR, len(data), SECTOR), len(data)]
    return [(offset + start, data[start:end]) for start, end in itertools.pairwise(borders)]


def _change(content: bytearray, change: Write | int) -> None:
    if isinstance(change, int):
        _cut(content, change)
    else:
        _put(content, *change)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _cut(content: bytearray, size: int) -> None:
    del content[size:]


class MemoryVfs(apsw.VFS):
    """Lets SQLite keep its files on a `Disk`."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.name = f"disk-{id(self)}"
        super().__init__(self.name, "")

    def xFullPathname(self, name: str) -> str:
        return name

    def xAccess(self, name: str, flags: int) -> bool:
        return name in self.disk.seen

    def xDelete(self, name: str, syncdir: bool) -> None:
        self.disk.delete(name)

    def xOpen(self, name: Any, flags: list[int]) -> "MemoryFile":
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        flags[1] = flags[0]
        return MemoryFile(self.disk, path)


class MemoryFile:
    """One open file of a `Disk`."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk, self._name = disk, name
        disk.create(name)

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._disk.seen[self._name][offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.write(self._name, offset, bytes(data))

    def xTruncate(self, size: int) -> None:
        self._disk.truncate(self._name, size)

    def xSync(self, flags: int) -> None:
        self._disk.sync(self._name)

    def xFileSize(self) -> int:
        return len(self._disk.seen[self._name])

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE  # as SQLite assumes of real disks

    def xSectorSize(self) -> int:
        return 4096

    def xClose(self) -> None:
        pass


class Session:
    """The only connection to the database file `name` on a disk."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._vfs = MemoryVfs(disk)
        self._db = apsw.Connection(name, vfs=self._vfs.name)

    def set_up(self, pragmas: Sequence[str]) -> None:
        # Memory that processes share is not on the disk; one connection alone needs none.
        for pragma in ("locking_mode = EXCLUSIVE", "temp_store = MEMORY", *pragmas):
            self.run(f"PRAGMA {pragma}")

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._db.execute(sql))

    def close(self) -> None:
        self._db.close()
        self._vfs.unregister()
