"""The way of one message: understand, retrieve, propose, check, rank.

`ConversationManager.answer` reads like that line. Storing the outcome and delivering it is
bot/delivery.py's work.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

from bot import grounding
from bot.actions.calls import Acted
from bot.actions.service import Actions
from bot.audiences import EVERYBODY, audiences_of
from bot.candidates import nearby
from bot.candidates.approved import ApprovedAnswers
from bot.candidates.article import as_answer, shown_passages
from bot.candidates.commands import command_reply
from bot.candidates.drafts import DraftWriter, Show, Shown
from bot.candidates.fixed import busy, handoff, reply_without_articles, slow_down
from bot.candidates.foreign import introduced
from bot.candidates.trimming import trimmed_texts
from bot.checks.replies import ReplyChecks
from bot.concerns import concern_of
from bot.intents.in_force import IntentsInForce
from bot.intents.wanted import Wanted
from bot.knowledge.scoring import Hit
from bot.knowledge.search import Knowledge
from bot.limits import Allowance, ShedReason, Unlimited
from bot.messages import Candidate, Decision, Dialogue, Generation, Language, Passage, Stage, Turn
from bot.ranking.context import Context
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.policy import Policy, decide
from bot.ranking.preference import Preference
from bot.understanding import Understood, understand
from prompts import Prompts

logger = logging.getLogger(__name__)

Progress = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A customer's message, clean and masked, and what is known about its conversation.

    `language` is the conversation's so far; `chosen` the one that the customer asked for.
    `has_stopped` says whether a "/stop" ended an answer. Without a `dialogue` no tool is used.
    """

    text: str
    history: tuple[Turn, ...] = ()
    language: Language | None = None
    chosen: Language | None = None
    has_files: bool = False
    has_stopped: bool = False
    dialogue: Dialogue | None = None

    @property
    def audience(self) -> Collection[str]:
        """The names of its customer, for what is not for everybody."""
        return audiences_of(self.dialogue) if self.dialogue else EVERYBODY


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

    `model_calls` are those that were begun for it, also by attempts that were dropped; `actions`
    the keys of the tools' calls that the reply asks for or tells; `choosing` the model's call that
    chose no tool. `wanted` are the message's intents, None where they weren't told; a hand-off
    that `is_urgent` comes first on the team's list.
    """

    message: Understood
    decision: Decision
    hits: tuple[Hit, ...] = ()
    generation: Generation | None = None
    choosing: Generation | None = None
    latency_ms: float = 0.0
    model_calls: int = 0
    actions: tuple[str, ...] = ()
    wanted: Wanted | None = None
    is_urgent: bool = False


class ConversationManager:
    """Finds the answer to one message at a time; holds no state between messages."""

    def __init__(
        self,
        *,
        knowledge: Knowledge,
        approved: ApprovedAnswers,
        drafts: DraftWriter,
        prompts: Prompts,
        policy: Policy,
        rng: random.Random,
        actions: Actions | None = None,
        checks: ReplyChecks | None = None,
        intents: IntentsInForce | None = None,
        preference: Preference | None = None,
        note: Callable[[Decision], None] | None = None,
    ) -> None:
        """`note` hears of each decision that the policy made; without `intents` none are told."""
        self._intents = intents
        self._preference = preference
        self._note = note
        self._actions = actions
        self._checks = checks or ReplyChecks()
        self._knowledge = knowledge
        self._approved = approved
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
        wanted = await self._wanted(message, allowance or Unlimited())
        context = _context(message, utterance, wanted)
        intents, rules = wanted.intents if wanted else (), self._checks.rules
        fixed = await self._fixed_reply(message, utterance, intents)
        acted = None
        if not fixed:
            tools = rules.tools(intents)
            acted = await self._act(message, utterance, allowance or Unlimited(), tools)
        if fixed:
            answer = Answer(message=message, decision=self._decide(context, [fixed]))
        elif acted and acted.is_whole:
            answer = self._as_answer(message, context, acted)
        else:
            answer = await self._from_articles(
                message,
                utterance,
                context,
                progress,
                show,
                halt or Halt(),
                allowance or Unlimited(),
            )
        if acted and not acted.is_whole:
            answer = _behind(acted, answer)
        return replace(
            answer,
            wanted=wanted,
            is_urgent=rules.is_urgent(intents),
            latency_ms=(time.perf_counter() - started) * 1000,
        )

    async def _wanted(self, message: Understood, allowance: Allowance) -> Wanted | None:
        """Return the intents of a message, None where they can't be told in time."""
        if self._intents is None:
            return None
        try:
            return await self._intents.of(message, allowance.encoder_seconds)
        except Exception:  # the question is answered all the same
            logger.exception("The intents of a message could not be told.")
            return None

    async def _act(
        self,
        message: Understood,
        utterance: Utterance,
        allowance: Allowance,
        tools: Collection[str] | None,
    ) -> Acted | None:
        """Return what tools make of a message, None where they have nothing to do with it.

        Of those `tools`, or of all.
        """
        if self._actions is None or utterance.dialogue is None:
            return None
        return await self._actions.answer(
            message, utterance.dialogue, utterance.history, allowance, only=tools
        )

    def _as_answer(self, message: Understood, context: Context, acted: Acted) -> Answer:
        return Answer(
            message=message,
            decision=self._decide(context, acted.candidates),
            generation=acted.generation,
            actions=acted.keys,
        )

    def failure(self, utterance: Utterance) -> Answer:
        """Return the hand-off that is said when answering itself failed."""
        message = understand(utterance.text, utterance.language, utterance.chosen)
        candidate = handoff("failure", message.language, self._prompts)
        return Answer(
            message=message,
            decision=decide(FixedOrder(), _context(message, utterance), [candidate], self._rng),
        )

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

    async def _fixed_reply(
        self, message: Understood, utterance: Utterance, intents: Sequence[str]
    ) -> Candidate | None:
        """Return the reply to what needs no search, or is a person's matter, else None."""
        if message.kind == "question" and (concern := concern_of(message.text)):
            return handoff(concern, message.language, self._prompts)
        if message.kind == "question" and self._checks.rules.wants_person(message.text):
            return handoff("risk", message.language, self._prompts)
        if self._checks.rules.hands_off(intents):
            return handoff("intent", message.language, self._prompts)
        if message.command is None or message.command.name == "human":
            return reply_without_articles(message, self._prompts, has_files=utterance.has_files)
        if message.command.name == "confirm" and self._actions:
            return None
        article: Sequence[Hit] = ()
        if message.command.name == "start" and message.command.argument:
            article = await self._knowledge.article(
                message.command.argument, message.language, utterance.audience
            )
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
        utterance: Utterance,
        context: Context,
        progress: Progress,
        show: Show | None,
        halt: Halt,
        allowance: Allowance,
    ) -> Answer:
        await progress("searching")
        history = context.history
        message, hits, is_picked = await self._find(message, utterance, allowance)
        # A hand-off is always on the slate.
        candidates = await self._without_model(message, history, hits, allowance, is_picked)
        # The team's own words and a question back need no draft beside them.
        is_settled = candidates[0].source in ("approved", "clarification")
        can_write = not is_settled and self._drafts.can_write(message.language, hits)
        if halt.stopped.is_set() or not can_write:
            decision = await self._choose(context, candidates, allowance)
            return Answer(message=message, decision=decision, hits=tuple(hits))
        generation: Generation | None
        async with allowance.model_call() as seconds:
            if not seconds or halt.stopped.is_set():
                decision = await self._choose(context, candidates, allowance)
                return Answer(message=message, decision=decision, hits=tuple(hits))
            await progress("writing")
            if show is None:
                drafts, generation = await self._drafts.write(
                    message, history, hits, stopped=halt.stopped, seconds=seconds
                )
                decision = await self._choose(context, [*drafts, *candidates], allowance)
            else:
                decision, generation = await self._choose_then_write(
                    message, context, hits, candidates, show, halt, seconds
                )
        return Answer(message=message, decision=decision, hits=tuple(hits), generation=generation)

    async def _find(
        self, message: Understood, utterance: Utterance, allowance: Allowance
    ) -> tuple[Understood, list[Hit], bool]:
        """Return what is really asked, its passages, and whether the customer picked the article.

        Who picks one of the articles that were offered asks the question before once more, of it.
        """
        seconds, audience = allowance.encoder_seconds, utterance.audience
        if pick := nearby.picked(message.text, utterance.history):
            asked = replace(message, text=pick.question)
            hits = await self._search(asked, seconds, audience)
            if of_it := [hit for hit in hits if hit.passage.title == pick.title]:
                return asked, of_it, True
        hits = await self._search(message, seconds, audience, utterance.history)
        return message, hits, False

    async def _without_model(
        self,
        message: Understood,
        history: Sequence[Turn],
        hits: Sequence[Hit],
        allowance: Allowance,
        is_picked: bool,
    ) -> list[Candidate]:
        """Return the candidates that need no model, in the fixed order; the last is a hand-off."""
        language, seconds = message.language, allowance.encoder_seconds
        approved = None if is_picked else await self._approved.match(message, seconds)
        unclear = (
            None if is_picked else nearby.clarification(hits, history, language, self._prompts)
        )
        shown = list(hits[:1]) if is_picked else shown_passages(hits)
        article = None
        if shown:
            meaning = self._knowledge.meaning
            trimmed = await trimmed_texts(shown, message.text, meaning, seconds)
            article = self._checks.article(as_answer(shown, trimmed, nearby.related(hits)))
            article = introduced(article, shown[0], language, self._prompts)
        found = [candidate for candidate in (approved, unclear, article) if candidate]
        return [*found, self._handoff(hits, language)]

    def _handoff(self, hits: Sequence[Hit], language: Language) -> Candidate:
        if hits and hits[0].is_answer:  # drawn only where nothing that was found may be shown
            return handoff("not_grounded", language, self._prompts)
        reply = handoff("no_article", language, self._prompts)
        return nearby.with_hints(reply, hits, language, self._prompts)

    async def _search(
        self,
        message: Understood,
        encoder_seconds: float,
        audience: Collection[str],
        history: Sequence[Turn] = (),
    ) -> list[Hit]:
        said = [turn.text for turn in history]
        if message.language == message.written:
            return await self._knowledge.search(
                message.text,
                message.language,
                history=said,
                encoder_seconds=encoder_seconds,
                audience=audience,
            )
        return await self._knowledge.search_translated(
            message.text,
            message.written,
            message.language,
            history=said,
            encoder_seconds=encoder_seconds,
            audience=audience,
        )

    async def _choose_then_write(
        self,
        message: Understood,
        context: Context,
        hits: Sequence[Hit],
        others: Sequence[Candidate],
        show: Show,
        halt: Halt,
        seconds: float,
    ) -> tuple[Decision, Generation | None]:
        """Choose a source by what is known before writing; write a draft only if it is chosen."""
        planned = Candidate(source="draft", text="", features={"score": hits[0].score})
        decision = self._decide(context, [planned, *others])
        if decision.candidate.source != "draft":
            return decision, None
        shown = await self._drafts.write_along(
            message, context.history, hits, show, stopped=halt.stopped, seconds=seconds
        )
        if shown.draft.refusal is None:
            return decision.written(shown.draft), shown.generation
        if not shown.visible:
            return self._decide(context, [shown.draft, *others]), shown.generation
        if halt.is_asked_for:
            return decision.written(_as_it_stands(shown), shown.draft), shown.generation
        closing = next(other for other in others if other.refusal is None)
        closed = _closed(shown, closing, message, hits[0].passage)
        return decision.written(closed, shown.draft), shown.generation

    async def _choose(
        self, context: Context, candidates: Sequence[Candidate], allowance: Allowance
    ) -> Decision:
        """Choose among written replies, with what is known of how people like such texts."""
        if self._preference:
            said = [*(turn.text for turn in context.history), context.question]
            seconds = allowance.encoder_seconds
            candidates = await self._preference.told(said, candidates, seconds)
        return self._decide(context, candidates)

    def _decide(self, context: Context, candidates: Sequence[Candidate]) -> Decision:
        decision = decide(self._policy, context, candidates, self._rng)
        if self._note:
            self._note(decision)
        return decision


