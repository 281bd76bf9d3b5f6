"""GAN-BERT (Croce, Castellucci, Basili, ACL 2020, 2020.acl-main.191) on a tuned encoder.

A generator makes vectors of noise; a discriminator tells k intents and "made up". Labelled messages
teach the intents, unlabelled ones what is real. The generator learns to be taken for real, and to
have the same mean as real messages in the discriminator's hidden layer (feature matching).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings
from bot.intents.heads import LEAK, Head
from bot.intents.lessons import Lessons, Reader
from bot.intents.methods.fine_tuning import LAYERS, TunedReader, steps_of, tuned_batches
from bot.intents.tuning import Lower, Tuned
from bot.intents.weights import base

_NOISE = 100
_BATCH = 32  # labelled messages of a step, and as many unlabelled and as many made up
_STEPS = 300
_ENCODER_RATE, _RATE = 1e-4, 1e-3
_DROPOUT = 0.1
_SMALL = 1e-8
_SECONDS_A_STEP = 0.4


class _Discriminator(nn.Module):
    def __init__(self, width: int, intents: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.last = nn.Linear(width, intents + 1)
        self.scale = width**0.5  # vectors have the length 1, layers want numbers of about 1

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits; the last logit is "made up"."""
        dropped = functional.dropout(self.scale * vectors, _DROPOUT, training=self.training)
        features = functional.leaky_relu(self.hidden(dropped), LEAK)
        logits = self.last(functional.dropout(features, _DROPOUT, training=self.training))
        return features, logits

    def head(self) -> Head:
        """Return the layers without the last logit."""

        def array(tensor: Tensor) -> np.ndarray:
            return tensor.detach().numpy().astype(np.float32).copy()

        return Head(
            weights=array(self.last.weight[:-1].T),
            bias=array(self.last.bias[:-1]),
            hidden_weights=array(self.scale * self.hidden.weight.T),
            hidden_bias=array(self.hidden.bias),
        )


@dataclass(frozen=True, slots=True)
class GanBert:
    """Adversarial learning from labelled and unlabelled messages, end to end."""

    base: BaseName
    encodings: Encodings
    least_steps: int = _STEPS

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        return f"GAN-BERT ({self.base})"

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes on two cores."""
        return 10 + len(lessons.unlabelled) * 0.003 + self._steps(lessons) * _SECONDS_A_STEP

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Train generator, discriminator and the encoder's upper layers together."""
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        steps = self._steps(lessons)
        pool = [lessons.unlabelled[row] for row in rng.permutation(len(lessons.unlabelled))]
        labelled = self.encodings.lower(self.base, lessons.texts, LAYERS)
        unlabelled = self.encodings.lower(self.base, pool[: steps * _BATCH], LAYERS)
        tuned = Tuned(base(self.base), LAYERS)
        game = _Game(tuned, labelled, unlabelled, torch.from_numpy(lessons.targets))
        game.play(steps, rng, self.encodings)
        return TunedReader(tuned.tuned(), game.discriminator.eval().head(), self.encodings)

    def _steps(self, lessons: Lessons) -> int:
        return max(self.least_steps, steps_of(len(lessons.texts), 1.0))


class _Game:
    def __init__(self, tuned: Tuned, labelled: Lower, unlabelled: Lower, targets: Tensor) -> None:
        self._tuned = tuned
        self._labelled = labelled
        self._unlabelled = unlabelled
        self._targets = targets
        width = tuned.base.width
        self.discriminator = _Discriminator(width, targets.shape[1])
        self._generator = nn.Sequential(
            nn.Linear(_NOISE, width), nn.LeakyReLU(LEAK), nn.Linear(width, width)
        )

    def play(self, steps: int, rng: np.random.Generator, encodings: Encodings) -> None:
        """Let discriminator and generator learn in turn."""
        telling = torch.optim.AdamW(
            [
                {"params": list(self._tuned.parameters()), "lr": _ENCODER_RATE},
                {"params": list(self.discriminator.parameters()), "lr": _RATE},
            ]
        )
        making = torch.optim.AdamW(self._generator.parameters(), lr=_RATE)
        known = tuned_batches(self._labelled.lengths, rng)
        others = tuned_batches(self._unlabelled.lengths, rng)
        self._tuned.train()
        self.discriminator.train()
        for step in range(steps):
            rows = next(known)
            vectors = self._tuned(self._labelled.batch(rows), _DROPOUT)
            real = self._tuned(self._unlabelled.batch(next(others)), _DROPOUT)
            made = functional.normalize(self._generator(torch.randn(_BATCH, _NOISE)), dim=1)
            _, told = self.discriminator(vectors)
            real_features, real_logits = self.discriminator(real)
            _, made_logits = self.discriminator(made.detach())
            wanted = self._targets[rows]
            intents = -(wanted * functional.log_softmax(told[:, :-1], dim=1)).sum(1).mean()
            seen = -torch.log(1 - _made_up(real_logits) + _SMALL).mean()
            unmasked = -torch.log(_made_up(made_logits) + _SMALL).mean()
            _step(telling, intents + seen + unmasked)
            features, logits = self.discriminator(made)
            matching = (features.mean(0) - real_features.detach().mean(0)).square().mean()
            _step(making, matching - torch.log(1 - _made_up(logits) + _SMALL).mean())
            encodings.progress("played", step + 1, steps)
        self._tuned.eval()


def _made_up(logits: Tensor) -> Tensor:
    return functional.softmax(logits, dim=1)[:, -1]


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
