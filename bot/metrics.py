"""Figures for Prometheus, named by what operators ask."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from bot.conversation import Answer

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32)


class Metrics:
    """Counts messages, answers and deliveries; holds no text and no ids."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._received = Counter(
            "frontdesk_messages", "Messages received", ["channel", "kind"], registry=registry
        )
        self._answered = Counter(
            "frontdesk_replies", "Replies by source", ["channel", "source"], registry=registry
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

    def received(self, channel: str, *, is_new: bool) -> None:
        """Count a message as new or as a duplicate."""
        self._received.labels(channel, "new" if is_new else "duplicate").inc()

    def answered(self, channel: str, answer: Answer) -> None:
        """Count an answer, its time and its refused drafts."""
        self._answered.labels(channel, answer.decision.candidate.source).inc()
        self._seconds.observe(answer.latency_ms / 1000)
        refused = sum(candidate.refusal is not None for candidate in answer.decision.candidates)
        self._refused.inc(refused)

    def undelivered(self, channel: str, state: str) -> None:
        """Count a delivery that did not succeed, by the state it leaves the reply in."""
        self._undelivered.labels(channel, state).inc()
