"""Labels spread over unlabelled texts teach the encoder's upper layers, then are spread anew.

The teacher is two at once: a linear head, and labels spread over the texts that are alike. What
they say together is right more often than each alone; the student learns it with the weight of how
sure it is. An intent's name, where it has words, is one more example of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings
from bot.intents.fitting import fit_head
from bot.intents.heads import Head, softmax
from bot.intents.lessons import Lessons, Reader
from bot.intents.methods.fine_tuning import LAYERS, TunedReader, tune
from bot.intents.methods.propagation import spread
from bot.intents.tuning import Tuned
from bot.intents.weights import base
from bot.knowledge.encoder import Vectors

_LEAST_SHARE = 1e-3  # of an intent that no neighbour has
_TAUGHT = 4000  # unlabelled texts that the student reads, at most
_ROUNDS = 2.0
_TEXTS_AT_MOST = 12_000  # unlabelled ones; the graph's time grows with their square


@dataclass(frozen=True, slots=True)
class SelfTraining:
    """Teacher and student on labelled and unlabelled texts."""

    base: BaseName
    encodings: Encodings

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        return f"self-trained ({self.base})"

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes on two cores."""
        pool = min(len(lessons.unlabelled), _TEXTS_AT_MOST)
        return 10 + pool * 0.004 + _ROUNDS * min(pool, _TAUGHT) * 0.006

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Teach, tune, and spread once more."""
        rng = np.random.default_rng(seed)
        pool = list(lessons.unlabelled)
        if len(pool) > _TEXTS_AT_MOST:
            pool = [pool[row] for row in rng.permutation(len(pool))[:_TEXTS_AT_MOST]]
        names = names_as_texts(lessons.intents)
        known = [*lessons.texts, *names]
        targets = np.concatenate([lessons.targets, np.eye(len(lessons.intents), dtype=np.float32)])
        targets = targets[: len(known)]
        lower = self.encodings.lower(self.base, [*known, *pool], LAYERS)
        tuned = Tuned(base(self.base), LAYERS)
        shares, sure = _taught(tuned.vectors(lower), targets)
        chosen = np.concatenate([np.arange(len(known)), len(known) + _some(len(pool), rng)])
        head = _head(tuned.vectors(lower), shares, sure)
        head = tune(
            tuned,
            lower.subset(chosen),
            shares[chosen],
            head,
            rounds=_ROUNDS,
            seed=seed,
            weights=sure[chosen],
            progress=self.encodings.progress,
        )
        vectors = tuned.vectors(lower)
        shares, sure = _taught(vectors, targets)
        return TunedReader(tuned.tuned(), _head(vectors, shares, sure), self.encodings)


def names_as_texts(intents: Sequence[str]) -> list[str]:
    """Return an intent's words for each, or nothing where the names are mere numbers."""
    texts = [re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", intent).strip() for intent in intents]
    plain = {re.sub(r"\d+", "", text).strip() for text in texts}
    has_words = len(plain) == len(texts) and all(len(text) > 1 for text in plain)
    return texts if has_words else []


def _taught(vectors: Vectors, targets: Vectors) -> tuple[Vectors, Vectors]:
    """Return what head and neighbours say together of each text, and how sure they are."""
    shares, _ = spread(vectors, targets)
    head = fit_head(vectors[: len(targets)], targets)
    both = softmax(head.logits(vectors)) * (shares + _LEAST_SHARE)
    both /= both.sum(axis=1, keepdims=True)
    both[: len(targets)] = targets
    sure = both.max(axis=1)
    return both.astype(np.float32), sure.astype(np.float32)


def _head(vectors: Vectors, shares: Vectors, sure: Vectors) -> Head:
    return fit_head(vectors, shares, sure, strength=10.0)


def _some(number: int, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.permutation(number)[:_TAUGHT])
