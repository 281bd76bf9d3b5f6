"""Figures for Prometheus: what they count, and that no customer is in them."""

from prometheus_client import CollectorRegistry, generate_latest

from bot.breaker import FAILURES, Breaker
from bot.conversation import Answer
from bot.messages import Candidate, Decision
from bot.metrics import Metrics
from bot.model_calls import Call
from bot.understanding import understand


def answer(*refusals: str | None, latency_ms: float = 300.0) -> Answer:
    slate = tuple(
        Candidate(source="draft", text="Secret 秘密", refusal=refusal) for refusal in refusals
    )
    return Answer(
        message=understand("ada@example.com 在吗"),
        decision=Decision(
            candidates=slate, propensities=(1.0,) * len(slate), chosen=0, policy="p/1"
        ),
        hits=(),
        generation=None,
        latency_ms=latency_ms,
    )


def test_that_messages_and_duplicates_are_told_apart() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    for is_new in (True, True, False):
        metrics.received("telegram", is_new=is_new)

    value = registry.get_sample_value
    assert value("frontdesk_messages_total", {"channel": "telegram", "kind": "new"}) == 2
    assert value("frontdesk_messages_total", {"channel": "telegram", "kind": "duplicate"}) == 1


def test_that_answers_their_time_and_their_refused_drafts_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    metrics.answered("web", answer(None, "number:9", "language"))
    metrics.answered("web", answer(None))

    value = registry.get_sample_value
    assert value("frontdesk_replies_total", {"channel": "web", "source": "draft"}) == 2
    assert value("frontdesk_drafts_refused_total") == 2
    assert value("frontdesk_answer_seconds_sum") == 0.6
    assert value("frontdesk_answer_seconds_bucket", {"le": "0.25"}) == 0
    assert value("frontdesk_answer_seconds_bucket", {"le": "0.5"}) == 2


def test_that_failed_deliveries_are_counted_by_what_follows() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    outcomes = ("ready", "failed", "in_doubt")
    for outcome in outcomes:
        metrics.undelivered("slack", outcome)

    for outcome in outcomes:
        labels = {"channel": "slack", "outcome": outcome}
        assert registry.get_sample_value("frontdesk_undelivered_total", labels) == 1


def test_that_requests_to_the_model_are_counted_by_their_outcome() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    metrics.model_called(Call(outcome="unavailable", started=0.0))
    metrics.model_called(
        Call(outcome="answered", started=0.0, first_token_seconds=0.3, is_retry=True)
    )

    value = registry.get_sample_value
    assert value("frontdesk_model_calls_total", {"outcome": "unavailable"}) == 1
    assert value("frontdesk_model_calls_total", {"outcome": "answered"}) == 1
    assert value("frontdesk_model_retries_total") == 1
    assert value("frontdesk_model_first_token_seconds_sum") == 0.3


def test_that_the_figures_say_whether_the_breaker_is_open() -> None:
    registry, breaker = CollectorRegistry(), Breaker(clock=lambda: 1.0)
    Metrics(registry).follow_breaker(breaker)
    before = registry.get_sample_value("frontdesk_model_breaker_open")

    for _ in range(FAILURES):
        breaker.note(Call(outcome="broken", started=1.0))

    assert (before, registry.get_sample_value("frontdesk_model_breaker_open")) == (0, 1)


def test_that_no_text_of_a_customer_is_in_the_figures() -> None:
    registry = CollectorRegistry()
    Metrics(registry).answered("web", answer(None))

    page = generate_latest(registry).decode()

    assert "frontdesk_replies_total" in page
    assert not any(word in page for word in ("ada", "Secret", "秘密", "在吗"))


def test_that_gauges_show_what_is_so_now() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    waiting = [3]
    metrics.watch_encoder(lambda: 7)
    metrics.watch_answers(waiting=lambda: waiting[0], running=lambda: 2, oldest_seconds=lambda: 1.5)

    waiting[0] = 4

    value = registry.get_sample_value
    assert value("frontdesk_encoder_queue") == 7
    assert value("frontdesk_waiting_conversations") == 4
    assert value("frontdesk_running_answers") == 2
    assert value("frontdesk_oldest_waiting_message_seconds") == 1.5
