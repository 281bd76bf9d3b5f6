"""An encoder's upper layers in torch: what is below them is computed once for each text.

torch comes with the extra `training`; what was tuned runs live in onnxruntime.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bot.intents.weights import Base, layer_names
from bot.knowledge.encoder import Vectors

PIECES_READ = 64  # of a message, in training: what it wants stands early
_PIECES_AT_ONCE = 2048
Progress = Callable[[int, int], None]


class Layer(nn.Module):
    """One layer of BERT, normalised after each part (arXiv 1810.04805)."""

    def __init__(self, base: Base, number: int) -> None:
        super().__init__()
        self._heads = base.heads
        self._epsilon = base.epsilon
        self.tensors = nn.ParameterDict()
        for name in layer_names(number):
            _, part, kind = name.split(".")
            values = torch.tensor(np.array(base.tensors[name]))
            self.tensors[f"{part}_{kind}"] = nn.Parameter(values)

    def forward(self, hidden: Tensor, mask: Tensor, dropout: float) -> Tensor:
        """Take and return (texts, pieces, width); `mask` is as in a Batch."""
        query, key, value = (self._heads_of(self._linear(hidden, each)) for each in "qkv")
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        attended = self._linear(seen.transpose(1, 2).flatten(2), "ao")
        hidden = self._normal(hidden + self._drop(attended, dropout), "aln")
        wide = functional.gelu(self._linear(hidden, "fi"))
        return self._normal(hidden + self._drop(self._linear(wide, "fo"), dropout), "oln")

    def arrays(self, number: int) -> dict[str, Vectors]:
        """Return the tensors by their names in a Base."""
        return {
            f"l{number}.{name.replace('_', '.')}": tensor.detach().numpy()
            for name, tensor in self.tensors.items()
        }

    def _linear(self, hidden: Tensor, part: str) -> Tensor:
        return functional.linear(hidden, self.tensors[f"{part}_w"], self.tensors[f"{part}_b"])

    def _normal(self, hidden: Tensor, part: str) -> Tensor:
        weight, bias = self.tensors[f"{part}_w"], self.tensors[f"{part}_b"]
        return functional.layer_norm(hidden, hidden.shape[-1:], weight, bias, self._epsilon)

    def _heads_of(self, hidden: Tensor) -> Tensor:
        texts, pieces, _ = hidden.shape
        return hidden.view(texts, pieces, self._heads, -1).transpose(1, 2)

    def _drop(self, hidden: Tensor, dropout: float) -> Tensor:
        return functional.dropout(hidden, dropout, training=self.training)


class Tuned(nn.Module):
    """The upper `layers` of an encoder, to be tuned; the lower ones stay as they are."""

    def __init__(self, base: Base, layers: int) -> None:
        super().__init__()
        self.base = base
        self.first = base.layers - layers
        self.upper = nn.ModuleList(Layer(base, n) for n in range(self.first, base.layers))

    def forward(self, lower: "Batch", dropout: float = 0.0) -> Tensor:
        """Return one vector of length 1 for each text, of shape (texts, width)."""
        hidden = lower.hidden
        for layer in self.upper:
            hidden = layer(hidden, lower.mask, dropout)
        if self.base.embedder.is_first:
            pooled = hidden[:, 0]
        else:
            pooled = (hidden * lower.mask[:, 0, 0, :, None]).sum(1)
        return functional.normalize(pooled, dim=1)

    @torch.no_grad()
    def vectors(self, texts: "Lower", dropout: float = 0.0) -> Vectors:
        """Return the vectors of all texts, of shape (texts, width)."""
        self.eval()
        found = np.empty((len(texts), self.base.width), dtype=np.float32)
        for rows in texts.by_length():
            found[rows] = self(texts.batch(rows)).numpy()
        return found

    def tuned(self) -> Base:
        """Return the encoder with the layers as they are now."""
        changed = dict(self.base.tensors)
        for number, layer in enumerate(self.upper, start=self.first):
            assert isinstance(layer, Layer)
            changed |= layer.arrays(number)
        return replace(self.base, tensors=changed)


class Batch:
    """Texts of about one length: `hidden` (texts, pieces, width), `mask` (texts, 1, 1, pieces)."""

    def __init__(self, rows: Sequence[Tensor]) -> None:
        self.hidden = nn.utils.rnn.pad_sequence(list(rows), batch_first=True).float()
        lengths = torch.tensor([len(row) for row in rows])
        self.mask = (torch.arange(self.hidden.shape[1]) < lengths[:, None])[:, None, None]


class Lower:
    """What the layers below the tuned ones make of each text, in half the digits."""

    def __init__(self, rows: Sequence[Tensor]) -> None:
        self.rows = rows
        self.lengths = np.array([len(row) for row in rows])

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """Return some of the texts together."""
        return Batch([self.rows[row] for row in rows])

    def subset(self, rows: Sequence[int] | np.ndarray) -> "Lower":
        """Return some of the texts."""
        return Lower([self.rows[row] for row in rows])

    def by_length(self) -> Iterator[np.ndarray]:
        """Yield the texts' numbers in batches of about one length."""
        yield from batches_by_length(self.lengths)


def batches_by_length(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """Yield places in batches of so many pieces, the shortest texts first."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and lengths[order[end]] * (end + 1 - start) <= _PIECES_AT_ONCE:
            end += 1
        yield order[start:end]
        start = end


@torch.no_grad()
def lower_layers(
    base: Base, texts: Sequence[str], layers: int, progress: Progress | None = None
) -> Lower:
    """Compute what is below the upper `layers`, for each text."""
    below = nn.ModuleList(Layer(base, number) for number in range(base.layers - layers)).eval()
    weight, bias = (torch.tensor(base.tensors[f"emb.ln.{kind}"]) for kind in ("w", "b"))
    pieces = [np.array(_shortened(base.embedder.numbers(text))) for text in texts]
    lengths = np.array([len(each) for each in pieces])
    words, places = base.embedder.words, base.embedder.places
    found: list[Tensor] = [torch.empty(0)] * len(texts)
    done = 0
    for rows in batches_by_length(lengths):
        embedded = [words(pieces[row]) + places[: lengths[row]] for row in rows]
        batch = Batch([torch.from_numpy(each) for each in embedded])
        hidden = functional.layer_norm(
            batch.hidden, batch.hidden.shape[-1:], weight, bias, base.epsilon
        )
        for layer in below:
            hidden = layer(hidden, batch.mask, 0.0)
        for row, each in zip(rows, hidden, strict=True):
            found[row] = each[: lengths[row]].to(torch.bfloat16).clone()
        done += len(rows)
        if progress:
            progress(done, len(texts))
    return Lower(found)


def _shortened(pieces: list[int]) -> list[int]:
    return pieces if len(pieces) <= PIECES_READ else [*pieces[: PIECES_READ - 1], pieces[-1]]
