"""The policy: which candidate is shown, and that what is refused never is."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages import Candidate, Source
from bot.ranking.context import Context
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.policy import decide

ASKED = Context(question="Can I return it?", language="en")
HANDOFF = Candidate(source="handoff", text="A person will look.", handoff_reason="no_article")
ARTICLE = Candidate(source="article", text="30 天内可以退货。")


def draft(support: float = 1.0, likely: float = -0.5, refusal: str | None = None) -> Candidate:
    features = {"support": support, "log_probability": likely}
    return Candidate(source="draft", text="Draft.", features=features, refusal=refusal)


@pytest.mark.parametrize(
    ("slate", "chosen"),
    [
        pytest.param([HANDOFF], 0, id="only-a-handoff"),
        pytest.param([HANDOFF, ARTICLE], 1, id="article-before-handoff"),
        pytest.param([ARTICLE, draft(), HANDOFF], 1, id="draft-before-article"),
        pytest.param([draft(refusal="number:9"), ARTICLE, HANDOFF], 1, id="refused-draft"),
        pytest.param([draft(0.8), draft(0.9), HANDOFF], 1, id="better-supported"),
        pytest.param([draft(0.9, -0.9), draft(0.9, -0.1), HANDOFF], 1, id="likelier-of-equals"),
        pytest.param([draft(1.0, refusal="language"), draft(0.8)], 1, id="worse-but-allowed"),
        pytest.param([draft(), draft()], 0, id="first-of-equals"),
    ],
)
def test_that_the_order_is_fixed(
    slate: Sequence[Candidate], chosen: int, rng: random.Random
) -> None:
    decision = decide(FixedOrder(), ASKED, slate, rng)

    assert decision.chosen == chosen
    assert decision.candidate.text == slate[chosen].text
    assert decision.propensities == tuple(float(i == chosen) for i in range(len(slate)))
    assert decision.policy == "fixed-order/2"


SOURCES: tuple[Source, ...] = ("draft", "article", "courtesy", "clarification", "handoff")
candidates = st.builds(
    Candidate,
    source=st.sampled_from(SOURCES),
    text=st.just("x"),
    refusal=st.sampled_from([None, "number:1"]),
    features=st.dictionaries(
        st.sampled_from(["support", "log_probability"]), st.floats(-9, 1, allow_nan=False)
    ),
)


@given(st.lists(candidates, min_size=1, max_size=8), st.integers())
def test_that_refused_candidates_are_never_drawn(slate: list[Candidate], seed: int) -> None:
    slate = [*slate, HANDOFF]

    decision = decide(FixedOrder(), ASKED, slate, random.Random(seed))

    assert decision.candidate.refusal is None
    assert sum(decision.propensities) == pytest.approx(1.0)
    assert all(
        share == 0.0
        for share, candidate in zip(decision.propensities, slate, strict=True)
        if candidate.refusal
    )


@pytest.mark.parametrize("slate", [[], [draft(refusal="language")]], ids=["empty", "all-refused"])
def test_that_a_slate_without_an_allowed_candidate_is_an_error(
    slate: list[Candidate], rng: random.Random
) -> None:
    with pytest.raises(ValueError, match="no candidate that may be shown"):
        decide(FixedOrder(), ASKED, slate, rng)


class Uniform:
    """Gives every allowed candidate the same chance."""

    version = "uniform/1"

    def propensities(self, context: Context, candidates: Sequence[Candidate]) -> Sequence[float]:
        allowed = [candidate.refusal is None for candidate in candidates]
        return [is_allowed / sum(allowed) for is_allowed in allowed]


def test_that_candidates_are_drawn_by_their_propensities() -> None:
    slate = [draft(refusal="language"), ARTICLE, HANDOFF]
    rng = random.Random(3)

    drawn = [decide(Uniform(), ASKED, slate, rng).chosen for _ in range(4000)]

    assert drawn.count(0) == 0
    assert drawn.count(1) / len(drawn) == pytest.approx(0.5, abs=0.03)
    assert decide(Uniform(), ASKED, slate, rng).propensities == (0.0, 0.5, 0.5)


def test_that_a_seed_gives_the_same_draws() -> None:
    slate = [ARTICLE, HANDOFF]

    first, second = (
        [decide(Uniform(), ASKED, slate, rng).chosen for _ in range(20)]
        for rng in (random.Random(5), random.Random(5))
    )

    assert first == second
