"""Worlds of simulated customers whose contentment is known, so that regret is known exactly.

A visit is a question with its slate, made like the real ones where the team has approved no
answer: drafts that the checks passed or refused, the article, a question back, a hand-off, each
with the real features (bot/ranking/features.py). A reply contents the customer with a known
probability; a content one thanks, presses a thumb or falls silent, the others ask again, ask for a
person, or go. So what a reply is worth (bot/ranking/rewards.py) has a known mean. Three worlds:

- `linear`: contentment is a weighted sum of the features, which a linear model can say;
- `interactions`: features count only together or from a threshold, and otherwise on each channel;
- `endings`: the near article pleases at once and ends with a person; a question
  back pleases nobody, and the right article follows.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bot.messages import Candidate, Language, Source
from bot.ranking import features
from bot.ranking.context import Context
from bot.ranking.rewards import WORTH, Aftermath, reward, signals

Numbers = NDArray[np.float64]
Kind = Literal["linear", "interactions", "endings"]
KINDS: tuple[Kind, ...] = get_args(Kind)

NEAR = 0.6  # an article with a lower score is only near
VISITS = 4000  # different ones of a world; customers come with one of them at random
CHANNELS = ("telegram", "slack", "web")
LANGUAGES: tuple[Language, ...] = ("en", "zh")
QUESTION = "Can I return a tent?"
DAY = 24.0
# How often what comes after a content customer's reply, and after another one's.
AFTER_CONTENT: Sequence[tuple[float, Aftermath]] = (
    (0.10, Aftermath(verdicts=[("up", None)])),
    (0.30, Aftermath(next_text="Thanks!")),
    (0.50, Aftermath(hours=DAY)),
    (0.05, Aftermath(next_text="How much is express delivery?")),
    (0.05, Aftermath()),  # not known yet
)
AFTER_OTHERS: Sequence[tuple[float, Aftermath]] = (
    (0.15, Aftermath(verdicts=[("down", None)])),
    (0.30, Aftermath(next_text="Can I return a tent or not?")),
    (0.20, Aftermath(next_text="/human", next_asked_for_person=True)),
    (0.30, Aftermath(hours=DAY)),
    (0.05, Aftermath()),
)


@dataclass(frozen=True, eq=False, slots=True)
class Visit:
    """A question with its slate.

    Arrays of shape (candidates,): `content` has the probability that a reply contents, `at_once`
    its mean reward, `in_the_end` that with the best that can follow. `seen` is the slate's matrix.
    `later` has the place in `World.visits` of what follows each candidate for certain, -1 for
    nothing.
    """

    context: Context
    slate: Sequence[Candidate]
    allowed: NDArray[np.bool_]
    seen: Numbers
    content: Numbers
    at_once: Numbers
    in_the_end: Numbers
    later: Sequence[int]


@dataclass(frozen=True, eq=False, slots=True)
class World:
    """All that customers may come with. The last two visits of `endings` only follow others."""

    kind: Kind
    visits: Sequence[Visit]
    firsts: int

    def arrivals(self, rng: random.Random) -> Iterator[tuple[bool, Visit]]:
        """Yield visits without end, each with whether a conversation begins with it.

        What a reply leads to is not among them: `follows` says.
        """
        while True:
            questions = 1 if self.kind == "endings" else rng.choices((1, 2, 3), (6, 3, 1))[0]
            for number in range(questions):
                yield number == 0, self.visits[rng.randrange(self.firsts)]

    def follows(self, visit: Visit, shown: int) -> Visit | None:
        """Return what the customer comes back with after a reply, None for nothing."""
        place = visit.later[shown]
        return self.visits[place] if place >= 0 else None


def world(kind: Kind, seed: int, visits: int = VISITS) -> World:
    """Return a world; the seed decides what customers like and what they come with."""
    rng = random.Random(f"{kind} {seed}")
    liking = _LIKINGS[kind](rng)
    if kind != "endings":
        return World(kind, [_visit(rng, liking) for _ in range(visits)], visits)
    cleared = _made(_context(rng), [_article(0.95, rng), _handoff(0.2)], liking)
    back = _made(_context(rng), [_handoff(0.2)], liking)
    ends = {"cleared": visits, "back": visits + 1}
    firsts = [_unclear(rng, liking, cleared, back, ends) for _ in range(visits // 2)]
    firsts += [_visit(rng, liking, asks_back=False) for _ in range(visits - len(firsts))]
    return World(kind, [*firsts, cleared, back], visits)


def draw_reward(visit: Visit, shown: int, rng: random.Random) -> float:
    """Draw what a reply was worth by what came after; not a number where that is not known."""
    source = visit.slate[shown].source
    if source == "handoff":
        return WORTH["handed_off"]
    if source == "clarification" and visit.later[shown] >= 0:
        return WORTH["went_on"]
    outcomes = CONTENT if rng.random() < visit.content[shown] else NOT_CONTENT
    [drawn] = rng.choices(outcomes, [share for share, _ in outcomes])
    return drawn[1]


def _outcomes(table: Sequence[tuple[float, Aftermath]]) -> Sequence[tuple[float, float]]:
    """Return how often a reply to a question is worth so much."""
    worths = [(share, reward(signals(QUESTION, "article", after))) for share, after in table]
    return [(share, float("nan") if each is None else each) for share, each in worths]


CONTENT, NOT_CONTENT = _outcomes(AFTER_CONTENT), _outcomes(AFTER_OTHERS)


def _mean(outcomes: Sequence[tuple[float, float]]) -> float:
    """Return the mean of the rewards that are known."""
    known = [(share, each) for share, each in outcomes if not np.isnan(each)]
    return sum(share * each for share, each in known) / sum(share for share, _ in known)


def _made(
    context: Context,
    slate: Sequence[Candidate],
    liking: Callable[[Context, Candidate], float],
    later: Sequence[tuple[int, float]] | None = None,
) -> Visit:
    """Return a visit; `later` has what follows each candidate, and the best that is worth."""
    after = later or [(-1, 0.0)] * len(slate)
    content = np.array([liking(context, each) for each in slate])
    good, bad = _mean(CONTENT), _mean(NOT_CONTENT)
    at_once = content * good + (1 - content) * bad
    for i, each in enumerate(slate):
        if each.source == "handoff":
            at_once[i] = WORTH["handed_off"]
        elif each.source == "clarification" and after[i][0] >= 0:
            at_once[i] = WORTH["went_on"]
    return Visit(
        context=context,
        slate=slate,
        allowed=np.array([each.refusal is None for each in slate]),
        seen=features.seen(slate),
        content=content,
        at_once=at_once,
        in_the_end=at_once + np.array([worth for _, worth in after]),
        later=[place for place, _ in after],
    )


# Slates.


def _visit(
    rng: random.Random, liking: Callable[[Context, Candidate], float], *, asks_back: bool = True
) -> Visit:
    context, late = _context(rng), rng.choice((0.0, 0.0, 0.2, 0.4))
    slate = [_draft(rng, context.language) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    if rng.random() < 0.9:
        slate.append(_article(rng.uniform(NEAR, 1), rng))
    if asks_back and rng.random() < 0.3:
        slate.append(
            _candidate(
                "clarification", margin=rng.random() / 5, late_clarification=late, length=0.1
            )
        )
    return _made(context, [*slate, _handoff(late)], liking)


def _unclear(
    rng: random.Random,
    liking: Callable[[Context, Candidate], float],
    cleared: Visit,
    back: Visit,
    ends: Mapping[str, int],
) -> Visit:
    slate = [
        _candidate("clarification", margin=rng.random() / 10, length=0.1),
        _article(rng.uniform(0.5, NEAR), rng),
        _handoff(0.0),
    ]
    after = [
        (ends["cleared"], float(cleared.in_the_end.max())),
        (ends["back"], float(back.in_the_end.max())),
        (-1, 0.0),
    ]
    return _made(_context(rng), slate, liking, after)


def _context(rng: random.Random) -> Context:
    return Context(question=QUESTION, language=rng.choice(LANGUAGES), channel=rng.choice(CHANNELS))


def _draft(rng: random.Random, language: Language) -> Candidate:
    return _candidate(
        "draft",
        refusal="number" if rng.random() < 0.2 else None,
        support=rng.uniform(0.4, 1),
        answers=rng.random(),
        confidence=rng.uniform(0.5, 1),
        length=rng.uniform(0.05, 0.5),
        shares_question=rng.random(),
        repeats=rng.choice((0.0, 0.0, 0.0, rng.random())),
        chinese_draft=float(language == "zh"),
    )


def _article(score: float, rng: random.Random) -> Candidate:
    return _candidate(
        "article",
        score=score,
        closeness=rng.uniform(0.5, 1),
        coverage=rng.random(),
        length=rng.uniform(0.1, 1),
        shares_question=rng.random(),
        repeats=rng.choice((0.0, 0.0, 0.0, rng.random())),
    )


def _handoff(late: float) -> Candidate:
    return _candidate("handoff", late_handoff=late, length=0.1)


def _candidate(source: Source, refusal: str | None = None, **known: float) -> Candidate:
    version = {"feature_version": float(features.VERSION)}
    return Candidate(source=source, text="…", refusal=refusal, features={**known, **version})


# What customers like.


def _linear(rng: random.Random) -> Callable[[Context, Candidate], float]:
    """Return contentment as a weighted sum, each weight up to a fifth off its usual."""
    weights = {
        source: {name: weight * rng.uniform(0.8, 1.2) for name, weight in usual.items()}
        for source, usual in _WEIGHTS.items()
    }

    def liking(context: Context, candidate: Candidate) -> float:
        known = {"constant": 1.0, **candidate.features}
        mine = weights.get(candidate.source, {})
        return min(
            1.0, max(0.0, sum(weight * known.get(name, 0.0) for name, weight in mine.items()))
        )

    return liking


_WEIGHTS: Mapping[Source, Mapping[str, float]] = {
    "draft": {
        "constant": 0.3,
        "answers": 0.4,
        "support": 0.15,
        "length": -0.1,
        "repeats": -0.1,
        "chinese_draft": -0.1,
    },
    "article": {
        "constant": 0.15,
        "score": 0.45,
        "coverage": 0.15,
        "length": -0.1,
        "repeats": -0.15,
    },
    "clarification": {"constant": 0.6, "margin": -0.5, "late_clarification": -0.4},
    "handoff": {},
}


def _interactions(rng: random.Random) -> Callable[[Context, Candidate], float]:
    """Return contentment in which features count together, and otherwise on each channel."""
    chatty = rng.choice(CHANNELS)
    enough = rng.uniform(0.7, 0.85)

    def liking(context: Context, candidate: Candidate) -> float:
        known: Mapping[str, Any] = candidate.features
        if candidate.source == "draft":
            true = known["answers"] * known["support"]
            return float(0.1 + 0.8 * true if context.channel == chatty else 0.05 + 0.5 * true)
        if candidate.source == "article":
            is_right = known["score"] > enough and known["coverage"] > 0.4
            is_short = known["length"] < 0.5 or context.channel != chatty
            return 0.85 if is_right and is_short else 0.3
        if candidate.source == "clarification":
            return 0.7 if known["margin"] < 0.05 and not known["late_clarification"] else 0.2
        return 0.0

    return liking


def _endings(rng: random.Random) -> Callable[[Context, Candidate], float]:
    """Return contentment at once, which is high with the article that is only near."""
    plain = _linear(rng)
    pleased = rng.uniform(0.7, 0.8)

    def liking(context: Context, candidate: Candidate) -> float:
        is_near = candidate.source == "article" and candidate.features["score"] < NEAR
        return pleased if is_near else plain(context, candidate)

    return liking


_LIKINGS: Mapping[Kind, Callable[[random.Random], Callable[[Context, Candidate], float]]] = {
    "linear": _linear,
    "interactions": _interactions,
    "endings": _endings,
}
