"""Passages and the questions they answer as matrices: one product compares with them all."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import yaml
from numpy.typing import NDArray
from sqlite_utils import Database

from bot.knowledge.encoder import Vectors
from bot.messages import Language, Passage, PassageId

COMPARED_EXACTLY = 20_000  # rows: 30 MB
DIRECTIONS = 192
COMPARED_AGAIN = 400
LEAST_DEVIATION = 0.01  # of cosines: few articles can be all alike


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosines of a question with a passage, with its heading, and with the likest question listed.

    `asked` is that of its article's listed questions, None where it has none.
    """

    passage: float
    heading: float
    asked: float | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and standard deviation of many cosines."""

    mean: float
    deviation: float

    def place(self, cosine: float) -> float:
        """Return how many standard deviations a cosine is above the mean."""
        return (cosine - self.mean) / max(self.deviation, LEAST_DEVIATION)


@dataclass(frozen=True, slots=True)
class Scales:
    """How like all passages are, and all headings and listed questions."""

    passages: Scale
    asked: Scale


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


@cache
def ordinary_questions() -> Mapping[Language, Sequence[Text]]:
    """Return what customers ask companies of all kinds, by language."""
    text = (files("bot.knowledge") / "ordinary_questions.yaml").read_text(encoding="utf-8")
    listed: Mapping[Language, Sequence[str]] = yaml.safe_load(text)
    return {
        language: [Text(each, is_question=True) for each in asked]
        for language, asked in listed.items()
    }


class PassageMatrix:
    """The passages of one language, and the questions of each, as rows of length 1.

    In a large one, a product with the rows' main directions names those that are then compared
    exactly: a question would else read 150 MB for 100,000 passages.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        questions: Mapping[str, Sequence[str]],
        vectors: Mapping[str, Vectors],
        ordinary: Sequence[Text] = (),
    ) -> None:
        """`questions` are by article, `vectors` by digest; raises KeyError where one is missing.

        `ordinary` are questions about anything, which tell what is usual where articles are few.
        """
        self._ids = [passage.id for passage in passages]
        self._row = {key: row for row, key in enumerate(self._ids)}
        self._articles = [passage.article for passage in passages]
        pairs = [texts_of(passage) for passage in passages]
        self._wholes = _Rows(np.stack([vectors[whole.digest] for whole, _ in pairs]))
        owners = _owners(passages, [heading for _, heading in pairs], questions, vectors)
        self._asked = _Rows(np.stack([vectors[digest] for digest in owners]))
        self._owners = list(owners.values())
        number = {digest: place for place, digest in enumerate(owners)}
        self._headings = np.array([number[heading.digest] for _, heading in pairs])
        self._listed = {
            article: np.array([number[Text(each, is_question=True).digest] for each in listed])
            for article in dict.fromkeys(self._articles)
            if (listed := questions.get(article))
        }
        self.usual = self._usual([vectors[text.digest] for text in ordinary])

    def nearest(self, question: Vectors, number: int) -> list[PassageId]:
        """Return the ids of so many passages that are most like it, then of those asked for so."""
        rows = self._wholes.nearest(question, number).tolist()
        asked: list[int] = []
        for row in self._asked.nearest(question, number).tolist():
            # Many passages can have the same heading, which then says little about each.
            asked.extend(self._owners[row][: number - len(asked)])
        rows += asked
        return [self._ids[row] for row in dict.fromkeys(rows)]

    def likeness(
        self, question: Vectors, passages: Iterable[PassageId]
    ) -> dict[PassageId, Likeness]:
        """Compare a question with some of the passages; ids of others are left out."""
        rows = [row for key in passages if (row := self._row.get(key)) is not None]
        wholes = self._wholes.vectors[rows] @ question
        headings = self._asked.vectors[self._headings[rows]] @ question
        articles = {self._articles[row] for row in rows}
        asked = {article: self._likest_listed(article, question) for article in articles}
        return {
            self._ids[row]: Likeness(float(whole), float(heading), asked[self._articles[row]])
            for row, whole, heading in zip(rows, wholes, headings, strict=True)
        }

    def scales(self, question: Vectors) -> Scales:
        """Return how the question's cosines with all rows are spread."""
        return Scales(self._wholes.scale(question), self._asked.scale(question))

    def _usual(self, ordinary: Sequence[Vectors]) -> Scales:
        """Return how like the texts are to headings and questions of others, and to `ordinary`."""
        own = []
        for article, rows in _rows_by_article(self._articles).items():
            listed = self._listed.get(article, ())
            own.append((rows, sorted({*self._headings[rows].tolist(), *listed})))
        others = _Rows(np.vstack([self._asked.vectors, *ordinary]))
        return Scales(
            self._wholes.usual(others, own),
            self._asked.usual(others, [(numbers, numbers) for _, numbers in own]),
        )

    def _likest_listed(self, article: str, question: Vectors) -> float | None:
        listed = self._listed.get(article)
        return None if listed is None else float((self._asked.vectors[listed] @ question).max())


