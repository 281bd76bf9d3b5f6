"""The articles as the conversation uses them: brought in once, then searched for each question.

A passage's score is how like it and the questions it answers are to what was asked, plus a little
for the rare words of the question that it has. Candidates come from both searches, so a name or a
number that the encoder knows nothing about still finds its passage. Until the vectors of new
articles are made (seconds to minutes after the first start) the share of words alone decides.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.knowledge import index
from bot.knowledge.articles import Broken, read_articles
from bot.knowledge.encoder import Encoder, Vectors
from bot.knowledge.vectors import PassageMatrix, Text, keep_vectors, known_vectors, texts_of
from bot.knowledge.words import stem, words
from bot.log.store import Store
from bot.messages import Language, Passage, PassageId

logger = logging.getLogger(__name__)

SHORTLIST = 20  # passages from each of the two searches
COVERAGE_WEIGHT = 0.06
ENCODED_AT_ONCE = 8

# The score from which a passage is taken to answer the question, set on
# examples/shop/questions-tuning.jsonl; the encoder scores Chinese pairs higher than English ones.
ENOUGH: Mapping[Language, float] = {"en": 0.851, "zh": 0.890}
ENOUGH_WITHOUT_VECTORS = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage that a search found.

    `coverage` is the share of the question's words, weighted by how rare they are in the articles,
    that the passage has (0 to 1); `similarity` how like their vectors are, None without vectors.
    """

    passage: Passage
    score: float
    similarity: float | None
    coverage: float

    @property
    def is_answer(self) -> bool:
        """Whether the passage is near enough to be shown as the answer."""
        if self.similarity is None:
            return self.score >= ENOUGH_WITHOUT_VECTORS
        return self.score >= ENOUGH[self.passage.language]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a sync brought in, and what it could not read."""

    changes: index.Changes
    broken: tuple[Broken, ...]
    articles: int
    passages: int


class Knowledge:
    """The searchable articles."""

    def __init__(self, store: Store, encoder: Encoder) -> None:
        self._store = store
        self._encoder = encoder
        # One thread: the encoder takes one call at a time, and the model's engine needs the cores.
        self._encoding = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._passages: dict[PassageId, Passage] = {}
        self._questions: dict[str, list[str]] = {}
        self._matrices: dict[Language, PassageMatrix] = {}

    async def sync(self, folder: Path, now: datetime) -> Synced:
        """Bring the folder's articles in; raises ArticlesError when there are none."""
        articles, broken = await asyncio.to_thread(read_articles, folder)
        for file in broken:
            logger.warning("Left out %s: %s.", file.path, file.reason)
        changes = await self._store.write(lambda db: index.sync(db, articles, now))
        await self._load()
        return Synced(
            changes=changes,
            broken=tuple(broken),
            articles=len(articles),
            passages=len(self._passages),
        )

    async def encode(self, progress: Callable[[int, int], None]) -> None:
        """Make the vectors that are missing, calling `progress(done, total)`; resumable."""
        known = await self._store.read(lambda db: known_vectors(db, self._encoder.name))
        missing = [text for text in self._texts() if text.digest not in known]
        for start in range(0, len(missing), ENCODED_AT_ONCE):
            batch = missing[start : start + ENCODED_AT_ONCE]
            await self._encode_batch([text for text in batch if text.is_question])
            await self._encode_batch([text for text in batch if not text.is_question])
            progress(start + len(batch), len(missing))
        await self._load()

    async def search(self, question: str, language: Language, limit: int = 4) -> list[Hit]:
        """Return the passages that say most about the question, best first.

        Passages are in the question's language where there are any in it.
        """
        if not any(passage.language == language for passage in self._passages.values()):
            language = "zh" if language == "en" else "en"
        found, rarity = await self._store.read(
            lambda db: (
                index.find(db, question, language, SHORTLIST),
                index.rarity(db, question, language),
            )
        )
        similar = await self._similar(question, language)
        shortlist = dict.fromkeys([*sorted(similar, key=similar.__getitem__)[-SHORTLIST:], *found])
        hits = [
            self._hit(self._passages[key], similar.get(key), rarity)
            for key in shortlist
            if key in self._passages
        ]
        return sorted(hits, key=lambda hit: hit.score, reverse=True)[:limit]

    def close(self) -> None:
        """Let the encoder's thread end."""
        self._encoding.shutdown(cancel_futures=True)

    def _hit(self, passage: Passage, similarity: float | None, rarity: Mapping[str, float]) -> Hit:
        coverage = self._coverage(passage, rarity)
        score = coverage if similarity is None else similarity + COVERAGE_WEIGHT * coverage
        return Hit(passage=passage, score=score, similarity=similarity, coverage=coverage)

    def _coverage(self, passage: Passage, rarity: Mapping[str, float]) -> float:
        if not rarity:
            return 0.0
        present = _words_of(passage, self._questions.get(passage.article, ()))
        covered = sum(weight for word, weight in rarity.items() if word in present)
        return covered / sum(rarity.values())

    def _texts(self) -> list[Text]:
        """Return everything that is encoded, each text once."""
        found = [text for passage in self._passages.values() for text in texts_of(passage)]
        for questions in self._questions.values():
            found.extend(Text(question, is_question=True) for question in questions)
        return list(dict.fromkeys(found))

    async def _encode_batch(self, texts: Sequence[Text]) -> None:
        if not texts:
            return
        encode = self._encoder.questions if texts[0].is_question else self._encoder.passages
        vectors = await self._in_encoder(encode, [text.text for text in texts])
        await self._store.write(lambda db: keep_vectors(db, self._encoder.name, texts, vectors))

    async def _similar(self, question: str, language: Language) -> dict[PassageId, float]:
        if language not in self._matrices:
            return {}
        [vector] = await self._in_encoder(self._encoder.questions, [question])
        return self._matrices[language].similarities(vector)

    async def _in_encoder(
        self, work: Callable[[Sequence[str]], Vectors], texts: Sequence[str]
    ) -> Vectors:
        return await asyncio.get_running_loop().run_in_executor(self._encoding, work, texts)

    async def _load(self) -> None:
        """Read passages and vectors into memory; a language counts once all of it has vectors."""
        passages, self._questions, vectors = await self._store.read(
            lambda db: (
                index.current_passages(db),
                index.questions_by_article(db),
                known_vectors(db, self._encoder.name),
            )
        )
        self._passages = {passage.id: passage for passage in passages}
        self._matrices = {}
        for language in {passage.language for passage in passages}:
            with contextlib.suppress(KeyError):
                self._matrices[language] = PassageMatrix(
                    [passage for passage in passages if passage.language == language],
                    self._questions,
                    vectors,
                )


def _words_of(passage: Passage, questions: Sequence[str]) -> set[str]:
    parts = (passage.title, passage.heading, passage.text, *questions)
    return {stem(word) for word in words("\n".join(parts))}
