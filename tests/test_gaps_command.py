"""`frontdesk articles gaps`, beside a program that may run."""

import json
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database

from bot.__main__ import main
from bot.log.accounts import utc_now
from bot.log.store import Store
from tests.log.writing import exchange
from tests.small_shop import incoming


def gaps(capfd: pytest.CaptureFixture[str], *options: str) -> tuple[object, str, str]:
    sys.argv = ["frontdesk", "articles", "gaps", *options]
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    return (ended.value.code, *capfd.readouterr())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "argv", [])
    return tmp_path


def ask(db: Database) -> None:
    exchange(db, incoming("Are dogs welcome?"), handoff="no_article")
    db.execute("UPDATE handoffs SET created_at = ?", [utc_now().isoformat()])


async def test_that_gaps_are_listed_and_outlined_while_frontdesk_runs(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Store(folder / "data" / "frontdesk.db") as store:
        for _ in range(2):
            await store.write(ask)

        code, out, _ = gaps(capfd, "--json")
        [gap] = json.loads(out)
        assert (code, gap["title"], len(gap["questions"])) == (0, "Are dogs welcome?", 2)
        assert gaps(capfd, "--draft", "1")[0] == 0
        assert (folder / "are-dogs-welcome.md").read_text(encoding="utf-8").startswith("---\n")
        assert "already" in gaps(capfd, "--draft", "1")[2]
        code, _, err = gaps(capfd, "--draft", "2")
        assert (code, "There is no gap 2" in err) == (2, True)


def test_that_without_a_log_it_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = gaps(capfd)

    assert code == 2
    assert "can't be read" in err
