"""The scorer of replies: it learns what people choose, says why, and is stored as plain data."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bot.errors import RankingError
from bot.ranking.scorer import training
from bot.ranking.scorer.conversations import conversations, folds
from bot.ranking.scorer.examples import Example
from bot.ranking.scorer.measures import Ranking, rank, ranking
from bot.ranking.scorer.parts import NAMES
from bot.ranking.scorer.scorer import Scorer
from bot.ranking.scorer.texts import Texts, encoded
from tests.ranking.choices import TOPICS, choices, wrong_choice
from tests.small_shop import WordEncoder


def texts_of(examples: Sequence[Example]) -> Texts:
    wanted = (text for each in examples for text in (*each.context, *each.candidates))
    return encoded(wanted, WordEncoder())


def measured(scorer: Scorer, examples: Sequence[Example]) -> Ranking:
    texts = texts_of(examples)
    return ranking(
        rank(scorer.scores(each.context, each.candidates, texts), each.chosen) for each in examples
    )


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return training.fit(choices(200, seed=1), WordEncoder(), seed=1)


def test_that_it_learns_what_people_choose(scorer: Scorer) -> None:
    # One of four: chance is .25, and no reply is more popular than another.
    assert measured(scorer, choices(200, seed=2)).recall_at_1 > 0.9


def test_that_sixty_examples_teach_something() -> None:
    learned = training.fit(choices(60, seed=3), WordEncoder())
    assert measured(learned, choices(200, seed=2)).recall_at_1 > 0.6


def test_that_what_turned_out_wrong_is_avoided() -> None:
    rng = random.Random(4)
    learned = training.fit([wrong_choice(rng) for _ in range(300)], WordEncoder())
    # No row says what is right, only what was not.
    assert measured(learned, choices(200, seed=2)).recall_at_1 > 0.5


def test_that_the_size_of_a_reward_says_how_much_it_counts() -> None:
    loved, liked = TOPICS[0][1], TOPICS[1][1]
    asked = [("hello", f"{number}") for number in range(200)]
    rows = [
        Example(context=each, candidates=(loved, liked), chosen=n % 2, reward=1.0 if n % 2 else 9.0)
        for n, each in enumerate(asked)
    ]
    learned = training.fit(rows, WordEncoder())
    first, second = learned.chances(asked[0], (loved, liked), texts_of(rows))
    assert first > 0.8 > second


def test_that_rewards_of_another_scale_teach_the_same() -> None:
    ones, tens = ([*choices(80, 5, right=reward)] for reward in (1.0, 10.0))
    first, second = (training.fit(rows, WordEncoder()) for rows in (ones, tens))
    assert first.as_bytes() == second.as_bytes()


def test_that_a_reply_nobody_has_given_yet_can_come_first(scorer: Scorer) -> None:
    new = "Reset the password of your account at the login page with our new link."
    context = ("Hello", "7", "password account locked")
    slate = (TOPICS[0][1], new, TOPICS[1][1], TOPICS[3][1])
    row = Example(context=context, candidates=slate, chosen=1)
    assert measured(scorer, [row]).recall_at_1 == 1


def test_that_the_same_examples_and_seed_give_the_same_scorer(scorer: Scorer) -> None:
    again = training.fit(choices(200, seed=1), WordEncoder(), seed=1)
    assert again.as_bytes() == scorer.as_bytes()


def test_that_the_order_of_candidates_says_nothing(scorer: Scorer) -> None:
    [row] = choices(1, seed=6)
    texts = texts_of([row])
    forth = scorer.scores(row.context, row.candidates, texts)
    back = scorer.scores(row.context, row.candidates[::-1], texts)
    assert back[::-1] == pytest.approx(forth)


def test_that_contributions_add_up_to_the_scores(scorer: Scorer) -> None:
    [row] = choices(1, seed=6)
    texts = texts_of([row])
    scores = scorer.scores(row.context, row.candidates, texts)
    told = scorer.explain(row.context, row.candidates, texts)
    assert [sum(each.values()) for each in told] == pytest.approx(scores - scores.mean())
    assert all(set(each) == set(NAMES) for each in told)


def test_that_chances_are_probabilities(scorer: Scorer) -> None:
    [row] = choices(1, seed=6)
    chances = scorer.chances(row.context, row.candidates, texts_of([row]))
    assert chances.sum() == pytest.approx(1)
    assert int(chances.argmax()) == row.chosen


def test_that_one_turn_and_one_letter_can_be_scored(scorer: Scorer) -> None:
    row = Example(context=("?",), candidates=("!", "…"), chosen=0)
    assert np.isfinite(scorer.scores(row.context, row.candidates, texts_of([row]))).all()


def test_that_a_stored_scorer_comes_back(scorer: Scorer, tmp_path: Path) -> None:
    scorer.save(tmp_path / "a" / "scorer.npz")
    again = Scorer.load(tmp_path / "a" / "scorer.npz")
    rows = choices(20, seed=7)
    texts = texts_of(rows)
    for row in rows:
        before = scorer.scores(row.context, row.candidates, texts)
        # Vectors are stored in 16 bits.
        assert again.scores(row.context, row.candidates, texts) == pytest.approx(before, abs=0.1)
    assert (again.encoder, again.trained_on) == (scorer.encoder, scorer.trained_on)


def test_that_nothing_that_was_said_is_stored(scorer: Scorer) -> None:
    rows = [
        Example(context=("My name is Zacharias",), candidates=each.candidates, chosen=each.chosen)
        for each in choices(60, seed=1)
    ]
    with np.load(_as_file(training.fit(rows, WordEncoder()))) as archive:
        whole = b"".join(archive[name].tobytes() for name in archive.files)
    assert b"zacharias" not in whole.lower()
    assert b"parcel" not in whole.lower()


def _as_file(scorer: Scorer) -> Path:
    import tempfile

    file = Path(tempfile.mkdtemp()) / "scorer.npz"
    scorer.save(file)
    return file


def test_that_a_damaged_file_is_refused(scorer: Scorer, tmp_path: Path) -> None:
    whole = scorer.as_bytes()
    for damaged in (b"", b"[]", whole[: len(whole) // 2], whole[:-40]):
        with pytest.raises(RankingError, match="damaged; train it anew"):
            Scorer.from_bytes(damaged)
    with pytest.raises(RankingError, match="can't be read"):
        Scorer.load(tmp_path / "none.npz")


@pytest.mark.parametrize("missing", ["mean", "log.right", "net0.c1", "knots", "about"])
def test_that_a_file_without_a_part_is_refused(
    scorer: Scorer, missing: str, tmp_path: Path
) -> None:
    file = tmp_path / "scorer.npz"
    scorer.save(file)
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files if name != missing}
    np.savez(file, **arrays)
    with pytest.raises(RankingError, match="damaged; train it anew"):
        Scorer.load(file)


def test_that_a_file_of_another_version_is_refused(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = scorer.as_bytes()
    monkeypatch.setattr("bot.ranking.scorer.scorer.VERSION", 2)
    with pytest.raises(RankingError, match="is of version 1, and this is version 2"):
        Scorer.from_bytes(stored)


def test_that_numbers_that_are_none_are_refused(scorer: Scorer, tmp_path: Path) -> None:
    file = tmp_path / "scorer.npz"
    scorer.save(file)
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["heights"] = arrays["heights"] * np.nan
    np.savez(file, **arrays)
    with pytest.raises(RankingError, match="damaged"):
        Scorer.load(file)


def test_that_twenty_examples_are_too_few() -> None:
    with pytest.raises(RankingError, match="There are 20 examples; 50 are needed"):
        training.fit(choices(20, seed=1), WordEncoder())


def test_that_rewards_of_nothing_teach_nothing() -> None:
    with pytest.raises(RankingError, match="Every reward is 0"):
        training.fit(choices(60, seed=1, right=0.0), WordEncoder())


def test_that_a_conversation_is_never_in_two_folds() -> None:
    pair = ("a", "b")
    talks = [
        tuple(f"{talk} {turn}" for turn in range(length)) for talk in range(30) for length in (2, 4)
    ]
    rows = [Example(context=each, candidates=pair, chosen=0) for each in talks]
    found = conversations(rows)
    assert [int(each) for each in found[::2]] == [int(each) for each in found[1::2]]
    assert len(set(found.tolist())) == 30
    parted = folds(rows, 4, np.random.default_rng(0))
    assert (parted[::2] == parted[1::2]).all()
    assert np.bincount(parted).tolist() == [16, 16, 14, 14]


def test_that_what_everybody_says_joins_nothing() -> None:
    rows = [
        Example(context=("Hello", "How can I help?", f"{n}"), candidates=("a", "b"), chosen=0)
        for n in range(100)
    ]
    assert len(set(conversations(rows).tolist())) == 100


def test_that_ties_count_as_before_the_chosen_one() -> None:
    assert rank(np.array([0.5, 0.5, 0.1]), 0) == 2
    assert rank(np.array([0.5, 0.4, 0.1]), 0) == 1
    assert ranking([1, 2, 6]) == Ranking(
        rows=3, recall_at_1=1 / 3, recall_at_5=2 / 3, mrr=(1 + 1 / 2 + 1 / 6) / 3
    )
