"""The articles as the conversation uses them: brought in once, then searched for each question.

Both searches name candidates, so that a name or a number that the encoder knows nothing about still
finds its passage; bot/knowledge/scoring.py orders them. Until the vectors of new articles are made
(seconds to minutes after the first start), and while more questions wait for the encoder than it
can take in time, words alone decide.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from bot.knowledge import index
from bot.knowledge.articles import Broken, read_articles
from bot.knowledge.encoder import Encoder, Vectors
from bot.knowledge.scoring import (
    ENOUGH,
    Hit,
    Rarity,
    article_score,
    passage_hit,
    passage_stems,
    stems,
)
from bot.knowledge.vectors import (
    Likeness,
    PassageMatrix,
    Text,
    keep_vectors,
    known_vectors,
    texts_of,
)
from bot.log.store import Store
from bot.messages import Language, Passage, PassageId

logger = logging.getLogger(__name__)

SHORTLIST = 20  # passages from each of the two searches
ARTICLES_FOUND = 3
PASSAGES_EACH = 2
ENCODED_AT_ONCE = 8
LIKELY_QUESTION_SECONDS = 0.03  # until questions have been timed
_WEIGHT_OF_NEWEST = 0.1


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
        self._questions_waiting = 0
        self._question_seconds = LIKELY_QUESTION_SECONDS
        self._passages: dict[PassageId, Passage] = {}
        self._articles: dict[str, list[Passage]] = {}
        self._questions: dict[str, list[str]] = {}
        self._said: dict[PassageId, frozenset[str]] = {}
        self._asked: dict[str, frozenset[str]] = {}
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

    @property
    def questions_waiting(self) -> int:
        """How many questions wait for the encoder, with the one that it works on."""
        return self._questions_waiting

    async def search(
        self, question: str, language: Language, *, encoder_seconds: float = math.inf
    ) -> list[Hit]:
        """Return the best passages of the nearest articles, best article and passage first.

        Passages are in the question's language where there are any in it. Where the encoder would
        take longer than `encoder_seconds`, words alone decide.
        """
        return await self._search(question, language, await self._vector(question, encoder_seconds))

    async def _search(self, question: str, language: Language, vector: Vectors | None) -> list[Hit]:
        if not any(passage.language == language for passage in self._passages.values()):
            language = "zh" if language == "en" else "en"
        found, rarity = await self._store.read(
            lambda db: (
                index.find(db, question, language, SHORTLIST),
                index.rarity(db, question, language),
            )
        )
        likeness = self._likeness(vector, language)
        scores = {
            article: article_score(
                self._articles[article],
                self._said,
                self._asked.get(article, frozenset()),
                likeness,
                rarity,
            )
            for article in self._shortlist(found, likeness)
        }
        nearest = sorted(scores, key=scores.__getitem__, reverse=True)[:ARTICLES_FOUND]
        return [hit for name in nearest for hit in self._hits(name, scores[name], likeness, rarity)]

    async def search_translated(
        self,
        question: str,
        written: Language,
        wanted: Language,
        *,
        encoder_seconds: float = math.inf,
    ) -> list[Hit]:
        """Return the passages for a question in one language from the articles in another.

        The articles are found in the language that the question is written in, where scores mean
        what they say; then each one's counterpart is taken (`zh/returns` for `en/returns`). Where
        no article has one, what was found is returned as it is.
        """
        vector = await self._vector(question, encoder_seconds)
        hits = await self._search(question, written, vector)
        likeness = self._likeness(vector, wanted)
        scores = {_counterpart(hit.passage.article, written, wanted): hit.score for hit in hits}
        # Each language has its own score from which an article counts as the answer.
        shift = ENOUGH[wanted] - ENOUGH[written] if likeness else 0.0
        translated = [
            hit
            for article, score in scores.items()
            if article in self._articles
            for hit in self._hits(article, score + shift, likeness, {})
        ]
        return translated or hits

    def article(self, name: str, language: Language) -> list[Hit]:
        """Return the first passages of an article by name ("return-an-item"), [] if none has it."""
        named = [
            key
            for key in self._articles
            if key == name or (key.startswith(f"{language}/") and key.endswith(f"/{name}"))
        ]
        passages = self._articles[named[0]][:PASSAGES_EACH] if named else []
        return [
            Hit(passage=passage, score=1.0, closeness=1.0, similarity=None, coverage=1.0)
            for passage in passages
        ]

    def hosts(self) -> frozenset[str]:
        """Return the hosts of the articles' own addresses."""
        urls = {passage.url for passage in self._passages.values()}
        return frozenset(host for url in urls if (host := urlsplit(url).hostname))

    def close(self) -> None:
        """Let the encoder's thread end."""
        self._encoding.shutdown(cancel_futures=True)

    def _shortlist(self, found: Sequence[PassageId], likeness: Mapping[str, Likeness]) -> list[str]:
        """Return the articles of the passages that either search puts first."""
        likest = sorted(likeness, key=lambda key: likeness[key].passage, reverse=True)
        asked = sorted(likeness, key=lambda key: likeness[key].asked, reverse=True)
        keys = [*likest[:SHORTLIST], *asked[:SHORTLIST], *found]
        # An article can be retired between the two searches.
        return list(
            dict.fromkeys(
                self._passages[PassageId(key)].article for key in keys if key in self._passages
            )
        )

    def _hits(
        self, article: str, score: float, likeness: Mapping[str, Likeness], rarity: Rarity
    ) -> list[Hit]:
        """Return the closest passages of an article, closest first."""
        hits = [
            passage_hit(passage, self._said[passage.id], score, likeness, rarity)
            for passage in self._articles[article]
        ]
        return sorted(hits, key=lambda hit: hit.closeness, reverse=True)[:PASSAGES_EACH]

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

    def _likeness(self, vector: Vectors | None, language: Language) -> dict[str, Likeness]:
        if vector is None or language not in self._matrices:
            return {}
        return self._matrices[language].likeness(vector)

    async def _vector(self, question: str, seconds: float) -> Vectors | None:
        """Return a question's vector, or None where it can't be had within `seconds`."""
        likely = (self._questions_waiting + 1) * self._question_seconds
        if not self._matrices or likely > seconds:
            return None
        self._questions_waiting += 1
        try:
            async with asyncio.timeout(seconds if seconds < math.inf else None):
                [vector] = await self._in_encoder(self._timed, [question])
        except TimeoutError:
            return None
        finally:
            self._questions_waiting -= 1
        return cast(Vectors, vector)

    def _timed(self, questions: Sequence[str]) -> Vectors:
        started = time.perf_counter()
        vectors = self._encoder.questions(questions)
        took = time.perf_counter() - started
        self._question_seconds += _WEIGHT_OF_NEWEST * (took - self._question_seconds)
        return vectors

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
        self._said = {passage.id: passage_stems(passage) for passage in passages}
        self._asked = {
            article: stems("\n".join(listed)) for article, listed in self._questions.items()
        }
        self._articles = {}
        for passage in passages:
            self._articles.setdefault(passage.article, []).append(passage)
        self._matrices = {}
        for language in {passage.language for passage in passages}:
            with contextlib.suppress(KeyError):
                self._matrices[language] = PassageMatrix(
                    [passage for passage in passages if passage.language == language],
                    self._questions,
                    vectors,
                )


def _counterpart(article: str, written: Language, wanted: Language) -> str:
    folder, _, name = article.partition("/")
    return f"{wanted}/{name}" if folder == written else article
