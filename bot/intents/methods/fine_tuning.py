"""An encoder's upper layers tuned together with a head on labelled texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings, Progress, quiet
from bot.intents.fitting import fit_head
from bot.intents.heads import Head
from bot.intents.lessons import Lessons, Reader
from bot.intents.live import LiveParts
from bot.intents.methods.linear import live_parts
from bot.intents.tuning import Lower, Tuned
from bot.intents.weights import Base, base
from bot.knowledge.encoder import Vectors

LAYERS = 3
BATCH = 32
_ENCODER_RATE, _HEAD_RATE = 1e-4, 2e-3
_DROPOUT = 0.1
_STEPS = 400  # at most for labelled texts alone, unless once through them takes more
_EPOCHS = 20
_SECONDS_A_TEXT = 0.006  # to learn from one once, on two cores


@dataclass(frozen=True)
class TunedReader:
    """A head on a tuned encoder."""

    base: Base
    head: Head
    encodings: Encodings

    def read(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return vectors of shape (texts, width), and logits of shape (texts, intents)."""
        unique = list(dict.fromkeys(texts))
        lower = self.encodings.lower(self.base.name, unique, LAYERS)
        found = self._tuned.vectors(lower)
        place = {text: row for row, text in enumerate(unique)}
        vectors = found[[place[text] for text in texts]]
        return vectors, self.head.logits(vectors)

    def live(self) -> LiveParts:
        """Return the tuned encoder's graph with the head."""
        return live_parts(self.base, self.head)

    @cached_property
    def _tuned(self) -> Tuned:
        return Tuned(self.base, LAYERS)


@dataclass(frozen=True, slots=True)
class FineTuning:
    """Plain fine-tuning: labelled texts alone."""

    base: BaseName
    encodings: Encodings

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        return f"fine-tuned ({self.base})"

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes on two cores."""
        return 5 + (_rounds(len(lessons.texts)) + 1) * len(lessons.texts) * _SECONDS_A_TEXT

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Tune the encoder with a head that starts as the linear one."""
        lower = self.encodings.lower(self.base, lessons.texts, LAYERS)
        tuned = Tuned(base(self.base), LAYERS)
        vectors = tuned.vectors(lower)
        head = fit_head(vectors, lessons.targets, several=lessons.has_several)
        head = tune(
            tuned,
            lower,
            lessons.targets,
            head,
            rounds=_rounds(len(lessons.texts)),
            seed=seed,
            several=lessons.has_several,
            progress=self.encodings.progress,
        )
        return TunedReader(tuned.tuned(), head, self.encodings)


def tune(
    tuned: Tuned,
    lower: Lower,
    targets: Vectors,
    head: Head,
    *,
    rounds: float,
    seed: int,
    weights: Vectors | None = None,
    several: bool = False,
    progress: Progress = quiet,
) -> Head:
    """Tune the layers and the head together; return the head. `rounds` may be a part of one."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    matrix = nn.Parameter(torch.tensor(head.weights))
    bias = nn.Parameter(torch.tensor(head.bias))
    optimizer = torch.optim.AdamW(
        [
            {"params": list(tuned.parameters()), "lr": _ENCODER_RATE, "weight_decay": 0.01},
            {"params": [matrix, bias], "lr": _HEAD_RATE, "weight_decay": 0.0},
        ]
    )
    steps = steps_of(len(lower), rounds)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    wanted = torch.from_numpy(targets)
    weighed = torch.ones(len(lower)) if weights is None else torch.from_numpy(weights)
    tuned.train()
    for step, rows in zip(range(steps), tuned_batches(lower.lengths, rng), strict=False):
        logits = tuned(lower.batch(rows), _DROPOUT) @ matrix + bias
        loss = (weighed[rows] * errors(logits, wanted[rows], several)).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(tuned.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        progress("tuned", step + 1, steps)
    tuned.eval()
    return Head(matrix.detach().numpy().copy(), bias.detach().numpy().copy())


def steps_of(texts: int, rounds: float) -> int:
    """Return the batches of so many rounds through the texts."""
    return max(1, round(rounds * texts / BATCH))


def errors(logits: torch.Tensor, wanted: torch.Tensor, several: bool) -> torch.Tensor:
    """Return the cross-entropy of each text."""
    if several:
        return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1)
    return -(wanted * functional.log_softmax(logits, dim=1)).sum(1)


def _rounds(texts: int) -> float:
    return min(_EPOCHS, max(1.0, _STEPS * BATCH / texts))


def _rate(step: int, steps: int) -> float:
    """Rise over the first tenth, then fall to nothing."""
    return min((step + 1) / max(1, steps // 10), (steps - step) / steps)


def tuned_batches(lengths: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield places again and again, texts of about one length together, in random order."""
    while True:
        order = np.argsort(lengths + rng.random(len(lengths)) * 4)
        parts = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        for part in rng.permutation(len(parts)):
            yield parts[part]
