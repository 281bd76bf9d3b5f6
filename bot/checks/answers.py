"""Whether a reply answers what was asked: a true sentence about something else is no answer.

A logistic model (one a language) over the features in `FEATURES`. Its coefficients and thresholds
are in answers.json, made by `make train-checks` from public pairs of questions with right and wrong
replies; docs/quality.md says which, and how well it does on pairs held out.
"""

import asyncio
import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.checks.asked import has_kind, kinds_asked
from bot.grounding import sentences
from bot.knowledge.encoder import Encoder, Vectors
from bot.knowledge.meaning import Encode
from bot.knowledge.words import FUNCTION_WORDS, stem, words
from bot.messages import Language, Passage, Turn

FILE = Path(__file__).with_name("answers.json")
# Beside the reply's own sentences so many others are compared with the question.
RIVALS = 4
# Sentences that are encoded ahead: a reply says some of them, and the next ones are its rivals.
ENCODED_AHEAD = 8
LONGEST_REPLY = 8  # sentences
LONGEST_SENTENCE = 300  # characters that are encoded of one
SAME_WORDS = 0.7  # share of the shorter's words that make two sentences the same
WORDS_OF_A_FOLLOW_UP = 3
LONGEST_SECONDS = 0.5
VECTORS_KEPT = 5_000  # of 1.5 kB each
FEATURES = (
    "bias",
    "cosine",  # of the question and the reply's nearest sentence
    "average",  # the same over all sentences of the reply
    "margin",  # how much nearer that sentence is than the nearest of its rivals
    "centred",  # and than they are on average
    "key_cosine",  # of the question's own words, without those that all the sentences have
    "key_margin",
    "found",  # kinds of thing asked for that the reply has: a price, a period, a place
    "missing",  # and that it has not
    "length",  # logarithm of the reply's number of words
)
Features = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question with a reply and what else could have been said.

    `key` are the question's words that tell the sentences apart; `rivals` are sentences of the same
    passages that the reply does not say.
    """

    question: str
    key: str
    reply: tuple[str, ...]
    rivals: tuple[str, ...]

    @property
    def questions(self) -> tuple[str, str]:
        """The texts to encode as questions."""
        return self.question, self.key

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts to encode as passages: the reply's sentences, then their rivals."""
        return tuple(text[:LONGEST_SENTENCE] for text in (*self.reply, *self.rivals))


@dataclass(frozen=True, slots=True)
class Scorer:
    """The model of one language. A reply passes from the threshold (0 to 1)."""

    coefficients: Mapping[str, float]
    threshold: float

    def probability(self, features: Features) -> float:
        """Return how likely the reply answers, as the pairs that it was trained on go (0 to 1)."""
        weights = np.array([self.coefficients[name] for name in FEATURES])
        return 1 / (1 + math.exp(-float(np.clip(features @ weights, -50, 50))))


@cache
def scorer(language: Language) -> Scorer:
    """Return the trained model of a language."""
    stored = json.loads(FILE.read_text(encoding="utf-8"))[language]
    return Scorer(stored["coefficients"], stored["threshold"])


def exchange(question: str, reply: str, passages: Iterable[str]) -> Exchange:
    """Return what is to be judged. The rivals are those with most of the question's words."""
    said = tuple(sentences(reply))[:LONGEST_REPLY] or (reply,)
    own = [_stems(sentence) for sentence in said]
    others = _nearest(question, passages)
    # A sentence that the reply says in other words is no rival of it.
    free = [text for text in others if not any(_is_same(others[text], each) for each in own)]
    nearest = free[:RIVALS]
    key = _key(question, [*own, *(others[text] for text in nearest)])
    return Exchange(question=question, key=key, reply=said, rivals=tuple(nearest))


