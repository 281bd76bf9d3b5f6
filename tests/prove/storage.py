"""D1, D4, D5 and D7: what the database file keeps, whatever happens to the program."""

import asyncio
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bot.log import backup
from bot.log.migrations import migrations
from bot.log.store import Store, open_read_only
from tests.benchmarks.made_log import bring_articles, fill
from tests.fakes.vllm_api import FakeVllm
from tests.log import test_migrations as versions
from tests.prove import storage_work as work
from tests.prove.kills import free_port
from tests.prove.proof import Row, Setup
from tests.prove.storage_work import AT, Child, elapsed, is_whole, numbers, pause
from tests.scenarios.test_program import model_settings, started
from tests.small_shop import QUESTION, write_articles

LONGEST_RESTORE_SECONDS = 60.0
OLD_MESSAGES = 5_000


async def killed_writers(setup: Setup) -> Sequence[Row]:
    """D1: nothing that `write` returned for is lost, however often the writer is killed."""
    kills = 200 if setup.scale == "long" else 8
    rng, begun, path = random.Random(setup.seed), time.monotonic(), await _shop(setup.folder)
    acknowledged: set[int] = set()
    lost, damaged, first = 0, 0, 1
    for kill in range(kills):
        child = Child(work.write, path, first)
        acknowledged.add(child.next_report())
        acknowledged.update(child.kill_after(pause(rng, 0.5)))
        lost += len(acknowledged - _stored(path))
        damaged += not is_whole(path)
        first = max(_stored(path) | acknowledged) + work.WRITERS + 1
        setup.progress(f"D1: {kill + 1} of {kills} kills, {len(acknowledged)} rows acknowledged")
    return [
        Row(
            proof="D1",
            what=f"the writer is killed {kills} times, pages and a backup reading",
            aim="0 acknowledged rows lost, 0 damaged files",
            reached=f"{lost} of {len(acknowledged)} rows lost, {damaged} damaged files",
            holds=lost == damaged == 0 and len(acknowledged) > kills,
            seconds=elapsed(begun),
        )
    ]


async def backup_drill(setup: Setup) -> Sequence[Row]:
    """D4: backups and restores under load, killed half-way; what has a backup's name is one."""
    kills = 20 if setup.scale == "long" else 4
    rng, path = random.Random(setup.seed), setup.folder / "frontdesk.db"
    copies = setup.folder / "backups"
    rows = [_killed_backups(path, copies, rng, kills), _killed_restores(path, copies, rng, kills)]
    if setup.scale == "long":
        rows.append(_restore_time(setup))
    return rows


def _killed_backups(path: Path, copies: Path, rng: random.Random, kills: int) -> Row:
    begun, wrong, killed, made = time.monotonic(), 0, 0, 0
    with work.working(work.append, path) as writer:
        for _ in range(50):
            writer.next_report()
        for number in range(2 * kills):
            child = Child(work.copy, path, copies, AT + timedelta(seconds=number))
            child.next_report()
            if number % 2:
                child.reports()
            else:
                child.kill_after(pause(rng, 0.1))
            killed += child.was_killed
        stored = numbers(path)
    for copy in backup.backups(copies):
        made += 1
        found = numbers(copy)
        wrong += not (is_whole(copy) and found and found == stored[: len(found)])
    return Row(
        proof="D4",
        what=f"{2 * kills} backups while rows are written, half of them killed",
        aim="every file with a backup's name is whole and holds the beginning of the log",
        reached=f"{killed} killed half-way; {made} files, {wrong} of them wrong",
        holds=wrong == 0 and made >= kills and killed > 0,
        seconds=elapsed(begun),
    )


def _killed_restores(path: Path, copies: Path, rng: random.Random, kills: int) -> Row:
    begun, wrong, killed, renewed = time.monotonic(), 0, 0, 0
    newest = backup.backups(copies)[-1]
    before = backup.backup(path, path.with_name("before.db"), AT, lambda *_: None)
    old, new = numbers(path), numbers(newest)
    whole = time.monotonic()
    backup.restore(path, newest, AT - timedelta(days=1))
    whole = time.monotonic() - whole
    for number in range(kills):
        shutil.copyfile(before, path)
        child = Child(work.put_back, path, newest, AT + timedelta(seconds=number))
        child.next_report()
        child.kill_after(pause(rng, whole))
        killed += child.was_killed
        found = numbers(path)
        renewed += found == new
        wrong += not (is_whole(path) and found in (old, new))
    backup.restore(path, newest, AT + timedelta(days=1))
    wrong += numbers(path) != new
    return Row(
        proof="D4",
        what=f"{kills} restores, killed at random, then one that ends",
        aim="the old database or the new one is there each time; at the end the backup",
        reached=f"{killed} killed, {renewed} had ended with the new one, {wrong} wrong",
        holds=wrong == 0 and killed > 0,
        seconds=elapsed(begun),
    )


def _restore_time(setup: Setup) -> Row:
    folder = setup.folder / "large"
    path, copy = folder / "frontdesk.db", folder / "copy.db"
    fill(path, 130_000, setup.progress)
    rows = _rows_in(path)
    backup.backup(path, copy, AT, lambda *_: None)
    begun = time.monotonic()
    backup.restore(path, copy, AT)
    taken = elapsed(begun)
    return Row(
        proof="D4",
        what="restore of a log with a million rows",
        aim=f"at most {LONGEST_RESTORE_SECONDS:.0f} s",
        reached=f"{taken:.1f} s for {rows:,} rows",
        holds=taken <= LONGEST_RESTORE_SECONDS and rows >= 1_000_000,
        seconds=taken,
    )


