"""The command line: `frontdesk` and its commands."""

import asyncio
import json
import logging
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from bot import app, evaluation
from bot.cli.articles import articles
from bot.cli.gaps import gaps
from bot.cli.intents import intents
from bot.cli.options import BAD_INPUT, EXAMPLE_QUESTIONS, articles_option, settings_with
from bot.cli.ranking import ranking
from bot.cli.tables import print_table
from bot.console import Console
from bot.doctor import examine
from bot.errors import FrontdeskError
from bot.frontdesk import open_workbench
from bot.log import backup
from bot.settings import load_settings
from prompts import PromptError
from serving.errors import ServingError


def main() -> NoReturn:
    """Run the command line; what is wrong is said in one sentence, with exit code 2."""
    console = Console()
    try:
        cli(obj=console, prog_name="frontdesk", standalone_mode=False)
    except click.ClickException as err:
        err.show()
        sys.exit(BAD_INPUT)
    except (FrontdeskError, ServingError, PromptError) as err:
        console.error(str(err))
        sys.exit(BAD_INPUT)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show more of the process log.")
@click.version_option(package_name="frontdesk")
@click.pass_obj
def cli(console: Console, verbose: bool) -> None:
    """Answer customers from your own help articles, in Telegram, in Slack and on the web."""
    console.log_to_here(logging.INFO if verbose else logging.WARNING)


@cli.command()
@click.pass_obj
def run(console: Console) -> None:
    """Run the model, the pages and every configured channel until Ctrl-C."""
    _run(app.run_everything(load_settings(), console))


@cli.command()
@click.pass_obj
def chat(console: Console) -> None:
    """Talk with the bot in this terminal."""
    _run(app.chat_in_terminal(load_settings(), console))


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.pass_obj
def engine(console: Console, port: int) -> None:
    """Run the model server alone until Ctrl-C."""
    _run(app.run_engine(load_settings(), console, port))


@cli.command()
@click.pass_obj
def doctor(console: Console) -> None:
    """Check this installation; say what is wrong and how to mend it, one line each."""
    findings = asyncio.run(examine(load_settings()))
    for finding in findings:
        if finding.problem:
            console.error(f"{finding.name}: {finding.problem}")
        else:
            console.say(f"ok     {finding.name}: {finding.detail}")
    if any(finding.problem for finding in findings):
        sys.exit(BAD_INPUT)


articles.add_command(gaps)
cli.add_command(articles)
cli.add_command(ranking)
cli.add_command(intents)


@cli.group()
def answers() -> None:
    """Measure the answers."""


@answers.command("evaluate")
@articles_option
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    default=EXAMPLE_QUESTIONS,
    help="JSON lines with question and articles; default: the example shop's 80 questions.",
)
@click.option("--model/--no-model", default=True, help="With the model's drafts, or without.")
@click.option("--stream", is_flag=True, help="Choose a source first, then write, as in channels.")
@click.option("--json", "as_json", is_flag=True, help="Print every reply as JSON.")
@click.pass_obj
def evaluate_answers(
    console: Console, folder: Path | None, questions: Path, model: bool, stream: bool, as_json: bool
) -> None:
    """Ask every question of a file and print how many answers are right."""
    settings = settings_with(folder)
    asked = evaluation.read_questions(questions)

    async def evaluate() -> list[evaluation.Outcome]:
        async with open_workbench(settings, console, with_model=model) as frontdesk:
            return await evaluation.evaluate(
                frontdesk.conversations, asked, console.asking, stream=stream
            )

    outcomes = _run(evaluate())
    rows = evaluation.summary(outcomes)
    if as_json:
        replies = [evaluation.as_json(outcome) for outcome in outcomes]
        click.echo(json.dumps({"summary": rows, "replies": replies}, ensure_ascii=False, indent=1))
    else:
        print_table(rows)


@cli.group("log")
def dialogue_log() -> None:
    """Back the dialogue log up, and put a backup back."""


@dialogue_log.command("backup")
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option("--keep", type=click.IntRange(1), help="Delete the oldest backups beyond so many.")
@click.pass_obj
def back_up(console: Console, target: Path | None, keep: int | None) -> None:
    """Copy the log to TARGET, a file or a folder, also while Frontdesk runs.

    Without TARGET it goes to the folder "backups" in the data folder, named by the time.
    """
    settings = load_settings()
    target = target or settings.frontdesk_data / "backups"
    made = backup.backup(settings.database, target, datetime.now(UTC), console.copied)
    console.say(f"Backup: {made}, {made.stat().st_size / 2**20:.0f} MB, checked.")
    for gone in backup.keep_newest(made.parent, keep) if keep else ():
        console.say(f"Deleted: {gone}.")


@dialogue_log.command("restore")
@click.argument("source", type=click.Path(path_type=Path))
@click.pass_obj
def restore(console: Console, source: Path) -> None:
    """Put the backup SOURCE in the log's place; Frontdesk must be stopped."""
    settings = load_settings()
    done = backup.restore(settings.database, source, datetime.now(UTC))
    console.say(f"Restored: {settings.database}.")
    if done.kept:
        console.say(f"What was there before: {done.kept}. Delete it once it isn't needed.")
    if done.erased_again is None:
        console.warn(
            "No database tells who was erased since the backup, so they are back in the log: ask "
            "them, and let them be erased again."
        )
    elif done.erased_again:
        console.warn(
            f"{done.erased_again} customers were erased since the backup, or asked for it; they "
            "are erased at the next start."
        )


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


if __name__ == "__main__":
    main()
