"""Probabilities that mean what they say, and thresholds, from messages that were held out."""

from collections.abc import Sequence

import numpy as np

from bot.intents.choosing import HeldOut
from bot.intents.classifier import Expert, Reader
from bot.intents.heads import sigmoid, softmax
from bot.intents.scope import Scope, measured
from bot.knowledge.encoder import Vectors

_TEMPERATURES = np.geomspace(0.05, 5, 93).astype(np.float32)


def calibrated(
    reader: Reader,
    scope: Scope,
    held_out: Sequence[HeldOut],
    targets: Vectors,
    *,
    several: bool,
) -> Expert:
    """Return a reader with temperature and thresholds; `targets` are those of all lessons."""
    logits = np.concatenate([each.logits for each in held_out])
    wanted = targets[np.concatenate([each.rows for each in held_out])]
    found = temperature(logits, wanted, several=several)
    far = np.concatenate([each.far for each in held_out])
    logits = np.asarray(logits / found, dtype=np.float32)
    scope = measured(scope, far, logits)
    inside = scope.strangeness_of(far, logits)
    outside = scope.strangeness_of(
        np.concatenate([each.outside_far for each in held_out]),
        np.asarray(
            np.concatenate([each.outside_logits for each in held_out]) / found, dtype=np.float32
        ),
    )
    return Expert(
        reader=reader,
        temperature=found,
        scope=scope.with_threshold(inside, outside),
        several=_least_probability(sigmoid(logits), wanted) if several else None,
    )


def temperature(logits: Vectors, targets: Vectors, *, several: bool) -> float:
    """Return what logits are divided by so that held-out messages are likeliest.

    Guo et al., arXiv 1706.04599.
    """
    losses = [_loss(logits / each, targets, several) for each in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def _loss(logits: Vectors, targets: Vectors, several: bool) -> float:
    if several:
        found = sigmoid(logits).clip(1e-6, 1 - 1e-6)
        each = targets * np.log(found) + (1 - targets) * np.log(1 - found)
        return float(-each.sum(axis=1).mean())
    return float(-(targets * np.log(softmax(logits).clip(1e-9))).sum(axis=1).mean())


def _least_probability(probabilities: Vectors, targets: Vectors) -> float:
    """Return the limit with the largest F1 over all intents of all messages (micro)."""
    limits = np.linspace(0.1, 0.9, 33)
    scores = []
    for limit in limits:
        named = probabilities >= limit
        both = float((named * targets).sum())
        scores.append(2 * both / max(1.0, float(named.sum() + targets.sum())))
    return float(limits[int(np.argmax(scores))])
