"""Make bot/knowledge/reranker.json from public questions and the example shop's tuning questions.

python -m tests.benchmarks.reranking --data FOLDER

Trained on: the example shop's tuning questions (as it is, without the listed questions, and each
language against the articles of the other), and parts of help_arduino, dstc11_subjective_knowledge
and crosswoz_zh. The other sets of tests/benchmarks/retrieval_sets.py are never seen.

Two steps. A logistic regression over all articles that a search names learns which of them answers;
each set weighs the same. Then the probability of the first article is made to mean what it says
(Platt scaling): each question counts once with its articles and a third as often without them, when
every answer is wrong. dstc11 is left out there, since reviews that say the same are not all marked.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import frontmatter
import numpy as np
from numpy.typing import NDArray

from bot.evaluation import read_questions
from bot.knowledge.encoder import E5Encoder
from bot.knowledge.scoring import Evidence, among_each_other
from bot.knowledge.search import Knowledge
from bot.log.accounts import utc_now
from bot.messages import Language
from bot.understanding import language_of
from tests.benchmarks.retrieval import opened, write_pages
from tests.benchmarks.retrieval_sets import (
    Asked,
    RetrievalSet,
    arduino,
    crosswoz,
    hotels,
    shortened,
)

SHOP = Path("examples") / "shop"
MADE = Path("bot") / "knowledge" / "reranker.json"
MEANING = (
    "similarity",
    "asked",
    "standing",
    "coverage",
    "match",
    "title",
    "lead",
    "match_lead",
    "is_foreign",
)
WORDS = ("coverage", "match", "title", "match_lead", "is_foreign")
WITHOUT_ARTICLES = 1 / 3
NOT_ALL_MARKED = "dstc11_subjective_knowledge"

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """What a search found for a question, and which of it answers; `share`: how much it counts."""

    of: str
    found: tuple[Evidence, ...]
    answers: tuple[bool, ...]
    share: float


def fit(features: Numbers, truth: Numbers, shares: Numbers, penalty: float) -> Numbers:
    """Return bias and weights of a logistic regression (Newton's method, L2 on the weights).

    `features` has shape (rows, names), `truth` and `shares` (rows,); the result (1 + names,).
    """
    inputs = np.column_stack([np.ones(len(features)), features])
    shares = shares / shares.mean()
    penalties = np.array([0.0] + [penalty] * features.shape[1])
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (shares * (chance - truth)) + penalties * weights
        bend = (inputs * (shares * chance * (1 - chance))[:, None]).T @ inputs
        step = np.linalg.solve(bend + np.diag(penalties + 1e-9), slope)
        weights = weights - step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def trained(cases: Sequence[Case], names: Sequence[str]) -> dict[str, object]:
    """Return one reranker as bot/knowledge/reranker.json holds it."""
    weights = _ranking(cases, names)
    scale = _certainty([case for case in cases if case.of != NOT_ALL_MARKED], names, weights)
    bias = scale[0] + scale[1] * weights[0]
    return {
        "bias": round(float(bias), 4),
        "weights": {
            name: round(float(scale[1] * weight), 4)
            for name, weight in zip(names, weights[1:], strict=True)
        },
    }


def _ranking(cases: Sequence[Case], names: Sequence[str]) -> Numbers:
    marked = [case for case in cases if any(case.answers) or case.of != NOT_ALL_MARKED]
    features = np.concatenate([_features(case, names) for case in marked])
    truth = np.concatenate([np.array(case.answers, dtype=float) for case in marked])
    sizes = {of: sum(case.of == of for case in marked) for of in {case.of for case in marked}}
    shares = [np.full(len(case.found), 1 / sizes[case.of]) for case in marked]
    return fit(features, truth, np.concatenate(shares), penalty=1.0)


def _certainty(cases: Sequence[Case], names: Sequence[str], weights: Numbers) -> Numbers:
    """Return offset and slope that make the first article's probability true."""
    logits = [weights[0] + _features(case, names) @ weights[1:] for case in cases]
    truth = [case.answers[int(np.argmax(each))] for case, each in zip(cases, logits, strict=True)]
    sizes = {of: sum(case.of == of for case in cases) for of in {case.of for case in cases}}
    shares = [case.share / sizes[case.of] for case in cases]
    first = np.array([[each.max()] for each in logits])
    return fit(first, np.array(truth, dtype=float), np.array(shares), penalty=0.001)


def _features(case: Case, names: Sequence[str]) -> Numbers:
    return np.array([[getattr(each, name) for name in names] for each in case.found])


async def _cases(of: RetrievalSet, knowledge: Knowledge, *, with_vectors: bool) -> list[Case]:
    cases = []
    for asked in of.asked:
        seconds = float("inf") if with_vectors else 0.0
        weighed = await knowledge.weigh(asked.question, asked.language, encoder_seconds=seconds)
        cases += _with_and_without(of.name, asked, weighed.evidence)
    return cases


def _with_and_without(of: str, asked: Asked, found: Mapping[str, Evidence]) -> Iterator[Case]:
    rest = {name: each for name, each in found.items() if name not in asked.articles}
    rest = among_each_other(rest)
    for share, kept in ((1.0, found), (WITHOUT_ARTICLES, rest)):
        if kept and (kept is found or asked.articles):
            answers = tuple(name in asked.articles for name in kept)
            yield Case(of, tuple(kept.values()), answers, share)


def _shops() -> Iterator[tuple[str, Sequence[Language], bool]]:
    """Yield name, languages of the articles, and whether their listed questions stay."""
    yield "shop", ("en", "zh"), True
    yield "shop plain", ("en", "zh"), False
    yield "shop en", ("en",), True
    yield "shop zh", ("zh",), True


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


def _asked_of_shop(languages: Sequence[Language]) -> tuple[Asked, ...]:
    """Return the tuning questions; where there is one language, those of the other."""
    found = []
    for each in read_questions(SHOP / "questions-tuning.jsonl"):
        language = language_of(each.question)
        articles = each.articles
        if len(languages) == 1:
            if language in languages:
                continue
            articles = tuple(f"{languages[0]}/{name.partition('/')[2]}" for name in articles)
        found.append(Asked(question=each.question, articles=articles, language=language))
    return tuple(found)


async def _cases_of(
    of: RetrievalSet, knowledge: Knowledge, folder: Path
) -> tuple[list[Case], list[Case]]:
    print(f"{of.name} ...", flush=True)
    await knowledge.sync(folder, utc_now())
    await knowledge.encode(lambda done, total: None)
    by_meaning = await _cases(of, knowledge, with_vectors=True)
    return by_meaning, await _cases(of, knowledge, with_vectors=False)


async def _all_cases(data: Path) -> tuple[list[Case], list[Case]]:
    encoder = E5Encoder()
    meaning: list[Case] = []
    words: list[Case] = []
    for name, languages, is_listed in _shops():
        with opened(name, encoder) as (knowledge, folder):
            _write_shop(folder, languages, is_listed=is_listed)
            of = RetrievalSet(name=name, pages=(), asked=_asked_of_shop(languages))
            found = await _cases_of(of, knowledge, folder)
            meaning, words = meaning + found[0], words + found[1]
    for public in (arduino, hotels, crosswoz):
        for whole in public(data):
            of = shortened(whole)
            with opened(f"{of.name} for training", encoder) as (knowledge, folder):
                write_pages(of, folder)
                found = await _cases_of(of, knowledge, folder)
                meaning, words = meaning + found[0], words + found[1]
    return meaning, words


async def _main(data: Path) -> None:
    meaning, words = await _all_cases(data)
    made = {"meaning": trained(meaning, MEANING), "words": trained(words, WORDS)}
    MADE.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    asyncio.run(_main(parser.parse_args().data))
