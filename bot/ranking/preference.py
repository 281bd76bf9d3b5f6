"""What people prefer, learned from replies' texts, as one more thing that a policy sees.

The scorer (bot/ranking/scorer/) learns from the log's rewards and from the pairs that the team and
the customers told apart. What it says of a candidate is the feature `preferred`: its chance to be
the one that people want, above the even chance of its slate.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.knowledge.encoder import Encoder, Vectors
from bot.messages import Candidate, Source
from bot.ranking.experience import LoggedDecision
from bot.ranking.pairs import Pair
from bot.ranking.scorer import training
from bot.ranking.scorer.examples import Example
from bot.ranking.scorer.scorer import Scorer
from bot.ranking.scorer.space import TURNS
from bot.ranking.scorer.texts import LONGEST_ENCODED, Texts, encoded

NAME = "preferred"
# Hand-offs and what is fixed have texts that say nothing about the question.
COMPARED: frozenset[Source] = frozenset({"approved", "draft", "article", "clarification"})

Progress = Callable[[str, int, int], None]
Encode = Callable[[Sequence[str]], Awaitable[Vectors]]


class Preference:
    """Adds to slates what the scorer of the policy in force says of them.

    `scorer` returns it, or None where that policy was trained without one; `encode` makes the
    vectors of texts as questions.
    """

    def __init__(self, scorer: Callable[[], Scorer | None], encode: Encode) -> None:
        self._scorer = scorer
        self._encode = encode

    async def told(
        self, said: Sequence[str], candidates: Sequence[Candidate], seconds: float
    ) -> list[Candidate]:
        """Return a slate with the feature, where its vectors are there within `seconds`.

        `said` are the turns before, the question last.
        """
        scorer, compared = self._scorer(), _compared(candidates)
        if scorer is None or len(compared) < 2 or seconds <= 0:
            return list(candidates)
        said = said[-TURNS:]
        replies = [candidates[place].text for place in compared]
        texts = list(dict.fromkeys([*said, *replies]))
        try:
            async with asyncio.timeout(min(seconds, 3600.0)):
                vectors = await self._encode([text[:LONGEST_ENCODED] for text in texts])
        except TimeoutError:
            return list(candidates)
        known = Texts(vectors.shape[1])
        known.add(texts, vectors)
        added = _above_even(scorer, said, replies, known)
        found = list(candidates)
        for place, value in zip(compared, added, strict=True):
            features = {**found[place].features, NAME: value}
            found[place] = replace(found[place], features=features)
        return found


def _compared(candidates: Sequence[Candidate]) -> list[int]:
    return [
        place
        for place, each in enumerate(candidates)
        if each.source in COMPARED and each.text and each.refusal is None
    ]


def _above_even(
    scorer: Scorer, said: Sequence[str], replies: Sequence[str], texts: Texts
) -> list[float]:
    chances = scorer.chances(said, replies, texts)
    return [float(each) for each in chances - 1 / len(replies)]


@dataclass(frozen=True, eq=False, slots=True)
class Learned:
    """A scorer, and the texts that were encoded for it."""

    scorer: Scorer
    texts: Texts


def learn(
    decisions: Sequence[LoggedDecision],
    rewards: Sequence[float],
    pairs: Sequence[Pair],
    encoder: Encoder,
    progress: Progress,
) -> Learned:
    """Return a scorer of what was rewarded, and of what people told apart.

    `decisions` have their texts; `rewards` is not a number where nothing is known. Raises
    RankingError where there is too little to learn from.
    """
    examples = [*_chosen(decisions, rewards), *(_told_apart(pair) for pair in pairs)]
    training.require(examples)
    texts = encoded(
        (text for each in examples for text in (*each.context, *each.candidates)),
        encoder,
        lambda done, total: progress("Texts encoded", done, total),
    )
    return Learned(training.fit(examples, encoder, progress=progress, texts=texts), texts)


def seen_by(
    scorer: Scorer | None,
    decisions: Sequence[LoggedDecision],
    encoder: Encoder,
    progress: Progress,
    texts: Texts | None = None,
) -> list[LoggedDecision]:
    """Return logged decisions, with their texts, as a policy with this scorer would see them."""
    if scorer is None:
        return [_without(each) for each in decisions]
    wanted = (text for each in decisions for text in (*_said(each), *_texts(each)))
    known = encoded(
        wanted, encoder, lambda done, total: progress("Texts encoded", done, total), texts
    )
    return [_with(each, scorer, known) for each in decisions]


def _chosen(decisions: Sequence[LoggedDecision], rewards: Sequence[float]) -> Iterator[Example]:
    for decision, reward in zip(decisions, rewards, strict=True):
        places = _places(decision)
        if decision.shown in places and len(places) > 1 and not np.isnan(reward):
            yield Example(
                context=_said(decision),
                candidates=_texts(decision),
                chosen=places.index(decision.shown),
                reward=float(reward),
            )


def _told_apart(pair: Pair) -> Example:
    said = [*(turn.text for turn in pair.history), pair.question]
    return Example(
        context=tuple(said[-TURNS:]), candidates=(pair.better.text, pair.worse.text), chosen=0
    )


def _with(decision: LoggedDecision, scorer: Scorer, texts: Texts) -> LoggedDecision:
    places = _places(decision)
    if len(places) < 2:
        return _without(decision)
    added = _above_even(scorer, _said(decision), _texts(decision), texts)
    slate = list(_without(decision).candidates)
    for place, value in zip(places, added, strict=True):
        slate[place] = replace(slate[place], features={**slate[place].features, NAME: value})
    return replace(decision, candidates=tuple(slate))


def _without(decision: LoggedDecision) -> LoggedDecision:
    """Return a decision without what another scorer said when it was made."""
    slate = tuple(
        replace(each, features={k: v for k, v in each.features.items() if k != NAME})
        for each in decision.candidates
    )
    return replace(decision, candidates=slate)


def _places(decision: LoggedDecision) -> list[int]:
    return [
        place
        for place, each in enumerate(decision.candidates)
        if each.source in COMPARED
        and each.text
        and not each.is_refused
        and not each.features.get("is_planned")
    ]


def _texts(decision: LoggedDecision) -> tuple[str, ...]:
    return tuple(decision.candidates[place].text for place in _places(decision))


def _said(decision: LoggedDecision) -> tuple[str, ...]:
    return (*decision.before, decision.question)[-TURNS:]
