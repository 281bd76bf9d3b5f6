"""Simulated customers whose preferences are known, so that regret is known exactly.

A plain question has an article and a draft, either of which may be the better one. An unclear one
has an article that is about something near, which some are content with, and a question back, which
pleases nobody by itself; after it the right article is there.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from bot.messages import Candidate, Decision
from bot.ranking import features
from bot.ranking.context import Context
from bot.ranking.experience import LoggedCandidate, LoggedDecision
from bot.ranking.policy import Policy, decide
from bot.ranking.rewards import WORTH, Aftermath
from tests.small_shop import NOW

Kind = Literal["plain", "unclear", "cleared"]
HANDOFF = Candidate(source="handoff", text="A person will look.", handoff_reason="no_article")
QUESTION = Context(question="Can I return a tent?", language="en", channel="web")
AFTER_ALL = 0.9  # what the right article is worth in the end


@dataclass(frozen=True, slots=True)
class Visit:
    """One question: its kind and its slate."""

    kind: Kind
    slate: Sequence[Candidate]


class Uniform:
    """Shows every candidate as often."""

    version = "uniform/1"

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        return [1 / len(candidates)] * len(candidates)


def visit(rng: random.Random) -> Visit:
    """Return what a new customer asks, and what there is to say."""
    if rng.random() < 0.5:
        article = _article(rng.uniform(0.7, 1.0))
        found = {"support": rng.uniform(0.5, 1.0), "answers": rng.random()}
        draft = Candidate(source="draft", text="Yes, within 30 days.", features=found)
        return Visit("plain", [draft, article, HANDOFF])
    back = Candidate(
        source="clarification", text="Which do you mean?", features={"margin": rng.random() / 10}
    )
    return Visit("unclear", [back, _article(rng.uniform(0.55, 0.65)), HANDOFF])


def cleared() -> Visit:
    """Return what comes after a question back."""
    return Visit("cleared", [_article(0.95), HANDOFF])


def at_once(kind: Kind, candidate: Candidate) -> float:
    """Return the expected reward of a reply by itself."""
    known = candidate.features
    if candidate.source == "handoff":
        return WORTH["handed_off"]
    if candidate.source == "clarification":
        return WORTH["went_on"]
    if candidate.source == "draft":
        return -0.8 + 1.4 * known["answers"] + 0.2 * known["support"]
    return {"plain": 0.3, "unclear": 0.25, "cleared": AFTER_ALL}[kind]


def in_the_end(kind: Kind, candidate: Candidate) -> float:
    """Return the expected reward of a reply with the best that can follow it."""
    later = AFTER_ALL if candidate.source == "clarification" else 0.0
    return at_once(kind, candidate) + later


def regret(
    policy: Policy,
    rng: random.Random,
    visits: int,
    worth: Callable[[Kind, Candidate], float] = in_the_end,
) -> float:
    """Return how much less a first reply is expected to be worth than the best one."""
    total = 0.0
    for _ in range(visits):
        asked = visit(rng)
        slate = features.described(QUESTION, asked.slate)
        values = [worth(asked.kind, candidate) for candidate in slate]
        shares = policy.propensities(QUESTION, slate)
        total += max(values) - sum(s * v for s, v in zip(shares, values, strict=True))
    return total / visits


def log_of(policy: Policy, rng: random.Random, visits: int) -> Iterator[LoggedDecision]:
    """Yield what the log has after so many visits."""
    for number in range(visits):
        asked = visit(rng)
        decision = decide(policy, QUESTION, asked.slate, rng)
        yield _logged(number, 0, asked.kind, decision, rng)
        if decision.candidate.source == "clarification":
            again = decide(policy, QUESTION, cleared().slate, rng)
            yield _logged(number, 1, "cleared", again, rng)


def _article(score: float) -> Candidate:
    return Candidate(
        source="article",
        text="You can return an item within 30 days.",
        features={"score": score, "closeness": 0.8, "coverage": 0.7},
    )


def _logged(
    number: int, place: int, kind: Kind, decision: Decision, rng: random.Random
) -> LoggedDecision:
    shown = decision.candidate
    return LoggedDecision(
        turn=f"{number}-{place}",
        conversation=str(number),
        channel="web",
        language="en",
        at=NOW + timedelta(minutes=number),
        policy=decision.policy,
        question=QUESTION.question,
        candidates=tuple(
            LoggedCandidate(
                source=each.source, features=each.features, propensity=share, is_refused=False
            )
            for each, share in zip(decision.candidates, decision.propensities, strict=True)
        ),
        shown=decision.chosen,
        after=_aftermath(at_once(kind, shown), shown, rng),
    )


def _aftermath(worth: float, shown: Candidate, rng: random.Random) -> Aftermath:
    """Return thumbs whose mean is the worth, or that the customer went on."""
    if shown.source == "handoff":
        return Aftermath()
    if shown.source == "clarification":
        return Aftermath(next_text="The blue one, please?")
    is_up = rng.random() < (worth + 1) / 2
    return Aftermath(verdicts=[("up" if is_up else "down", None)])
