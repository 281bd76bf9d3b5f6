"""An ONNX file's constants and nodes, read from its protocol buffer (onnx.proto3).

Only what is needed to take the weights out of an encoder in 8 bits: it spares the `onnx` package.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ELEMENT_TYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8"}
_FLOATS, _INTEGERS, _RAW = 4, 5, 9  # the fields of TensorProto that can hold its numbers


@dataclass(frozen=True, slots=True)
class Node:
    """An operator with the names of what it takes and gives."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """The constants by name, and the nodes in their order."""

    constants: dict[str, NDArray[np.generic]]
    nodes: Sequence[Node]


def read_onnx(path: Path) -> OnnxFile:
    """Read a file. Raises OSError where it can't be read, ValueError where it is no ONNX file."""
    try:
        [graph] = [part for number, part in _fields(path.read_bytes()) if number == 7]
        parts = list(_fields(graph))
        return OnnxFile(
            constants=dict(_constant(part) for number, part in parts if number == 5),
            nodes=[_node(part) for number, part in parts if number == 1],
        )
    except (IndexError, KeyError, TypeError) as err:
        raise ValueError(f"{path} is not an ONNX file") from err


def _node(part: bytes | int) -> Node:
    fields = list(_fields(part))
    texts = {n: [_text(value) for number, value in fields if number == n] for n in (1, 2, 4)}
    return Node(operator=texts[4][0], inputs=texts[1], outputs=texts[2])


def _constant(part: bytes | int) -> tuple[str, NDArray[np.generic]]:
    dims: list[int] = []
    values: dict[int, list[bytes | int]] = {}
    kind, name = 0, ""
    for number, value in _fields(part):
        if number == 1:
            dims += _packed(value)
        elif number == 2:
            kind = int(value)
        elif number == 8:
            name = _text(value)
        else:
            values.setdefault(number, []).append(value)
    return name, _numbers(np.dtype(_ELEMENT_TYPES[kind]), values).reshape(dims)


def _numbers(
    kind: np.dtype[np.generic], values: dict[int, list[bytes | int]]
) -> NDArray[np.generic]:
    for number in (_RAW, _FLOATS):
        if number in values:
            raw = b"".join(part for part in values[number] if isinstance(part, bytes))
            return np.frombuffer(raw, kind)
    integers = [each for part in values.get(_INTEGERS, []) for each in _packed(part)]
    return np.array(integers, dtype=np.int64).astype(kind)


def _packed(value: bytes | int) -> list[int]:
    """Return the integers of a repeated field, which stand alone or packed together."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(number)
    return found


def _fields(message: bytes | int) -> Iterator[tuple[int, bytes | int]]:
    """Yield each field's number with its bytes or its integer."""
    if isinstance(message, int):
        raise TypeError("a message is bytes")
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            integer, at = _varint(message, at)
            yield number, integer
            continue
        size = {1: 8, 5: 4}.get(wire)
        if size is None:
            size, at = _varint(message, at)
        yield number, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = message[at]
        at += 1
        found |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return found, at


def _text(value: bytes | int) -> str:
    if isinstance(value, int):
        raise TypeError("a text is bytes")
    return value.decode()
