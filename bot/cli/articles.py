"""`frontdesk articles`: what is in the help articles, and what a question finds there."""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

import click

from bot import retrieval_evaluation
from bot.audiences import EVERYBODY
from bot.cli.options import BAD_INPUT, EXAMPLE_QUESTIONS, articles_option, settings_with
from bot.cli.tables import print_table
from bot.console import Console
from bot.errors import ArticlesError, LogInUse
from bot.evaluation import read_questions
from bot.frontdesk import open_frontdesk, open_workbench
from bot.knowledge.articles import Broken, Remark, article_of, nothing_readable, read_folder
from bot.knowledge.consistency import contradictions, same_titles, single_lines
from bot.knowledge.sources.document import Document
from bot.log.accounts import utc_now
from bot.settings import Settings, load_settings
from bot.understanding import language_of
from bot.upkeep import fetch_website


@click.group()
def articles() -> None:
    """Bring in, check and search the help articles."""


@articles.command("sync")
@click.pass_obj
def sync(console: Console) -> None:
    """Fetch the website, if one is set, and bring in and encode what is new or has changed.

    A running Frontdesk takes in by itself what changes, within seconds.
    """
    settings = load_settings()
    asyncio.run(_sync(settings, console))


async def _sync(settings: Settings, console: Console) -> None:
    if settings.frontdesk_website:
        await fetch_website(settings, console)
    try:
        async with open_frontdesk(settings, console) as frontdesk:
            await frontdesk.encode(console.encoding)
    except LogInUse:
        console.say("Frontdesk is running and takes the changes in by itself, within seconds.")


@articles.command("check")
@articles_option
@click.pass_obj
def check(console: Console, folder: Path | None) -> None:
    """List the files that can't be read, and what may be wrong with the others.

    Exits with 2 when a file can't be read.
    """
    settings = settings_with(folder)
    documents: list[Document] = []
    broken: list[Broken] = []
    remarks: list[Remark] = []
    for place in settings.article_folders:
        if place != settings.website_pages or place.is_dir():
            found = read_folder(place)
            documents += found.documents
            broken += found.broken
            if place != settings.website_pages:  # whose heads are our own
                remarks += found.remarks
    for file in broken:
        console.error(f"{file.path}: {file.reason}.")
    if not documents:
        raise ArticlesError(nothing_readable(settings.article_folders[0], broken))
    _say_counts(console, documents)
    for remark in remarks:
        console.warn(f"{remark.path}: {remark.text}.")
    _say_doubts(console, documents)
    if broken:
        sys.exit(BAD_INPUT)


def _say_counts(console: Console, documents: list[Document]) -> None:
    now = utc_now()
    used = [article_of(each) for each in documents if each.is_for_customers(now)]
    console.say(f"{len(used)} articles, {sum(len(each.passages) for each in used)} passages.")
    if internal := sum(each.is_internal for each in documents):
        console.say(f"{internal} internal articles, which customers never see.")
    named = [each for each in documents if not each.is_internal and each.audience != EVERYBODY]
    for audience, count in sorted(Counter(each.audience for each in named).items()):
        console.say(f"{count} articles for {', '.join(audience)} alone.")
    if rest := len(documents) - len(used) - internal:
        console.say(f"{rest} articles outside the time for which they are valid.")


def _say_doubts(console: Console, documents: list[Document]) -> None:
    for group in same_titles(documents):
        names = ", ".join(each.source if "#" not in each.id else each.id for each in group)
        console.warn(f"The same title {group[0].title!r}: {names}.")
    for each in single_lines(documents):
        console.warn(f"{each.source} has one line only; can it answer alone?")
    for pair in contradictions(documents):
        console.warn(
            f"Do these contradict each other? {pair.article}: {pair.sentence!r}; "
            f"{pair.other_article}: {pair.other_sentence!r}"
        )


@articles.command("search")
@click.argument("question")
@articles_option
@click.pass_obj
def search(console: Console, question: str, folder: Path | None) -> None:
    """Show the passages found for QUESTION, with their scores."""
    settings = settings_with(folder)

    async def find() -> None:
        async with open_workbench(settings, console, with_model=False) as frontdesk:
            hits = await frontdesk.knowledge.search(question, language_of(question))
            for hit in hits:
                mark = "answers " if hit.is_answer else "too far "
                console.say(f"{mark}{hit.score:.3f}  {hit.passage.article}: {hit.passage.heading}")

    asyncio.run(find())


@articles.command("evaluate")
@articles_option
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    default=EXAMPLE_QUESTIONS,
    help="JSON lines with question, articles and history; default: the example shop's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_obj
def evaluate(console: Console, folder: Path | None, questions: Path, as_json: bool) -> None:
    """Search for every question of a file and print how often the right article is found."""
    settings = settings_with(folder)
    asked = read_questions(questions)

    async def rank() -> list[retrieval_evaluation.Ranked]:
        async with open_workbench(settings, console, with_model=False) as frontdesk:
            knowledge = frontdesk.knowledge
            expected = retrieval_evaluation.expected_articles(asked, knowledge.articles)
            if unknown := sum(not found for _, found in expected):
                console.warn(f"{unknown} questions name no article of the folder; they are misses.")
            return await retrieval_evaluation.rank(knowledge, expected, console.asking)

    ranked = asyncio.run(rank())
    if as_json:
        click.echo(json.dumps(retrieval_evaluation.as_json(ranked), ensure_ascii=False, indent=1))
    else:
        print_table(retrieval_evaluation.summary(ranked))
