"""The model chooses tools and their arguments: LangChain's agent around our own checks.

After bot/model_library.py the second place that imports LangChain, and as late: at its first use.
"""

import asyncio
import contextlib
import importlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.errors import ModelError
from bot.messages import Generation, Turn
from bot.model import ChatModel, estimated_tokens
from bot.understanding import Understood, clean
from prompts import Prompts

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool

logger = logging.getLogger(__name__)

LONGEST_TOKENS = 512
REFUSED_STATUSES = (400, 404, 422, 501)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A tool as the model sees it; `call` takes its arguments and returns what it may read."""

    name: str
    description: str
    schema: Mapping[str, Any]
    call: Callable[[Mapping[str, Any]], Awaitable[str]]


class Ended(Exception):
    """Raised by an offer's `call` to end the model's work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the model did; `ended` is what a call ended its work with, None where it did itself."""

    generation: Generation
    ended: Ended | None = None


class Agent:
    """Lets the model use tools until it has an answer, or a call ends its work."""

    def __init__(self, model: ChatModel, prompts: Prompts) -> None:
        self._model = model
        self._prompts = prompts
        self._is_refused = False

    @property
    def can_act(self) -> bool:
        """Whether the model can be asked now, and takes tools."""
        return not self._is_refused and self._model.trouble() is None

    async def run(
        self,
        message: Understood,
        history: Sequence[Turn],
        offers: Sequence[Offer],
        *,
        seconds: float,
        turns: int,
    ) -> Run:
        """Return the record of what the model did; its text is the draft of a reply.

        `turns` is how often it may be asked. A call of the model that fails is the record's
        `error`; what came before counts all the same.
        """
        started = time.perf_counter()
        messages: list[BaseMessage] = []
        error, ended = None, None
        try:
            async with self._model.lend(seconds) as model:
                async for state in self._steps(model, message, history, offers, turns):
                    messages = state
        except Ended as err:
            ended = err
        except ModelError as err:
            error = str(err)
            self._note(err)
        latency_ms = (time.perf_counter() - started) * 1000
        return Run(generation=self._generation(message, messages, error, latency_ms), ended=ended)

    async def _steps(
        self,
        model: "BaseChatModel",
        message: Understood,
        history: Sequence[Turn],
        offers: Sequence[Offer],
        turns: int,
    ) -> "AsyncIterator[list[BaseMessage]]":
        """Yield all messages so far, after each that the model wrote and each call."""
        await asyncio.to_thread(importlib.import_module, "langchain.agents")  # takes a second
        from langchain.agents import create_agent

        prompt = self._prompts.get("act", message.language).render()
        agent: Any = create_agent(
            model.model_copy(update={"temperature": 0.0, "max_tokens": LONGEST_TOKENS}),
            [_as_tool(offer) for offer in offers],
            system_prompt=prompt,
        )
        tools = sum(estimated_tokens(f"{offer.description}{offer.schema}") for offer in offers)
        budget = self._model.context_tokens - LONGEST_TOKENS - tools - estimated_tokens(prompt)
        past = _that_fit(history, budget - estimated_tokens(message.text))
        states = agent.astream(
            {"messages": [*past, ("human", message.text)]},
            {"recursion_limit": 2 * turns + 1},
            stream_mode="values",
        )
        async with contextlib.aclosing(states):
            async for state in states:
                yield state["messages"]

    def _note(self, error: ModelError) -> None:
        status = getattr(error.__cause__, "status_code", None)
        if status in REFUSED_STATUSES:
            self._is_refused = True
            logger.warning(
                "The model server takes no tools (%s); until the next start tools are chosen by "
                "their example questions alone. See docs/actions.md.",
                status,
            )
        else:
            logger.warning("No tools were chosen: %s", error)

    def _generation(
        self,
        message: Understood,
        messages: "Sequence[BaseMessage]",
        error: str | None,
        latency_ms: float,
    ) -> Generation:
        from langchain_core.messages import AIMessage

        # What the bot said before has no metadata of an answer.
        written = [e for e in messages if isinstance(e, AIMessage) and e.response_metadata]
        usages = [each.usage_metadata for each in written if each.usage_metadata]
        prompt = self._prompts.get("act", message.language)
        return Generation(
            model=self._model.name,
            prompt=f"{prompt.task}/{prompt.language}",
            prompt_version=prompt.version,
            sampling={"n": 1, "temperature": 0.0, "max_tokens": LONGEST_TOKENS},
            texts=(clean(written[-1].text),) if written and not written[-1].tool_calls else (),
            log_probabilities=(),
            input_tokens=sum(usage["input_tokens"] for usage in usages) if usages else None,
            output_tokens=sum(usage["output_tokens"] for usage in usages) if usages else None,
            latency_ms=latency_ms,
            error=error,
        )


def _as_tool(offer: Offer) -> "BaseTool":
    from langchain_core.tools import StructuredTool

    async def call(**arguments: Any) -> str:
        return await offer.call(arguments)

    return StructuredTool.from_function(
        coroutine=call,
        name=offer.name,
        description=offer.description or offer.name,
        args_schema=dict(offer.schema),
    )


def _that_fit(history: Sequence[Turn], budget: int) -> list[tuple[str, str]]:
    """Return the newest turns that the model has room for, beginning with the customer's."""
    kept: list[tuple[str, str]] = []
    for turn in reversed(history):
        budget -= estimated_tokens(turn.text) + 4
        if budget < 0:
            break
        kept.insert(0, ("human" if turn.role == "customer" else "ai", turn.text))
    while kept and kept[0][0] != "human":
        kept.pop(0)
    return kept
