"""What people prefer by its text: learned from a log and from pairs, and told to policies."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bot.errors import RankingError
from bot.knowledge.encoder import Vectors
from bot.messages import Candidate
from bot.ranking import preference, training
from bot.ranking.experience import LoggedCandidate, LoggedDecision
from bot.ranking.folder import PolicyFolder
from bot.ranking.in_force import PolicyInForce
from bot.ranking.pairs import Pair, Reply
from bot.ranking.preference import NAME, Learned, Preference
from bot.ranking.rewards import Aftermath
from bot.ranking.scorer.scorer import Scorer
from bot.ranking.trained import TrainedPolicy
from bot.ranking.training import Reading
from tests.ranking.slates import HANDOFF
from tests.small_shop import NOW

GOOD, BAD = "You can send it back within {} days, free of charge.", "See our page {} about that."
QUESTIONS = ("Can I return a tent?", "帐篷可以退货吗？", "How long may I keep it?")


class Words:
    """Vectors of character pairs: texts with the same ones are near. Counts what it encodes."""

    name = "words"

    def __init__(self) -> None:
        self.encoded = 0

    def passages(self, texts: Sequence[str]) -> Vectors:
        return self.questions(texts)

    def questions(self, texts: Sequence[str]) -> Vectors:
        self.encoded += len(texts)
        found = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for first, second in pairwise(text):
                found[row, (ord(first) * 31 + ord(second)) % 64] += 1
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def decision(number: int, rng: random.Random) -> LoggedDecision:
    """Return a choice between a good and a bad reply, whose worth the customer told."""
    days = rng.randrange(1, 100)
    texts = [GOOD.format(days), BAD.format(days)]
    shown = rng.randrange(2)
    slate = [
        LoggedCandidate(
            source=source,
            features={"feature_version": 2.0},
            propensity=0.5,
            is_refused=False,
            text=text,
        )
        for source, text in zip(("draft", "article"), texts, strict=True)
    ]
    if rng.random() < 0.5:  # good replies come from either source
        slate = [replace(slate[0], text=texts[1]), replace(slate[1], text=texts[0])]
    is_good = slate[shown].text.startswith("You can")
    return LoggedDecision(
        turn=str(number),
        conversation=str(number),
        channel="web",
        language="en",
        at=NOW + timedelta(minutes=number),
        policy="p/1",
        question=rng.choice(QUESTIONS),
        candidates=(
            *slate,
            LoggedCandidate(
                source="handoff",
                features={"feature_version": 2.0},
                propensity=0.0,
                is_refused=False,
                text="A person will look.",
            ),
        ),
        shown=shown,
        after=Aftermath(verdicts=[("up" if is_good else "down", None)]),
    )


def log(size: int) -> list[LoggedDecision]:
    rng = random.Random(7)
    return [decision(number, rng) for number in range(size)]


def silent(what: str, done: int, total: int) -> None:
    assert done <= total, what


@pytest.fixture(scope="module")
def learned() -> Learned:
    seen = log(200)
    return preference.learn(seen, training.rewards_of(seen).tolist(), [], Words(), silent)


def candidates() -> list[Candidate]:
    return [
        Candidate(source="draft", text=BAD.format(101)),
        Candidate(source="article", text=GOOD.format(101)),
        HANDOFF,
    ]


async def encode(texts: Sequence[str]) -> Vectors:
    return Words().questions(texts)


async def test_that_the_text_that_people_like_is_preferred(learned: Learned) -> None:
    told = Preference(lambda: learned.scorer, encode)

    bad, good, handoff = await told.told(["Can I return a tent?"], candidates(), 1.0)

    assert good.features[NAME] > 0.1
    assert good.features[NAME] == pytest.approx(-bad.features[NAME])
    assert NAME not in handoff.features


async def never(texts: Sequence[str]) -> Vectors:
    await asyncio.Event().wait()
    raise AssertionError


async def test_that_nothing_is_told_without_a_scorer_or_in_time(learned: Learned) -> None:
    for told, seconds in (
        (Preference(lambda: None, encode), 1.0),
        (Preference(lambda: learned.scorer, encode), 0.0),
        (Preference(lambda: learned.scorer, never), 0.01),
    ):
        assert await told.told(["Tents?"], candidates(), seconds) == candidates()


def test_that_pairs_teach_as_rewards_do() -> None:
    rng = random.Random(1)
    pairs = [
        Pair(
            turn=str(n),
            question=rng.choice(QUESTIONS),
            history=(),
            better=Reply(text=GOOD.format(n)),
            worse=Reply(text=BAD.format(n)),
            source="choice",
            account="ada",
            at=NOW,
        )
        for n in range(80)
    ]

    scorer = preference.learn([], [], pairs, Words(), silent).scorer
    fresh = preference.seen_by(scorer, log(20), Words(), silent)

    assert all(likes_good(each) for each in fresh)


def likes_good(decision: LoggedDecision) -> bool:
    of = {each.text[:7]: each.features.get(NAME, 0.0) for each in decision.candidates}
    return of["You can"] > of["See our"]


def test_that_what_another_scorer_said_is_forgotten(learned: Learned) -> None:
    [one] = log(1)
    old = tuple(replace(each, features={**each.features, NAME: 0.9}) for each in one.candidates)
    logged = replace(one, candidates=old)

    [bare] = preference.seen_by(None, [logged], Words(), silent)
    [seen] = preference.seen_by(learned.scorer, [logged], Words(), silent)

    assert all(NAME not in each.features for each in bare.candidates)
    assert NAME not in seen.candidates[2].features
    assert likes_good(seen)


Trained = tuple[TrainedPolicy, Scorer | None]


@pytest.fixture(scope="module")
def trained() -> Trained:
    """A policy that read what 600 replies say."""
    reading = Reading(pairs=[], encoder=Words(), progress=silent)
    return training.train(log(600), kind="greedy", learner="bandit", now=NOW, reading=reading)


def weight(trained: TrainedPolicy) -> float:
    return trained.model.as_json()["weights"][NAME]


def test_that_a_policy_learns_what_texts_are_worth(trained: Trained) -> None:
    read, scorer = trained
    blind, none = training.train(log(600), kind="greedy", learner="bandit", now=NOW)

    assert (weight(read) > 0.5, weight(blind)) == (True, 0.0)
    assert (scorer is None, none) == (False, None)
    assert read.trained_on["decisions"] == 180


def test_that_a_scorer_goes_into_force_with_its_policy(trained: Trained, tmp_path: Path) -> None:
    read, scorer = trained
    folder = PolicyFolder(tmp_path)
    folder.save(read, scorer)
    folder.put_in_force(read.version, "promoted", "Better.", NOW)

    found = PolicyInForce(folder).scorer()

    assert found is not None
    assert scorer is not None
    assert found.method == scorer.method


def test_that_a_policy_whose_scorer_is_gone_is_refused(trained: Trained, tmp_path: Path) -> None:
    read, scorer = trained
    folder = PolicyFolder(tmp_path)
    folder.save(read, scorer)
    assert read.scorer is not None
    (tmp_path / read.scorer).unlink()

    with pytest.raises(RankingError, match="can't be read"):
        folder.put_in_force(read.version, "promoted", "", NOW)
