"""Vectors that are kept between runs of a benchmark, so that texts are encoded once."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bot.knowledge.encoder import E5Encoder, Vectors

AT_ONCE = 500


class KeptVectors(E5Encoder):
    """The package's encoder over a file of vectors (16 bits) by the digest of the text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._known: dict[str, Vectors] = {}
        self._stored = 0
        if file.exists():
            with np.load(file) as kept:
                self._known = dict(zip(kept["digests"].tolist(), kept["vectors"], strict=True))
            self._stored = len(self._known)

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        return self._vectors("query", super().questions, texts)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return an array of shape (texts, 384)."""
        return self._vectors("passage", super().passages, texts)

    def _vectors(
        self, kind: str, encode: Callable[[Sequence[str]], Vectors], texts: Sequence[str]
    ) -> Vectors:
        keys = [hashlib.sha256(f"{kind}: {text}".encode()).hexdigest() for text in texts]
        missing = {k: t for k, t in zip(keys, texts, strict=True) if k not in self._known}
        for start in range(0, len(missing), AT_ONCE):
            batch = list(missing)[start : start + AT_ONCE]
            made = encode([missing[key] for key in batch]).astype(np.float16)
            self._known |= dict(zip(batch, made, strict=True))
        return np.stack([self._known[key] for key in keys]).astype(np.float32)

    def keep(self) -> None:
        """Write the file anew where there are new vectors, whole or not at all."""
        if len(self._known) == self._stored:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new.npz")
        np.savez(
            new, digests=np.array(list(self._known)), vectors=np.stack([*self._known.values()])
        )
        new.replace(self._file)
        self._stored = len(self._known)
