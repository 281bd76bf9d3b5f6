"""The articles' files in the database: only what changed is read again, gone is gone at once."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.errors import ArticlesError
from bot.knowledge import library
from bot.knowledge.index import Changes, current_passages
from bot.knowledge.library import Outcome, Stage
from bot.log.store import Store
from tests.small_shop import ARTICLES, NOW

Steps = list[tuple[Stage, int, int]]


@pytest.fixture
def steps() -> Steps:
    return []


async def sync(store: Store, *folders: Path, now: datetime = NOW, steps: Steps) -> Outcome:
    steps.clear()
    return await library.sync(
        store, folders, now, progress=lambda *step: steps.append(step), may_be_empty=True
    )


async def texts(store: Store) -> set[str]:
    return {passage.text for passage in await store.read(current_passages)}


def touch(path: Path, text: str) -> None:
    """Write a file whose time differs, however coarse the clock of the disk is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    if path.stat().st_mtime_ns == before:
        os.utime(path, ns=(before + 1, before + 1))


async def test_that_files_are_read_once(store: Store, articles: Path, steps: Steps) -> None:
    first = await sync(store, articles, steps=steps)

    assert (first.articles, first.changes) == (6, Changes(added=6, changed=0, retired=0))
    assert steps[-1] == ("indexed", 6, 6)
    assert not (await sync(store, articles, steps=steps)).changes.any
    assert steps == []


async def test_that_only_a_changed_file_is_read_again(
    store: Store, articles: Path, steps: Steps
) -> None:
    await sync(store, articles, steps=steps)
    touch(articles / "en/returns.md", "We take everything back within 60 days.")

    outcome = await sync(store, articles, steps=steps)

    assert outcome.changes == Changes(added=0, changed=1, retired=0)
    assert steps == [("read", 1, 1), ("indexed", 1, 1)]
    assert "We take everything back within 60 days." in await texts(store)


async def test_that_a_touched_file_with_the_same_text_changes_nothing(
    store: Store, articles: Path, steps: Steps
) -> None:
    await sync(store, articles, steps=steps)
    os.utime(articles / "en/returns.md")

    assert not (await sync(store, articles, steps=steps)).changes.any
    assert steps == [("read", 1, 1)]


async def test_that_a_deleted_file_is_gone_from_answers(
    store: Store, articles: Path, steps: Steps
) -> None:
    await sync(store, articles, steps=steps)
    (articles / "en/returns.md").unlink()

    outcome = await sync(store, articles, steps=steps)

    assert outcome.changes == Changes(added=0, changed=0, retired=1)
    assert ARTICLES["en/returns"][1] not in await texts(store)


async def test_that_a_sync_that_was_stopped_goes_on_where_it_was(
    store: Store, tmp_path: Path, steps: Steps
) -> None:
    for number in range(45):
        touch(tmp_path / "help" / f"{number:02}.md", f"Answer number {number}.")

    def stop(stage: Stage, done: int, total: int) -> None:
        if stage == "indexed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await library.sync(store, [tmp_path / "help"], NOW, progress=stop)

    await sync(store, tmp_path / "help", steps=steps)
    assert steps == [("indexed", 20, 25), ("indexed", 25, 25)]
    assert len(await texts(store)) == 45


async def test_that_broken_files_are_told_each_time(
    store: Store, articles: Path, steps: Steps
) -> None:
    (articles / "bad.md").write_bytes(b"\xff")
    (articles / "faq.csv").write_text("question,answer\nA?,\nB?,2\n")

    for _ in range(2):
        outcome = await sync(store, articles, steps=steps)
        reasons = {each.path.name: each.reason for each in outcome.broken}
        assert reasons["bad.md"].startswith("it is not UTF-8 text")
        assert reasons["faq.csv"] == "row 2: it has no answer"
        assert outcome.articles == 7


async def test_that_a_file_that_broke_is_not_answered_from(
    store: Store, articles: Path, steps: Steps
) -> None:
    await sync(store, articles, steps=steps)
    touch(articles / "en/returns.md", "---\ntitle: half written")

    outcome = await sync(store, articles, steps=steps)

    assert outcome.changes.retired == 1
    assert ARTICLES["en/returns"][1] not in await texts(store)


