"""The articles as the conversation uses them: brought in once, then searched for each question.

Both searches name candidates, so that a name or a number that the encoder knows nothing about still
finds its passage; bot/knowledge/scoring.py orders them. Until the vectors of new articles are made
(seconds to minutes after the first start), and while more questions wait for the encoder than it
can take in time, words alone decide.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import numpy as np

from bot.audiences import EVERYBODY
from bot.errors import EncoderError
from bot.knowledge import index, library
from bot.knowledge.articles import Broken
from bot.knowledge.collection import Collection, counterpart
from bot.knowledge.encoder import Encoder, Vectors
from bot.knowledge.followups import CLEARLY, in_context, names_nothing
from bot.knowledge.meaning import Meaning
from bot.knowledge.scoring import (
    ENOUGH,
    Evidence,
    Found,
    Hit,
    contenders,
    evidence,
    passage_hit,
    passage_stems,
    rerankers,
)
from bot.knowledge.vectors import Likeness, Text, keep_vectors, known_vectors
from bot.log.store import Store
from bot.messages import Language, Passage, PassageId

logger = logging.getLogger(__name__)

SHORTLIST = 20  # passages from each of the two searches
ARTICLES_FOUND = 3
PASSAGES_EACH = 2
# The probability from which an article answers whatever was talked of before: somebody who changes
# the subject must not be answered from the old one. ENOUGH is too little for it, since follow-ups
# have common words, too (docs/quality.md).
SURE_ALONE = 0.65
# What the probability of an article that was found with the turns before counts for where it has
# none of the question's own words.
DOUBTFUL = 0.5
ENCODED_AT_ONCE = 8
LIKELY_QUESTION_SECONDS = 0.03  # until questions have been timed
_WEIGHT_OF_NEWEST = 0.1

_Given = TypeVarTuple("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a sync brought in, and what it could not read.

    `next_change` is when the period of an article next begins or ends.
    """

    changes: index.Changes
    broken: tuple[Broken, ...]
    articles: int
    passages: int
    next_change: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What was found for a question, and by article what speaks for it.

    `collection` holds the articles as they were then: others can be brought in any time.
    `is_doubtful`: only the turns before speak for what was found, so nothing of it is an answer.
    """

    collection: Collection
    found: Found
    vector: Vectors | None
    evidence: Mapping[str, Evidence]
    is_doubtful: bool = False

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """The probability that an article answers the question, by article."""
        reranker = rerankers()["words" if self.vector is None else "meaning"]
        counts = DOUBTFUL if self.is_doubtful else 1.0
        return {name: counts * reranker.probability(each) for name, each in self.evidence.items()}

    @property
    def best(self) -> float:
        """The highest probability, 0 where nothing was found."""
        return max(self.scores.values(), default=0.0)

    @property
    def order(self) -> Sequence[str]:
        """The articles, best first; see `Collection.in_order`."""
        return self.collection.in_order(self.scores, self.found.language)

    def has_words_of_it(self, article: str) -> bool:
        """Return whether an article has any of the question's own words, a common one too."""
        asked = self.collection.asked_stems(article)
        return any(
            not self.found.rarity.keys().isdisjoint(passage_stems(each) | asked)
            for each in self.collection.passages_of(article)
        )

    def hits(self, article: str, *, shown: str | None = None) -> list[Hit]:
        """Return the closest passages of an article, or of the one `shown` for it."""
        name, found = shown or article, self.found
        if self.vector is not None:
            found = replace(found, likeness=self.collection.likeness(self.vector, name))
        passages = contenders(self.collection.passages_of(name), found, PASSAGES_EACH)
        hits = [passage_hit(passage, self.scores[article], found) for passage in passages]
        return sorted(hits, key=lambda hit: hit.closeness, reverse=True)[:PASSAGES_EACH]


