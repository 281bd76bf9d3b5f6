"""Passages and the questions they answer as matrices: one product compares with them all."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from bot.knowledge.encoder import Vectors
from bot.messages import Passage


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosines of a question with a passage, and with the likest question that asks for it."""

    passage: float
    asked: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text to encode: as part of an article, or as a question."""

    text: str
    is_question: bool

    @property
    def digest(self) -> str:
        """The key of its vector."""
        return hashlib.sha256(f"{self.is_question}\x00{self.text}".encode()).hexdigest()


def texts_of(passage: Passage) -> tuple[Text, Text]:
    """Return what is encoded of a passage: all of it, and its heading, read as a question."""
    whole = Text(f"{passage.title}: {passage.heading}\n{passage.text}", is_question=False)
    return whole, Text(passage.heading or passage.title, is_question=True)


class PassageMatrix:
    """The passages of one language, and the questions of each."""

    def __init__(
        self,
        passages: Sequence[Passage],
        questions: Mapping[str, Sequence[str]],
        vectors: Mapping[str, Vectors],
    ) -> None:
        """`questions` are by article, `vectors` by digest; raises KeyError where one is missing."""
        self._ids = [passage.id for passage in passages]
        pairs = [texts_of(passage) for passage in passages]
        self._passages = np.stack([vectors[whole.digest] for whole, _ in pairs])
        asked = [vectors[heading.digest] for _, heading in pairs]
        owners = list(range(len(passages)))
        for article, rows in _rows_by_article(passages).items():
            for question in questions.get(article, ()):
                vector = vectors[Text(question, is_question=True).digest]
                # A question belongs to the passage of its article that is most like it.
                owners.append(rows[int(np.argmax(self._passages[rows] @ vector))])
                asked.append(vector)
        self._questions = np.stack(asked)
        self._owners: NDArray[np.intp] = np.array(owners)

    def likeness(self, question: Vectors) -> dict[str, Likeness]:
        """Compare a question with every passage; by passage id."""
        asked = np.full(len(self._ids), -1.0, dtype=np.float32)
        np.maximum.at(asked, self._owners, self._questions @ question)
        pairs = zip((self._passages @ question).tolist(), asked.tolist(), strict=True)
        return {key: Likeness(*pair) for key, pair in zip(self._ids, pairs, strict=True)}


def known_vectors(db: Database, encoder: str) -> dict[str, Vectors]:
    """Return every stored vector of an encoder by its text's digest."""
    rows = db.execute("SELECT digest, vector FROM vectors WHERE encoder = ?", [encoder])
    return {digest: np.frombuffer(vector, dtype="<f4") for digest, vector in rows.fetchall()}


def keep_vectors(db: Database, encoder: str, texts: Sequence[Text], vectors: Vectors) -> None:
    """Store one vector a text; those that are there already stay."""
    # Not insert_all(): for a single row that is there already it asks for a rowid, of which this
    # table has none.
    db.conn.executemany(
        "INSERT OR IGNORE INTO vectors (digest, encoder, vector) VALUES (?, ?, ?)",
        [
            (text.digest, encoder, vector.astype("<f4").tobytes())
            for text, vector in zip(texts, vectors, strict=True)
        ],
    )


def _rows_by_article(passages: Sequence[Passage]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, passage in enumerate(passages):
        rows.setdefault(passage.article, []).append(row)
    return rows
