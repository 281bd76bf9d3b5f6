"""What a policy sees of a candidate: named numbers, most of them from 0 to 1.

`described` measures what the texts say when a reply is chosen, and it is logged with each candidate
beside what the search and the checks found. So a policy is trained on what it would have seen, by
the same `matrix`. Changing what a name means makes a new VERSION; a policy of another is refused.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.words import content_words, stem
from bot.messages import Candidate, Source
from bot.ranking.context import Context

VERSION = 2

_SOURCES: tuple[Source, ...] = ("approved", "draft", "article", "clarification", "handoff")
# What the search and the checks measured, with what stands for "not known".
_FOUND: Mapping[str, float] = {
    "score": 0.0,  # probability that the article answers (bot/knowledge/scoring.py)
    "closeness": 0.0,  # how near the passage itself is
    "coverage": 0.0,  # share of the question's words that the passage has
    "margin": 0.0,  # between the two articles that a question back is about
    "liked": 0.5,  # how customers rated the same approved answer before
    "preferred": 0.0,  # chance to be what people want, above even (bot/ranking/preference.py)
}
# The same of a draft's text; not known where a draft is only planned.
_CHECKED: Mapping[str, float] = {
    "support": 0.0,  # how well the passages support it (bot/grounding)
    "answers": 0.5,  # probability that it answers the question (bot/checks/answers.py)
}
# What `described` tells, and what it leaves out where it is this.
_TOLD: Mapping[str, float] = {
    "confidence": 0.5,
    "length": 0.0,
    "shares_question": 0.0,
    "repeats": 0.0,
    "is_planned": 0.0,
    "chinese_draft": 0.0,
    "late_handoff": 0.0,
    "late_clarification": 0.0,
    "unsure_clarification": 0.0,
}
NAMES = ("constant", *(f"is_{source}" for source in _SOURCES), *_FOUND, *_CHECKED, *_TOLD)

_LONGEST = 1500  # characters; from there on length says no more
_LATE = 5  # replies
_LETTERS_A_TOKEN = 4


def described(context: Context, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return a slate with what its texts say among the features.

    `confidence`: a draft's probability by the model, a token; `shares_question`: the share of the
    question's words that the reply has; `repeats`: the share of the reply's words that the last
    one had; `is_planned`: it is not written yet; `late_...`: how far the conversation has come, for
    that source; `unsure_clarification`: how unsure the question's intent is, for a question back.
    """
    asked, said = _stems(context.question), _stems(context.last_reply)
    return [_described(each, context, asked, said) for each in candidates]


def matrix(slate: Sequence[tuple[Source, Mapping[str, float]]]) -> NDArray[np.float64]:
    """Return sources and features as an array of shape (candidates, names), by NAMES."""
    return np.array([_row(source, known) for source, known in slate], dtype=np.float64)


def seen(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Return the matrix of a described slate."""
    return matrix([(candidate.source, candidate.features) for candidate in candidates])


def _described(
    candidate: Candidate, context: Context, asked: frozenset[str], said: frozenset[str]
) -> Candidate:
    own = _stems(candidate.text)
    late = min(context.replies_before, _LATE) / _LATE
    unsure = 0.0 if context.intent is None else 1.0 - context.intent
    told = {
        "confidence": _confidence(candidate),
        "length": min(len(candidate.text), _LONGEST) / _LONGEST,
        "shares_question": _share(asked, own),
        "repeats": _share(own, said),
        "is_planned": float(not candidate.text),
        "chinese_draft": float(context.language == "zh" and candidate.source == "draft"),
        "late_handoff": late * (candidate.source == "handoff"),
        "late_clarification": late * (candidate.source == "clarification"),
        "unsure_clarification": unsure * (candidate.source == "clarification"),
    }
    worth_telling = {name: value for name, value in told.items() if value != _TOLD[name]}
    known = {**candidate.features, **worth_telling, "feature_version": float(VERSION)}
    return replace(candidate, features=known)


def _row(source: Source, known: Mapping[str, float]) -> list[float]:
    checked: Mapping[str, float] = {} if known.get("is_planned") else known
    return [
        1.0,
        *(float(source == each) for each in _SOURCES),
        *(float(known.get(name, unknown)) for name, unknown in _FOUND.items()),
        *(float(checked.get(name, unknown)) for name, unknown in _CHECKED.items()),
        *(float(known.get(name, usual)) for name, usual in _TOLD.items()),
    ]


def _confidence(candidate: Candidate) -> float:
    """Return the geometric mean of the tokens' probabilities."""
    known = candidate.features.get("log_probability")
    if known is None or not candidate.text:
        return 0.5
    return math.exp(min(known, 0.0) / max(len(candidate.text) / _LETTERS_A_TOKEN, 1.0))


@lru_cache(maxsize=2_000)  # articles' texts come again and again
def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in content_words(text))


def _share(words: frozenset[str], others: frozenset[str]) -> float:
    return len(words & others) / len(words) if words else 0.0
