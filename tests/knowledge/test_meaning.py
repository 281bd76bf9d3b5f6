"""Vectors of other texts: the company's are stored, customers' are not."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bot.knowledge.encoder import Vectors
from bot.knowledge.meaning import Meaning
from bot.knowledge.vectors import Text
from bot.log.store import Store
from tests.small_shop import WordEncoder

TEXTS = [Text("Dogs are welcome.", is_question=False), Text("dogs?", is_question=True)]


async def encode(work: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> Vectors:
    return work(texts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "frontdesk.db") as opened:
        yield opened


async def count(store: Store) -> int:
    [number] = await store.read(lambda db: db.execute("SELECT count(*) FROM vectors").fetchone())
    return int(number)


async def test_that_a_text_is_encoded_once_and_stays(store: Store) -> None:
    first, second = WordEncoder(), WordEncoder()
    seen: list[tuple[int, int]] = []

    await Meaning(store, first, encode).prepare([*TEXTS, *TEXTS], lambda *of: seen.append(of))
    await Meaning(store, second, encode).prepare(TEXTS)

    assert (sorted(first.encoded), second.encoded) == (["Dogs are welcome.", "dogs?"], [])
    assert (seen, await count(store)) == ([(2, 2)], 2)


async def test_that_what_customers_ask_is_not_stored(store: Store) -> None:
    encoder = WordEncoder()
    meaning = Meaning(store, encoder, encode)

    vectors = await meaning.questions(["dogs?", "cats?", "dogs?"])

    assert vectors.shape == (3, 64)
    assert (vectors[0] == vectors[2]).all()
    assert (len(encoder.encoded), await count(store)) == (2, 0)


async def test_that_likeness_needs_every_vector_and_time(store: Store) -> None:
    meaning = Meaning(store, WordEncoder(), encode)
    assert await meaning.cosines("dogs?", TEXTS) is None
    await meaning.prepare(TEXTS)

    found = await meaning.cosines("dogs?", TEXTS)

    assert found is not None
    assert found[1] == pytest.approx(1.0, abs=1e-5)
    assert await meaning.cosines("dogs?", TEXTS, 0.0) is None
    assert await meaning.cosines("dogs?", []) is None
