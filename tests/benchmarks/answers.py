"""Replies to the questions of whole help centres: right, off the question, invented, handed off.

python -m tests.benchmarks.answers --data FOLDER     (make bench-answers DATA=FOLDER)

The centres are public sets: Arduino's, in English, asked what its articles are called; Dify's, in
English and Chinese, asked for its articles' summaries. Neither stands in the articles that are
searched. A fifth of the articles is left out and asked for all the same, and so are as many
questions that another help centre answers. Everything is kept in .cache/bench-answers: a second run
encodes nothing again. With --model the model of the settings writes drafts.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bot.cli.options import EXAMPLE_QUESTIONS
from bot.cli.tables import print_table
from bot.console import Console
from bot.evaluation import Outcome, Question, as_json, evaluate, read_questions, summary
from bot.frontdesk import open_workbench
from bot.messages import LANGUAGES, Language
from bot.settings import load_settings
from bot.understanding import language_of
from tests.benchmarks.retrieval import write_pages
from tests.benchmarks.retrieval_sets import Asked, RetrievalSet, arduino, dify

KEPT = Path(".cache") / "bench-answers"
LEFT_OUT_EVERY = 5
TUNING_QUESTIONS = EXAMPLE_QUESTIONS.with_name("questions-tuning.jsonl")

Kind = Literal["answerable", "left out", "elsewhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpCentre:
    """Articles, and what is asked of them, with the kind of each question."""

    articles: RetrievalSet
    asked: tuple[tuple[Kind, Question], ...]

    @property
    def folder(self) -> Path:
        """Where its articles and their index are kept."""
        return KEPT / self.articles.name

    def sample(self, every: int) -> "HelpCentre":
        """Return it with every n-th question of each kind and language."""
        seen: Counter[tuple[Kind, Language]] = Counter()
        picked = []
        for kind, question in self.asked:
            group = kind, language_of(question.question)
            if seen[group] % every == 0:
                picked.append((kind, question))
            seen[group] += 1
        return replace(self, asked=tuple(picked))


def help_centres(data: Path) -> list[HelpCentre]:
    """Return the centres with their questions, each asked for what the other is about, too."""
    boards = list(arduino(data))
    manual = [each for each in dify(data) if " to " not in each.name]
    shop = [
        Asked(question=each.question, articles=each.articles, language="zh")
        for each in read_questions(TUNING_QUESTIONS)
        if each.is_answerable and language_of(each.question) == "zh"
    ]
    english = [each for one in manual for each in one.asked if each.language == "en"]
    return [
        _help_centre("arduino", boards, english),
        _help_centre("dify", manual, [*boards[0].asked, *shop]),
    ]


def _help_centre(name: str, sets: Sequence[RetrievalSet], elsewhere: Sequence[Asked]) -> HelpCentre:
    pages = [page for each in sets for page in each.pages]
    left_out = set(sorted({_topic(page.name) for page in pages})[::LEFT_OUT_EVERY])
    names = {page.name for page in pages if _topic(page.name) not in left_out}
    asked = list(_of_its_own([each for one in sets for each in one.asked], names))
    for language in LANGUAGES:
        wanted = sum(k == "left out" and language_of(q.question) == language for k, q in asked)
        others = [each for each in elsewhere if each.language == language]
        asked += [
            ("elsewhere", Question(question=each.question, articles=()))
            for each in others[:: max(1, len(others) // max(1, wanted))][:wanted]
        ]
    kept = tuple(page for page in pages if page.name in names)
    return HelpCentre(articles=RetrievalSet(name=name, pages=kept, asked=()), asked=tuple(asked))


def _of_its_own(asked: Sequence[Asked], names: set[str]) -> Iterator[tuple[Kind, Question]]:
    """Pair questions with the articles that answer them, in whichever language."""
    for each in asked:
        wanted = {_topic(name) for name in each.articles}
        found = tuple(sorted(name for name in names if _topic(name) in wanted))
        kind: Kind = "answerable" if found else "left out"
        yield kind, Question(question=each.question, articles=found)


def _topic(article: str) -> str:
    """Return an article's name without its language: both say the same."""
    language, _, rest = article.partition("/")
    return rest if language in LANGUAGES else article


async def replies(centre: HelpCentre, *, with_model: bool, stream: bool) -> list[Outcome]:
    """Ask all questions of a centre."""
    articles = centre.folder / "articles"
    write_pages(centre.articles, articles)
    settings = load_settings(
        frontdesk_articles=articles, frontdesk_website=None, frontdesk_data=centre.folder
    )
    console = Console()
    console.say(f"{centre.articles.name}: {len(centre.asked)} questions.")
    async with open_workbench(settings, console, with_model=with_model) as frontdesk:
        questions = [question for _, question in centre.asked]
        return await evaluate(frontdesk.conversations, questions, console.asking, stream=stream)


def handed_off(centre: HelpCentre, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return what became of each kind of question, a row a kind and language."""
    rows = []
    kinds = [kind for kind, _ in centre.asked]
    for kind in dict.fromkeys(kinds):
        for language in LANGUAGES:
            found = [
                outcome.shown
                for outcome, of_kind in zip(outcomes, kinds, strict=True)
                if of_kind == kind and language_of(outcome.question) == language
            ]
            if found:
                share = sum(shown.kind == "handoff" for shown in found) / len(found)
                row = {"centre": centre.articles.name, "language": language, "kind": kind}
                rows.append({**row, "questions": len(found), "handed_off": share})
    return rows


async def _main(options: argparse.Namespace) -> None:
    table, kinds, said = [], [], []
    for whole in help_centres(options.data):
        centre = whole.sample(options.every)
        outcomes = await replies(centre, with_model=options.model, stream=options.stream)
        table += [{"centre": centre.articles.name, **row} for row in summary(outcomes)]
        kinds += handed_off(centre, outcomes)
        said += [as_json(outcome) for outcome in outcomes]
    print_table(table)
    print_table(kinds)
    if options.json:
        figures = {"summary": table, "kinds": kinds, "replies": said}
        options.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--every", type=int, default=1, help="ask only every n-th question")
    parser.add_argument("--model", action="store_true", help="with the model's drafts")
    parser.add_argument("--stream", action="store_true", help="choose a source first, then write")
    parser.add_argument("--json", type=Path, help="write the figures and all replies there")
    asyncio.run(_main(parser.parse_args()))
