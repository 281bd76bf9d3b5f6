"""Whether an article answers a question, and which of its passages says it.

Two steps, since they want different things. An *article* is weighed by what speaks for it: a
passage of it, or a way in which customers ask for it, is like the question; it has the question's
words. A logistic regression makes one probability of that (bot/knowledge/reranker.json, made by
`python -m tests.benchmarks.reranking`; docs/quality.md tells from what). Within an article, only
what a *passage* says itself counts.
"""

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from bot.knowledge.vectors import Likeness
from bot.knowledge.words import content_words, stem, words
from bot.messages import Language, Passage, PassageId

PASSAGE_COVERAGE_WEIGHT = 0.05
FUSED_STANDING = 1 / 3

# The probability from which an article is taken to answer the question.
ENOUGH = 0.4
# A second passage of the same article is shown too when it is this close to the first.
NEAR = 0.015
_LEAST_DEVIATION = 0.01  # of cosines: few articles can be all alike

Rarity = Mapping[str, float]
Means = Literal["meaning", "words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage that a search found.

    `score` is the probability that its article answers the question, `closeness` says how near the
    passage itself is; `coverage` is the share of the question's words, weighted by how rare they
    are in the articles, that the passage has (0 to 1); `similarity` the cosine of their vectors,
    None without vectors.
    """

    passage: Passage
    score: float
    closeness: float
    similarity: float | None
    coverage: float

    @property
    def is_answer(self) -> bool:
        """Whether the article is likely enough to be shown as the answer."""
        return self.score >= ENOUGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the searches found for a question.

    `matches` are BM25 by passage; `likeness` and `spread` (mean and standard deviation of the
    cosines with all passages, by language) come from the vectors, and are empty without them.
    """

    question: str
    language: Language
    rarity: Rarity
    matches: Mapping[PassageId, float]
    likeness: Mapping[PassageId, Likeness]
    spread: Mapping[Language, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for an article; numbers about vectors are 0 without them.

    `similarity`: cosine of its likest passage. `asked`: cosine of its likest heading or listed
    question. `standing`: how many standard deviations their mean is above that of all passages.
    `coverage`: share of the question's words that a passage and the listed questions have, by
    rarity. `match`: BM25 by that of the best article. `title`: share of the title's words that the
    question has. `lead` and `match_lead`: by how much `standing` and `match` are above the best
    other article's. `is_foreign`: it is in another language.
    """

    similarity: float = 0.0
    asked: float = 0.0
    standing: float = 0.0
    coverage: float = 0.0
    match: float = 0.0
    title: float = 0.0
    is_foreign: float = 0.0
    lead: float = 0.0
    match_lead: float = 0.0

    @property
    def fused(self) -> float:
        """Words and meaning in one number, without what was trained."""
        return self.match + FUSED_STANDING * self.standing


NAMES = tuple(field.name for field in fields(Evidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranker:
    """A logistic regression: evidence to the probability that an article answers the question."""

    bias: float
    weights: Mapping[str, float]

    def probability(self, evidence: Evidence) -> float:
        """Return a number from 0 to 1."""
        logit = self.bias + sum(
            weight * getattr(evidence, name) for name, weight in self.weights.items()
        )
        return 1 / (1 + math.exp(-logit))


@cache
def rerankers() -> Mapping[Means, Reranker]:
    """Return the package's own, for questions with a vector ("meaning") and without ("words")."""
    text = (files("bot.knowledge") / "reranker.json").read_text(encoding="utf-8")
    return {name: Reranker(**values) for name, values in json.loads(text).items()}


def stems(text: str) -> frozenset[str]:
    """Return the stems of a text's words: what coverage is counted on."""
    return frozenset(stem(word) for word in words(text))


@lru_cache(20_000)
def passage_stems(passage: Passage) -> frozenset[str]:
    """Return the stems of a passage with its headings; kept, since they are costly."""
    return stems(f"{passage.title}\n{passage.heading}\n{passage.text}")


def evidence(
    found: Found,
    articles: Mapping[str, Sequence[Passage]],
    asked: Callable[[str], frozenset[str]],
) -> dict[str, Evidence]:
    """Return what speaks for each article."""
    alone = {name: _alone(found, each, asked(name)) for name, each in articles.items()}
    return among_each_other(alone)


def passage_hit(passage: Passage, score: float, found: Found) -> Hit:
    """Return a passage of an article with that score as a hit."""
    covered = coverage(passage_stems(passage), found.rarity)
    like = found.likeness.get(passage.id)
    closeness = like.passage + PASSAGE_COVERAGE_WEIGHT * covered if like else covered
    return Hit(
        passage=passage,
        score=score,
        closeness=closeness,
        similarity=like.passage if like else None,
        coverage=covered,
    )


def coverage(present: Collection[str], rarity: Rarity) -> float:
    """Return the share of the question's stems, weighted by rarity, that are `present`."""
    if not rarity:
        return 0.0
    covered = sum(weight for word, weight in rarity.items() if word in present)
    return covered / sum(rarity.values())


def _alone(found: Found, passages: Sequence[Passage], asked: frozenset[str]) -> Evidence:
    """Return what speaks for an article by itself; `match` is BM25 still."""
    present = [passage_stems(passage) for passage in passages]
    likes = [found.likeness[p.id] for p in passages if p.id in found.likeness]
    title = frozenset(stem(word) for word in content_words(passages[0].title))
    return Evidence(
        similarity=max((like.passage for like in likes), default=0.0),
        asked=max((like.asked for like in likes), default=0.0),
        standing=_standing(found, passages[0].language, likes),
        coverage=max(coverage(said | asked, found.rarity) for said in present),
        match=max(found.matches.get(passage.id, 0.0) for passage in passages),
        title=len(title & found.rarity.keys()) / len(title) if title else 0.0,
        is_foreign=float(passages[0].language != found.language),
    )


def _standing(found: Found, language: Language, likes: Sequence[Likeness]) -> float:
    if not likes or language not in found.spread:
        return 0.0
    mean, deviation = found.spread[language]
    best = max((like.passage + like.asked) / 2 for like in likes)
    return (best - mean) / max(deviation, _LEAST_DEVIATION)


def among_each_other(alone: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Return the evidence with what an article is beside the others."""
    best = max((each.match for each in alone.values()), default=0.0) or 1.0
    matches = {name: each.match / best for name, each in alone.items()}
    standings = {name: each.standing for name, each in alone.items()}
    leads, match_leads = _leads(standings), _leads(matches)
    return {
        name: replace(each, match=matches[name], lead=leads[name], match_lead=match_leads[name])
        for name, each in alone.items()
    }


def _leads(values: Mapping[str, float]) -> dict[str, float]:
    """Return by how much each is above the best of the others."""
    first, second = ([*sorted(values.values(), reverse=True), 0.0, 0.0])[:2]
    return {name: value - (second if value == first else first) for name, value in values.items()}
