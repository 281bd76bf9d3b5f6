"""Copies of the log: whole or not there, and put back without losing what was there before."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlite_utils import Database

from bot.__main__ import cli
from bot.console import Console
from bot.errors import LogError
from bot.log import backup, erasure, inbox, outbox
from bot.log.store import Store, open_read_only
from tests.log.writing import LATER, exchange, receive
from tests.small_shop import NOW, incoming

SOON = NOW + timedelta(days=1)


def quietly(_: int, __: int) -> None:
    """Take no notice of the progress."""


def made(path: Path, work: Callable[[Database], object] = lambda _: None) -> Path:
    """Return a database in which something happened."""

    async def run() -> None:
        with Store(path) as store:
            await store.write(work)

    asyncio.run(run())
    return path


def texts(path: Path) -> list[str]:
    with closing(open_read_only(path)) as db:
        return [row[0] for row in db.execute("SELECT text FROM inbox ORDER BY id").fetchall()]


def database(tmp_path: Path, text: str = "退货 return") -> Path:
    return made(tmp_path / "data" / "frontdesk.db", lambda db: exchange(db, incoming(text), ("p",)))


async def test_that_a_backup_holds_what_was_committed_while_others_write(store: Store) -> None:
    await store.write(lambda db: receive(db, incoming("before")))
    target, seen = store.path.with_name("copy.db"), []

    copying = asyncio.create_task(
        asyncio.to_thread(backup.backup, store.path, target, NOW, lambda *said: seen.append(said))
    )
    while not copying.done():
        await store.write(lambda db: receive(db, incoming("meanwhile")))
    await copying

    assert {path.name for path in target.parent.glob("copy*")} == {"copy.db"}
    assert texts(target)[0] == "before"
    assert seen[-1][0] == seen[-1][1] > 0


def test_that_a_folder_gets_backups_named_by_the_time(tmp_path: Path) -> None:
    path, folder = database(tmp_path), tmp_path / "copies"

    copies = [backup.backup(path, folder, NOW + timedelta(days=n), quietly) for n in range(4)]

    assert copies[0].name == "frontdesk-20260301T093000Z.db"
    assert backup.keep_newest(folder, 2) == copies[:2]
    assert backup.backups(folder) == copies[2:]


def test_that_a_failed_backup_leaves_the_good_one(tmp_path: Path) -> None:
    path, copy = database(tmp_path), tmp_path / "copy.db"
    backup.backup(path, copy, NOW, quietly)
    good = copy.read_bytes()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE inbox SET reply = 'nobody'")  # foreign keys are off here

    with pytest.raises(LogError, match=r"could not be made.*refers to one of turns"):
        backup.backup(path, copy, NOW, quietly)

    assert copy.read_bytes() == good
    assert {found.name for found in tmp_path.iterdir()} == {"data", "copy.db"}


def test_that_the_database_is_not_its_own_backup(tmp_path: Path) -> None:
    path = database(tmp_path)

    with pytest.raises(LogError, match="is the database itself"):
        backup.backup(path, path, NOW, quietly)
    with pytest.raises(LogError, match="is the database itself"):
        backup.restore(path, path, NOW)


def test_that_a_missing_database_has_no_backup(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="can't be read"):
        backup.backup(tmp_path / "none.db", tmp_path / "copy.db", NOW, quietly)

    assert list(tmp_path.iterdir()) == []


def test_that_a_restore_keeps_what_was_there(tmp_path: Path) -> None:
    path = database(tmp_path, "old 旧")
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)
    made(path, lambda db: receive(db, incoming("new 新")))

    done = backup.restore(path, copy, NOW)

    assert done.kept is not None
    assert done.kept.parent == path.parent
    assert (texts(path), texts(done.kept)) == (["old 旧"], ["old 旧", "new 新"])


def test_that_a_second_restore_in_the_same_second_keeps_both(tmp_path: Path) -> None:
    path = database(tmp_path, "old 旧")
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)
    made(path, lambda db: receive(db, incoming("new 新")))

    kept = [backup.restore(path, copy, NOW).kept for _ in range(3)]

    assert [texts(each) for each in kept if each] == [["old 旧", "new 新"], ["old 旧"], ["old 旧"]]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(lambda content: content[: len(content) // 2], "damaged", id="torn"),
        pytest.param(lambda _: b"", "no database of Frontdesk", id="empty"),
        pytest.param(lambda _: "不是数据库".encode() * 99, "damaged", id="text"),
    ],
)
def test_that_what_is_no_backup_changes_nothing(
    tmp_path: Path, spoil: Callable[[bytes], bytes], told: str
) -> None:
    path = database(tmp_path)
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)
    copy.write_bytes(spoil(copy.read_bytes()))
    before = path.read_bytes()

    with pytest.raises(LogError, match=told):
        backup.restore(path, copy, NOW)

    assert path.read_bytes() == before
    assert list(path.parent.glob("*.unfinished*")) == []
    assert list(path.parent.glob("*before*")) == []


def test_that_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = database(tmp_path)
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)
    with closing(sqlite3.connect(copy)) as db, db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('frontdesk', 'm999_future', '2027-01-01')"
        )

    with pytest.raises(LogError, match="newer Frontdesk"):
        backup.restore(path, copy, NOW)


async def test_that_a_restore_waits_for_frontdesk_to_stop(store: Store, tmp_path: Path) -> None:
    copy = await asyncio.to_thread(backup.backup, store.path, tmp_path / "copy.db", NOW, quietly)

    with pytest.raises(LogError, match="Another Frontdesk is using"):
        backup.restore(store.path, copy, NOW)


def test_that_a_damaged_database_can_be_replaced(tmp_path: Path) -> None:
    path = database(tmp_path)
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)
    path.write_bytes(b"damaged" * 1000)
    path.with_name("frontdesk.db-wal").write_bytes(b"of the damaged one")

    done = backup.restore(path, copy, NOW)

    assert texts(path) == ["退货 return"]
    assert done.erased_again is None
    assert done.kept is not None
    assert done.kept.read_bytes() == b"damaged" * 1000


def test_that_who_was_erased_since_is_erased_again(tmp_path: Path) -> None:
    path = database(tmp_path)
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)

    def erase(db: Database) -> None:
        erasure.request(db, "test", "customer-ada", LATER.isoformat())
        assert erasure.erase_requested(db, LATER) == 1

    made(path, erase)

    done = backup.restore(path, copy, SOON)

    assert done.erased_again == 1
    assert texts(path) == ["退货 return"]
    made(path, lambda db: erasure.erase_requested(db, SOON))
    assert texts(path) == [""]


def test_that_a_restore_over_an_empty_database_erases_nobody(tmp_path: Path) -> None:
    copy = backup.backup(database(tmp_path), tmp_path / "copy.db", NOW, quietly)
    fresh = made(tmp_path / "fresh" / "frontdesk.db")

    done = backup.restore(fresh, copy, SOON)

    assert done.erased_again is None
    made(fresh, lambda db: erasure.erase_requested(db, SOON))
    assert texts(fresh) == ["退货 return"]


def test_that_without_a_database_nobody_knows_who_was_erased(tmp_path: Path) -> None:
    copy = backup.backup(database(tmp_path), tmp_path / "copy.db", NOW, quietly)

    assert backup.restore(tmp_path / "new.db", copy, SOON).erased_again is None


def test_that_who_waits_to_be_erased_is_erased_after_a_restore(tmp_path: Path) -> None:
    path = database(tmp_path)
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)
    made(path, lambda db: erasure.request(db, "test", "customer-ada", LATER.isoformat()))

    done = backup.restore(path, copy, SOON)

    assert done.erased_again == 1
    made(path, lambda db: erasure.erase_requested(db, SOON))
    assert texts(path) == [""]


def test_that_who_waited_for_a_first_answer_then_is_erased_again(tmp_path: Path) -> None:
    path = made(tmp_path / "frontdesk.db", lambda db: receive(db, incoming("我的订单？")))
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)

    def erase(db: Database) -> None:
        erasure.request(db, "test", "customer-ada", LATER.isoformat())
        erasure.erase_requested(db, LATER)

    made(path, erase)

    assert backup.restore(path, copy, SOON).erased_again == 1


def test_that_a_reply_that_waited_then_is_not_just_sent_again(tmp_path: Path) -> None:
    path = made(tmp_path / "frontdesk.db", lambda db: exchange(db, incoming()))
    copy = backup.backup(path, tmp_path / "copy.db", NOW, quietly)

    backup.restore(path, copy, NOW)

    def resume(db: Database) -> None:
        assert outbox.doubt_interrupted(db) == 1
        [outgoing] = outbox.unsent(db)
        waiting = outbox.waiting(db, outgoing)
        assert waiting is not None
        assert waiting.is_doubtful

    made(path, resume)


def test_that_an_operator_backs_up_and_restores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = database(tmp_path)
    monkeypatch.setenv("FRONTDESK_DATA", str(path.parent))
    runner, console = CliRunner(), Console()

    for _ in "12":
        made_one = runner.invoke(cli, ["log", "backup", "--keep", "1"], obj=console)
        assert made_one.exit_code == 0
    [copy] = backup.backups(path.parent / "backups")
    made(path, lambda db: inbox.receive(db, incoming("later"), LATER))
    restored = runner.invoke(cli, ["log", "restore", str(copy)], obj=console)

    assert restored.exit_code == 0
    assert "What was there before: " in restored.output
    assert texts(path) == ["退货 return"]
