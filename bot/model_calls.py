"""What becomes of a request to the model: its outcome, its times, and its errors in our words."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import httpx
import openai

from bot.errors import ModelError, ModelUnavailable

Outcome = Literal[
    "answered", "empty", "late", "unavailable", "broken", "missing", "refused", "left"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to the model, once it is over. `started` is of `time.monotonic`.

    Of the outcomes, `missing` is a model or key that the server does not have, `refused` a request
    that it will not take, and `left` one whose end nobody waited for.
    """

    outcome: Outcome
    started: float
    first_token_seconds: float | None = None
    is_retry: bool = False


Note = Callable[[Call], None]


# What the client library raises, from the connection to what it makes of an answer.
_ERRORS = (
    TimeoutError,
    openai.OpenAIError,
    httpx.HTTPError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
)


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


class Request:
    """One request. What becomes of it is noted once, at its end."""

    def __init__(self, note: Note, *, is_retry: bool) -> None:
        self._note = note
        self._is_retry = is_retry
        self._first_token_seconds: float | None = None
        self.started = time.monotonic()
        self.is_empty = True
        self.is_hurried = False

    @property
    def latency_ms(self) -> float:
        """How long it takes so far."""
        return (time.monotonic() - self.started) * 1000

    def token_came(self) -> None:
        """Note the time of the first token."""
        if self._first_token_seconds is None:
            self._first_token_seconds = time.monotonic() - self.started

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Turn the library's errors into ours, without what the customer wrote."""
        outcome: Outcome = "left"
        try:
            yield
            outcome = "empty" if self.is_empty else "answered"
        except ModelError:
            outcome = "broken"
            raise
        except _ERRORS as err:
            outcome, error = _explained(err)
            raise error from err
        finally:
            self._note(self._call(outcome))

    def _call(self, outcome: Outcome) -> Call:
        # Too little time says nothing about the model.
        is_left = outcome == "late" and self.is_hurried
        return Call(
            outcome="left" if is_left else outcome,
            started=self.started,
            first_token_seconds=self._first_token_seconds,
            is_retry=self._is_retry,
        )


def _kind(error: Exception) -> str:
    """Name an error without its text, in which servers repeat what the customer wrote."""
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__} {status}" if status else type(error).__name__
