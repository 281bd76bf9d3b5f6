"""A folder of files: which of them hold articles, and what each is called."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ArticlesError
from bot.knowledge.sources.reading import HEAD_ENDING, KINDS, File


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that could not be taken in, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What is in a folder, by the files' order."""

    files: tuple[File, ...]
    broken: tuple[Broken, ...]


def scan(folder: Path) -> Scan:
    """Look at every file below `folder`, without reading any.

    Hidden files and folders (their names begin with a point) are passed over. Raises ArticlesError
    when the folder is missing.
    """
    if not folder.is_dir():
        raise ArticlesError(
            f"The articles folder {folder} does not exist; set FRONTDESK_ARTICLES to the folder "
            "with your help articles."
        )
    root = folder.resolve()
    taken: set[str] = set()
    files: list[File] = []
    broken: list[Broken] = []
    for source, has_head in sorted(_candidates(folder, broken), key=_order):
        try:
            file = _file(folder, source, has_head, root, taken)
        except ArticlesError as err:
            broken.append(Broken(folder / source, str(err)))
        else:
            taken.add(file.name)
            files.append(file)
    return Scan(tuple(sorted(files, key=lambda file: file.source)), tuple(broken))


def _candidates(folder: Path, broken: list[Broken]) -> Iterator[tuple[str, bool]]:
    """Yield the path of each file of a known kind, and whether a head stands beside it.

    Strings, not Paths: this is done every second.
    """

    def refuse(err: OSError) -> None:
        broken.append(Broken(Path(err.filename), f"it can't be read ({err.strerror})"))

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        way = os.path.relpath(place, folder)
        prefix = "" if way == "." else f"{way}/"
        there = frozenset(names)
        for name in names:
            if os.path.splitext(name)[1].lower() in KINDS and not name.startswith((".", "~$")):
                yield prefix + name, name + HEAD_ENDING in there


def _order(candidate: tuple[str, bool]) -> tuple[str, int]:
    """Files of one name in the order of KINDS: the first gets the name as its article's id."""
    stem, ending = os.path.splitext(candidate[0])
    return stem, list(KINDS).index(ending.lower())


def _file(folder: Path, source: str, has_head: bool, root: Path, taken: set[str]) -> File:
    if any("\ud800" <= char <= "\udfff" for char in source):
        raise ArticlesError("its name is not UTF-8 text")
    path = folder / source
    status = _status(path, root)
    name = os.path.splitext(source)[0]
    head = _mark(_status(folder / (source + HEAD_ENDING), root)) if has_head else ""
    return File(
        path=path,
        name=source if name in taken else name,
        source=source,
        state=f"{name in taken:d} {_mark(status)} {head}",
    )


def _status(path: Path, root: Path) -> os.stat_result:
    """Return a regular file's status; raises ArticlesError for what is none inside the folder."""
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            # No folder on the way is a link: those are not walked into.
            if not path.resolve(strict=True).is_relative_to(root):
                raise ArticlesError(
                    "it is a link that leads out of the folder; put the file itself there"
                )
            status = path.stat()
    except (OSError, RuntimeError) as err:  # RuntimeError: links in a circle
        reason = getattr(err, "strerror", None) or "its links lead in a circle"
        raise ArticlesError(f"it can't be read ({reason})") from err
    if not stat.S_ISREG(status.st_mode):
        raise ArticlesError("it is no regular file")
    return status


def _mark(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"
