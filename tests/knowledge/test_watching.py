"""Folders that change while the program runs: gone at once, new once it stays as it is."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.errors import ArticlesError, LogError
from bot.knowledge.index import Changes
from bot.knowledge.search import Knowledge, Synced
from bot.knowledge.watching import Watch, follow
from bot.log.store import Store
from tests.small_shop import ARTICLES, NOW, QUESTION, RETURNS_EN, WordEncoder


def write(path: Path, text: str) -> None:
    """Write a file whose time differs, however coarse the clock of the disk is."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 1, before + 1))


@pytest.fixture
def watch(articles: Path) -> Watch:
    made = Watch([articles])
    made.look()
    made.read()
    return made


def test_that_nothing_has_changed_at_first(watch: Watch) -> None:
    assert [watch.look(), watch.look()] == [False, False]


def test_that_a_deleted_file_is_seen_at_once(watch: Watch, articles: Path) -> None:
    (articles / "en/returns.md").unlink()

    assert watch.look()
    watch.read()
    assert not watch.look()


@pytest.mark.parametrize("name", ["en/returns.md", "en/new.md", "en/returns.md.yaml"])
def test_that_a_changed_file_is_seen_once_it_stays(watch: Watch, articles: Path, name: str) -> None:
    write(articles / name, "title: half")

    assert not watch.look()
    write(articles / name, "title: half written")
    assert not watch.look()
    assert watch.look()


def test_that_a_file_that_never_rests_holds_up_no_other(watch: Watch, articles: Path) -> None:
    write(articles / "en/new.md", "We open at nine.")
    write(articles / "log.md", "1")
    assert not watch.look()
    write(articles / "log.md", "2")

    assert watch.look()


def test_that_a_website_fetched_later_is_seen(articles: Path, tmp_path: Path) -> None:
    watch = Watch([articles, tmp_path / "website"])
    watch.look()
    watch.read()
    (tmp_path / "website").mkdir()
    write(tmp_path / "website" / "a.md", "We open at nine.")

    assert [watch.look(), watch.look()] == [False, True]


class Over(BaseException):
    """The script of a test has come to its end."""


@dataclass
class Script:
    """What happens in the pauses, one step each; the end ends the following."""

    steps: list[Callable[[], object]]
    pauses: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self.steps:
            raise Over
        self.steps.pop(0)()


def nothing() -> None:
    """Let a pause go by."""


async def followed(
    watch: Watch,
    sync: Callable[[], object],
    *steps: Callable[[], object],
    times: list[datetime] | None = None,
    next_change: datetime | None = None,
) -> list[str]:
    """Follow through the steps and return what was warned of."""
    warnings: list[str] = []
    clock = iter(times or [NOW] * 99)

    async def synced() -> Synced:
        sync()
        changes = Changes(added=0, changed=0, retired=0)
        return Synced(changes=changes, broken=(), articles=1, passages=1, next_change=next_change)

    with pytest.raises(Over):
        await follow(
            watch,
            synced,
            now=lambda: next(clock),
            warn=warnings.append,
            pause=Script([*steps]),
        )
    return warnings


async def test_that_a_change_is_synced_once(watch: Watch, articles: Path) -> None:
    synced: list[int] = []

    await followed(
        watch,
        lambda: synced.append(1),
        (articles / "en/returns.md").unlink,
        nothing,
        nothing,
    )

    assert synced == [1]


async def test_that_a_sync_that_failed_is_tried_again_and_told_once(
    watch: Watch, articles: Path
) -> None:
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise LogError("The disk is full.")

    warnings = await followed(watch, fail, (articles / "en/returns.md").unlink, nothing, nothing)

    assert (len(tries), warnings) == (3, ["The disk is full."])


async def test_that_a_folder_that_is_away_for_a_while_is_told(
    watch: Watch, articles: Path, tmp_path: Path
) -> None:
    synced: list[int] = []
    away = tmp_path / "away"

    warnings = await followed(
        watch,
        lambda: synced.append(1),
        lambda: articles.rename(away),
        nothing,
        lambda: away.rename(articles),
        nothing,
    )

    assert synced == []
    assert len(warnings) == 1
    assert "does not exist" in warnings[0]


async def test_that_a_period_is_synced_when_it_begins(watch: Watch, articles: Path) -> None:
    begins = NOW + timedelta(hours=1)
    synced: list[int] = []

    await followed(
        watch,
        lambda: synced.append(1),
        (articles / "en/returns.md").unlink,
        nothing,
        nothing,
        times=[NOW, begins],
        next_change=begins,
    )

    assert len(synced) == 2


async def test_that_answers_follow_the_folder(store: Store, articles: Path) -> None:
    knowledge = Knowledge(store, WordEncoder())
    watch = Watch([articles])
    found: list[list[str]] = []

    async def sync() -> Synced:
        synced = await knowledge.sync(articles, NOW, may_be_empty=True)
        hits = await knowledge.search(QUESTION["en"], "en")
        found.append([hit.passage.text for hit in hits])
        return synced

    async def never(_: float) -> None:
        if len(found) == 1:
            (articles / "en/returns.md").unlink()
        if len(found) == 2:
            raise Over

    with pytest.raises(Over):
        await follow(watch, sync, now=lambda: NOW, warn=print, pause=never)
    knowledge.close()

    assert RETURNS_EN in found[0]
    assert RETURNS_EN not in found[1]


async def test_that_the_last_article_can_be_deleted_while_it_runs(
    store: Store, articles: Path
) -> None:
    knowledge = Knowledge(store, WordEncoder())
    await knowledge.sync(articles, NOW)
    for name in ARTICLES:
        (articles / f"{name}.md").unlink()

    synced = await knowledge.sync(articles, NOW, may_be_empty=True)

    assert (synced.articles, synced.passages) == (0, 0)
    assert await knowledge.search(QUESTION["en"], "en") == []
    with pytest.raises(ArticlesError):
        await knowledge.sync(articles, NOW)
    knowledge.close()
