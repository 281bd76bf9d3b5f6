"""Questions with the first article that a search names for each: what a reranker learns from.

Where nothing answers, the first article is wrong: for questions without an article, for all others
once their articles are taken away, and for strangers, which were asked of another set.
"""

import math
import random
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import frontmatter

from bot.evaluation import read_questions
from bot.knowledge.encoder import E5Encoder
from bot.knowledge.followups import in_context
from bot.knowledge.scoring import Evidence, among_each_other
from bot.knowledge.search import Knowledge
from bot.log.accounts import utc_now
from bot.messages import Language
from bot.understanding import clean, language_of
from tests.benchmarks.retrieval import opened, write_pages
from tests.benchmarks.retrieval_sets import (
    Asked,
    arduino,
    crosswoz,
    dify,
    hotels,
    kdconv,
    mtrag,
    shortened,
)

SHOP = Path("examples") / "shop"
# Made companies with their articles, in both languages and without listed questions.
MADE = Path(__file__).with_name("trades")
TRADES = ("dental", "internet")
TRADES_HELD_OUT = ("library",)
FEW = (1, 2, 4)  # articles of a company that begins
STRANGERS = 25  # questions of each other set
SEEN = (arduino, crosswoz)
HELD_OUT = (mtrag, dify, kdconv)

Kind = Literal["answered", "unanswerable", "removed", "stranger"]
Pools = Mapping[str, Sequence[Asked]]  # questions by where they were asked


@dataclass(frozen=True, slots=True)
class Case:
    """The first article for a question of a set, and whether it answers."""

    of: str
    kind: Kind
    first: Evidence
    is_right: bool


class Gathered:
    """The cases of the sets to train on, or of those held out, with vectors and without.

    The fields hold them once `gather` has run: with vectors in `meaning`, without in `words`.
    """

    def __init__(self, data: Path, *, is_held_out: bool) -> None:
        self.meaning: list[Case] = []
        self.words: list[Case] = []
        self._encoder = E5Encoder()
        self._file = SHOP / ("questions.jsonl" if is_held_out else "questions-tuning.jsonl")
        self._trades = TRADES_HELD_OUT if is_held_out else TRADES
        sets = HELD_OUT if is_held_out else SEEN
        self._public = [shortened(each) for of in sets for each in of(data)]
        self._pools = {each.name: _with_context(each.asked) for each in self._public}
        self._pools["shop"] = [each for each in self._of_shop(("en", "zh")) if each.articles]
        self._pools |= {each.name: list(shortened(each).asked) for each in hotels(data)}

    async def gather(self) -> None:
        """Search for every question of every set, printing which one it is at."""
        for name, languages, is_listed in _shops():
            with opened(name, self._encoder) as (knowledge, folder):
                _write_shop(folder, languages, is_listed=is_listed)
                await self._ask(name, "shop", self._of_shop(languages), knowledge, folder)
        for name in self._trades:
            with opened(name, self._encoder) as (knowledge, _):
                await self._ask(name, name, _of_trade(name), knowledge, MADE / name / "articles")
        for name in ("shop", *self._trades):
            asked = self._of_shop(("en", "zh")) if name == "shop" else _of_trade(name)
            await self._ask_of_few(name, asked)
        for of in self._public:
            with opened(f"{of.name} part", self._encoder) as (knowledge, folder):
                write_pages(of, folder)
                await self._ask(of.name, of.name, self._pools[of.name], knowledge, folder)

    async def _ask_of_few(self, name: str, asked: Sequence[Asked]) -> None:
        """Ask a company that has written its first articles only, by turns each of its articles."""
        source = SHOP / "articles" if name == "shop" else MADE / name / "articles"
        few = f"{name} few"
        print(f"{few} ...", flush=True)
        with opened(few, self._encoder) as (knowledge, folder):
            for chosen in _fews(source):
                _copy(source, folder, chosen)
                await knowledge.sync(folder, utc_now())
                await knowledge.encode(lambda done, total: None)
                there = [
                    replace(each, articles=tuple(a for a in each.articles if _name(a) in chosen))
                    for each in asked
                ]
                self.meaning += await _cases(few, there, None, knowledge, math.inf)

    async def _ask(
        self, of: str, source: str, asked: Sequence[Asked], knowledge: Knowledge, folder: Path
    ) -> None:
        print(f"{of} ...", flush=True)
        await knowledge.sync(folder, utc_now())
        await knowledge.encode(lambda done, total: None)
        strangers = _strangers(source, {each.language for each in asked}, self._pools)
        for cases, seconds in ((self.meaning, math.inf), (self.words, 0.0)):
            cases += await _cases(of, asked, None, knowledge, seconds)
            cases += await _cases(of, strangers, "stranger", knowledge, seconds)

    def _of_shop(self, languages: Sequence[Language]) -> list[Asked]:
        """Return the shop's questions; where its articles are in one language, the other's."""
        found = []
        for each in read_questions(self._file):
            question = clean(each.question)
            language, articles = language_of(question), each.articles
            if len(languages) == 1:
                if language in languages:
                    continue
                articles = tuple(f"{languages[0]}/{name.partition('/')[2]}" for name in articles)
            found.append(Asked(question=question, articles=articles, language=language))
        return found