class Knowledge:
    """The searchable articles."""

    def __init__(self, store: Store, encoder: Encoder) -> None:
        self._store = store
        self._encoder = encoder
        # One thread: the encoder takes one call at a time, and the model's engine needs the cores.
        self._encoding = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self.meaning = Meaning(store, encoder, self.in_encoder)
        self._questions_waiting = 0
        self._question_seconds = LIKELY_QUESTION_SECONDS
        self._collection = Collection()  # of all articles
        self._audiences: Mapping[str, frozenset[str]] = {}
        self._origins: Mapping[str, library.Origin] = {}
        self._views: dict[frozenset[str], Collection] = {}  # by the articles left out
        self._counted: dict[str, int] = {}  # see `index.find`

    async def sync(
        self,
        folder: Path,
        now: datetime,
        *,
        pages: Path | None = None,
        progress: library.Progress = library.silently,
        may_be_empty: bool = False,
    ) -> Synced:
        """Bring in the articles of the folder, and of a website's `pages`, if that exists.

        Raises ArticlesError when the folder is missing or, unless `may_be_empty`, has none.
        """
        has_pages = pages is not None and await asyncio.to_thread(pages.is_dir)
        folders = [folder, pages] if pages and has_pages else [folder]
        outcome = await library.sync(
            self._store, folders, now, progress=progress, may_be_empty=may_be_empty
        )
        self._origins = outcome.origins
        self._audiences = {name: frozenset(each) for name, each in outcome.audiences.items()}
        if outcome.changes.any or not self._collection.passages:
            await self._load()
        return Synced(
            changes=outcome.changes,
            broken=outcome.broken,
            articles=outcome.articles,
            passages=len(self._collection.passages),
            next_change=outcome.next_change,
        )

    async def encode(self, progress: Callable[[int, int], None]) -> None:
        """Make the vectors that are missing, calling `progress(done, total)`; resumable."""
        known = await self._store.read(lambda db: known_vectors(db, self._encoder.name))
        missing = [text for text in self._collection.texts() if text.digest not in known]
        for start in range(0, len(missing), ENCODED_AT_ONCE):
            batch = missing[start : start + ENCODED_AT_ONCE]
            try:
                await self._encode_batch([text for text in batch if text.is_question])
                await self._encode_batch([text for text in batch if not text.is_question])
            except EncoderError as err:
                logger.warning("New articles are found by their words alone: %s.", err)
                break
            progress(start + len(batch), len(missing))
        await self._load()

    @property
    def articles(self) -> Sized[str]:
        """The ids of all articles that are searched."""
        return self._collection.articles

    @property
    def questions_waiting(self) -> int:
        """How many questions wait for the encoder, with the one that it works on."""
        return self._questions_waiting

    async def search(
        self,
        question: str,
        language: Language,
        *,
        history: Sequence[str] = (),
        encoder_seconds: float = math.inf,
        audience: Sized[str] = EVERYBODY,
    ) -> list[Hit]:
        """Return the best passages of the likeliest articles, best article and passage first.

        An article in another language counts where none in the question's own answers it.
        `history` are the turns before, oldest first, customer and bot in turn: what is found with
        them counts where it is clearly likelier than what the question finds by itself, and of one
        that names nothing ("And how long?") nothing else does. Where the encoder would take longer
        than `encoder_seconds`, words alone decide. `audience` are the names that the asker has:
        what is for others is as if it were not there. An article whose file was deleted is passed
        over, also before a sync takes it out.
        """
        weighed = await self.weigh(
            question,
            language,
            history=history,
            encoder_seconds=encoder_seconds,
            audience=audience,
        )
        there = await self._there(weighed.order, ARTICLES_FOUND)
        return [hit for name in there for hit in weighed.hits(name)]

    async def weigh(
        self,
        question: str,
        language: Language,
        *,
        history: Sequence[str] = (),
        encoder_seconds: float = math.inf,
        audience: Sized[str] = EVERYBODY,
    ) -> Weighed:
        """Return every article that either search named, with what speaks for it; see `search`."""
        started = time.monotonic()
        collection = await self._view(audience)
        alone = await self._weigh(collection, question, language, encoder_seconds)
        is_bare = names_nothing(question)
        if not history or (alone.best >= SURE_ALONE and not is_bare):
            return alone
        left = max(encoder_seconds - (time.monotonic() - started), 0.0)
        longer = in_context(question, history, language)
        together = await self._weigh(collection, longer, language, left)
        is_likelier = together.best > alone.best + CLEARLY
        if not is_bare and not is_likelier:
            return alone
        # What was talked of is found again, whatever is asked now: that alone is no answer.
        is_doubtful = not is_bare and not alone.has_words_of_it(together.order[0])
        if is_doubtful and alone.best >= ENOUGH:
            return alone
        return replace(together, is_doubtful=is_doubtful)

    async def _there(self, names: Sequence[str], number: int) -> list[str]:
        """Return the first `number` articles whose files were not deleted since the last sync."""
        origins = self._origins

        def look() -> list[str]:
            kept = (name for name in names if name not in origins or not origins[name].is_gone())
            return list(islice(kept, number))

        return await asyncio.to_thread(look)  # a network drive may be slow

    async def _view(self, audience: Sized[str]) -> Collection:
        """Return the articles that somebody may be answered from."""
        hidden = frozenset(
            name for name, each in self._audiences.items() if each.isdisjoint(audience)
        )
        if not hidden:
            return self._collection
        views = self._views  # others once something changed meanwhile
        if hidden not in views:
            views[hidden] = await self._read(hidden)
        return views[hidden]

    async def _weigh(
        self, collection: Collection, question: str, language: Language, encoder_seconds: float
    ) -> Weighed:
        vector = await self._vector(question, language, encoder_seconds)
        found = await self._find(collection, question, language, vector)
        named = collection.by_article([*found.likeness, *found.matches], language)
        return Weighed(
            collection=collection,
            found=found,
            vector=vector,
            evidence=evidence(found, named, collection.asked_stems),
        )

    async def search_translated(
        self,
        question: str,
        written: Language,
        wanted: Language,
        *,
        history: Sequence[str] = (),
        encoder_seconds: float = math.inf,
        audience: Sized[str] = EVERYBODY,
    ) -> list[Hit]:
        """Return the passages for a question in one language from the articles in another.

        The articles are found in the language that the question is written in, where most speaks
        for them; then each one's counterpart is taken (`zh/returns` for `en/returns`). One without
        a counterpart stays as it is.
        """
        weighed = await self.weigh(
            question, written, history=history, encoder_seconds=encoder_seconds, audience=audience
        )
        shown: dict[str, str] = {}  # each with the one that it is shown for
        for name in weighed.order:
            twin = counterpart(name, written, wanted)
            shown.setdefault(twin if weighed.collection.passages_of(twin) else name, name)
        there = await self._there([*shown], ARTICLES_FOUND)
        return [hit for each in there for hit in weighed.hits(shown[each], shown=each)]

    async def article(
        self, name: str, language: Language, audience: Sized[str] = EVERYBODY
    ) -> list[Hit]:
        """Return the first passages of an article by name ("return-an-item"), [] if none has it."""
        collection = await self._view(audience)
        found = collection.named(name, language)[:PASSAGES_EACH]
        if not await self._there([passage.article for passage in found[:1]], 1):
            return []
        return [
            Hit(passage=passage, score=1.0, closeness=1.0, similarity=None, coverage=1.0)
            for passage in found
        ]

    def passages(self) -> Sequence[Passage]:
        """Return every passage in use."""
        return tuple(self._collection.passages.values())

    def hosts(self) -> frozenset[str]:
        """Return the hosts of the articles' own addresses."""
        return self._collection.hosts

    def close(self) -> None:
        """Let the encoder's thread end."""
        self._encoding.shutdown(cancel_futures=True)

    async def _find(
        self, collection: Collection, question: str, language: Language, vector: Vectors | None
    ) -> Found:
        """Search by words and by meaning."""
        total = len(self._collection.passages)
        # What is for others takes no place on the shortlist.
        number = SHORTLIST + total - len(collection.passages)
        counted = self._counted
        matched = await self._store.read(
            lambda db: index.find(db, question, number, total=total, counted=counted)
        )
        # An article can be retired between the two searches.
        there = [key for key in matched.matches if key in collection.passages][:SHORTLIST]
        matches = {key: matched.matches[key] for key in there}
        likeness: dict[PassageId, Likeness] = {}
        if vector is not None:
            likeness = await self.in_encoder(collection.likest, vector, SHORTLIST, matches)
        return Found(
            question=question,
            language=language,
            rarity=matched.rarity,
            matches=matches,
            likeness=likeness,
            scales={} if vector is None else collection.scales(vector),
            usual={} if vector is None else collection.usual,
        )

    async def _encode_batch(self, texts: Sequence[Text]) -> None:
        if not texts:
            return
        encode = self._encoder.questions if texts[0].is_question else self._encoder.passages
        vectors = await self.in_encoder(encode, [text.text for text in texts])
        await self._store.write(lambda db: keep_vectors(db, self._encoder.name, texts, vectors))

    async def _vector(self, question: str, language: Language, seconds: float) -> Vectors | None:
        """Return a question's vector, or None where it can't be had within `seconds`."""
        likely = (self._questions_waiting + 1) * self._question_seconds
        if not self._collection.is_compared(language) or likely > seconds:
            return None
        self._questions_waiting += 1
        try:
            async with asyncio.timeout(seconds if seconds < math.inf else None):
                vectors = await self.in_encoder(self._timed, [question])
        except (TimeoutError, EncoderError):
            return None
        finally:
            self._questions_waiting -= 1
        vector = np.asarray(vectors[0], dtype=np.float32)
        self.meaning.remember(question, vector)
        return vector

    def _timed(self, questions: Sequence[str]) -> Vectors:
        started = time.perf_counter()
        vectors = self._encoder.questions(questions)
        took = time.perf_counter() - started
        self._question_seconds += _WEIGHT_OF_NEWEST * (took - self._question_seconds)
        return vectors

    async def in_encoder(self, work: Callable[[*_Given], _Made], *given: *_Given) -> _Made:
        """Return what `work` returns, run on the encoder's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._encoding, work, *given)

    async def _load(self) -> None:
        """Read passages and vectors into memory."""
        self._collection, self._views, self._counted = await self._read(frozenset()), {}, {}

    async def _read(self, hidden: frozenset[str]) -> Collection:
        """Return the articles as the database has them, without some."""
        passages, questions, vectors = await self._store.read(
            lambda db: (
                index.current_passages(db),
                index.questions_by_article(db),
                known_vectors(db, self._encoder.name),
            )
        )
        seen = [passage for passage in passages if passage.article not in hidden]
        asked = {name: each for name, each in questions.items() if name not in hidden}
        return await asyncio.to_thread(Collection, seen, asked, vectors)
