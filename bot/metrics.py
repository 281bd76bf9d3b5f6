"""Figures for Prometheus, named by what operators ask."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from bot.breaker import Breaker
from bot.conversation import Answer
from bot.intents.report import RiseOf
from bot.model_calls import Call

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32)


class Metrics:
    """Counts messages, answers and deliveries; holds no text and no ids."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        sqlite = Info("frontdesk_sqlite", "The SQLite that keeps the log", registry=registry)
        sqlite.info({"version": sqlite3.sqlite_version})
        self._received = Counter(
            "frontdesk_messages", "Messages received", ["channel", "kind"], registry=registry
        )
        self._answered = Counter(
            "frontdesk_replies", "Replies by source", ["channel", "source"], registry=registry
        )
        self._handed_off = Counter(
            "frontdesk_handoffs", "Hand-offs by reason", ["channel", "reason"], registry=registry
        )
        self._seconds = Histogram(
            "frontdesk_answer_seconds",
            "Time to find an answer",
            buckets=_SECONDS,
            registry=registry,
        )
        self._refused = Counter(
            "frontdesk_drafts_refused", "Drafts that failed the checks", registry=registry
        )
        self._undelivered = Counter(
            "frontdesk_undelivered", "Failed deliveries", ["channel", "outcome"], registry=registry
        )
        self._delivered = Histogram(
            "frontdesk_delivery_seconds",
            "Time from a message's storage to its delivered reply",
            ["channel"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._sent_again = Counter(
            "frontdesk_delivery_retries", "Replies sent again", ["channel"], registry=registry
        )
        self._sending = Gauge(
            "frontdesk_unsent_replies",
            "Stored replies on their way to the platform",
            ["channel"],
            registry=registry,
        )
        self._sending_since: dict[object, float] = {}
        Gauge(
            "frontdesk_oldest_unsent_reply_seconds",
            "How long the oldest of them is under way",
            registry=registry,
        ).set_function(self._oldest_sending)
        self._shed = Counter(
            "frontdesk_shed_messages",
            "Messages told to come later instead of being answered",
            ["reason"],
            registry=registry,
        )
        self._skipped = Counter(
            "frontdesk_model_skipped",
            "Answers without the model, to be in time or within a customer's limits",
            ["reason"],
            registry=registry,
        )
        self._alerts = Counter(
            "frontdesk_alerts",
            "Rises beyond chance that were told: of an intent, of hand-offs, of complaints",
            ["of"],
            registry=registry,
        )
        for of in get_args(RiseOf):
            self._alerts.labels(of)  # from 0 on: Prometheus sees no increase in a first value

        self._model_calls = Counter(
            "frontdesk_model_calls", "Requests to the model", ["outcome"], registry=registry
        )
        self._model_retries = Counter(
            "frontdesk_model_retries", "Requests to the model made again", registry=registry
        )
        self._first_token = Histogram(
            "frontdesk_model_first_token_seconds",
            "Time to a streamed answer's first token",
            buckets=_SECONDS,
            registry=registry,
        )
        self._breaker = Gauge(
            "frontdesk_model_breaker_open",
            "1 while the model is not asked because it failed again and again",
            registry=registry,
        )

    def received(self, channel: str, *, is_new: bool) -> None:
        """Count a message as new or as a duplicate."""
        self._received.labels(channel, "new" if is_new else "duplicate").inc()

    def answered(self, channel: str, answer: Answer) -> None:
        """Count an answer, its hand-off, its time and its refused drafts."""
        self._answered.labels(channel, answer.decision.candidate.source).inc()
        if reason := answer.decision.candidate.handoff_reason:
            self._handed_off.labels(channel, reason).inc()
        self._seconds.observe(answer.latency_ms / 1000)
        refused = sum(candidate.refusal is not None for candidate in answer.decision.candidates)
        self._refused.inc(refused)

    def shed(self, reason: str) -> None:
        """Count a message that is not answered, by why."""
        self._shed.labels(reason).inc()

    def alerted(self, of: str) -> None:
        """Count what was told to have risen, by what that is."""
        self._alerts.labels(of).inc()

    def model_skipped(self, reason: str) -> None:
        """Count an answer that the model was not asked for, by why."""
        self._skipped.labels(reason).inc()

    def watch_answers(
        self,
        *,
        waiting: Callable[[], float],
        running: Callable[[], float],
        oldest_seconds: Callable[[], float],
    ) -> None:
        """Show how many answers wait for their turn and are found, and the oldest's age."""
        self._show("frontdesk_waiting_conversations", "Waiting to be answered", waiting)
        self._show("frontdesk_running_answers", "Answers that are being found", running)
        self._show(
            "frontdesk_oldest_waiting_message_seconds",
            "How long the oldest message without a stored reply waits",
            oldest_seconds,
        )

    def watch_encoder(self, questions: Callable[[], float]) -> None:
        """Show how many questions wait for the encoder."""
        self._show("frontdesk_encoder_queue", "Questions that wait for the encoder", questions)

    def model_called(self, call: Call) -> None:
        """Count a request to the model that is over, and its time to the first token."""
        self._model_calls.labels(call.outcome).inc()
        self._model_retries.inc(call.is_retry)
        if call.first_token_seconds is not None:
            self._first_token.observe(call.first_token_seconds)

    def follow_breaker(self, breaker: Breaker) -> None:
        """Let the gauge tell whether the breaker is open."""
        self._breaker.set_function(lambda: float(breaker.is_open))

    def undelivered(self, channel: str, state: str) -> None:
        """Count a delivery that did not succeed, by the state it leaves the reply in."""
        self._undelivered.labels(channel, state).inc()

    def delivered(self, channel: str, seconds: float) -> None:
        """Count a reply that arrived, so many seconds after its message was stored."""
        self._delivered.labels(channel).observe(seconds)

    def sent_again(self, channel: str) -> None:
        """Count another try to send a reply."""
        self._sent_again.labels(channel).inc()

    @contextmanager
    def sending(self, channel: str) -> Iterator[None]:
        """Count a reply as unsent meanwhile."""
        key = object()
        self._sending_since[key] = time.monotonic()
        self._sending.labels(channel).inc()
        try:
            yield
        finally:
            self._sending.labels(channel).dec()
            del self._sending_since[key]

    def _show(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        Gauge(name, meaning, registry=self.registry).set_function(value)

    def _oldest_sending(self) -> float:
        since = min(self._sending_since.values(), default=time.monotonic())
        return time.monotonic() - since