async def _cases(
    of: str, asked: Sequence[Asked], kind: Kind | None, knowledge: Knowledge, seconds: float
) -> list[Case]:
    """Return the cases of questions of one kind, or of the kind that their articles tell."""
    cases: list[Case] = []
    for each in asked:
        weighed = await knowledge.weigh(each.question, each.language, encoder_seconds=seconds)
        found, right = weighed.evidence, () if kind else each.articles
        if found:
            cases.append(_case(of, kind or ("answered" if right else "unanswerable"), found, right))
        rest = among_each_other({name: found[name] for name in found if name not in right})
        if right and rest:
            cases.append(_case(of, "removed", rest, right))
    return cases


def _case(of: str, kind: Kind, found: Mapping[str, Evidence], right: Sequence[str]) -> Case:
    first = max(found, key=lambda name: found[name].fused)
    return Case(of, kind, found[first], first in right)


def _shops() -> Iterator[tuple[str, Sequence[Language], bool]]:
    """Yield name, languages of the articles, and whether their listed questions stay."""
    yield "shop", ("en", "zh"), True
    yield "shop plain", ("en", "zh"), False
    yield "shop en", ("en",), True
    yield "shop zh", ("zh",), True


def _fews(source: Path) -> Iterator[Collection[str]]:
    """Yield small collections, each article's name once in one of every size."""
    names = sorted({path.stem for path in source.rglob("*.md")})
    random.Random(1).shuffle(names)
    for size in FEW:
        for start in range(0, len(names), size):
            yield frozenset(names[start : start + size])


def _copy(source: Path, folder: Path, chosen: Collection[str]) -> None:
    """Copy the articles of those names, in all languages, and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in source.rglob("*.md"):
        if path.stem in chosen:
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def _name(article: str) -> str:
    return PurePosixPath(article).name


def _write_shop(folder: Path, languages: Sequence[Language], *, is_listed: bool) -> None:
    for path in sorted((SHOP / "articles").rglob("*.md")):
        language = path.parent.name
        if language in languages:
            post = frontmatter.loads(path.read_text(encoding="utf-8"))
            post.metadata = {
                key: value
                for key, value in post.metadata.items()
                if is_listed or key != "questions"
            }
            target = folder / language / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(frontmatter.dumps(post, allow_unicode=True), encoding="utf-8")


def _of_trade(name: str) -> list[Asked]:
    """Return the questions of a made company, with the ids of their articles."""
    folder = MADE / name / "articles"
    ids = [str(path.relative_to(folder).with_suffix("")) for path in sorted(folder.rglob("*.md"))]
    found = []
    for each in read_questions(MADE / name / "questions.jsonl"):
        question, history = clean(each.question), tuple(clean(turn) for turn in each.history)
        language = language_of(question, language_of(history[-1]) if history else None)
        articles = tuple(key for key in ids if _name(key) in each.articles)
        found.append(
            Asked(question=question, articles=articles, language=language, history=history)
        )
    return _with_context(found)


def _with_context(asked: Sequence[Asked]) -> list[Asked]:
    """Return the questions with what the turns before say."""
    return [
        replace(each, question=in_context(each.question, each.history, each.language))
        for each in asked
    ]


def _strangers(source: str, languages: Collection[Language], pools: Pools) -> list[Asked]:
    """Return some questions in those languages from each of the other sources."""
    found: list[Asked] = []
    for other, pool in pools.items():
        for language in sorted(languages) if other != source else ():
            asked = [each for each in pool if each.language == language]
            found += asked[:: max(1, len(asked) // STRANGERS)][:STRANGERS]
    return found
