"""LangChain's chat model over openai's client: the one place that knows these libraries.

Importing them takes a second of a processor, so bot/model.py does it beside the program's start.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import cast

import httpx
import openai
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, convert_to_messages
from langchain_core.outputs import ChatGeneration, LLMResult
from pydantic import SecretStr

from bot.errors import ModelError, ModelUnavailable
from bot.model_calls import Outcome
from bot.understanding import clean

# What the client library raises, from the connection to what it makes of an answer.
_ERRORS = (
    TimeoutError,
    openai.OpenAIError,
    httpx.HTTPError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,  # JSON nested without end
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Texts and their mean log-probabilities, in step. `cut` are those that had no room to end."""

    texts: tuple[str, ...]
    log_probabilities: tuple[float, ...]
    input_tokens: int | None
    output_tokens: int | None
    cut: frozenset[str]


class Library:
    """A chat model at `url`, known there as `name`; times are in seconds."""

    def __init__(
        self, url: str, name: str, key: SecretStr | None, connect: float, whole: float
    ) -> None:
        timeout = openai.Timeout(whole, connect=connect)
        # LangChain's own client is shared by the whole process, and never closed.
        self._client = openai.DefaultAsyncHttpxClient(timeout=timeout)
        # Retries belong to whoever knows how long the customer has waited: not to the client.
        self._model = init_chat_model(
            name,
            model_provider="openai",
            base_url=url,
            api_key=key or SecretStr("none"),
            http_async_client=self._client,
            timeout=timeout,
            max_retries=0,
            use_responses_api=False,
        )

    @property
    def chat(self) -> BaseChatModel:
        """LangChain's model itself, for its agent. Calls raise what `explain` knows."""
        return self._model

    async def sample(
        self, messages: Sequence[tuple[str, str]], *, n: int, temperature: float, max_tokens: int
    ) -> Samples:
        """Return `n` answers from one request. Raises what `explain` knows."""
        result = await self._model.agenerate(
            [convert_to_messages(messages)],
            n=n,
            temperature=temperature,
            max_tokens=max_tokens,
            logprobs=True,
        )
        return _samples(result)

    def stream(
        self, messages: Sequence[tuple[str, str]], *, temperature: float, max_tokens: int
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Return one answer as it comes. Raises what `explain` knows."""
        chunks = self._model.astream(
            convert_to_messages(messages),
            temperature=temperature,
            max_tokens=max_tokens,
            logprobs=True,
            stream_usage=True,
        )
        return cast(AsyncGenerator[AIMessageChunk, None], chunks)  # a generator, says its source

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def explain(error: Exception) -> tuple[Outcome, ModelError] | None:
    """Return what an error of the library comes to, and how it is told; None for any other."""
    return _explained(error) if isinstance(error, _ERRORS) else None


def _explained(error: Exception) -> tuple[Outcome, ModelError]:
    """Return what an error of the library comes to, and how it is told."""
    kind = _kind(error)
    refusal = ModelError(f"the model server refused the request ({kind})")
    match error:
        case openai.APIConnectionError() | openai.InternalServerError() | httpx.HTTPError():
            return "unavailable", ModelUnavailable(f"the model server does not answer ({kind})")
        case TimeoutError():
            return "late", ModelUnavailable(str(error))
        case openai.RateLimitError():
            return "unavailable", refusal
        case openai.AuthenticationError() | openai.PermissionDeniedError() | openai.NotFoundError():
            return "missing", refusal
        case openai.APIStatusError():
            return "refused", refusal
        case _:
            return "broken", refusal


def _kind(error: Exception) -> str:
    """Name an error without its text, in which servers repeat what the customer wrote."""
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__} {status}" if status else type(error).__name__


def _samples(result: LLMResult) -> Samples:
    generations = [g for g in result.generations[0] if isinstance(g, ChatGeneration)]
    if not generations:
        raise ModelError("the model server answered with no text")
    usage = (result.llm_output or {}).get("token_usage") or {}
    texts = tuple(clean(generation.text) for generation in generations)
    reasons = [(each.generation_info or {}).get("finish_reason") for each in generations]
    return Samples(
        texts=texts,
        log_probabilities=tuple(_mean_log_probability(generation) for generation in generations),
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        # A model that reasons first may then have no text.
        cut=frozenset(text for text, why in zip(texts, reasons, strict=True) if why == "length"),
    )


def _mean_log_probability(generation: ChatGeneration) -> float:
    logprobs = generation.message.response_metadata.get("logprobs") or {}
    tokens = logprobs.get("content") or []
    return sum(token["logprob"] for token in tokens) / len(tokens) if tokens else 0.0
