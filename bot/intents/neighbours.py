"""Messages as a graph: each is tied to those that are nearest in meaning.

Clusters of a neighbour graph are found by the eigenvectors of its normalised adjacency matrix
(Ng, Jordan and Weiss 2001; von Luxburg 2007, arXiv 0711.0189). These come from a block Krylov
space (Musco and Musco 2015, arXiv 1504.05477), so that 20,000 messages need no square matrix.

Languages have a graph each, since in one space a message lies nearer to any of its own language
than to its translation. What holds them together are pairs that are among each other's nearest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.encoder import Vectors

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]

# Neighbours: with more messages an intent has more of them, and with few ties it falls into pieces.
# Measured: 10 do for 1,500 messages, 15 for 3,000, 40 to 80 for 10,000.
_FEWEST_NEAREST = 10
_UP_TO_MESSAGES = 1500
_GROWTH = 0.73
# Of mutual neighbours in Chinese and English with a cosine above it, 95% have the same intent; of
# two sets without a common intent, nine tenths of the pairs lie below.
_ALIKE_ABROAD = 0.3
_WEIGHT_ABROAD = 2.0
_AT_ONCE = 1000  # rows of a product of all with all


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Messages of one language.

    `rows` are their places among all. `own` are vectors that compare them with each other; `shared`
    those that compare them with other languages. Both have rows of length 1.
    """

    rows: Rows
    own: Vectors
    shared: Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Ties between messages, each in both directions, sorted by `first`, then `second`."""

    size: int
    first: Rows
    second: Rows
    weights: Floats


def centred(vectors: Vectors) -> Vectors:
    """Return vectors less their mean, of length 1: what all have in common tells nothing."""
    return unit(vectors - vectors.mean(axis=0))


def unit(vectors: Vectors) -> Vectors:
    """Return vectors of length 1; those of length 0 stay."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return np.asarray(vectors / lengths, dtype=np.float32)


def neighbour_graph(parts: Sequence[Part]) -> Graph:
    """Tie each message to its nearest ones, in its own language and in the others."""
    ties = [_within(part) for part in parts]
    for number, part in enumerate(parts):
        ties += [_abroad(part, other) for other in parts[number + 1 :]]
    first, second, weights = (np.concatenate(column) for column in zip(*ties, strict=True))
    return _both_ways(sum(len(part.rows) for part in parts), first, second, weights)


def nearest(vectors: Vectors, others: Vectors, number: int) -> tuple[Rows, Vectors]:
    """Return which of `others` are nearest to each vector, the nearest first, and their cosines.

    Both arrays have the shape (vectors, number).
    """
    places = np.empty((len(vectors), number), dtype=np.intp)
    cosines = np.empty((len(vectors), number), dtype=np.float32)
    for rows, likeness in _likeness(vectors, others):
        found = np.argpartition(-likeness, number - 1, axis=1)[:, :number]
        values = np.take_along_axis(likeness, found, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        places[rows] = np.take_along_axis(found, order, axis=1)
        cosines[rows] = np.take_along_axis(values, order, axis=1)
    return places, cosines


def spectrum(graph: Graph, number: int, seed: int = 0) -> tuple[Floats, Vectors]:
    """Return the largest eigenvalues of a graph, the largest first, and their eigenvectors.

    The vectors are an array of shape (messages, number). `number` is at most the messages'.
    """
    weights = _normalised(graph)
    starts = np.searchsorted(graph.first, np.arange(graph.size))
    rng = np.random.default_rng(seed)
    width = min(max(16, number // 4), graph.size)
    most = min(graph.size, 5 * number + 4 * width)
    newest = np.linalg.qr(rng.standard_normal((graph.size, width)))[0].astype(np.float32)
    basis, images = newest, _image(graph, weights, starts, newest)
    while basis.shape[1] + width <= most:
        newest = _orthogonal(images[:, -width:], basis)
        basis = np.hstack([basis, newest])
        images = np.hstack([images, _image(graph, weights, starts, newest)])
    small = (basis.T @ images).astype(np.float64)
    values, turned = np.linalg.eigh((small + small.T) / 2)
    largest = np.argsort(-values, kind="stable")[:number]
    return values[largest], basis @ turned[:, largest].astype(np.float32)


def _neighbours(messages: int) -> int:
    growth = float(max(1.0, messages / _UP_TO_MESSAGES) ** _GROWTH)
    return round(_FEWEST_NEAREST * growth)


def _likeness(vectors: Vectors, others: Vectors) -> Iterator[tuple[slice, Vectors]]:
    for start in range(0, len(vectors), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        yield rows, vectors[rows] @ others.T


def _within(part: Part) -> tuple[Rows, Rows, Floats]:
    number = min(_neighbours(len(part.rows)), max(1, len(part.rows) // 6), len(part.rows) - 1)
    if number < 1:
        return part.rows, part.rows, np.ones(len(part.rows))
    places, cosines = nearest(part.own, part.own, number + 1)
    first = np.repeat(part.rows, number + 1)
    second, weights = part.rows[places.ravel()], np.maximum(cosines.ravel(), 1e-3)
    other = first != second  # nobody is a neighbour of oneself
    return first[other], second[other], weights[other].astype(float)


def _abroad(part: Part, other: Part) -> tuple[Rows, Rows, Floats]:
    half_there, half_here = (_neighbours(len(each.rows)) // 2 for each in (other, part))
    there, cosines = nearest(part.shared, other.shared, min(half_there, len(other.rows)))
    back, _ = nearest(other.shared, part.shared, min(half_here, len(part.rows)))
    here = np.repeat(np.arange(len(part.rows)), there.shape[1])
    there, cosines = there.ravel(), cosines.ravel()
    mutual = (back[there] == here[:, None]).any(axis=1) & (cosines > _ALIKE_ABROAD)
    weights = 2 * _WEIGHT_ABROAD * cosines[mutual].astype(float)  # _both_ways takes the half
    return part.rows[here[mutual]], other.rows[there[mutual]], weights


def _both_ways(size: int, first: Rows, second: Rows, weights: Floats) -> Graph:
    """Return the mean of both directions of each tie."""
    keys = np.concatenate([first * size + second, second * size + first])
    unique, places = np.unique(keys, return_inverse=True)
    halves: Floats = np.bincount(places, np.concatenate([weights, weights]) / 2).astype(float)
    return Graph(size=size, first=unique // size, second=unique % size, weights=halves)


def _normalised(graph: Graph) -> Vectors:
    degrees = np.bincount(graph.first, graph.weights, graph.size)
    scale = 1 / np.sqrt(np.maximum(degrees, 1e-9))
    return np.asarray(graph.weights * scale[graph.first] * scale[graph.second], dtype=np.float32)


def _image(graph: Graph, weights: Vectors, starts: Rows, vectors: Vectors) -> Vectors:
    """Return the matrix times some vectors, of shape (messages, vectors)."""
    image = np.empty_like(vectors)
    for low in range(0, graph.size, _AT_ONCE):
        high = min(low + _AT_ONCE, graph.size)
        begin, end = starts[low], starts[high] if high < graph.size else len(weights)
        ties = vectors[graph.second[begin:end]] * weights[begin:end, None]
        image[low:high] = np.add.reduceat(ties, starts[low:high] - begin, axis=0)
    return image


def _orthogonal(vectors: Vectors, basis: Vectors) -> Vectors:
    """Return an orthonormal basis of vectors less what `basis` holds; twice, to be exact."""
    for _ in range(2):
        vectors = vectors - basis @ (basis.T @ vectors)
        vectors = np.linalg.qr(vectors)[0]
    return vectors
