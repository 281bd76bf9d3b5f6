"""What labelled messages say of unlabelled ones teaches a head, or the encoder's upper layers too.

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
from bot.intents.methods.linear import FrozenReader
from bot.intents.methods.propagation import spread
from bot.intents.tuning import Tuned
from bot.intents.weights import base
from bot.knowledge.encoder import Vectors

_LEAST_SHARE = 1e-3  # of an intent that no neighbour has
_STRENGTH = 40.0  # of the student's examples against its weights' size
_TAUGHT = 4000  # unlabelled texts that the tuned encoder reads, at most
_ROUNDS = 1.5


@dataclass(frozen=True, slots=True)
class SelfTraining:
    """Teacher and student on the vectors of a frozen encoder: seconds."""

    base: BaseName
    encodings: Encodings

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        return f"self-trained head ({self.base})"

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes on two cores."""
        return 2 + (len(lessons.texts) + len(lessons.unlabelled)) / 800

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Teach a head; nothing here is random."""
        known, targets = _examples(lessons)
        vectors = self.encodings.vectors(self.base, [*known, *lessons.unlabelled])
        return FrozenReader(self.base, _student(vectors, targets), self.encodings)


@dataclass(frozen=True, slots=True)
class TunedSelfTraining:
    """The same, then the encoder's upper layers learn it too, and it is taught anew."""

    base: BaseName
    encodings: Encodings

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        return f"self-trained encoder ({self.base})"

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes on two cores."""
        pool = len(lessons.unlabelled)
        return 15 + pool * 0.006 + _ROUNDS * min(pool, _TAUGHT) * 0.006

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Teach, tune, and teach once more."""
        rng = np.random.default_rng(seed)
        known, targets = _examples(lessons)
        lower = self.encodings.lower(self.base, [*known, *lessons.unlabelled], LAYERS)
        tuned = Tuned(base(self.base), LAYERS)
        vectors = tuned.vectors(lower)
        shares = _taught(vectors, targets)
        some = rng.permutation(len(lessons.unlabelled))[:_TAUGHT]
        chosen = np.concatenate([np.arange(len(known)), len(known) + some])
        tune(
            tuned,
            lower.subset(chosen),
            shares[chosen],
            fit_head(vectors, shares, shares.max(axis=1), strength=_STRENGTH),
            rounds=_ROUNDS,
            seed=seed,
            weights=shares[chosen].max(axis=1),
            progress=self.encodings.progress,
        )
        head = _student(tuned.vectors(lower), targets)
        return TunedReader(tuned.tuned(), head, self.encodings)


def names_as_texts(intents: Sequence[str]) -> list[str]:
    """Return the words of each intent's name, or nothing where names are mere numbers."""
    texts = [re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", intent).strip() for intent in intents]
    plain = {re.sub(r"\d+", "", text).strip() for text in texts}
    has_words = len(plain) == len(texts) and all(len(text) > 1 for text in plain)
    return texts if has_words else []


def _examples(lessons: Lessons) -> tuple[list[str], Vectors]:
    """Return the labelled texts and the intents' names, with their targets."""
    names = names_as_texts(lessons.intents)
    of_names = np.eye(len(lessons.intents), dtype=np.float32)[: len(names)]
    return [*lessons.texts, *names], np.concatenate([lessons.targets, of_names])


def _student(vectors: Vectors, targets: Vectors) -> Head:
    shares = _taught(vectors, targets)
    return fit_head(vectors, shares, shares.max(axis=1), strength=_STRENGTH)


def _taught(vectors: Vectors, targets: Vectors) -> Vectors:
    """Return what head and neighbours say together of each text, sharper than they say it.

    The labelled texts come first and keep their labels.
    """
    shares, _ = spread(vectors, targets)
    head = fit_head(vectors[: len(targets)], targets)
    both = softmax(head.logits(vectors)) * (shares + _LEAST_SHARE)
    both = (both / both.sum(axis=1, keepdims=True)) ** 2
    both /= both.sum(axis=1, keepdims=True)
    both[: len(targets)] = targets
    return np.asarray(both, dtype=np.float32)