async def one_writer(setup: Setup) -> Sequence[Row]:
    """D5: the running program has one connection that can write, and says which SQLite it has."""
    begun, is_risky = time.monotonic(), (3, 7, 0) <= sqlite3.sqlite_version_info < (3, 51, 3)
    articles = write_articles(setup.folder / "articles")
    async with FakeVllm() as model:
        data, port = setup.folder / "data", free_port()
        async with started(data, articles, port, **model_settings(model)) as program:
            await program.until_ready()
            await asyncio.gather(*(program.ask(QUESTION["en"]) for _ in range(10)))
            writing = _writing_connections(program.process.pid, data / "frontdesk.db")
            metrics = (await program.http.get("/metrics")).text
            await program.stop()
            output = await program.output()
    said = [
        f"SQLite {sqlite3.sqlite_version}" in output,
        f'frontdesk_sqlite_info{{version="{sqlite3.sqlite_version}"}}' in metrics,
        ("WAL-reset bug" in output) == is_risky,
    ]
    return [
        Row(
            proof="D5",
            what="connections that can write, under load; SQLite's version at the start, in the"
            " metrics, and the warning that belongs to it",
            aim="exactly 1; all 3 said",
            reached=f"{writing}; {sum(said)} said, SQLite {sqlite3.sqlite_version}",
            holds=writing == 1 and all(said),
            seconds=elapsed(begun),
        )
    ]


def _writing_connections(process: int, path: Path) -> int:
    """Return how many open files of a process are the database, opened for writing."""
    files = Path(f"/proc/{process}/fd")
    return sum(
        os.readlink(file) == str(path.resolve()) and _is_writing(process, file.name)
        for file in files.iterdir()
    )


def _is_writing(process: int, number: str) -> bool:
    told = Path(f"/proc/{process}/fdinfo/{number}").read_text()
    [flags] = [line.split()[1] for line in told.splitlines() if line.startswith("flags:")]
    return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY


async def interrupted_upgrades(setup: Setup) -> Sequence[Row]:
    """D7: databases of every earlier version open with all rows, also after kills on the way."""
    kills = 50 if setup.scale == "long" else 6
    rng, begun = random.Random(setup.seed), time.monotonic()
    lost, damaged, killed, half_way = 0, 0, 0, 0
    for kill in range(kills):
        path = setup.folder / f"upgrade-{kill}" / "frontdesk.db"
        version = kill % len(versions.NAMES) + 1
        before = _old_database(path, version)
        child = Child(work.upgrade, path)
        child.next_report()
        child.kill_after(pause(rng, 0.2))
        killed += child.was_killed
        half_way += version < len(_steps(path)) < len(versions.NAMES) + 1
        with Store(path):
            pass
        lost += any(_counts(path)[table] < rows for table, rows in before.items())
        damaged += not is_whole(path)
        shutil.rmtree(path.parent)
    return [
        Row(
            proof="D7",
            what=f"databases of {len(versions.NAMES)} versions are opened, {kills} kills meanwhile",
            aim="0 with rows lost, 0 damaged; the second start ends the work",
            reached=f"{killed} killed ({half_way} between two steps), {lost} with rows lost,"
            f" {damaged} damaged",
            holds=lost == damaged == 0 and killed > 0,
            seconds=elapsed(begun),
        )
    ]


async def _shop(folder: Path) -> Path:
    path = folder / "frontdesk.db"
    with Store(path) as store:
        await store.write(bring_articles)
    return path


def _stored(path: Path) -> set[int]:
    db = open_read_only(path)
    try:
        keys = db.execute("SELECT event_key FROM inbox").fetchall()
    finally:
        db.close()
    return {int(key.removeprefix("update:")) for (key,) in keys}


def _rows_in(path: Path) -> int:
    return sum(_counts(path).values())


def _counts(path: Path) -> dict[str, int]:
    tables = [
        name
        for (name,) in _read(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith(("turn_search", "passage_search", "passage_terms", "_", "sqlite"))
    ]
    return {table: _read(path, f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def _steps(path: Path) -> list[str]:
    return [name for (name,) in _read(path, "SELECT name FROM _sqlite_migrations")]


def _read(path: Path, sql: str) -> list[tuple[Any, ...]]:
    db = open_read_only(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def _old_database(path: Path, version: int) -> dict[str, int]:
    """Make a database as the first `version` steps left it; return its tables' rows."""
    path.parent.mkdir(parents=True)
    db = Database(sqlite3.connect(path))
    db.execute("PRAGMA journal_mode = WAL")
    migrations.apply(db, stop_before=[*versions.NAMES, ""][version])
    for step in versions.NAMES[:version]:
        versions.fill(db, step)
    if version >= versions.NAMES.index("m003_delivery") + 1:
        _fill_inbox(db)
    db.close()
    return _counts(path)


def _fill_inbox(db: Database) -> None:
    """Give the later steps something to do that takes a while."""
    with db.atomic():
        db.conn.executemany(
            "INSERT INTO inbox (channel, event_key, address, customer, text, received_at, turn)"
            " VALUES ('telegram', ?, '42', '42', ?, '2026-03-01', 't1')",
            [(f"e{number}", f"{number} 退货" * 10) for number in range(2, OLD_MESSAGES)],
        )
