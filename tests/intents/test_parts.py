"""The small parts: measures, languages, clauses, word pieces, ONNX files, scope."""

from pathlib import Path

import numpy as np
import pytest

from bot.intents.clauses import clauses
from bot.intents.heads import Head, sigmoid, softmax
from bot.intents.language import is_english
from bot.intents.measures import auroc, confusions, f1_by_intent, macro_f1, micro_f1
from bot.intents.onnx_file import read_onnx
from bot.intents.scope import measured, scope_of
from bot.intents.wordpiece import WordPieces
from bot.knowledge.onnx_graph import Graph

EXPECTED = [("a",), ("a",), ("b",), ("b", "c")]
FOUND = [("a",), ("b",), ("b",), ("b",)]


def test_that_f1_counts_what_was_expected_and_found() -> None:
    assert f1_by_intent(EXPECTED, FOUND) == pytest.approx({"a": 2 / 3, "b": 0.8, "c": 0.0})
    assert macro_f1(EXPECTED, FOUND) == pytest.approx((2 / 3 + 0.8) / 3)
    assert micro_f1(EXPECTED, FOUND) == pytest.approx(2 * 3 / 9)
    assert confusions(EXPECTED, FOUND) == [("a", "b", 1)]


@pytest.mark.parametrize(
    ("outside", "area"),
    [
        pytest.param([3.0, 4.0], 1.0, id="apart"),
        pytest.param([-1.0], 0.0, id="the-wrong-way"),
        pytest.param([1.0], 0.5, id="ties-count-half"),
        pytest.param([0.5], 0.25, id="between"),
    ],
)
def test_that_the_area_is_the_share_of_pairs_in_order(outside: list[float], area: float) -> None:
    inside = np.array([0.0, 1.0, 1.0, 2.0])

    assert auroc(inside, np.array(outside)) == area


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where is my parcel?", True),
        ("card not working", True),
        ("Don’t I get a refund?", True),
        ("12345 ?", False),
        ("我的包裹在哪里", False),
        ("我的 parcel 到了吗", False),
        ("Wo ist mein Paket?", False),
        ("¿Dónde está mi pedido?", False),
        ("Je voudrais retourner cette veste", False),
        ("où est le colis", False),
        ("Мой заказ не пришёл", False),
    ],
)
def test_that_english_is_known_by_letters_and_common_words(text: str, expected: bool) -> None:
    assert is_english(text) is expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Where is my parcel?", ["Where is my parcel"]),
        (
            "I want to return the jacket, and can you send me an invoice?",
            ["I want to return the jacket", "can you send me an invoice"],
        ),
        (
            "Hi! My parcel is broken. Also I forgot my password.",
            ["My parcel is broken", "I forgot my password"],
        ),
        ("我想退货。另外发票怎么开？", ["我想退货", "发票怎么开"]),
        ("It costs 3.50 at your shop", ["It costs 3.50 at your shop"]),
        ("!!!", []),
    ],
)
def test_that_a_message_is_split_where_another_matter_can_begin(
    text: str, parts: list[str]
) -> None:
    assert clauses(text) == parts


def test_that_words_are_split_into_the_longest_pieces() -> None:
    pieces = WordPieces(["[UNK]", "par", "##cel", "##c", "parcels", "!", "naive", "货"], unknown=0)

    assert pieces.numbers("Parcel! NAÏVE 货货 parrot") == [1, 2, 5, 6, 7, 7, 0]


def test_that_the_constants_and_nodes_of_an_onnx_file_are_read(tmp_path: Path) -> None:
    graph = Graph()
    value = graph.input("value", "float32", [2])
    small = graph.constant("small", np.array([[-3, 4]], dtype=np.int8))
    graph.constant("floats", np.array([0.5, 1.5], dtype=np.float32))
    graph.output(graph.node("MatMul", [value, small], "product"), "float32", [2])
    path = tmp_path / "model.onnx"
    path.write_bytes(graph.model())

    found = read_onnx(path)

    assert found.constants["small"].tolist() == [[-3, 4]]
    assert found.constants["floats"].tolist() == [0.5, 1.5]
    [node] = found.nodes
    assert (node.operator, node.inputs, node.outputs) == ("MatMul", ["value", "small"], ["product"])


def test_that_another_file_is_no_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08")

    with pytest.raises(ValueError, match="not an ONNX file"):
        read_onnx(path)


def test_that_a_head_with_a_hidden_layer_computes_both() -> None:
    head = Head(
        weights=np.eye(2, dtype=np.float32),
        bias=np.array([0, 1], dtype=np.float32),
        hidden_weights=np.array([[1, -1]], dtype=np.float32),
        hidden_bias=np.zeros(2, dtype=np.float32),
    )

    assert head.logits(np.array([[2.0]], dtype=np.float32))[0] == pytest.approx([2, 1 - 0.4])
    assert set(head.arrays()) == {"weights", "bias", "hidden_weights", "hidden_bias"}


def test_that_probabilities_add_up_however_large_the_numbers() -> None:
    assert softmax(np.array([[1000.0, 1000.0]]))[0] == pytest.approx([0.5, 0.5])
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])) == pytest.approx([0, 0.5, 1])


def test_that_what_lies_apart_is_strange() -> None:
    rng = np.random.default_rng(3)
    targets = np.repeat(np.eye(2, dtype=np.float32), 100, axis=0)
    vectors = np.concatenate([targets, np.zeros((200, 2), dtype=np.float32)], axis=1)
    vectors = vectors + rng.normal(scale=0.1, size=vectors.shape).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    logits = 10 * vectors[:, :2]
    outside = np.array([[0, 0, 1, 0], [0, 0, 0, 1]], dtype=np.float32)

    scope = scope_of(vectors, targets)
    scope = measured(scope, scope.distances(vectors), logits)
    inside = scope.strangeness(vectors, logits)
    strange = scope.strangeness(outside, 10 * outside[:, :2])
    kept = scope.with_threshold(inside, strange)  # two are too few to set a threshold by

    assert strange.min() > inside.max()
    assert (inside <= kept.threshold).mean() == pytest.approx(0.95, abs=0.02)
    several = np.repeat(strange, 3)
    parted = scope.with_threshold(inside, several)
    assert (inside <= parted.threshold).all()
    assert (several > parted.threshold).all()
