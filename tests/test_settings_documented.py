"""Every setting and command stands in the docs, and the docs name no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bot.__main__ import cli
from bot.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"
SETTINGS = {name.upper() for name in Settings.model_fields}


def commands(group: click.Group, prefix: str = "frontdesk") -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


COMMANDS = dict(commands(cli))


@pytest.fixture(scope="module")
def settings_page() -> str:
    return (DOCS / "settings.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def commands_page() -> str:
    return (DOCS / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_that_a_setting_is_documented(settings_page: str, name: str) -> None:
    assert f"`{name}`" in settings_page


def test_that_no_documented_setting_is_missing(settings_page: str) -> None:
    named = set(re.findall(r"`((?:FRONTDESK|TELEGRAM|SLACK)_[A-Z_]+)`", settings_page))

    assert named - SETTINGS - {"FRONTDESK_TEST_MODELS"} == set()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_that_a_command_is_documented_with_its_options(commands_page: str, name: str) -> None:
    options = [
        [*parameter.opts, *parameter.secondary_opts]
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
    ]

    assert name in commands_page
    assert [names for names in options if not any(n in commands_page for n in names)] == []


def test_that_no_documented_command_is_missing(commands_page: str) -> None:
    named = re.findall(r"`(frontdesk(?: [a-z]+)+)", commands_page)
    known = {*COMMANDS, *(name.rpartition(" ")[0] for name in COMMANDS)}

    assert {name for name in named if name not in known} == set()
    assert named


def test_that_every_command_says_what_it_does() -> None:
    assert all(command.help for command in COMMANDS.values())