async def test_that_internal_articles_are_kept_for_the_team_and_from_customers(
    store: Store, articles: Path, steps: Steps
) -> None:
    touch(articles / "margin.md", "---\naudience: internal\n---\nThe margin is 40 %.")

    outcome = await sync(store, articles, steps=steps)

    assert outcome.articles == 6
    assert "The margin is 40 %." not in await texts(store)
    kept = await store.read(
        lambda db: db.execute("SELECT text FROM article_documents WHERE audience = 'internal'")
        .fetchall()
    )  # fmt: skip
    assert kept == [("The margin is 40 %.",)]
    touch(articles / "margin.md", "---\naudience: public\n---\nThe margin is 40 %.")
    await sync(store, articles, steps=steps)
    assert "The margin is 40 %." in await texts(store)


async def test_that_an_article_for_some_comes_back_from_the_database_with_its_audience(
    store: Store, articles: Path, steps: Steps
) -> None:
    touch(articles / "vpn.md", "---\naudience: [web, slack]\n---\nThe VPN is at vpn.example.")

    first = await sync(store, articles, steps=steps)
    again = await sync(store, articles, steps=steps)

    assert not again.changes.any
    assert first.audiences == again.audiences
    kept = await store.read(
        lambda db: db.execute("SELECT audience FROM article_documents WHERE id = 'vpn'").fetchall()
    )
    assert kept == [("slack, web",)]
    assert first.audiences == {"vpn": ("slack", "web")}
    assert "The VPN is at vpn.example." in await texts(store)


async def test_that_a_period_begins_and_ends_without_a_change_of_the_file(
    store: Store, articles: Path, steps: Steps
) -> None:
    begin, end = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    head = f"valid_from: {begin.isoformat()}\nvalid_until: {end.isoformat()}"
    touch(articles / "sale.md", f"---\n{head}\n---\nEverything costs half.")

    before = await sync(store, articles, steps=steps)
    assert before.next_change == begin
    assert "Everything costs half." not in await texts(store)
    during = await sync(store, articles, now=begin, steps=steps)
    assert (during.changes.added, during.next_change) == (1, end)
    assert "Everything costs half." in await texts(store)
    after = await sync(store, articles, now=end, steps=steps)
    assert (after.changes.retired, after.next_change) == (1, None)
    assert "Everything costs half." not in await texts(store)


async def test_that_each_article_knows_its_source(
    store: Store, articles: Path, steps: Steps
) -> None:
    touch(articles / "faq.csv", "question,answer\nHow long?,30 days.\n")
    await sync(store, articles, steps=steps)

    found = await store.read(lambda db: db.execute("SELECT source FROM articles").fetchall())

    assert {row[0] for row in found} == {*(f"{name}.md" for name in ARTICLES), "faq.csv"}


async def test_that_passages_that_stay_keep_their_ids(
    store: Store, articles: Path, steps: Steps
) -> None:
    touch(articles / "long.md", "# Long\n\n## A\n\none\n\n## B\n\ntwo")
    await sync(store, articles, steps=steps)
    before = {each.text: each.id for each in await store.read(current_passages)}

    touch(articles / "long.md", "# Long\n\n## New\n\nzero\n\n## A\n\none\n\n## B\n\ntwo")
    await sync(store, articles, steps=steps)

    after = {each.text: each.id for each in await store.read(current_passages)}
    assert {text: after[text] for text in before} == before


@pytest.mark.parametrize("make", [Path.mkdir, lambda _: None], ids=["empty", "missing"])
async def test_that_nothing_to_answer_from_is_refused_and_changes_nothing(
    store: Store, articles: Path, tmp_path: Path, steps: Steps, make: Callable[[Path], object]
) -> None:
    await sync(store, articles, steps=steps)
    make(tmp_path / "other")

    with pytest.raises(ArticlesError):
        await library.sync(store, [tmp_path / "other"], NOW)

    assert len(await texts(store)) == 6


async def test_that_two_folders_are_one_library(store: Store, articles: Path, steps: Steps) -> None:
    other = articles.parent / "pages"
    touch(other / "shop.example" / "wifi.md", "There is free WiFi.")
    touch(other / "en" / "returns.md", "Another article of the same name.")

    outcome = await sync(store, articles, other, steps=steps)

    assert outcome.articles == 7
    assert ARTICLES["en/returns"][1] in await texts(store)
    assert (await sync(store, articles, steps=steps)).changes.retired == 1