def measure(judged: Exchange, questions: Vectors, texts: Vectors) -> Features:
    """Return the features of an exchange: an array of shape (len(FEATURES),).

    `questions` are the vectors of `judged.questions`, `texts` of `judged.texts`: a row each.
    """
    whole_cosines, key_cosines = texts @ questions[0], texts @ questions[1]
    own, rivals = whole_cosines[: len(judged.reply)], whole_cosines[len(judged.reply) :]
    key_own, key_rivals = key_cosines[: len(judged.reply)], key_cosines[len(judged.reply) :]
    whole = " ".join(judged.reply)
    asked = kinds_asked(judged.question)
    found = sum(has_kind(whole, kind) for kind in asked)
    return np.array(
        [
            1.0,
            own.max(),
            own.mean(),
            own.max() - rivals.max() if rivals.size else 0.0,
            own.max() - rivals.mean() if rivals.size else 0.0,
            key_own.max(),
            key_own.max() - key_rivals.max() if rivals.size else 0.0,
            found,
            len(asked) - found,
            math.log(1 + len(words(whole))),
        ],
        dtype=np.float64,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """How likely a reply answers (None: unknown), and why it must not be shown (None: it may)."""

    probability: float | None
    refusal: str | None


class AnswerCheck:
    """Judges replies with the encoder; `encode` runs it on its own thread.

    Vectors of texts seen lately are kept: articles' sentences come again with every question.
    """

    def __init__(self, encoder: Encoder, encode: Encode, seconds: float = LONGEST_SECONDS) -> None:
        self._encoder = encoder
        self._encode = encode
        self._seconds = seconds
        self._kept: OrderedDict[bytes, Vectors] = OrderedDict()

    async def prepare(
        self, question: str, history: Sequence[Turn], passages: Sequence[Passage]
    ) -> None:
        """Encode what any reply will be compared with, while it is still being written.

        A reply that is checked before this is done encodes what is missing itself.
        """
        texts = [passage.text for passage in passages]
        for asked in _readings(question, history):
            nearest = [text[:LONGEST_SENTENCE] for text in _nearest(asked, texts)][:ENCODED_AHEAD]
            await self._vectors([asked], self._encoder.questions, b"q")
            if nearest:
                await self._vectors(nearest, self._encoder.passages, b"p")

    async def probability(
        self,
        question: str,
        history: Sequence[Turn],
        reply: str,
        passages: Sequence[Passage],
        language: Language,
    ) -> float | None:
        """Return how likely a reply answers the question (0 to 1), None if that took too long.

        A question that is too short to stand alone ("and how long?") may also be answered as the
        continuation of the one before.
        """
        texts = [passage.text for passage in passages]
        asked = _readings(question, history)
        try:
            async with asyncio.timeout(self._seconds):
                return max([await self._judge(each, reply, texts, language) for each in asked])
        except TimeoutError:
            return None

    async def verdict(
        self,
        question: str,
        history: Sequence[Turn],
        reply: str,
        passages: Sequence[Passage],
        language: Language,
    ) -> Verdict:
        """Return whether a reply may be shown as an answer; one that can't be judged may not."""
        found = await self.probability(question, history, reply, passages, language)
        if found is None:
            return Verdict(None, "off_question:unchecked")
        is_refused = found < scorer(language).threshold
        return Verdict(found, f"off_question:{found:.2f}" if is_refused else None)

    async def _judge(
        self, question: str, reply: str, passages: Sequence[str], language: Language
    ) -> float:
        judged = exchange(question, reply, passages)
        asked = await self._vectors(judged.questions, self._encoder.questions, b"q")
        said = await self._vectors(judged.texts, self._encoder.passages, b"p")
        return scorer(language).probability(measure(judged, asked, said))

    async def _vectors(
        self, texts: Sequence[str], encode: Callable[[Sequence[str]], Vectors], kind: bytes
    ) -> Vectors:
        # Digests, since customers' words must not stay in memory longer than their answer needs.
        keys = {text: hashlib.sha256(kind + text.encode()).digest() for text in texts}
        missing = [text for text in keys if keys[text] not in self._kept]
        if missing:
            made = await self._encode(encode, missing)
            self._kept |= {keys[text]: row for text, row in zip(missing, made, strict=True)}
        found = np.stack([self._kept[keys[text]] for text in texts])
        while len(self._kept) > VECTORS_KEPT:
            self._kept.popitem(last=False)
        return found


def _readings(question: str, history: Sequence[Turn]) -> list[str]:
    before = [turn.text for turn in history if turn.role == "customer"]
    if before and len(_stems(question)) <= WORDS_OF_A_FOLLOW_UP:
        return [question, f"{before[-1]} {question}"]
    return [question]


def _nearest(question: str, passages: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the sentences with their stems, those with most of the question's words first."""
    asked = _stems(question)
    found = {text: _stems(text) for passage in passages for text in sentences(passage)}
    return dict(sorted(found.items(), key=lambda item: len(asked & item[1]), reverse=True))


def _key(question: str, places: Sequence[frozenset[str]]) -> str:
    """Return the question's words that at most a third of the sentences have, else all of it."""
    most = max(1, len(places) // 3)
    own = [word for word in words(question) if word not in FUNCTION_WORDS]
    rare = [word for word in own if sum(stem(word) in place for place in places) <= most]
    return " ".join(rare or own) or question


def _is_same(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= SAME_WORDS * min(len(one), len(other)) if one and other else False


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words(text) if word not in FUNCTION_WORDS)
