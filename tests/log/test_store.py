"""The database file: one writer, one commit for what waits together, nothing acknowledged lost."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from bot.errors import LogError
from bot.log.integrity import LARGEST_CHECKED_AT_START, BackgroundCheck
from bot.log.store import Store, migrations_by_name, open_read_only, sqlite_warning

ROOT = Path(__file__).parents[2]


def add(name: str) -> Callable[[Database], None]:
    return lambda db: (
        db.table("audit").insert(
            {"at": "2026-03-01", "account": name, "action": "write", "object": "审"}
        )
        and None
    )


def names(db: Database) -> list[str]:
    return [row[0] for row in db.execute("SELECT account FROM audit ORDER BY id").fetchall()]


def in_file(path: Path) -> list[str]:
    """Return what a copy of the database file alone holds."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT account FROM audit ORDER BY id")]


async def gather(store: Store, *jobs: Callable[[Database], object]) -> list[object]:
    return await asyncio.gather(*map(store.write, jobs), return_exceptions=True)


async def until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110 - a file tells no event
            await asyncio.sleep(0.02)


async def test_that_writes_run_in_order(store: Store) -> None:
    await gather(store, *(add(f"写{number}") for number in range(50)))

    assert await store.read(names) == [f"写{number}" for number in range(50)]


async def test_that_a_write_returns_what_its_work_returned(store: Store) -> None:
    assert await store.write(lambda db: db.execute("SELECT 'ok 好'").fetchone()[0]) == "ok 好"


def blocking(started: asyncio.Event, release: "asyncio.Future[None]") -> Callable[[Database], None]:
    """Return a job that holds the writer; once it has started, its batch is complete."""
    loop = release.get_loop()

    async def wait() -> None:
        started.set()
        await release

    return lambda _: asyncio.run_coroutine_threadsafe(wait(), loop).result(timeout=20)


async def test_that_writes_that_wait_together_are_one_commit(store: Store) -> None:
    release = asyncio.get_running_loop().create_future()
    started = asyncio.Event()
    first = asyncio.create_task(store.write(blocking(started, release)))
    await started.wait()
    seen: list[int] = []

    def count(db: Database) -> None:
        with closing(open_read_only(store.path)) as outside:
            seen.append(len(names(outside)))
        add("x")(db)

    waiting = asyncio.create_task(gather(store, *[count] * 5))
    await asyncio.sleep(0)  # lets the tasks put their work into the queue
    release.set_result(None)
    await asyncio.gather(first, waiting)

    assert seen == [0] * 5
    assert len(await store.read(names)) == 5


async def test_that_two_hundred_writers_at_once_all_get_their_own_result(store: Store) -> None:
    def insert(number: int) -> Callable[[Database], int]:
        return lambda db: add(str(number))(db) or number

    results = await gather(store, *(insert(number) for number in range(200)))

    assert results == list(range(200))
    assert sorted(await store.read(names), key=int) == [str(number) for number in range(200)]


async def test_that_a_failing_write_takes_nothing_of_the_others(store: Store) -> None:
    def fail(db: Database) -> None:
        add("lost")(db)
        raise RuntimeError("on purpose 故意")

    results = await gather(store, add("a"), fail, add("b"))

    assert [type(result) for result in results] == [type(None), RuntimeError, type(None)]
    assert await store.read(names) == ["a", "b"]


async def test_that_a_broken_rule_of_the_schema_is_told_as_what_it_is(store: Store) -> None:
    results = await gather(
        store,
        add("a"),
        lambda db: db.execute("INSERT INTO turns (id) VALUES ('t')"),
        lambda db: db.execute("INSERT INTO sessions VALUES ('s', 'nobody', '', '')"),
        add("b"),
    )

    assert [type(result) for result in results[1:3]] == [sqlite3.IntegrityError] * 2
    assert await store.read(names) == ["a", "b"]


async def test_that_a_wrong_statement_is_a_log_error_and_the_rest_is_kept(store: Store) -> None:
    results = await gather(store, add("a"), lambda db: db.execute("SELEC"), add("b"))

    assert isinstance(results[1], LogError)
    assert await store.read(names) == ["a", "b"]


async def test_that_a_value_no_database_takes_is_a_defect(store: Store) -> None:
    results = await gather(store, lambda db: db.execute("SELECT ?", [object()]), add("b"))

    assert isinstance(results[0], sqlite3.Error)
    assert not isinstance(results[0], LogError)
    assert await store.read(names) == ["b"]


async def test_that_a_full_disk_is_told_and_survived(store: Store) -> None:
    def limit(db: Database) -> None:
        [pages] = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 2}")

    await store.write(add("before"))
    await store.write(limit)
    with pytest.raises(LogError, match="is the disk full"):
        await store.write(lambda db: add("x" * 100_000)(db))
    await store.write(lambda db: db.execute("PRAGMA max_page_count = 1000000"))
    await store.write(add("after"))

    assert await store.read(names) == ["before", "after"]


