"""The way of one message: understand, retrieve, propose, check, rank.

`ConversationManager.answer` reads like that line. Storing the outcome and delivering it is
bot/delivery.py's work.
"""

import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.candidates.article import article_answer
from bot.candidates.drafts import DraftWriter
from bot.candidates.fixed import handoff, reply_without_articles
from bot.knowledge.scoring import Hit
from bot.knowledge.search import Knowledge
from bot.messages import Candidate, Decision, Generation, Language, Stage, Turn
from bot.ranking.policy import FixedOrder, Policy, decide
from bot.understanding import Understood, understand
from prompts import Prompts

logger = logging.getLogger(__name__)

Progress = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is to be said to a message, and everything that led to it."""

    message: Understood
    decision: Decision
    hits: tuple[Hit, ...]
    generation: Generation | None
    latency_ms: float


class ConversationManager:
    """Finds the answer to one message at a time; holds no state between messages."""

    def __init__(
        self,
        *,
        knowledge: Knowledge,
        drafts: DraftWriter,
        prompts: Prompts,
        policy: Policy,
        rng: random.Random,
    ) -> None:
        self._knowledge = knowledge
        self._drafts = drafts
        self._prompts = prompts
        self._policy = policy
        self._rng = rng

    async def answer(
        self,
        text: str,
        history: Sequence[Turn],
        previous_language: Language | None,
        progress: Progress,
    ) -> Answer:
        """Return the checked reply to `text`, which is clean and masked."""
        started = time.perf_counter()
        message = understand(text, previous_language)
        hits: list[Hit] = []
        generation = None
        if fixed := reply_without_articles(message, self._prompts):
            candidates = [fixed]
        else:
            await progress("searching")
            hits = await self._knowledge.search(message.text, message.language)
            candidates, generation = await self._propose(message, history, hits, progress)
        decision = decide(self._policy, candidates, self._rng)
        return Answer(
            message=message,
            decision=decision,
            hits=tuple(hits),
            generation=generation,
            latency_ms=(time.perf_counter() - started) * 1000,
        )

    def failure(self, text: str, previous_language: Language | None) -> Answer:
        """Return the hand-off that is said when answering itself failed."""
        message = understand(text, previous_language)
        candidate = handoff("failure", message.language, self._prompts)
        decision = decide(FixedOrder(), [candidate], self._rng)
        return Answer(message=message, decision=decision, hits=(), generation=None, latency_ms=0.0)

    async def _propose(
        self,
        message: Understood,
        history: Sequence[Turn],
        hits: Sequence[Hit],
        progress: Progress,
    ) -> tuple[list[Candidate], Generation | None]:
        """Collect the candidates from every source; a hand-off is always among them."""
        candidates: list[Candidate] = []
        generation = None
        if self._drafts.can_write(message.language, hits):
            await progress("writing")
            candidates, generation = await self._drafts.write(message, history, hits)
        if from_article := article_answer(hits):
            candidates.append(from_article)
        candidates.append(handoff("no_article", message.language, self._prompts))
        return candidates, generation
