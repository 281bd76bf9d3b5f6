"""Vectors of texts beside the passages: sentences, approved answers' examples, open questions.

The company's own texts are encoded once and kept in the database by their digest, as the passages
are. Customers' words are kept in memory only, by digest: what is erased must not stay as a vector.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

import numpy as np
from sqlite_utils import Database

from bot.knowledge.encoder import Encoder, Vectors
from bot.knowledge.vectors import Text, keep_vectors
from bot.log.store import Store

VECTORS_KEPT = 5_000  # in memory, of 1.5 kB each
ENCODED_AT_ONCE = 8
READ_AT_ONCE = 500
_SUFFIX = "/beside"  # keeps them apart from the passages', which are all read at the start

Encode = Callable[[Callable[[Sequence[str]], Vectors], Sequence[str]], Awaitable[Vectors]]
Progress = Callable[[int, int], None]


class Meaning:
    """Compares texts by their vectors. `encode` runs the encoder on its own thread."""

    def __init__(self, store: Store, encoder: Encoder, encode: Encode) -> None:
        self._store = store
        self._encoder = encoder
        self._encode = encode
        self._kept: OrderedDict[str, Vectors] = OrderedDict()

    async def prepare(self, texts: Sequence[Text], progress: Progress | None = None) -> None:
        """Make and store the vectors of the company's own texts that are missing; resumable."""
        missing: list[Text] = []
        for start in range(0, len(texts), READ_AT_ONCE):
            batch = texts[start : start + READ_AT_ONCE]
            known = await self._known(batch)
            missing += [text for text in dict.fromkeys(batch) if text.digest not in known]
        name = self._encoder.name + _SUFFIX
        for start in range(0, len(missing), ENCODED_AT_ONCE):
            for batch in _by_kind(missing[start : start + ENCODED_AT_ONCE]):
                vectors = await self._made(batch)
                await self._store.write(lambda db: keep_vectors(db, name, batch, vectors))  # noqa: B023
            if progress:
                progress(min(start + ENCODED_AT_ONCE, len(missing)), len(missing))

    def remember(self, question: str, vector: Vectors) -> None:
        """Keep a question's vector that was made elsewhere."""
        self._keep({Text(question, is_question=True).digest: vector})

    async def questions(self, asked: Sequence[str], progress: Progress | None = None) -> Vectors:
        """Return an array of shape (questions, width) for customers' words, which aren't stored."""
        texts = [Text(question, is_question=True) for question in asked]
        digests = {text.digest for text in texts}
        found = {digest: self._kept[digest] for digest in digests & self._kept.keys()}
        missing = [text for text in dict.fromkeys(texts) if text.digest not in found]
        for start in range(0, len(missing), ENCODED_AT_ONCE):
            batch = missing[start : start + ENCODED_AT_ONCE]
            made = await self._made(batch)
            found |= dict(zip((text.digest for text in batch), made, strict=True))
            if progress:
                progress(start + len(batch), len(missing))
        return np.stack([found[text.digest] for text in texts])

    async def cosines(
        self, question: str, texts: Sequence[Text], seconds: float = math.inf
    ) -> list[float] | None:
        """Return how alike a question and each prepared text are.

        None where a text has no vector yet, or the question's is not there within `seconds`.
        """
        known = await self._known(texts)
        if not texts or any(text.digest not in known for text in texts) or seconds <= 0:
            return None
        try:
            async with asyncio.timeout(seconds if seconds < math.inf else None):
                [vector] = await self.questions([question])
        except TimeoutError:
            return None
        return [float(known[text.digest] @ vector) for text in texts]

    async def _known(self, texts: Sequence[Text]) -> Mapping[str, Vectors]:
        digests = list(dict.fromkeys(text.digest for text in texts))
        found = {digest: self._kept[digest] for digest in digests if digest in self._kept}
        wanted = [digest for digest in digests if digest not in found]
        if wanted:
            name = self._encoder.name + _SUFFIX
            stored = await self._store.read(lambda db: _stored(db, name, wanted))
            self._keep(stored)
            found |= stored
        return found

    async def _made(self, texts: Sequence[Text]) -> Vectors:
        encode = self._encoder.questions if texts[0].is_question else self._encoder.passages
        vectors = await self._encode(encode, [text.text for text in texts])
        self._keep(dict(zip((text.digest for text in texts), vectors, strict=True)))
        return vectors

    def _keep(self, vectors: Mapping[str, Vectors]) -> None:
        self._kept |= vectors
        while len(self._kept) > VECTORS_KEPT:
            self._kept.popitem(last=False)


def _by_kind(texts: Sequence[Text]) -> list[list[Text]]:
    groups = [[text for text in texts if text.is_question is kind] for kind in (True, False)]
    return [group for group in groups if group]


def _stored(db: Database, encoder: str, digests: Sequence[str]) -> dict[str, Vectors]:
    marks = ", ".join("?" * len(digests))
    rows = db.execute(
        f"SELECT digest, vector FROM vectors WHERE encoder = ? AND digest IN ({marks})",
        [encoder, *digests],
    )
    return {digest: np.frombuffer(vector, dtype="<f4") for digest, vector in rows.fetchall()}