class _Rows:
    """Vectors, with what is needed to find the nearest and to tell how near most are."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors
        self._mean = vectors.mean(axis=0)
        self._moments = vectors.T @ vectors / len(vectors)
        self._directions: Vectors | None = None
        if len(vectors) > COMPARED_EXACTLY:
            # Columns are the eigenvectors with the largest eigenvalues: what keeps most of the dot
            # products (truncated singular value decomposition).
            self._directions = np.linalg.eigh(self._moments)[1][:, -DIRECTIONS:]
            self._coarse = vectors @ self._directions

    def nearest(self, question: Vectors, number: int) -> NDArray[np.intp]:
        """Return the rows with the largest cosines, largest first."""
        if self._directions is None:
            return _largest(self.vectors @ question, number)
        likely = _largest(self._coarse @ (question @ self._directions), COMPARED_AGAIN)
        return likely[_largest(self.vectors[likely] @ question, number)]

    def scale(self, question: Vectors) -> Scale:
        """Return mean and standard deviation of the cosines with all rows, without them."""
        mean = float(self._mean @ question)
        variance = float(question @ self._moments @ question) - mean**2
        return Scale(mean, math.sqrt(max(variance, 0.0)))

    def usual(self, others: "_Rows", own: Iterable[tuple[Sequence[int], Sequence[int]]]) -> Scale:
        """Return mean and standard deviation of the cosines of all rows with all of `others`.

        Rows of both in one of `own` are not counted with each other: in a small collection they
        would make up much of what is usual.
        """
        pairs = float(len(self.vectors) * len(others.vectors))
        total = pairs * float(self._mean @ others._mean)
        # The mean of (a·b)² over all pairs is the sum of the products of both second moments.
        squares = pairs * float((self._moments * others._moments).sum())
        for rows, numbers in own:
            cosines = self.vectors[rows] @ others.vectors[numbers].T
            pairs -= cosines.size
            total -= float(cosines.sum())
            squares -= float((cosines**2).sum())
        pairs = max(pairs, 1.0)
        mean = total / pairs
        return Scale(mean, math.sqrt(max(squares / pairs - mean**2, 0.0)))


def _largest(values: Vectors, number: int) -> NDArray[np.intp]:
    if number < len(values):
        some = np.argpartition(values, -number)[-number:]
        return some[np.argsort(values[some])[::-1]]
    return np.argsort(values)[::-1]


def _owners(
    passages: Sequence[Passage],
    headings: Sequence[Text],
    questions: Mapping[str, Sequence[str]],
    vectors: Mapping[str, Vectors],
) -> dict[str, list[int]]:
    """Return the passages, by row, that each heading and listed question stands for, by digest."""
    owners: dict[str, list[int]] = {}
    for row, heading in enumerate(headings):
        owners.setdefault(heading.digest, []).append(row)
    for article, rows in _rows_by_article([passage.article for passage in passages]).items():
        wholes = [texts_of(passages[row])[0].digest for row in rows]
        for question in questions.get(article, ()):
            digest = Text(question, is_question=True).digest
            # A question stands for the passage of its article that is most like it.
            cosines = [float(vectors[whole] @ vectors[digest]) for whole in wholes]
            owners.setdefault(digest, []).append(rows[int(np.argmax(cosines))])
    return owners


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


def _rows_by_article(articles: Iterable[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, article in enumerate(articles):
        rows.setdefault(article, []).append(row)
    return rows
