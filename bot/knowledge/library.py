"""The articles' files as the database remembers them, so that only what changed is read again.

A sync looks at every file, takes out at once what is gone, reads what is new or has changed, and
then indexes what customers may be answered from now. Everything is stored a few files at a time: a
sync that is stopped goes on where it was, and no customer waits for a long write.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sqlite_utils import Database

from bot.audiences import EVERYBODY, Audience
from bot.errors import ArticlesError
from bot.knowledge import index, passages
from bot.knowledge.articles import Broken, article_of, nothing_readable
from bot.knowledge.sources.document import Converted, Document
from bot.knowledge.sources.folder import Scan, scan
from bot.knowledge.sources.reading import File, read_file
from bot.log.store import Store

_COLUMNS = (
    "folder, path, position, id, digest, source, title, language, url, audience, valid_from,"
    " valid_until, questions"
)
READ_SECONDS = 0.5  # that files are read for before they are stored together
INDEXED_AT_ONCE = 20  # articles

Stage = Literal["read", "indexed"]
Progress = Callable[[Stage, int, int], None]


def silently(stage: Stage, done: int, total: int) -> None:
    """Tell nobody how far it is."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that an article came from: its folder, and its path there."""

    folder: str
    path: str

    def is_gone(self) -> bool:
        """Whether the file was deleted; not while its whole folder is out of reach."""
        return not os.path.exists(f"{self.folder}/{self.path}") and os.path.isdir(self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a sync did. `next_change` is when an article's period next begins or ends.

    `origins` are those of the articles in use, by their ids; `audiences` those of the ones that
    are not for everybody.
    """

    changes: index.Changes
    broken: tuple[Broken, ...]
    articles: int
    next_change: datetime | None
    audiences: Mapping[str, Audience]
    origins: Mapping[str, Origin]


async def sync(
    store: Store,
    folders: Sequence[Path],
    now: datetime,
    *,
    progress: Progress = silently,
    may_be_empty: bool = False,
) -> Outcome:
    """Make the index hold what customers may be answered from now, out of all `folders`.

    Where an id is in two of them, the first counts. Raises ArticlesError when a folder is missing
    or, unless `may_be_empty`, nothing can be answered from.
    """
    scans = {str(folder.resolve()): await asyncio.to_thread(scan, folder) for folder in folders}
    broken = [problem for each in scans.values() for problem in each.broken]
    if not any(each.files for each in scans.values()) and not may_be_empty:
        raise ArticlesError(nothing_readable(folders[0], broken))
    known = await store.read(index.indexed)
    await _forget(store, scans, now)
    await _read_changed(store, scans, progress)
    found, problems = await store.read(lambda db: (_entries(db, list(scans)), _problems(db)))
    broken += problems
    wanted = {each.document.id: each for each in found if each.document.is_for_customers(now)}
    if not wanted and not may_be_empty:
        raise ArticlesError(nothing_readable(folders[0], broken))
    await _index(store, wanted, now, progress)
    return Outcome(
        changes=index.compare(known, {name: each.digest for name, each in wanted.items()}),
        broken=tuple(broken),
        articles=len(wanted),
        next_change=_next_change([each.document for each in found], now),
        audiences={
            name: each.document.audience
            for name, each in wanted.items()
            if each.document.audience != EVERYBODY
        },
        origins={name: each.origin for name, each in wanted.items()},
    )


async def _forget(store: Store, scans: Mapping[str, Scan], now: datetime) -> None:
    """Take out what came from files that are gone."""

    def work(db: Database) -> None:
        there = {(folder, file.source) for folder, found in scans.items() for file in found.files}
        for folder, path in set(_states(db)) - there:
            ids = db.execute(
                "SELECT id FROM article_documents WHERE folder = ? AND path = ?", [folder, path]
            ).fetchall()
            index.retire(db, [row[0] for row in ids], now)
            db.execute("DELETE FROM article_files WHERE folder = ? AND path = ?", [folder, path])

    await store.write(work)


async def _read_changed(store: Store, scans: Mapping[str, Scan], progress: Progress) -> None:
    states = await store.read(_states)
    changed = [
        (folder, file)
        for folder, found in scans.items()
        for file in found.files
        if states.get((folder, file.source)) != (file.state, file.reader)
    ]
    rest = iter(changed)
    done = 0
    while batch := await asyncio.to_thread(_read_some, rest):
        await store.write(partial(_keep, read=batch))
        done += len(batch)
        progress("read", done, len(changed))


_Read = tuple[str, File, Converted]


def _read_some(files: Iterator[tuple[str, File]]) -> list[_Read]:
    """Read files for half a second."""
    started = time.monotonic()
    read: list[_Read] = []
    for folder, file in files:
        try:
            converted = read_file(file)
        except ArticlesError as err:
            converted = Converted(problems=(str(err),))
        read.append((folder, file, converted))
        if time.monotonic() - started > READ_SECONDS:
            break
    return read


def _keep(db: Database, read: Sequence[_Read]) -> None:
    for folder, file, converted in read:
        place = {"folder": folder, "path": file.source}
        db.execute("DELETE FROM article_files WHERE folder = ? AND path = ?", [*place.values()])
        db.table("article_files").insert(
            {
                **place,
                "state": file.state,
                "reader": file.reader,
                "problems": json.dumps(converted.problems, ensure_ascii=False),
            }
        )
        db.table("article_documents").insert_all(
            {**place, "position": position, **_row(document)}
            for position, document in enumerate(converted.documents)
        )


async def _index(
    store: Store, wanted: Mapping[str, "_Entry"], now: datetime, progress: Progress
) -> None:
    known = await store.read(index.indexed)
    for names in _batches(sorted(known.keys() - wanted.keys())):
        await store.write(partial(index.retire, names=names, now=now))
    renewed = sorted(name for name, each in wanted.items() if known.get(name) != each.digest)
    done = 0
    for names in _batches(renewed):
        documents = await store.read(partial(_documents, rows=[wanted[name].row for name in names]))
        articles = await asyncio.to_thread(lambda found: [*map(article_of, found)], documents)
        pairs = [(article, wanted[article.id].digest) for article in articles]
        await store.write(partial(index.replace, articles=pairs, now=now))
        done += len(names)
        progress("indexed", done, len(renewed))


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), INDEXED_AT_ONCE):
        yield names[start : start + INDEXED_AT_ONCE]


def _states(db: Database) -> dict[tuple[str, str], tuple[str, str]]:
    rows = db.execute("SELECT folder, path, state, reader FROM article_files").fetchall()
    return {(folder, path): (state, reader) for folder, path, state, reader in rows}


def _problems(db: Database) -> list[Broken]:
    rows = db.execute(
        "SELECT folder, path, problems FROM article_files WHERE problems <> '[]' ORDER BY 1, 2"
    )
    return [
        Broken(Path(folder, path), reason)
        for folder, path, problems in rows.fetchall()
        for reason in json.loads(problems)
    ]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A stored document without its text, the digest it is indexed by, its row and its file."""

    document: Document
    digest: str
    row: int
    origin: Origin


def _entries(db: Database, folders: Sequence[str]) -> list[_Entry]:
    """Return every document; of several with one id, the first."""
    rows = list(db.query(f"SELECT rowid, {_COLUMNS}, '' AS text FROM article_documents"))
    rows.sort(key=lambda row: (folders.index(row["folder"]), row["path"], row["position"]))
    found: dict[str, _Entry] = {}
    for row in rows:
        digest = f"{row['digest']}/{passages.VERSION}"
        origin = Origin(row["folder"], row["path"])
        entry = _Entry(_document(row), digest, row["rowid"], origin)
        found.setdefault(row["id"], entry)
    return list(found.values())


def _documents(db: Database, rows: Sequence[int]) -> list[Document]:
    marks = ", ".join("?" * len(rows))
    found = db.query(f"SELECT * FROM article_documents WHERE rowid IN ({marks})", [*rows])
    return [_document(row) for row in found]


def _row(document: Document) -> dict[str, Any]:
    plain = asdict(document)
    for name in ("valid_from", "valid_until"):
        plain[name] = plain[name] and plain[name].isoformat()
    questions = json.dumps(document.questions, ensure_ascii=False)
    return {
        **plain,
        "audience": ", ".join(document.audience),
        "questions": questions,
        "digest": document.digest,
    }


def _document(row: Mapping[str, Any]) -> Document:
    fields = {name: row[name] for name in Document.__dataclass_fields__}
    for name in ("valid_from", "valid_until"):
        fields[name] = fields[name] and datetime.fromisoformat(fields[name])
    fields["audience"] = tuple(fields["audience"].split(", "))
    return Document(**{**fields, "questions": tuple(json.loads(row["questions"]))})


def _next_change(documents: Sequence[Document], now: datetime) -> datetime | None:
    times = [time for each in documents for time in (each.valid_from, each.valid_until) if time]
    return min((each for each in times if each > now), default=None)
