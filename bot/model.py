"""The model behind any OpenAI-compatible server, asked through LangChain."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx
import openai
from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from pydantic import SecretStr

from bot.errors import ModelError, ModelUnavailable
from bot.knowledge.words import HAN
from bot.understanding import clean

CONNECT_SECONDS = 2.0
WATCH_SECONDS = 10.0
WATCH_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What one request brought back: `texts` and their mean log-probabilities, in step."""

    texts: tuple[str, ...]
    log_probabilities: tuple[float, ...]
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: float


class Writing:
    """A text while the model writes it. `text` is all of it so far."""

    def __init__(self, chunks: AsyncIterator[AIMessageChunk]) -> None:
        self._chunks = chunks
        self._started = time.perf_counter()
        self._log_probabilities: list[float] = []
        self._usage: tuple[int, int] | None = None
        self._is_whole = False
        self.text = ""

    async def deltas(self) -> AsyncGenerator[str, None]:
        """Yield each piece as it comes; ends the request at the server when left early.

        Raises what `ChatModel.sample` raises, and ModelError when the text breaks off.
        """
        with _errors_explained():
            # The library's generators close the connection, which stops the server's work.
            async with contextlib.aclosing(self._chunks) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    self._note(chunk)
                    if delta := chunk.text:
                        self.text += delta
                        yield delta
        if not self._is_whole:
            raise ModelError("the model server ended the answer too early")

    def sampled(self) -> Sampled:
        """Return what was written so far as one sample."""
        log_probabilities = self._log_probabilities
        mean = sum(log_probabilities) / len(log_probabilities) if log_probabilities else 0.0
        used = self._usage or (None, None)
        return Sampled(
            texts=(clean(self.text),),
            log_probabilities=(mean,),
            input_tokens=used[0],
            output_tokens=used[1],
            latency_ms=(time.perf_counter() - self._started) * 1000,
        )

    def _note(self, chunk: AIMessageChunk) -> None:
        tokens = (chunk.response_metadata.get("logprobs") or {}).get("content") or []
        self._log_probabilities.extend(token["logprob"] for token in tokens)
        self._is_whole |= bool(chunk.response_metadata.get("finish_reason"))
        if usage := chunk.usage_metadata:
            self._usage = usage["input_tokens"], usage["output_tokens"]


class ChatModel:
    """A chat model at `url`, known there as `name`.

    `trouble` says why the model can't be asked now (still loading, say), or None when it can.
    """

    def __init__(
        self,
        *,
        url: str,
        name: str,
        key: SecretStr | None = None,
        context_tokens: int = 4096,
        timeout_seconds: float = 8.0,
        trouble: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.name = name
        self.context_tokens = context_tokens
        self.trouble = trouble
        timeout = openai.Timeout(timeout_seconds, connect=CONNECT_SECONDS)
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

    async def sample(
        self, messages: Sequence[BaseMessage], *, n: int, temperature: float, max_tokens: int
    ) -> Sampled:
        """Return `n` answers from one request, so that the server keeps one copy of the prompt.

        Raises ModelUnavailable when the server can't be reached or isn't ready, ModelError when it
        refuses the request or answers with something else than a completion.
        """
        if trouble := self.trouble():
            raise ModelUnavailable(trouble)
        started = time.perf_counter()
        with _errors_explained():
            result = await self._model.agenerate(
                [list(messages)],
                n=n,
                temperature=temperature,
                max_tokens=max_tokens,
                logprobs=True,
            )
            return _sampled(result, (time.perf_counter() - started) * 1000)

    def write(
        self, messages: Sequence[BaseMessage], *, temperature: float, max_tokens: int
    ) -> Writing:
        """Return one answer that can be read while it is written.

        Raises ModelUnavailable when the model isn't ready.
        """
        if trouble := self.trouble():
            raise ModelUnavailable(trouble)
        chunks = self._model.astream(
            list(messages),
            temperature=temperature,
            max_tokens=max_tokens,
            logprobs=True,
            stream_usage=True,
        )
        return Writing(chunks)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


@contextlib.contextmanager
def _errors_explained() -> Iterator[None]:
    """Turn the library's errors into ours, without what the customer wrote."""
    try:
        yield
    except (openai.APIConnectionError, openai.InternalServerError, httpx.HTTPError) as err:
        raise ModelUnavailable(f"the model server does not answer ({_kind(err)})") from err
    except (openai.OpenAIError, ValueError, TypeError, KeyError, AttributeError) as err:
        raise ModelError(f"the model server refused the request ({_kind(err)})") from err


def _kind(error: Exception) -> str:
    """Name an error without its text, in which servers repeat what the customer wrote."""
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__} {status}" if status else type(error).__name__


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text takes, rather too many than too few.

    Models split English into tokens of about four letters; a Chinese character takes one to two
    in those trained on it, more in others.
    """
    chinese = len(HAN.findall(text))
    return 1 + chinese * 2 + (len(text) - chinese) // 3


def _sampled(result: LLMResult, latency_ms: float) -> Sampled:
    generations = [g for g in result.generations[0] if isinstance(g, ChatGeneration)]
    if not generations:
        raise ModelError("the model server answered with no text")
    usage = (result.llm_output or {}).get("token_usage") or {}
    return Sampled(
        texts=tuple(clean(generation.text) for generation in generations),
        log_probabilities=tuple(_mean_log_probability(generation) for generation in generations),
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        latency_ms=latency_ms,
    )


def _mean_log_probability(generation: ChatGeneration) -> float:
    logprobs = generation.message.response_metadata.get("logprobs") or {}
    tokens = logprobs.get("content") or []
    return sum(token["logprob"] for token in tokens) / len(tokens) if tokens else 0.0


class ModelWatch:
    """Knows whether an OpenAI-compatible server answers and has the model, by asking `/models`."""

    def __init__(self, url: str, name: str, key: SecretStr | None) -> None:
        self._url = url
        self._name = name
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._client = httpx.AsyncClient(headers=headers, timeout=WATCH_TIMEOUT_SECONDS)
        self._trouble: str | None = "the model server has not been asked yet"

    def trouble(self) -> str | None:
        """Say why the model can't be asked now, or None when it can."""
        return self._trouble

    async def check(self) -> str | None:
        """Ask the server once; return what is wrong and how to mend it, or None."""
        try:
            response = await self._client.get(f"{self._url}/models")
            response.raise_for_status()
            names = [str(model["id"]) for model in response.json()["data"]]
        except httpx.HTTPStatusError as err:
            self._trouble = self._explain(err.response.status_code)
        except httpx.HTTPError as err:
            self._trouble = (
                f"No model server answers at {self._url} ({type(err).__name__}); start it, or set "
                "FRONTDESK_MODEL_URL to where it is."
            )
        except (ValueError, KeyError, TypeError):
            self._trouble = f"What answers at {self._url} is no OpenAI-compatible server."
        else:
            self._trouble = None if self._name in names else self._unknown_model(names)
        return self._trouble

    async def run(self) -> None:
        """Ask again and again, until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(WATCH_SECONDS)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    def _explain(self, status: int) -> str:
        if status in (401, 403):
            return f"The model server at {self._url} refuses the key; set FRONTDESK_MODEL_KEY."
        return (
            f"The model server at {self._url} answered {status}; FRONTDESK_MODEL_URL must be the "
            "address of its OpenAI-compatible API, usually ending in /v1."
        )

    def _unknown_model(self, names: Sequence[str]) -> str:
        return (
            f"The model server at {self._url} has no model {self._name!r}; set FRONTDESK_MODEL to "
            f"one of: {', '.join(names) or 'none'}."
        )
