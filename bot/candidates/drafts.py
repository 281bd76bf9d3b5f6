"""Drafts: what the model writes from the passages, several from one request."""

import asyncio
import logging
import time
from collections.abc import Sequence

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    trim_messages,
)

from bot import grounding
from bot.candidates.article import citation
from bot.errors import ModelError
from bot.knowledge.scoring import Hit
from bot.messages import Candidate, Citation, Generation, Language, Turn
from bot.model import ChatModel, Sampled, estimated_tokens
from bot.understanding import Understood
from prompts import Prompt, Prompts

logger = logging.getLogger(__name__)

TEMPERATURE = 0.3


class DraftWriter:
    """Asks the model for drafts and checks each against the passages it was given.

    `languages` are those the model can write; for others no time is spent on drafts.
    """

    def __init__(
        self,
        model: ChatModel,
        prompts: Prompts,
        *,
        drafts: int,
        longest_tokens: int,
        deadline_seconds: float,
        languages: Sequence[Language],
    ) -> None:
        self._model = model
        self._prompts = prompts
        self._drafts = drafts
        self._temperature = TEMPERATURE if drafts > 1 else 0.0
        self._longest_tokens = longest_tokens
        self._deadline_seconds = deadline_seconds
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
        self, message: Understood, history: Sequence[Turn], hits: Sequence[Hit]
    ) -> tuple[list[Candidate], Generation]:
        """Return checked drafts and the record of the call; a failed call gives no drafts."""
        hits = [hit for hit in hits if hit.is_answer]
        prompt = self._prompts.get("answer", message.language)
        request = self._messages(prompt, message, history, hits)
        sampled, error = await self._sample(request)
        texts = dict.fromkeys(sampled.texts)  # a small model often says the same thing twice
        log_probabilities = dict(zip(sampled.texts, sampled.log_probabilities, strict=True))
        candidates = [
            self._candidate(text, log_probabilities[text], message, hits) for text in texts
        ]
        return candidates, self._generation(prompt, sampled, error)

    async def _sample(self, request: list[BaseMessage]) -> tuple[Sampled, str | None]:
        """Return what the model wrote, or nothing and why."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                sampled = await self._model.sample(
                    request,
                    n=self._drafts,
                    temperature=self._temperature,
                    max_tokens=self._longest_tokens,
                )
        except TimeoutError:
            error = f"no drafts within {self._deadline_seconds:g} s"
        except ModelError as err:
            error = str(err)
        else:
            return sampled, None
        logger.warning("No drafts: %s", error)
        return _nothing((time.perf_counter() - started) * 1000), error

    def _candidate(
        self, text: str, log_probability: float, message: Understood, hits: Sequence[Hit]
    ) -> Candidate:
        found = grounding.check(text, [hit.passage for hit in hits], message.text, message.language)
        return Candidate(
            source="draft",
            text=text,
            citations=_citations(hits, found.articles),
            features={"support": found.support, "log_probability": log_probability},
            refusal=found.refusal,
        )

    def _messages(
        self, prompt: Prompt, message: Understood, history: Sequence[Turn], hits: Sequence[Hit]
    ) -> list[BaseMessage]:
        """Lay the prompt out from stable to volatile, so that the server's prefix cache helps."""
        budget = self._model.context_tokens - self._longest_tokens
        question = HumanMessage(message.text)
        system = _system_message(prompt, hits)
        # Better an answer from fewer passages than a request that the server refuses.
        while len(hits) > 1 and _count_tokens([system, question]) > budget:
            hits = hits[:-1]
            system = _system_message(prompt, hits)
        fixed = _count_tokens([system, question])
        past: list[BaseMessage] = trim_messages(
            [_as_message(turn) for turn in history],
            max_tokens=max(budget - fixed, 0),
            token_counter=_count_tokens,
            strategy="last",
            start_on="human",
        )
        return [system, *past, question]

    def _generation(self, prompt: Prompt, sampled: Sampled, error: str | None) -> Generation:
        return Generation(
            model=self._model.name,
            prompt=f"{prompt.task}/{prompt.language}",
            prompt_version=prompt.version,
            sampling={
                "n": self._drafts,
                "temperature": self._temperature,
                "max_tokens": self._longest_tokens,
            },
            texts=sampled.texts,
            log_probabilities=sampled.log_probabilities,
            input_tokens=sampled.input_tokens,
            output_tokens=sampled.output_tokens,
            latency_ms=sampled.latency_ms,
            error=error,
        )


def _system_message(prompt: Prompt, hits: Sequence[Hit]) -> SystemMessage:
    passages = "\n\n".join(
        f"{hit.passage.title}: {hit.passage.heading}\n{hit.passage.text}" for hit in hits
    )
    return SystemMessage(prompt.render(passages=passages))


def _citations(hits: Sequence[Hit], articles: Sequence[str]) -> tuple[Citation, ...]:
    """Return the references to the articles that support a draft."""
    by_article = {hit.passage.article: citation(hit) for hit in hits}
    return tuple(by_article[article] for article in articles)


def _nothing(latency_ms: float) -> Sampled:
    return Sampled(
        texts=(),
        log_probabilities=(),
        input_tokens=None,
        output_tokens=None,
        latency_ms=latency_ms,
    )


def _as_message(turn: Turn) -> BaseMessage:
    return HumanMessage(turn.text) if turn.role == "customer" else AIMessage(turn.text)


def _count_tokens(messages: list[BaseMessage]) -> int:
    # Four tokens a message for the role and its marks.
    return sum(estimated_tokens(message.text) + 4 for message in messages)
