"""A graph for onnxruntime, written as ONNX's protocol buffer (onnx.proto3, IR version 8).

Only what an encoder needs is here: nodes, constants, inputs with sizes that are free. It spares the
bot the `onnx` package, which only tools need.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_IR_VERSION, _OPSET = 8, 17
_CONTRIBUTED = "com.microsoft"  # onnxruntime's own operators
_ELEMENT_TYPES = {"float32": 1, "int8": 3, "int64": 7}
_FLOAT, _INT = 1, 2  # AttributeProto.AttributeType


class Graph:
    """Nodes and constants, added in the order in which they are computed."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._edges: list[bytes] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        dims = b"".join(_integer(1, size) for size in value.shape)
        kind = _integer(2, _ELEMENT_TYPES[value.dtype.name])
        raw = _field(9, np.ascontiguousarray(value).tobytes())
        self._constants.append(_field(5, dims + kind + _text(8, name) + raw))
        return name

    def node(
        self, operator: str, inputs: Sequence[str], output: str, **attributes: int | float
    ) -> str:
        """Add a node and return the name of its output; an input "" is left out.

        A name like "Microsoft.Gelu" is one of onnxruntime's own operators.
        """
        own, _, name = operator.rpartition(".")
        parts = [_text(1, each) for each in inputs]
        parts += [_text(2, output), _text(4, name)]
        parts += [_field(5, _attribute(key, value)) for key, value in attributes.items()]
        parts += [_text(7, _CONTRIBUTED)] if own else []
        self._nodes.append(_field(1, b"".join(parts)))
        return output

    def input(self, name: str, kind: str, dims: Sequence[int | str]) -> str:
        """Add an input of a numpy type; a size that is a text is free."""
        self._edges.append(_field(11, _edge(name, kind, dims)))
        return name

    def output(self, name: str, kind: str, dims: Sequence[int | str]) -> None:
        """Name a node's output as one of the graph's."""
        self._edges.append(_field(12, _edge(name, kind, dims)))

    def model(self) -> bytes:
        """Return the whole as onnxruntime reads it."""
        graph = b"".join([*self._nodes, _text(2, "graph"), *self._constants, *self._edges])
        opsets = [_text(1, "") + _integer(2, _OPSET), _text(1, _CONTRIBUTED) + _integer(2, 1)]
        return b"".join(
            [_integer(1, _IR_VERSION), _field(7, graph), *(_field(8, opset) for opset in opsets)]
        )


def _attribute(name: str, value: int | float) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _integer(3, value) + _integer(20, _INT)
    raw = _varint(2 << 3 | 5) + np.float32(value).tobytes()
    return _text(1, name) + raw + _integer(20, _FLOAT)


def _edge(name: str, kind: str, dims: Sequence[int | str]) -> bytes:
    sizes = (_integer(1, dim) if isinstance(dim, int) else _text(2, dim) for dim in dims)
    shape = b"".join(_field(1, size) for size in sizes)
    tensor = _integer(1, _ELEMENT_TYPES[kind]) + _field(2, shape)
    return _text(1, name) + _field(2, _field(1, tensor))


def _text(number: int, value: str) -> bytes:
    return _field(number, value.encode())


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first, as protocol buffers have them."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