async def test_that_an_error_which_ends_the_transaction_is_told_to_all_in_it(store: Store) -> None:
    release = asyncio.get_running_loop().create_future()
    started = asyncio.Event()
    first = asyncio.create_task(store.write(blocking(started, release)))
    await started.wait()

    def roll_back(db: Database) -> None:
        db.execute(
            "CREATE TEMP TRIGGER boom BEFORE INSERT ON audit BEGIN SELECT RAISE(ROLLBACK, 'x'); END"
        )
        add("boom")(db)

    waiting = asyncio.create_task(gather(store, add("a"), roll_back, add("b")))
    await asyncio.sleep(0)
    release.set_result(None)
    await first
    results = await waiting

    kept = await store.read(names)
    told = [
        name for name, result in zip(["a", "boom", "b"], results, strict=True) if result is None
    ]
    assert kept == told
    await store.write(add("later"))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit (at, account, action, object) VALUES ('', '', '', '')",
        "DELETE FROM audit",
        "DROP TABLE audit",
        "CREATE TABLE mine (id)",
    ],
)
async def test_that_readers_cannot_write(store: Store, statement: str) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.read(lambda db: db.execute(statement))


async def test_that_readers_see_only_what_is_committed(store: Store) -> None:
    await store.write(add("a"))

    assert await store.read(names) == ["a"]


async def test_that_a_cancelled_write_does_not_stop_the_next(store: Store) -> None:
    release = asyncio.get_running_loop().create_future()
    started = asyncio.Event()
    first = asyncio.create_task(store.write(blocking(started, release)))
    await started.wait()
    cancelled = asyncio.create_task(store.write(add("cancelled")))
    await asyncio.sleep(0)
    cancelled.cancel()
    release.set_result(None)
    await first

    await store.write(add("next"))

    assert (await store.read(names))[-1] == "next"
    assert cancelled.cancelled()


async def test_that_a_write_that_waits_too_long_is_told_and_never_stored(store: Store) -> None:
    release = asyncio.get_running_loop().create_future()
    started = asyncio.Event()
    first = asyncio.create_task(store.write(blocking(started, release)))
    await started.wait()

    with pytest.raises(LogError, match="busy for more than 2 seconds"):
        await store.write(add("too late"))
    release.set_result(None)
    await first
    await store.write(add("later"))

    assert await store.read(names) == ["later"]


async def test_that_a_lock_of_another_program_is_told_to_all_who_wait(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        first = asyncio.create_task(gather(store, add("a")))
        await asyncio.sleep(0)  # lets it begin to wait for the lock
        told = [*await gather(store, *(add(str(number)) for number in range(300))), *await first]
        taken = time.monotonic() - begun
        other.rollback()
    await store.write(add("after"))

    assert {type(each) for each in told} == {LogError}
    assert taken < 5
    assert await store.read(names) == ["after"]


async def test_that_long_browsing_holds_up_no_message(store: Store) -> None:
    release = threading.Event()
    browsing = [asyncio.create_task(store.browse(lambda _: release.wait(20))) for _ in range(20)]
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        assert await store.read(names) == []
    release.set()
    assert all(await asyncio.gather(*browsing))


async def test_that_closing_ends_a_search_without_end(tmp_path: Path) -> None:
    store, started = Store(tmp_path / "log.db"), threading.Event()

    def search(db: Database) -> None:
        started.set()
        db.execute(
            "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT count(*) FROM n"
        ).fetchone()

    searching = asyncio.create_task(store.browse(search))
    await asyncio.to_thread(started.wait)

    async with asyncio.timeout(10):
        await asyncio.to_thread(store.close)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            await searching


async def test_that_the_wal_is_emptied_once_a_reader_ends(store: Store) -> None:
    await store.write(add("before"))
    wal = store.path.with_name(store.path.name + "-wal")
    with closing(open_read_only(store.path)) as reader:
        reader.execute("BEGIN")
        assert names(reader) == ["before"]
        await store.write(add("after"))
        await store.empty_wal()
        assert wal.stat().st_size > 0

    await until(lambda: wal.stat().st_size == 0)


async def test_that_closing_commits_what_waits(tmp_path: Path) -> None:
    store = Store(tmp_path / "log.db")
    writes = [asyncio.create_task(store.write(add(str(number)))) for number in range(300)]
    await asyncio.sleep(0)

    store.close()
    await asyncio.gather(*writes)

    assert in_file(tmp_path / "log.db") == [str(number) for number in range(300)]


async def test_that_the_file_alone_is_the_whole_log_after_closing(tmp_path: Path) -> None:
    with Store(tmp_path / "log.db") as store:
        await store.write(add("a"))
        await asyncio.gather(*(store.read(names) for _ in range(8)))

    shutil.copy(tmp_path / "log.db", tmp_path / "copy.db")

    assert in_file(tmp_path / "copy.db") == ["a"]
    assert not (tmp_path / "log.db-wal").exists()


async def test_that_a_closed_store_refuses_work_instead_of_waiting_for_ever(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "log.db")
    store.close()
    store.close()

    async with asyncio.timeout(10):
        with pytest.raises(LogError, match="closed"):
            await store.write(add("late"))
        with pytest.raises(LogError, match="closed"):
            await store.read(names)


def test_that_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "数据" / "a?b#c%20" / "frontdesk.db"

    with Store(path):
        pass

    assert path.is_file()
    with closing(open_read_only(path)) as db:
        assert names(db) == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"this is no database, " * 100, id="text"),
        pytest.param(b"SQLite format 3\x00" + b"\xff" * 4096, id="only-the-beginning"),
        pytest.param("不是数据库".encode() * 500, id="chinese-text"),
    ],
)
def test_that_a_corrupt_file_is_told_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frontdesk.db"
    path.write_bytes(content)

    with pytest.raises(LogError, match=r"restore a backup") as caught:
        Store(path)

    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


