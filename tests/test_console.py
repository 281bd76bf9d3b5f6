"""What the operator sees: lines without markup of strangers, progress at each tenth."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from bot.console import Console
from bot.knowledge.articles import Broken
from bot.knowledge.index import Changes
from bot.knowledge.search import Synced
from bot.settings import load_settings
from tests.small_shop import ScriptedChannel

Captured = pytest.CaptureFixture[str]


def test_that_markup_in_a_text_is_only_text(capsys: Captured) -> None:
    console = Console()

    console.say("[red]你好[/] [/nothing]")
    console.warn("[bold]path[/]")
    console.error("[link=http://evil.example]x[/link]")

    said = capsys.readouterr().err
    assert "[red]你好[/] [/nothing]" in said
    assert "Warning: [bold]path[/]" in said
    assert "Error: [link=http://evil.example]x[/link]" in said


def test_that_articles_are_told_and_later_only_what_differs(capsys: Captured) -> None:
    broken = (Broken(Path("坏[x].md"), "it is not UTF-8 text"),)
    console = Console()
    first = Synced(
        changes=Changes(added=2, changed=0, retired=0), broken=broken, articles=2, passages=5
    )

    console.articles(first)

    said = capsys.readouterr().err
    assert "Articles: 2 in 5 passages." in said
    assert "Articles since the last time: 2 added, 0 changed, 0 retired." in said
    assert "坏[x].md was left out: it is not UTF-8 text." in said
    console.articles(replace(first, changes=Changes(added=0, changed=0, retired=0)))
    assert capsys.readouterr().err == ""
    other = Broken(Path("b.pdf"), "it is not a readable PDF")
    console.articles(
        replace(first, changes=Changes(added=0, changed=0, retired=1), broken=(other,))
    )
    said = capsys.readouterr().err
    assert "retired" in said
    assert "b.pdf was left out" in said


def test_that_many_files_show_progress_and_few_do_not(capsys: Captured) -> None:
    console = Console()

    console.syncing("read", 3, 3)
    for done in range(1, 201):
        console.syncing("read", done, 200)
        console.fetching(done, 200)

    lines = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("Articles read") for line in lines) == 11
    assert sum(line.startswith("Asked for") for line in lines) == 10


def test_that_progress_is_told_at_each_tenth(capsys: Captured) -> None:
    console = Console()

    for done in range(1, 101):
        console.asking(done, 100)
        console.encoding(done, 100)

    lines = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("Asked") for line in lines) == 10
    assert sum(line.startswith("Search by meaning") for line in lines) == 11
    assert lines[-1] == "Search by meaning: 100% of 100 new passages encoded."


@pytest.mark.parametrize("password", [None, "hunter2-密"])
def test_that_the_start_tells_where_everything_is(capsys: Captured, password: str | None) -> None:
    settings = load_settings(frontdesk_port=8123, telegram_bot_token="12:secret")

    Console().started(settings, [ScriptedChannel("web"), ScriptedChannel("telegram")], password)

    said = capsys.readouterr().err
    assert "http://127.0.0.1:8123/admin" in said
    assert "Channels: web, telegram." in said
    assert ("hunter2" in said) == (password is not None)
    assert "secret" not in said


def test_that_request_lines_with_tokens_stay_out_of_the_log() -> None:
    Console().log_to_here(logging.INFO)

    for name in ("httpx", "telegram", "slack_sdk", "openai"):
        assert logging.getLogger(name).getEffectiveLevel() >= logging.WARNING


def test_that_a_record_stays_on_one_line_where_nobody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    Console().log_to_here()

    logging.getLogger("bot.delivery").error("Not delivered: %s", "words " * 50)

    [line] = capsys.readouterr().err.splitlines()
    assert "ERROR bot.delivery: Not delivered: words" in line
