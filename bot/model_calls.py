"""What becomes of a request to the model: its outcome, its times, and its errors in our words."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from bot.errors import ModelError

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
        except Exception as err:
            from bot.model_library import explain  # late, as it takes a second to load

            if (explained := explain(err)) is None:
                raise
            outcome, error = explained
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
