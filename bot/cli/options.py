"""Options that several commands have in common."""

from pathlib import Path

import click

from bot.settings import Settings, load_settings

BAD_INPUT = 2  # exit code
EXAMPLE_QUESTIONS = Path(__file__).parent.parent.parent / "examples" / "shop" / "questions.jsonl"

articles_option = click.option(
    "--articles",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of articles; else the settings FRONTDESK_ARTICLES and FRONTDESK_WEBSITE.",
)


def settings_with(folder: Path | None) -> Settings:
    """Return the settings; where a folder is given, its articles are the only ones."""
    given = {"frontdesk_articles": folder, "frontdesk_website": None}
    return load_settings(**(given if folder else {}))