async def test_that_damage_inside_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "frontdesk.db"
    with Store(path) as store:
        await asyncio.gather(*(store.write(add("x" * 500)) for _ in range(400)))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    path.write_bytes(content)

    with pytest.raises(LogError, match="restore a backup"):
        Store(path)


async def test_that_damage_in_a_large_file_is_found_beside_the_work(tmp_path: Path) -> None:
    path = tmp_path / "frontdesk.db"
    with Store(path) as store:
        await asyncio.gather(*(store.write(add("x" * 500)) for _ in range(400)))
        await store.write(
            lambda db: db.execute(
                "INSERT INTO vectors VALUES ('d', 'e', zeroblob(?))", [LARGEST_CHECKED_AT_START]
            )
        )
    with sqlite3.connect(path) as db:
        [page] = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'replies'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)

    with Store(path) as store:  # a restart must answer at once
        assert store.trouble() is None
        check = BackgroundCheck(path, pause_seconds=0)
        await until(lambda: check.problem)
        check.stop()
        await store.write(add("still at work"))


def test_that_a_whole_file_has_no_problem_and_a_check_can_be_left(tmp_path: Path) -> None:
    with Store(tmp_path / "frontdesk.db") as store:
        check = BackgroundCheck(store.path)
        check.stop()

        assert check.problem is None
        assert store.trouble() is None


def test_that_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "frontdesk.db"
    with Store(path):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('frontdesk', 'm999_future', '2027-01-01')"
        )

    with pytest.raises(LogError, match=r"newer Frontdesk \(it knows 'm999_future'\)"):
        Store(path)


def test_that_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "frontdesk.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")

    with pytest.raises(LogError, match="can't be opened"):
        Store(path)


@pytest.mark.parametrize("blocked", ["data", "data/frontdesk.db"])
def test_that_what_stands_in_the_way_is_told(tmp_path: Path, blocked: str) -> None:
    if blocked == "data":
        (tmp_path / "data").write_text("a file where the folder should be")
    else:
        (tmp_path / blocked).mkdir(parents=True)

    with pytest.raises(LogError):
        Store(tmp_path / "data" / "frontdesk.db")


def test_that_a_failed_start_lets_the_next_one_in(tmp_path: Path) -> None:
    path = tmp_path / "frontdesk.db"
    path.write_bytes(b"no database" * 200)
    with pytest.raises(LogError):
        Store(path)
    path.unlink()

    with Store(path):
        assert migrations_by_name()


def test_that_a_missing_database_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="can't be read"):
        open_read_only(tmp_path / "none.db")


CHILD = """
import asyncio, sys
from pathlib import Path
from bot.log.store import Store

async def main() -> None:
    with Store(Path(sys.argv[1])) as store:
        number = 0
        while True:
            await store.write(lambda db: db.execute(
                "INSERT INTO audit (at, account, action, object) VALUES ('', ?, '', '')", [number]))
            print(number, flush=True)
            number += 1

asyncio.run(main())
"""


def child(path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_that_a_second_process_is_refused_and_a_killed_one_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "frontdesk.db"
    with child(path) as running:
        assert running.stdout is not None
        acknowledged = [running.stdout.readline().strip() for _ in range(200)]

        with pytest.raises(LogError, match="Another Frontdesk is using"):
            Store(path)

        running.send_signal(signal.SIGKILL)
        acknowledged += running.stdout.read().split()
    with Store(path) as store, closing(open_read_only(store.path)) as db:
        kept = names(db)

    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) <= len(acknowledged) + 1


def test_that_a_risky_sqlite_is_named_with_its_version() -> None:
    warning = sqlite_warning()

    assert (warning is None) == (sqlite3.sqlite_version_info >= (3, 51, 3))
    assert warning is None or sqlite3.sqlite_version in warning
