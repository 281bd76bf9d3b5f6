"""The vectors of many texts, each computed once, on as many cores as there are or are given."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from bot.intents.embedder import BaseName
from bot.intents.encoders import TextEncoder
from bot.intents.weights import base
from bot.knowledge.e5_graph import graph
from bot.knowledge.encoder import Vectors

if TYPE_CHECKING:  # torch is not there where intents are only told
    from torch import Tensor

    from bot.intents.tuning import Lower

_AT_ONCE = 32  # texts of one task
Progress = Callable[[str, int, int], None]


def quiet(stage: str, done: int, total: int) -> None:
    """Show no progress."""


class Encodings:
    """Keeps the vectors of texts by encoder; not for several threads at once."""

    def __init__(self, progress: Progress = quiet, threads: int | None = None) -> None:
        self.progress = progress
        self._threads = threads or os.cpu_count()
        self._encoders: dict[BaseName, TextEncoder] = {}
        self._kept: dict[tuple[BaseName, str], Vectors] = {}
        self._lower: dict[tuple[BaseName, str, int], Tensor] = {}

    def vectors(self, name: BaseName, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384), rows of length 1."""
        missing = [text for text in dict.fromkeys(texts) if (name, text) not in self._kept]
        if missing:
            self._make(name, missing)
        return np.stack([self._kept[name, text] for text in texts])

    def lower(self, name: BaseName, texts: Sequence[str], layers: int) -> "Lower":
        """Return what is below the upper `layers` for each text."""
        from bot.intents.tuning import Lower, lower_layers

        wanted = dict.fromkeys(texts)
        missing = [text for text in wanted if (name, text, layers) not in self._lower]
        if missing:
            made = lower_layers(
                base(name), missing, layers, lambda done, total: self.progress("read", done, total)
            )
            self._lower |= {
                (name, text, layers): row for text, row in zip(missing, made.rows, strict=True)
            }
        return Lower([self._lower[name, text, layers] for text in texts])

    def _make(self, name: BaseName, texts: Sequence[str]) -> None:
        if name not in self._encoders:
            self._encoders[name] = TextEncoder(base(name).embedder, graph(base(name)))
        encoder = self._encoders[name]
        parts = [texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE)]
        done = 0
        with ThreadPoolExecutor(self._threads) as pool:
            for part, vectors in zip(parts, pool.map(encoder.encode, parts), strict=True):
                self._kept |= {(name, text): row for text, row in zip(part, vectors, strict=True)}
                done += len(part)
                self.progress("encoded", done, len(texts))
