"""The way of one message: understand, retrieve, propose, check, rank.

`ConversationManager.answer` reads like that line. Storing the outcome and delivering it is
bot/delivery.py's work.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bot.candidates.article import article_answer
from bot.candidates.commands import command_reply
from bot.candidates.drafts import DraftWriter, Show, Shown
from bot.candidates.fixed import busy, handoff, reply_without_articles, slow_down
from bot.knowledge.scoring import Hit
from bot.knowledge.search import Knowledge
from bot.limits import Allowance, ShedReason, Unlimited
from bot.messages import Candidate, Decision, Generation, Language, Stage, Turn
from bot.ranking.policy import FixedOrder, Policy, decide
from bot.understanding import Understood, understand
from prompts import Prompts

logger = logging.getLogger(__name__)

Progress = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A customer's message, clean and masked, and what is known about its conversation.

    `language` is the conversation's so far; `chosen` the one that the customer asked for.
    `has_stopped` says whether a "/stop" ended an answer.
    """

    text: str
    history: tuple[Turn, ...] = ()
    language: Language | None = None
    chosen: Language | None = None
    has_files: bool = False
    has_stopped: bool = False


class Halt:
    """Tells whoever finds an answer that the model is not to write on.

    `is_asked_for` says that the customer wants no more; else nobody waits for the answer any more.
    """

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.is_asked_for = False

    def stop(self, *, is_asked_for: bool) -> None:
        """End the model's work."""
        self.is_asked_for |= is_asked_for
        self.stopped.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is to be said to a message, and everything that led to it.

    `model_calls` are those that were begun for it, also by attempts that were dropped.
    """

    message: Understood
    decision: Decision
    hits: tuple[Hit, ...] = ()
    generation: Generation | None = None
    latency_ms: float = 0.0
    model_calls: int = 0


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
        utterance: Utterance,
        progress: Progress,
        show: Show | None = None,
        *,
        halt: Halt | None = None,
        allowance: Allowance | None = None,
    ) -> Answer:
        """Return the checked reply to a question.

        Without `show`, several drafts are written and then one reply is chosen. With it, a source
        is chosen first, and if that is a draft it is shown while it is written. After a `halt` the
        articles answer, unless a beginning is shown and the customer asked for no more; so they do
        where the `allowance` leaves no time for the model.
        """
        started = time.perf_counter()
        message = understand(utterance.text, utterance.language, utterance.chosen)
        fixed = await self._fixed_reply(message, utterance)
        if fixed:
            answer = Answer(message=message, decision=self._decide([fixed]))
        else:
            answer = await self._from_articles(
                message,
                utterance.history,
                progress,
                show,
                halt or Halt(),
                allowance or Unlimited(),
            )
        return replace(answer, latency_ms=(time.perf_counter() - started) * 1000)

    def failure(self, utterance: Utterance) -> Answer:
        """Return the hand-off that is said when answering itself failed."""
        message = understand(utterance.text, utterance.language, utterance.chosen)
        candidate = handoff("failure", message.language, self._prompts)
        return Answer(message=message, decision=decide(FixedOrder(), [candidate], self._rng))

    def shed(self, utterance: Utterance, reason: ShedReason) -> Answer:
        """Return the polite reply to a message that is not answered."""
        message = understand(utterance.text, utterance.language, utterance.chosen)
        reply = slow_down if reason == "messages_per_minute" else busy
        return Answer(
            # A command that is not obeyed must not be carried out either.
            message=replace(message, kind="question", command=None),
            decision=Decision(
                candidates=(reply(message.language, self._prompts),),
                propensities=(1.0,),
                chosen=0,
                policy=f"overload/{reason}",
            ),
        )

    async def _fixed_reply(self, message: Understood, utterance: Utterance) -> Candidate | None:
        """Return the reply to a command, a courtesy or a message without words, else None."""
        if message.command is None or message.command.name == "human":
            return reply_without_articles(message, self._prompts, has_files=utterance.has_files)
        article: Sequence[Hit] = ()
        if message.command.name == "start" and message.command.argument:
            article = self._knowledge.article(message.command.argument, message.language)
        return command_reply(
            message.command,
            message.language,
            article,
            self._prompts,
            has_stopped=utterance.has_stopped,
        )

    async def _from_articles(
        self,
        message: Understood,
        history: Sequence[Turn],
        progress: Progress,
        show: Show | None,
        halt: Halt,
        allowance: Allowance,
    ) -> Answer:
        await progress("searching")
        hits = await self._search(message, allowance.encoder_seconds)
        # A hand-off is always on the slate.
        candidates = [handoff("no_article", message.language, self._prompts)]
        if from_article := article_answer(hits):
            candidates.insert(0, from_article)
        if halt.stopped.is_set() or not self._drafts.can_write(message.language, hits):
            return Answer(message=message, decision=self._decide(candidates), hits=tuple(hits))
        generation: Generation | None
        async with allowance.model_call() as seconds:
            if not seconds or halt.stopped.is_set():
                return Answer(message=message, decision=self._decide(candidates), hits=tuple(hits))
            await progress("writing")
            if show is None:
                drafts, generation = await self._drafts.write(
                    message, history, hits, stopped=halt.stopped, seconds=seconds
                )
                decision = self._decide([*drafts, *candidates])
            else:
                decision, generation = await self._choose_then_write(
                    message, history, hits, candidates, show, halt, seconds
                )
        return Answer(message=message, decision=decision, hits=tuple(hits), generation=generation)

    async def _search(self, message: Understood, encoder_seconds: float) -> list[Hit]:
        if message.language == message.written:
            return await self._knowledge.search(
                message.text, message.language, encoder_seconds=encoder_seconds
            )
        return await self._knowledge.search_translated(
            message.text, message.written, message.language, encoder_seconds=encoder_seconds
        )

    async def _choose_then_write(
        self,
        message: Understood,
        history: Sequence[Turn],
        hits: Sequence[Hit],
        others: Sequence[Candidate],
        show: Show,
        halt: Halt,
        seconds: float,
    ) -> tuple[Decision, Generation | None]:
        """Choose a source by what is known before writing; write a draft only if it is chosen."""
        planned = Candidate(source="draft", text="", features={"score": hits[0].score})
        decision = self._decide([planned, *others])
        if decision.candidate is not planned:
            return decision, None
        shown = await self._drafts.write_along(
            message, history, hits, show, stopped=halt.stopped, seconds=seconds
        )
        if shown.draft.refusal is None:
            return decision.written(shown.draft), shown.generation
        if not shown.visible:
            return self._decide([shown.draft, *others]), shown.generation
        if halt.is_asked_for:
            return decision.written(_as_it_stands(shown), shown.draft), shown.generation
        return decision.written(_closed(shown, others[0]), shown.draft), shown.generation

    def _decide(self, candidates: Sequence[Candidate]) -> Decision:
        return decide(self._policy, candidates, self._rng)


def _as_it_stands(shown: Shown) -> Candidate:
    """Return what stands of a draft whose reader wants no more of it."""
    return Candidate(
        source="draft",
        text=shown.visible,
        citations=shown.citations,
        features={**shown.draft.features, "stopped": 1.0},
    )


def _closed(shown: Shown, closing: Candidate) -> Candidate:
    """Return what stands of a draft, closed with the article answer or a hand-off."""
    return Candidate(
        source="draft",
        text=f"{shown.visible}\n\n{closing.text}",
        citations=tuple(dict.fromkeys((*shown.citations, *closing.citations))),
        features=shown.draft.features,
        handoff_reason=closing.handoff_reason,
    )
