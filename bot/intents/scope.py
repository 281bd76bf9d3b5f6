"""Whether a message is about anything that the company has an intent for.

Two signs speak together: how far the vector is from the means of all intents, and how unsure the
head is. Each is placed among those of held-out messages that are in scope, so the sum needs no
scale; the threshold is a quantile of the same messages, or what parts them best from messages that
are known to be out of scope. Means alone are kept, no vector of a single message.

Distance by cosine to the means was the best single sign on CLINC150's training part (AUROC .989 at
30 examples an intent; nearest examples .986, Mahalanobis distance .979, largest probability .966).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.intents.heads import softmax
from bot.knowledge.encoder import Vectors

INSIDE_KEPT = 0.95  # of held-out messages in scope, where none is known that is out of scope
LEAST_OUTSIDE = 5  # messages known to be out of scope that say something
_PLACES = 201
_WEIGHT_FAR = 2 / 3
_BEYOND = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`means` are of shape (intents, width), rows of length 1.

    `unsure` and `far` (201 each) are the quantiles of both signs in scope; a message whose
    strangeness is over the threshold is out of scope.
    """

    means: Vectors
    unsure: Vectors
    far: Vectors
    threshold: float

    def strangeness(self, vectors: Vectors, logits: Vectors) -> Vectors:
        """Return how strange each message is: 0 to 1, and a little more beyond all held-out ones.

        `logits` are divided by the temperature already.
        """
        return self.strangeness_of(self.distances(vectors), logits)

    def strangeness_of(self, far: Vectors, logits: Vectors) -> Vectors:
        """Return the same from distances."""
        places = [
            np.searchsorted(known, sign) / len(known)
            for known, sign in ((self.far, far), (self.unsure, unsureness(logits)))
        ]
        both = _WEIGHT_FAR * places[0] + (1 - _WEIGHT_FAR) * places[1]
        return np.asarray(both + _BEYOND * far, dtype=np.float32)

    def distances(self, vectors: Vectors) -> Vectors:
        """Return 1 - the cosine with the nearest intent's mean."""
        return np.asarray(1 - (vectors @ self.means.T).max(axis=1))

    def with_threshold(self, inside: Vectors, outside: Vectors) -> "Scope":
        """Return it with a threshold chosen from the strangeness of held-out messages."""
        is_known = len(outside) >= LEAST_OUTSIDE
        threshold = _parting(inside, outside) if is_known else np.quantile(inside, INSIDE_KEPT)
        return replace(self, threshold=float(threshold))

    def arrays(self) -> dict[str, Vectors]:
        """Return its arrays by name."""
        return {name: getattr(self, name) for name in ("means", "unsure", "far")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], threshold: float) -> "Scope":
        """Make it of what `arrays` gave; raises TypeError for other names."""
        return cls(**arrays, threshold=threshold)


def unsureness(logits: Vectors) -> Vectors:
    """Return 1 - the largest probability."""
    return np.asarray(1 - softmax(logits).max(axis=1))


def scope_of(vectors: Vectors, targets: Vectors) -> Scope:
    """Take the means of labelled messages; quantiles and threshold come later."""
    sums = targets.T @ vectors
    empty = np.zeros(0, dtype=np.float32)
    means = sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(1e-9)
    return Scope(means=means.astype(np.float32), unsure=empty, far=empty, threshold=1.0)


def measured(scope: Scope, far: Vectors, logits: Vectors) -> Scope:
    """Return it with the quantiles of held-out messages that are in scope."""
    places = np.linspace(0, 1, _PLACES)
    return replace(
        scope,
        unsure=np.quantile(unsureness(logits), places).astype(np.float32),
        far=np.quantile(far, places).astype(np.float32),
    )


def _parting(inside: Vectors, outside: Vectors) -> float:
    """Return the threshold with the largest mean of both shares that are told rightly."""
    candidates = np.unique(np.concatenate([inside, outside]))
    right = [(inside <= each).mean() + (outside > each).mean() for each in candidates]
    return float(candidates[int(np.argmax(right))])
