"""Embedding, LSTM, softmax: the classical baseline, without an encoder that knows sentences.

The word pieces' vectors are those of multilingual-e5-small, as they are; the LSTM reads them from
the left, and the mean of its states is a message's vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bot.intents.embedder import e5_embedder
from bot.intents.encoders import TextEncoder
from bot.intents.encodings import Encodings
from bot.intents.heads import Head
from bot.intents.lessons import Lessons, Reader
from bot.intents.live import LiveParts
from bot.intents.methods.fine_tuning import errors, steps_of, tuned_batches
from bot.intents.tuning import Batch
from bot.knowledge.encoder import Vectors
from bot.knowledge.onnx_graph import Graph

_WIDTH = 384
_RATE = 3e-3
_DROPOUT = 0.3
_ROUNDS, _STEPS = 8.0, 600
_LONGEST = 64  # pieces of a message that are read in training
_SECONDS_A_STEP = 0.04


@dataclass(frozen=True, slots=True)
class LstmReader:
    """An LSTM as a graph, with its head."""

    graph: bytes
    head: Head

    def read(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return vectors of shape (texts, width), and logits of shape (texts, intents)."""
        vectors = TextEncoder(e5_embedder(), self.graph).encode(texts)
        return vectors, self.head.logits(vectors)

    def live(self) -> LiveParts:
        """Return the graph with the head."""
        return LiveParts(base="e5", graph=self.graph, head=self.head, english=None)


@dataclass(frozen=True, slots=True)
class Lstm:
    """One layer, read from the left."""

    encodings: Encodings
    least_steps: int = _STEPS

    @property
    def name(self) -> str:
        """The method's name, as reports say it."""
        return "LSTM"

    def seconds(self, lessons: Lessons) -> float:
        """Return about how long `fit` takes on two cores."""
        return 2 + self._steps(lessons) * _SECONDS_A_STEP

    def fit(self, lessons: Lessons, seed: int) -> Reader:
        """Train LSTM and head together."""
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        embedder = e5_embedder()
        rows = [
            torch.from_numpy(embedder.embedded(text)[:_LONGEST].copy()) for text in lessons.texts
        ]
        lstm = nn.LSTM(_WIDTH, _WIDTH, batch_first=True)
        head = nn.Linear(_WIDTH, len(lessons.intents))
        scale = _WIDTH**0.5  # vectors have the length 1, the head wants numbers of about 1
        optimizer = torch.optim.AdamW([*lstm.parameters(), *head.parameters()], lr=_RATE)
        targets = torch.from_numpy(lessons.targets)
        steps = self._steps(lessons)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        batches = tuned_batches(np.array([len(row) for row in rows]), rng)
        for step in range(steps):
            some = next(batches)
            vectors = _vectors(lstm, Batch([rows[row] for row in some]))
            dropped = functional.dropout(scale * vectors, _DROPOUT)
            loss = errors(head(dropped), targets[some], several=False).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(lstm.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            self.encodings.progress("read", step + 1, steps)
        weights = scale * head.weight.detach().numpy().T
        return LstmReader(
            _graph(lstm), Head(weights.astype(np.float32), head.bias.detach().numpy().copy())
        )

    def _steps(self, lessons: Lessons) -> int:
        return max(self.least_steps, steps_of(len(lessons.texts), _ROUNDS))


def _vectors(lstm: nn.LSTM, batch: Batch) -> Tensor:
    dropped = functional.dropout(batch.hidden, _DROPOUT)
    states, _ = lstm(dropped)
    return functional.normalize((states * batch.mask[:, 0, 0, :, None]).sum(1), dim=1)


def _graph(lstm: nn.LSTM) -> bytes:
    """Write it for onnxruntime, whose gates are in the order input, output, forget, cell."""
    graph = Graph()
    embedded = graph.input("embedded", "float32", ["tokens", _WIDTH])
    one = graph.constant("one", np.array([1], dtype=np.int64))
    text = graph.node("Unsqueeze", [embedded, one], "text")

    def gates(name: str) -> np.ndarray:
        tensor = getattr(lstm, name).detach().numpy()
        i, f, c, o = np.split(tensor, 4)
        return np.asarray(np.concatenate([i, o, f, c])[None], dtype=np.float32)

    bias = np.concatenate([gates("bias_ih_l0"), gates("bias_hh_l0")], axis=1)
    constants = [
        graph.constant("W", gates("weight_ih_l0")),
        graph.constant("R", gates("weight_hh_l0")),
        graph.constant("B", bias),
    ]
    states = graph.node("LSTM", [text, *constants], "states", hidden_size=_WIDTH)
    both = graph.constant("both", np.array([1, 2], dtype=np.int64))
    graph.output(graph.node("Squeeze", [states, both], "hidden"), "float32", ["tokens", _WIDTH])
    return graph.model()
