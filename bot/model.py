"""The model behind any OpenAI-compatible server, asked through LangChain."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr

from bot.errors import ModelError, ModelUnavailable
from bot.knowledge.words import HAN
from bot.model_calls import Call, Note, Request
from bot.understanding import clean

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk

    from bot.model_library import Library

Message = tuple[Literal["system", "human", "ai"], str]

MOST_TOKENS = 2**31  # that a server may say it used for one answer
PROBE_TOKENS = 8  # a stream that always dies after a few must not pass for well


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the model may take, in seconds.

    `connect` until it is reached, `visible` until something of its answer can be shown,
    `between_tokens` from one token to the next, `whole` for all of an answer.
    """

    connect: float = 2.0
    visible: float = 8.0
    between_tokens: float = 5.0
    whole: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What one request brought back: `texts` and their mean log-probabilities, in step.

    `cut` are the texts that had no room to end.
    """

    texts: tuple[str, ...]
    log_probabilities: tuple[float, ...]
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: float
    cut: frozenset[str] = frozenset()


class Writing:
    """A text while the model writes it. `text` is all of it so far.

    Once something of it is shown, whoever reads sets `is_visible`: then it may go on as long as
    tokens keep coming.
    """

    def __init__(
        self,
        chunks: AsyncGenerator["AIMessageChunk", None],
        request: Request,
        timeouts: Timeouts,
        seconds: float,
    ) -> None:
        self._chunks = chunks
        self._request = request
        self._timeouts = timeouts
        self._seconds = seconds
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._last_at: float | None = None
        self._log_probabilities: list[float] = []
        self._usage: tuple[int, int] | None = None
        self._finish_reason = ""
        self.is_visible = False
        self.text = ""

    @property
    def is_cut(self) -> bool:
        """Whether it had no room to end."""
        return self._finish_reason == "length"

    async def deltas(self) -> AsyncGenerator[str, None]:
        """Yield each piece as it comes; ends the request at the server when left early.

        Raises what `ChatModel.sample` raises, and ModelError when the text breaks off.
        """
        with self._request.noted():
            async with contextlib.aclosing(self._chunks):
                while (chunk := await self._next()) is not None:
                    self._keep(chunk)
                    if delta := chunk.text:
                        self.text += delta
                        yield delta
            if not self._finish_reason:
                raise ModelError("the model server ended the answer too early")
            # A model that reasons first may use all of its tokens for that.
            self._request.is_empty = not self.text and not self.is_cut

    def sampled(self) -> Sampled:
        """Return what was written so far as one sample."""
        log_probabilities = self._log_probabilities
        mean = sum(log_probabilities) / len(log_probabilities) if log_probabilities else 0.0
        used = self._usage or (None, None)
        return Sampled(
            texts=(clean(self.text),),
            log_probabilities=(mean,),
            input_tokens=_count(used[0]),
            output_tokens=_count(used[1]),
            latency_ms=self._request.latency_ms,
        )

    async def _next(self) -> "AIMessageChunk | None":
        """Return the next chunk, None after the last. Raises TimeoutError when it is late."""
        due, lateness = self._limit()
        try:
            async with asyncio.timeout_at(due):
                return await anext(self._chunks, None)
        except TimeoutError:
            raise TimeoutError(lateness) from None

    def _limit(self) -> tuple[float, str]:
        """Return until when the next chunk must come, and what is said when it does not."""
        gap, whole = self._timeouts.between_tokens, self._timeouts.whole
        limits = [(self._started + whole, f"no whole draft within {whole:g} s")]
        if not self.is_visible:
            limits.append((self._started + self._seconds, _no_draft(self._seconds)))
        if self._last_at is not None:
            limits.append((self._last_at + gap, f"no more of a draft for {gap:g} s"))
        return min(limits)

    def _keep(self, chunk: "AIMessageChunk") -> None:
        self._last_at = self._clock()
        self._request.token_came()
        tokens = (chunk.response_metadata.get("logprobs") or {}).get("content") or []
        self._log_probabilities.extend(float(token["logprob"]) for token in tokens)
        self._finish_reason = chunk.response_metadata.get("finish_reason") or self._finish_reason
        if usage := chunk.usage_metadata:
            self._usage = usage["input_tokens"], usage["output_tokens"]


class ChatModel:
    """A chat model at `url`, known there as `name`.

    `trouble` says why the model can't be asked now (still loading, say), or None when it can.
    `note` is told of every request that is over, but for probes.
    """

    def __init__(
        self,
        *,
        url: str,
        name: str,
        key: SecretStr | None = None,
        context_tokens: int = 4096,
        timeouts: Timeouts | None = None,
        trouble: Callable[[], str | None] = lambda: None,
        note: Note = lambda call: None,
    ) -> None:
        self.name = name
        self.context_tokens = context_tokens
        self.timeouts = timeouts or Timeouts()
        self.trouble = trouble
        self._note = note
        self._address = url, name, key
        self._library: asyncio.Future[Library] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the client library is loaded."""
        found = self._library
        if found is None or not found.done() or found.cancelled():
            return False
        return found.exception() is None

    async def open(self) -> None:
        """Load the client library, beside whatever else goes on."""
        await self._loaded()

    async def sample(
        self,
        messages: Sequence[Message],
        *,
        n: int,
        temperature: float,
        max_tokens: int,
        seconds: float | None = None,
        is_retry: bool = False,
    ) -> Sampled:
        """Return `n` answers from one request, so that the server keeps one copy of the prompt.

        Raises ModelUnavailable when the server can't be reached, isn't ready or takes longer than
        `seconds` (None: the timeouts' `visible`), ModelError when it refuses the request or answers
        with something else than a completion.
        """
        request, seconds = self._begin(seconds, is_retry=is_retry)
        library = await self._loaded()
        with request.noted():
            try:
                async with asyncio.timeout(seconds):
                    found = await library.sample(
                        messages, n=n, temperature=temperature, max_tokens=max_tokens
                    )
            except TimeoutError:
                raise TimeoutError(_no_draft(seconds)) from None
            request.is_empty = not any(found.texts) and not found.cut
            return Sampled(
                texts=found.texts,
                log_probabilities=found.log_probabilities,
                input_tokens=_count(found.input_tokens),
                output_tokens=_count(found.output_tokens),
                latency_ms=request.latency_ms,
                cut=found.cut,
            )

    def write(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int,
        seconds: float | None = None,
        is_retry: bool = False,
    ) -> Writing:
        """Return one answer that can be read while it is written.

        `seconds` is the time until something of it must be visible (None: the timeouts' `visible`).
        Raises ModelUnavailable when the model isn't ready.
        """
        request, seconds = self._begin(seconds, is_retry=is_retry)
        chunks = self._stream(messages, temperature=temperature, max_tokens=max_tokens)
        return Writing(chunks, request, self.timeouts, seconds)

    @contextlib.asynccontextmanager
    async def lend(self, seconds: float) -> AsyncIterator["BaseChatModel"]:
        """Lend LangChain's model to an agent for up to so many seconds.

        Raises ModelUnavailable and ModelError as `sample` does, from all that is done with it.
        """
        request, seconds = self._begin(seconds, is_retry=False)
        library = await self._loaded()
        with request.noted():
            try:
                async with asyncio.timeout(seconds):
                    yield library.chat
            except TimeoutError:
                raise TimeoutError(_no_draft(seconds)) from None
            request.is_empty = False

    async def probe(self, seconds: float) -> None:
        """Ask for a few tokens that nobody waits for. Raises ModelError when none come in time.

        A request that the server refuses has reached a server that is well.
        """
        outcomes: list[Call] = []
        chunks = self._stream([("human", "Hi")], temperature=0.0, max_tokens=PROBE_TOKENS)
        request = Request(outcomes.append, is_retry=False)
        writing = Writing(chunks, request, self.timeouts, seconds)
        try:
            async with contextlib.aclosing(writing.deltas()) as deltas:
                async for _ in deltas:
                    pass
        except ModelError:
            if outcomes[0].outcome != "refused":
                raise
        if outcomes[0].outcome == "empty":
            raise ModelError("the model server answers with no text")

    async def close(self) -> None:
        """Close the connections."""
        if self._library:
            await (await self._library).close()

    def _begin(self, seconds: float | None, *, is_retry: bool) -> tuple[Request, float]:
        """Return a new request and its seconds. Raises ModelUnavailable when there can be none."""
        if trouble := self.trouble():
            raise ModelUnavailable(trouble)
        seconds = self.timeouts.visible if seconds is None else seconds
        if seconds <= 0:
            raise ModelUnavailable("no time is left for a draft")
        request = Request(self._note, is_retry=is_retry)
        request.is_hurried = seconds < self.timeouts.visible / 2
        return request, seconds

    async def _stream(
        self, messages: Sequence[Message], *, temperature: float, max_tokens: int
    ) -> AsyncGenerator["AIMessageChunk", None]:
        library = await self._loaded()
        chunks = library.stream(messages, temperature=temperature, max_tokens=max_tokens)
        # The library's generators close the connection, which stops the server's work.
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _loaded(self) -> "Library":
        if self._library is None:
            self._library = asyncio.ensure_future(asyncio.to_thread(self._load))
        return await asyncio.shield(self._library)

    def _load(self) -> "Library":
        from bot.model_library import Library

        url, name, key = self._address
        return Library(url, name, key, self.timeouts.connect, self.timeouts.whole)


def _count(said: object) -> int | None:
    """Return a number of tokens as the server said it, None for what can't be one."""
    return said if isinstance(said, int) and 0 <= said <= MOST_TOKENS else None


def _no_draft(seconds: float) -> str:
    return f"no draft within {seconds:g} s"


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text takes, rather too many than too few.

    Models split English into tokens of about four letters; a Chinese character takes one to two
    in those trained on it, more in others.
    """
    chinese = len(HAN.findall(text))
    return 1 + chinese * 2 + (len(text) - chinese) // 3
