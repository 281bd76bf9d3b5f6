"""Whether an article answers a question, and which of its passages says it.

Two steps, since they want different things. An *article* is weighed by what speaks for it: a
passage of it, or a way in which customers ask for it, is like the question; it has the question's
words. One sum puts the articles in order, and a logistic regression (bot/knowledge/reranker.json,
made by `python -m tests.benchmarks.reranking`; docs/quality.md tells from what) makes a probability
of how clear the first one's case is. Within an article, only what a *passage* says itself counts.
"""

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from bot.knowledge.vectors import Likeness, Scales
from bot.knowledge.words import content_words, stem, words
from bot.messages import Language, Passage, PassageId

PASSAGE_COVERAGE_WEIGHT = 0.05
SOFTNESS = 0.15  # of `fused`: articles that differ by less than about that compete
STANDING_WEIGHT = 1 / 3  # beside the words
TITLE_WEIGHT = 0.15
HEADING_WEIGHT = 1 / 4  # beside the passage itself; the listed questions weigh as much as that

# The probability from which an article is taken to answer the question: where a wrong answer costs
# two needless hand-offs, 0.45 to 0.6 are the cheapest on the example shop's tuning questions.
ENOUGH = 0.55
# A second passage of the same article is shown too when it is this close to the first.
NEAR = 0.015

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

    `matches` are BM25 by passage. The rest comes from the vectors and is empty without them:
    `likeness` by passage, and by language how like all texts are to this question (`scales`), and
    to all headings and listed questions (`usual`).
    """

    question: str
    language: Language
    rarity: Rarity
    matches: Mapping[PassageId, float]
    likeness: Mapping[PassageId, Likeness]
    scales: Mapping[Language, Scales]
    usual: Mapping[Language, Scales]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for an article; numbers about vectors are 0 without them.

    `standing`: by how many standard deviations it is more like the question than all texts are.
    `level`: the same against what is usual for questions, which tells those about nothing here.
    `coverage`: share of the question's words, by rarity, that a passage and the listed questions
    have. `match`: BM25 by the sum of these rarities. `title`: share of the title's words that the
    question has. `is_foreign`: it is in another language. `is_listed`: it lists how customers ask.
    `share`: the logarithm of its share in a softmax of `fused` over all articles, 0 where it has no
    rival. `best_level`: the highest `level` of all articles. `best_listed`: `is_listed` of the one
    with the highest `fused`, so that it changes no order.
    """

    standing: float = 0.0
    level: float = 0.0
    coverage: float = 0.0
    match: float = 0.0
    title: float = 0.0
    is_foreign: float = 0.0
    is_listed: float = 0.0
    share: float = 0.0
    best_level: float = 0.0
    best_listed: float = 0.0

    @property
    def words(self) -> float:
        """What the words say: the mean of `coverage` and `match`."""
        return (self.coverage + self.match) / 2

    @property
    def own_level(self) -> float:
        """The highest level of all articles, for one in the question's language."""
        return 0.0 if self.is_foreign else self.best_level

    @property
    def own_listed(self) -> float:
        """Whether the first article lists how customers ask, for one in the asked language."""
        return 0.0 if self.is_foreign else self.best_listed

    @property
    def foreign_level(self) -> float:
        """Its own level, for one in another language: others' are no measure for it."""
        return self.level if self.is_foreign else 0.0

    @property
    def foreign_standing(self) -> float:
        """Its standing, for one in another language."""
        return self.standing if self.is_foreign else 0.0

    @property
    def fused(self) -> float:
        """Words and meaning in one number, without what was trained."""
        return self.words + STANDING_WEIGHT * self.standing + TITLE_WEIGHT * self.title


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
    return frozenset(map(stem, words(text)))


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


def contenders(passages: Sequence[Passage], found: Found, number: int) -> list[Passage]:
    """Return the passages that can be among so many closest, whichever words they have.

    Words are costly to count, and bring a passage nearer by PASSAGE_COVERAGE_WEIGHT at most.
    """
    if len(passages) <= number or any(each.id not in found.likeness for each in passages):
        return list(passages)
    alike = {each.id: found.likeness[each.id].passage for each in passages}
    least = sorted(alike.values(), reverse=True)[number - 1] - PASSAGE_COVERAGE_WEIGHT
    return [each for each in passages if alike[each.id] >= least]


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
    """Return what speaks for an article by itself."""
    present = [passage_stems(passage) for passage in passages]
    likes = [found.likeness[p.id] for p in passages if p.id in found.likeness]
    language = passages[0].language
    title = frozenset(stem(word) for word in content_words(passages[0].title))
    rarities = sum(found.rarity.values())
    match = max(found.matches.get(passage.id, 0.0) for passage in passages)
    return Evidence(
        standing=_place(likes, found.scales.get(language)),
        level=_place(likes, found.usual.get(language)),
        coverage=max(coverage(said | asked, found.rarity) for said in present),
        match=match / rarities if rarities else 0.0,
        title=len(title & found.rarity.keys()) / len(title) if title else 0.0,
        is_foreign=float(language != found.language),
        is_listed=float(bool(asked)),
    )


def _place(likes: Sequence[Likeness], scales: Scales | None) -> float:
    """Return how far an article's likest passage, heading and listed question are above others."""
    if not likes or scales is None:
        return 0.0
    total = scales.passages.place(max(like.passage for like in likes))
    total += HEADING_WEIGHT * scales.asked.place(max(like.heading for like in likes))
    listed = [like.asked for like in likes if like.asked is not None]
    if listed:
        return (total + scales.asked.place(max(listed))) / (2 + HEADING_WEIGHT)
    return total / (1 + HEADING_WEIGHT)


def among_each_other(alone: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Return the evidence with what an article is beside the others."""
    if not alone:
        return {}
    first = max(alone.values(), key=lambda each: each.fused)
    best = first.fused
    rivals = math.log(sum(math.exp((each.fused - best) / SOFTNESS) for each in alone.values()))
    best_level = max(each.level for each in alone.values())
    return {
        name: replace(
            each,
            share=(each.fused - best) / SOFTNESS - rivals,
            best_level=best_level,
            best_listed=first.is_listed,
        )
        for name, each in alone.items()
    }
