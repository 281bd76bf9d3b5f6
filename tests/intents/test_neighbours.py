"""Messages tied to their nearest ones, and the eigenvectors of the ties."""

import numpy as np
import pytest

from bot.intents.neighbours import Graph, Part, neighbour_graph, spectrum, unit
from bot.knowledge.encoder import Vectors


def blobs(groups: int, each: int, width: int = 24, seed: int = 1) -> Vectors:
    """Return unit vectors around `groups` directions, the groups one after the other."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, width))
    noise = rng.normal(size=(groups * each, width))
    return unit((np.repeat(centres, each, axis=0) + 0.4 * noise).astype(np.float32))


def part(vectors: Vectors, start: int = 0, shared: Vectors | None = None) -> Part:
    rows = np.arange(start, start + len(vectors))
    return Part(rows=rows, own=vectors, shared=vectors if shared is None else shared)


def dense(graph: Graph) -> np.ndarray:
    matrix = np.zeros((graph.size, graph.size))
    matrix[graph.first, graph.second] = graph.weights
    return matrix


def test_that_ties_go_both_ways_and_never_to_oneself() -> None:
    matrix = dense(neighbour_graph([part(blobs(4, 30))]))

    assert (matrix == matrix.T).all()
    assert (np.diag(matrix) == 0).all()
    assert ((matrix > 0).sum(axis=1) >= 10).all()


def test_that_the_spectrum_is_that_of_the_whole_matrix() -> None:
    graph = neighbour_graph([part(blobs(6, 40))])
    matrix = dense(graph)
    scale = 1 / np.sqrt(matrix.sum(axis=1))
    expected = np.linalg.eigvalsh(matrix * scale[:, None] * scale)[::-1][:8]

    values, vectors = spectrum(graph, 8)

    assert values[:6] == pytest.approx(expected[:6], abs=1e-3)
    assert values == pytest.approx(expected, abs=0.01)
    assert vectors.T @ vectors == pytest.approx(np.eye(8), abs=1e-3)


def test_that_separate_groups_have_an_eigenvalue_of_one_each() -> None:
    values, _ = spectrum(neighbour_graph([part(blobs(5, 30))]), 7)

    assert (values[:5] > 0.95).all()
    assert (values[5:] < 0.9).all()


def test_that_languages_are_tied_where_they_say_the_same() -> None:
    meaning = blobs(3, 20)
    matrix = dense(neighbour_graph([part(meaning), part(meaning[::-1].copy(), 60)]))
    abroad = matrix[:60, 60:] > 0
    groups = np.repeat(np.arange(3), 20)

    assert abroad.any(axis=1).all()
    assert (groups[:, None] == groups[::-1])[abroad].all()


def test_that_languages_with_nothing_in_common_are_not_tied() -> None:
    one, other = np.zeros((2, 40, 8), dtype=np.float32)
    one[:, :4], other[:, 4:] = blobs(2, 20, 4), blobs(2, 20, 4, seed=5)

    assert not dense(neighbour_graph([part(one), part(other, 40)]))[:40, 40:].any()


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_that_a_handful_of_messages_has_a_graph(number: int) -> None:
    graph = neighbour_graph([part(blobs(1, number))])

    values, vectors = spectrum(graph, number)

    assert (len(values), vectors.shape) == (number, (number, number))
    assert np.isfinite(vectors).all()
