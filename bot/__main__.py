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
from rich.console import Console as Screen
from rich.table import Table

from bot import app, evaluation
from bot.console import Console
from bot.doctor import examine
from bot.errors import FrontdeskError
from bot.knowledge.articles import read_articles
from bot.log import backup
from bot.settings import Settings, load_settings
from bot.understanding import language_of
from prompts import PromptError
from serving.errors import ServingError

EXAMPLE_QUESTIONS = Path(__file__).parent.parent / "examples" / "shop" / "questions.jsonl"
BAD_INPUT = 2

_articles_option = click.option(
    "--articles",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of articles; else the setting FRONTDESK_ARTICLES.",
)


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


@cli.group()
def articles() -> None:
    """Check and search the help articles."""


@articles.command("check")
@_articles_option
@click.pass_obj
def check_articles(console: Console, folder: Path | None) -> None:
    """List the files that can't be read, and why; exits with 2 when there are any."""
    found, broken = read_articles(_with_articles(folder).frontdesk_articles)
    console.say(f"{len(found)} articles, {sum(len(a.passages) for a in found)} passages.")
    for file in broken:
        console.error(f"{file.path}: {file.reason}.")
    if broken:
        sys.exit(BAD_INPUT)


@articles.command("search")
@click.argument("question")
@_articles_option
@click.pass_obj
def search_articles(console: Console, question: str, folder: Path | None) -> None:
    """Show the passages found for QUESTION, with their scores."""
    settings = _with_articles(folder)

    async def search() -> None:
        async with app.open_workbench(settings, console, with_model=False) as frontdesk:
            hits = await frontdesk.knowledge.search(question, language_of(question))
            for hit in hits:
                mark = "answers " if hit.is_answer else "too far "
                console.say(f"{mark}{hit.score:.3f}  {hit.passage.article}: {hit.passage.heading}")

    _run(search())


@cli.group()
def answers() -> None:
    """Measure the answers."""


@answers.command("evaluate")
@_articles_option
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
    settings = _with_articles(folder)
    asked = evaluation.read_questions(questions)

    async def evaluate() -> list[evaluation.Outcome]:
        async with app.open_workbench(settings, console, with_model=model) as frontdesk:
            return await evaluation.evaluate(
                frontdesk.conversations, asked, console.asking, stream=stream
            )

    outcomes = _run(evaluate())
    rows = evaluation.summary(outcomes)
    if as_json:
        replies = [evaluation.as_json(outcome) for outcome in outcomes]
        click.echo(json.dumps({"summary": rows, "replies": replies}, ensure_ascii=False, indent=1))
    else:
        _print_table(rows)


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


def _with_articles(folder: Path | None) -> Settings:
    return load_settings(**({"frontdesk_articles": folder} if folder else {}))


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table()
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Screen(width=150).print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value > 1 else f"{value:.1%}"
    return "–" if value is None else str(value)


if __name__ == "__main__":
    main()