def _context(message: Understood, utterance: Utterance, wanted: Wanted | None = None) -> Context:
    said = [turn.text for turn in utterance.history if turn.role == "customer"]
    return Context(
        question=message.text,
        language=message.language,
        history=utterance.history,
        channel=utterance.dialogue.channel if utterance.dialogue else "",
        is_sensitive=any(concern_of(text) for text in said),
        intent=max((each.probability for each in wanted.found), default=None) if wanted else None,
    )


def _behind(acted: Acted, answer: Answer) -> Answer:
    """Return an answer behind what became of something that its customer said yes to."""
    answer = replace(answer, choosing=acted.generation, actions=acted.keys)
    if not acted.candidates:
        return answer
    [told], chosen = acted.candidates, answer.decision.candidate
    together = replace(
        chosen,
        text=f"{told.text}\n\n{chosen.text}",
        handoff_reason=told.handoff_reason or chosen.handoff_reason,
    )
    return replace(answer, decision=answer.decision.written(together))


def _as_it_stands(shown: Shown) -> Candidate:
    """Return what stands of a draft whose reader wants no more of it."""
    return Candidate(
        source="draft",
        text=shown.visible,
        citations=shown.citations,
        features={**shown.draft.features, "stopped": 1.0},
    )


def _closed(shown: Shown, closing: Candidate, message: Understood, passage: Passage) -> Candidate:
    """Return what stands of a draft, closed with the article answer or a hand-off.

    What the closing says itself isn't said before it as well.
    """
    closed_with = replace(passage, text=closing.text)
    repeats = grounding.check(shown.visible, [closed_with], message.text, message.language)
    beginning = f"{shown.visible}\n\n" if repeats.refusal else ""
    return Candidate(
        source="draft",
        text=f"{beginning}{closing.text}",
        citations=tuple(dict.fromkeys((*shown.citations, *closing.citations))),
        features=shown.draft.features,
        handoff_reason=closing.handoff_reason,
    )
