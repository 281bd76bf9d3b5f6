"""How near an article is to a question, and which of its passages says it.

Two steps, since they want different things. An *article* is near when a passage of it, or a way in
which customers ask for it, is like the question. Within it, only what a *passage* says itself
counts. The numbers were set on examples/shop/questions-tuning.jsonl; docs/quality.md has the table.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bot.knowledge.vectors import Likeness
from bot.knowledge.words import stem, words
from bot.messages import Language, Passage, PassageId

QUESTION_WEIGHT = 1.0  # of the likest listed question, beside the passage itself
ARTICLE_COVERAGE_WEIGHT = 0.03
PASSAGE_COVERAGE_WEIGHT = 0.05

# The score from which an article is taken to answer the question, in the middle of the plateau on
# the tuning questions; the encoder scores Chinese pairs higher than English ones. Without vectors
# the score is the share of the question's words alone.
ENOUGH: Mapping[Language, float] = {"en": 0.876, "zh": 0.908}
ENOUGH_WITHOUT_VECTORS = 0.5
# A second passage of the same article is shown too when it is this close to the first.
NEAR = 0.015

Rarity = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage that a search found.

    `score` says how near its article is to the question, `closeness` how near the passage itself;
    `coverage` is the share of the question's words, weighted by how rare they are in the articles,
    that the passage has (0 to 1); `similarity` the cosine of their vectors, None without vectors.
    """

    passage: Passage
    score: float
    closeness: float
    similarity: float | None
    coverage: float

    @property
    def is_answer(self) -> bool:
        """Whether the article is near enough to be shown as the answer."""
        if self.similarity is None:
            return self.score >= ENOUGH_WITHOUT_VECTORS
        return self.score >= ENOUGH[self.passage.language]


def stems(text: str) -> frozenset[str]:
    """Return the stems of a text's words: what coverage is counted on."""
    return frozenset(stem(word) for word in words(text))


def passage_stems(passage: Passage) -> frozenset[str]:
    """Return the stems of a passage with its headings. Costly: keep them."""
    return stems(f"{passage.title}\n{passage.heading}\n{passage.text}")


def article_score(
    passages: Iterable[Passage],
    said: Mapping[PassageId, frozenset[str]],
    asked: frozenset[str],
    likeness: Mapping[str, Likeness],
    rarity: Rarity,
) -> float:
    """Return how near an article is to the question: that of its nearest passage.

    `said` are the stems of each passage, `asked` those of the article's listed questions.
    """
    return max(
        _article_score(likeness.get(passage.id), said[passage.id] | asked, rarity)
        for passage in passages
    )


def passage_hit(
    passage: Passage,
    said: frozenset[str],
    score: float,
    likeness: Mapping[str, Likeness],
    rarity: Rarity,
) -> Hit:
    """Return a passage of an article with that score as a hit."""
    covered = coverage(said, rarity)
    like = likeness.get(passage.id)
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


def _article_score(like: Likeness | None, present: frozenset[str], rarity: Rarity) -> float:
    covered = coverage(present, rarity)
    if like is None:
        return covered
    cosine = (like.passage + QUESTION_WEIGHT * like.asked) / (1 + QUESTION_WEIGHT)
    return cosine + ARTICLE_COVERAGE_WEIGHT * covered
