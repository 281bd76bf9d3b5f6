"""Approved answers: what the team wrote for a question, word for word.

An answer is shown only where the question is one of its examples, or nearly: alike in meaning, with
some of the same words, the same numbers and the same polarity. Thresholds measured on the listed
questions of the example shop against its tuning questions; docs/quality.md.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bot.knowledge.meaning import Meaning
from bot.knowledge.scoring import stems
from bot.knowledge.vectors import Text
from bot.knowledge.words import content_words
from bot.log import approved
from bot.log.approved import ApprovedAnswer
from bot.log.store import Store
from bot.messages import Candidate, Language
from bot.understanding import Understood

# Cosine from which two questions ask for the same; the encoder scores Chinese pairs higher.
ALIKE: Mapping[Language, float] = {"en": 0.95, "zh": 0.96}
SHARED_WORDS = 0.2  # of the stems of both
SHARED_WORDS_ALONE = 0.8  # where there are no vectors
_NUMBER = re.compile(r"\d+")
_NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|without)\b|n['’]t\b|不(?!同|过|但|仅)|没|无法|未|别", re.IGNORECASE
)


class ApprovedAnswers:
    """The approved answers as the conversation uses them. Call `load` after each change."""

    def __init__(self, store: Store, meaning: Meaning, now: Callable[[], datetime]) -> None:
        self._store = store
        self._meaning = meaning
        self._now = now
        self._answers: tuple[ApprovedAnswer, ...] = ()

    async def load(self) -> None:
        """Read the answers, and make the vectors of their examples."""
        found = await self._store.read(approved.answers)
        self._answers = tuple(answer for answer in found if answer.retired_at is None)
        await self._meaning.prepare(
            [text for answer in self._answers for text in _examples(answer)]
        )

    async def match(self, message: Understood, seconds: float = math.inf) -> Candidate | None:
        """Return the approved answer to a question, or None.

        Where the encoder would take longer than `seconds`, words alone decide.
        """
        today = self._now().date().isoformat()
        answers = [
            answer
            for answer in self._answers
            if answer.wording.language == message.language and answer.is_shown_on(today)
        ]
        pairs = [(answer, text) for answer in answers for text in _examples(answer)]
        if not pairs:
            return None
        alike = await self._meaning.cosines(message.text, [text for _, text in pairs], seconds)
        best: tuple[float, ApprovedAnswer] | None = None
        for position, (answer, text) in enumerate(pairs):
            score = _score(message, text.text, alike[position] if alike else None)
            if score is not None and (best is None or score > best[0]):
                best = score, answer
        if best is None:
            return None
        answer = best[1]
        liked = await self._store.read(lambda db: approved.liked(db, answer.id))
        return _candidate(*best, liked)


def _examples(answer: ApprovedAnswer) -> list[Text]:
    return [Text(question, is_question=True) for question in answer.wording.questions]


def _score(message: Understood, example: str, alike: float | None) -> float | None:
    """Return how sure it is that a question is an example's, or None where it is not."""
    if _numbers(message.text) != _numbers(example):
        return None
    if bool(_NEGATION.search(message.text)) != bool(_NEGATION.search(example)):
        return None
    shared = _shared(message.text, example)
    if alike is None or shared == 1.0:
        return shared if shared >= SHARED_WORDS_ALONE else None
    is_match = alike >= ALIKE[message.written] and shared >= SHARED_WORDS
    return alike if is_match else None


def _shared(question: str, example: str) -> float:
    """Return the share of two texts' stems that both have."""
    first, second = (stems(" ".join(content_words(text))) for text in (question, example))
    return len(first & second) / max(len(first | second), 1)


def _numbers(text: str) -> Sequence[str]:
    return sorted(_NUMBER.findall(text))


def _candidate(score: float, answer: ApprovedAnswer, liked: float) -> Candidate:
    return Candidate(
        source="approved",
        text=answer.wording.text,
        citations=(answer.citation,) if answer.citation else (),
        features={
            "score": score,
            "liked": liked,
            "approved_answer": answer.id,
            "version": answer.number,
        },
    )
