"""Drafts: what the model writes from the passages, several from one request."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from bot import grounding
from bot.background import in_background
from bot.candidates.article import citation
from bot.checks.replies import ReplyChecks
from bot.checks.rules import as_instructions
from bot.errors import ModelError, ModelUnavailable
from bot.knowledge.scoring import Hit
from bot.messages import Candidate, Citation, Generation, Language, Turn
from bot.model import ChatModel, Message, Sampled, Writing, estimated_tokens
from bot.understanding import Understood, clean
from prompts import Prompt, Prompts

logger = logging.getLogger(__name__)

TEMPERATURE = 0.3
STOPPED = "stopped"
UNFINISHED = "unfinished"  # its last words may say the opposite of what was to come
FAILED_QUICKLY_SECONDS = 1.0
RETRY_PAUSE_SECONDS = 0.2

Show = Callable[[str], Awaitable[None]]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _Ask(Protocol[T_co]):
    """One request to the model, which has `seconds` until something must be visible."""

    async def __call__(self, seconds: float, /, *, is_retry: bool) -> T_co: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A draft that its reader saw grow: `visible` is what stands there, with its citations."""

    draft: Candidate
    visible: str
    citations: tuple[Citation, ...]
    generation: Generation


class DraftWriter:
    """Asks the model for drafts and checks each against the passages it was given.

    `languages` are those the model can write; for others no time is spent on drafts. How long the
    model has is in its own timeouts.
    """

    def __init__(
        self,
        model: ChatModel,
        prompts: Prompts,
        *,
        drafts: int,
        longest_tokens: int,
        languages: Sequence[Language],
        checks: ReplyChecks | None = None,
    ) -> None:
        self._model = model
        self._checks = checks or ReplyChecks()
        self._prompts = prompts
        self._drafts = drafts
        self._temperature = TEMPERATURE if drafts > 1 else 0.0
        self._longest_tokens = longest_tokens
        self._languages = frozenset(languages)

    def can_write(self, language: Language, hits: Sequence[Hit]) -> bool:
        """Whether drafts are worth asking for: a passage answers, and the model is there."""
        return bool(
            self._drafts
            and language in self._languages
            and hits
            and hits[0].is_answer
            and self._model.trouble() is None
        )

    async def write(
        self,
        message: Understood,
        history: Sequence[Turn],
        hits: Sequence[Hit],
        *,
        seconds: float | None = None,
        stopped: asyncio.Event | None = None,
    ) -> tuple[list[Candidate], Generation]:
        """Return checked drafts and the record of the call; a failed call gives no drafts.

        `seconds` is what is left of the customer's patience. `stopped` ends the call.
        """
        hits = [hit for hit in hits if hit.is_answer]
        prompt = self._prompts.get("answer", message.language)
        request = self._messages(prompt, message, history, hits)
        async with self._checks_prepared(message, history, hits):
            sampled, error = await self._sample(request, self._seconds(seconds), stopped)
        texts = dict.fromkeys(sampled.texts)  # a small model often says the same thing twice
        log_probabilities = dict(zip(sampled.texts, sampled.log_probabilities, strict=True))
        draft = self._draft(message, history, hits)
        candidates = []
        for text in texts:
            checked = await draft.checked(text)
            features = {**checked.features, "log_probability": log_probabilities[text]}
            refusal = checked.refusal or (UNFINISHED if text in sampled.cut else None)
            candidates.append(replace(checked, features=features, refusal=refusal))
        sampling = {
            "n": self._drafts,
            "temperature": self._temperature,
            "max_tokens": self._longest_tokens,
        }
        return candidates, self._generation(prompt, sampled, error, sampling)

    async def write_along(
        self,
        message: Understood,
        history: Sequence[Turn],
        hits: Sequence[Hit],
        show: Show,
        *,
        seconds: float | None = None,
        stopped: asyncio.Event | None = None,
    ) -> Shown:
        """Write one draft and show it sentence by sentence, each once it is checked.

        Ends at the first sentence that fails, and stops the model there. A call that fails, takes
        too long, or is `stopped`, leaves what was shown until then. `seconds` is what is left of
        the customer's patience: until then something must be visible.
        """
        hits = [hit for hit in hits if hit.is_answer]
        prompt = self._prompts.get("answer", message.language)
        reading = _Reading(self._draft(message, history, hits), show)
        request = self._messages(prompt, message, history, hits)
        async with self._checks_prepared(message, history, hits):
            error = await self._read(request, reading, self._seconds(seconds), stopped)
        sampled = reading.writing.sampled() if reading.writing else _nothing(0.0)
        draft = replace(
            reading.candidate,
            features={
                **reading.candidate.features,
                "log_probability": sum(sampled.log_probabilities),
            },
        )
        if error == STOPPED:
            draft = replace(draft, refusal=STOPPED)
        if error and draft.refusal is None:
            draft = replace(draft, refusal=UNFINISHED)
        sampling = {"n": 1, "temperature": 0.0, "max_tokens": self._longest_tokens}
        return Shown(
            draft=draft,
            visible=reading.visible,
            citations=reading.citations,
            generation=self._generation(prompt, sampled, error, sampling),
        )

    def _checks_prepared(
        self, message: Understood, history: Sequence[Turn], hits: Sequence[Hit]
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Work out what the checks need while the model writes."""
        passages = [hit.passage for hit in hits]
        return in_background(self._checks.prepare(message, history, passages))

    def _seconds(self, left: float | None) -> float:
        longest = self._model.timeouts.visible
        return longest if left is None else min(left, longest)

    async def _read(
        self,
        request: list[Message],
        reading: "_Reading",
        seconds: float,
        stopped: asyncio.Event | None,
    ) -> str | None:
        """Let the model write and check along; return why it ended early, or None."""

        async def read(left: float, *, is_retry: bool) -> None:
            await reading.follow(
                self._model.write(
                    request,
                    temperature=0.0,
                    max_tokens=self._longest_tokens,
                    seconds=left,
                    is_retry=is_retry,
                )
            )

        try:
            await _unless(stopped, self._with_retry(read, seconds, lambda: not reading.visible))
        except ModelError as err:
            _log("A draft was not finished: %s", err)
            return str(err)
        return None

    async def _sample(
        self, request: list[Message], seconds: float, stopped: asyncio.Event | None
    ) -> tuple[Sampled, str | None]:
        """Return what the model wrote, or nothing and why."""
        started = time.perf_counter()

        async def sample(left: float, *, is_retry: bool) -> Sampled:
            return await self._model.sample(
                request,
                n=self._drafts,
                temperature=self._temperature,
                max_tokens=self._longest_tokens,
                seconds=left,
                is_retry=is_retry,
            )

        try:
            sampling = self._with_retry(sample, seconds, lambda: True)
            return await _unless(stopped, sampling), None
        except ModelError as err:
            _log("No drafts: %s", err)
            return _nothing((time.perf_counter() - started) * 1000), str(err)

    async def _with_retry(
        self, ask: "_Ask[T]", seconds: float, may_repeat: Callable[[], bool]
    ) -> T:
        """Ask, and once more if that failed at once: a server that restarts, one of several."""
        started = time.monotonic()
        try:
            return await ask(seconds, is_retry=False)
        except ModelUnavailable:
            took = time.monotonic() - started
            has_time = took <= min(FAILED_QUICKLY_SECONDS, seconds - RETRY_PAUSE_SECONDS)
            if not has_time or not may_repeat() or self._model.trouble():
                raise
        await asyncio.sleep(RETRY_PAUSE_SECONDS)
        return await ask(seconds - (time.monotonic() - started), is_retry=True)

    def _messages(
        self, prompt: Prompt, message: Understood, history: Sequence[Turn], hits: Sequence[Hit]
    ) -> list[Message]:
        """Lay the prompt out from stable to volatile, so that the server's prefix cache helps."""
        budget = self._model.context_tokens - self._longest_tokens
        question: Message = ("human", message.text)
        rules = as_instructions(self._checks.rules, self._prompts, message.language)
        system = _system_message(prompt, rules, hits)
        # Better an answer from fewer passages than a request that the server refuses.
        while len(hits) > 1 and _count_tokens([system, question]) > budget:
            hits = hits[:-1]
            system = _system_message(prompt, rules, hits)
        past = [_as_message(turn) for turn in history]
        while past and (past[0][0] != "human" or _count_tokens([system, *past, question]) > budget):
            past.pop(0)
        return [system, *past, question]

    def _draft(self, message: Understood, history: Sequence[Turn], hits: Sequence[Hit]) -> "_Draft":
        prompt = self._prompts.get("answer", message.language)
        rules = as_instructions(self._checks.rules, self._prompts, message.language)
        instructions = prompt.render(rules=rules, passages="")
        return _Draft(self._checks, message, history, hits, instructions)

    def _generation(
        self, prompt: Prompt, sampled: Sampled, error: str | None, sampling: Mapping[str, float]
    ) -> Generation:
        return Generation(
            model=self._model.name,
            prompt=f"{prompt.task}/{prompt.language}",
            prompt_version=prompt.version,
            sampling=sampling,
            texts=sampled.texts,
            log_probabilities=sampled.log_probabilities,
            input_tokens=sampled.input_tokens,
            output_tokens=sampled.output_tokens,
            latency_ms=sampled.latency_ms,
            error=error,
        )


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a draft is checked against: the question, the passages, the prompt's instructions."""

    checks: ReplyChecks
    message: Understood
    history: Sequence[Turn]
    hits: Sequence[Hit]
    instructions: str

    async def checked(self, text: str) -> Candidate:
        """Return the draft as a candidate, refused where a check fails."""
        passages = [hit.passage for hit in self.hits]
        found = await self.checks.draft(
            text, self.message, self.history, passages, self.instructions
        )
        return Candidate(
            source="draft",
            text=text,
            citations=_citations(self.hits, found.articles),
            features=found.features,
            refusal=found.refusal,
        )


class _Reading:
    """Follows a draft as it is written: what of it is checked and shown, and what came of it."""

    def __init__(self, draft: _Draft, show: Show) -> None:
        self._draft = draft
        self._show = show
        self.writing: Writing | None = None
        self.visible = ""
        self.citations: tuple[Citation, ...] = ()
        self.candidate = Candidate(source="draft", text="", refusal=UNFINISHED)

    async def follow(self, writing: Writing) -> None:
        """Read to the end, or to the first sentence that must not be shown."""
        self.writing = writing
        async with contextlib.aclosing(writing.deltas()) as deltas:
            async for _ in deltas:
                if not await self._check(grounding.finished(writing.text)):
                    return
                writing.is_visible = bool(self.visible)
        if writing.is_cut:
            self.candidate = replace(self.candidate, refusal=UNFINISHED)
        else:
            await self._check(writing.text.strip(), is_whole=True)

    async def _check(self, text: str, *, is_whole: bool = False) -> bool:
        """Show a beginning of the text if all of it may be shown."""
        if len(text) <= len(self.visible) and not is_whole:
            return True
        self.candidate = await self._draft.checked(clean(text))
        if self.candidate.refusal is not None:
            return False
        self.visible, self.citations = self.candidate.text, self.candidate.citations
        if not is_whole:
            await self._show(self.visible)
        return True


def _system_message(prompt: Prompt, rules: str, hits: Sequence[Hit]) -> Message:
    passages = "\n\n".join(
        f"{hit.passage.title}: {hit.passage.heading}\n{hit.passage.text}" for hit in hits
    )
    return "system", prompt.render(rules=rules, passages=passages)


def _citations(hits: Sequence[Hit], articles: Sequence[str]) -> tuple[Citation, ...]:
    """Return the references to the articles that support a draft."""
    by_article = {hit.passage.article: citation(hit) for hit in hits}
    return tuple(by_article[article] for article in articles)


async def _unless(stopped: asyncio.Event | None, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` comes to. Raises ModelError when it is stopped before, and ends it."""
    if stopped is None:
        return await work
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ModelError(STOPPED)
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait({working, stopping})


def _log(what: str, error: ModelError) -> None:
    logger.log(logging.INFO if str(error) == STOPPED else logging.WARNING, what, error)


def _nothing(latency_ms: float) -> Sampled:
    return Sampled(
        texts=(),
        log_probabilities=(),
        input_tokens=None,
        output_tokens=None,
        latency_ms=latency_ms,
    )


def _as_message(turn: Turn) -> Message:
    return ("human" if turn.role == "customer" else "ai", turn.text)


def _count_tokens(messages: list[Message]) -> int:
    # Four tokens a message for the role and its marks.
    return sum(estimated_tokens(text) + 4 for _, text in messages)
