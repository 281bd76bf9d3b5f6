"""What the articles don't answer: open questions grouped by meaning.

Average-linkage agglomerative clustering on cosines (Sokal and Michener 1958), cut at a fixed
likeness: few hundred questions take well under a second, and no number of groups has to be known.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.encoder import Vectors
from bot.knowledge.meaning import Meaning, Progress
from bot.log.gaps import OpenQuestion, open_questions
from bot.log.store import Store
from bot.messages import Language

# Mean cosine from which two groups are one, of vectors less their mean: without it, all questions
# are alike to this encoder. Of the pairs that it groups on 20 intents of Banking77, 93% are right.
ALIKE = 0.3
# Of fewer questions the mean says nothing; then the cosines as they are decide.
FEWEST_CENTRED = 20
ALIKE_AS_THEY_ARE = 0.92
TREND_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Questions that ask for about the same, the most typical one first.

    `recent` of them were asked in the last seven days, `before` in the seven days before.
    """

    questions: tuple[OpenQuestion, ...]
    recent: int
    before: int

    @property
    def title(self) -> str:
        """The most typical question."""
        return self.questions[0].text

    @property
    def id(self) -> str:
        """What names the gap until it is grouped anew: the turn of its oldest question."""
        return min(question.turn for question in self.questions)

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages of the questions, the most frequent first."""
        counted = Counter(question.language for question in self.questions)
        return tuple(language for language, _ in counted.most_common())

    @property
    def language(self) -> Language:
        """The language that most of the questions are in."""
        return self.languages[0]

    @property
    def answers(self) -> tuple[str, ...]:
        """What the team's people answered to them, each once."""
        return tuple(dict.fromkeys(text for each in self.questions for text in each.answers))

    @property
    def nearest(self) -> str:
        """The id of the article that was nearest most often, or an empty text."""
        counted = Counter(question.nearest for question in self.questions if question.nearest)
        return counted.most_common(1)[0][0] if counted else ""

    @property
    def is_ignored(self) -> bool:
        """Whether the team ignores it: a question of it was ignored before."""
        return any(question.is_ignored for question in self.questions)


async def find_gaps(
    store: Store, meaning: Meaning, now: datetime, progress: Progress | None = None
) -> list[Gap]:
    """Return what the log holds of questions without an answer, in groups, the largest first."""
    questions = await store.browse(lambda db: open_questions(db, now))
    if not questions:
        return []
    vectors = await meaning.questions([question.text for question in questions], progress)
    return await asyncio.to_thread(grouped, questions, vectors, now)


def grouped(questions: Sequence[OpenQuestion], vectors: Vectors, now: datetime) -> list[Gap]:
    """Return open questions in groups, the largest first. `vectors` has a row for each."""
    if not questions:
        return []
    alike = ALIKE_AS_THEY_ARE
    if len(questions) >= FEWEST_CENTRED:
        vectors, alike = _centred(vectors), ALIKE
    gaps = [
        _gap([questions[row] for row in rows], vectors[rows], now)
        for rows in clusters(vectors, alike)
    ]
    return sorted(gaps, key=lambda gap: (-len(gap.questions), -gap.recent, gap.id))


def gap_of(questions: Sequence[OpenQuestion], now: datetime) -> Gap:
    """Return questions as one gap, in their order."""
    week, fortnight = (
        (now - timedelta(days=days)).isoformat() for days in (TREND_DAYS, 2 * TREND_DAYS)
    )
    return Gap(
        questions=tuple(questions),
        recent=sum(question.asked_at >= week for question in questions),
        before=sum(fortnight <= question.asked_at < week for question in questions),
    )


def clusters(vectors: Vectors, alike: float) -> list[list[int]]:
    """Return the rows of an array of shape (texts, width) in groups whose mean cosine is alike."""
    members = [[row] for row in range(len(vectors))]
    likeness: NDArray[np.float64] = (vectors @ vectors.T).astype(float)
    np.fill_diagonal(likeness, -1.0)
    sizes = np.ones(len(vectors))
    while len(members) > 1:
        first, second = divmod(int(likeness.argmax()), len(likeness))
        if likeness[first, second] < alike:
            break
        total = sizes[first] + sizes[second]
        merged = (sizes[first] * likeness[first] + sizes[second] * likeness[second]) / total
        likeness[first], likeness[:, first] = merged, merged
        likeness[first, first] = -1.0
        likeness[second], likeness[:, second] = -1.0, -1.0
        sizes[first] = total
        members[first] += members[second]
        members[second] = []
    return [rows for rows in members if rows]


def _centred(vectors: Vectors) -> Vectors:
    centred = vectors - vectors.mean(axis=0)
    lengths = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    return np.asarray(centred / lengths, dtype=np.float32)


def _gap(questions: Sequence[OpenQuestion], vectors: Vectors, now: datetime) -> Gap:
    typical = np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")
    return gap_of([questions[row] for row in typical], now)
