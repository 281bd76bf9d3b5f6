"""What comes into force, and what is held back: on logs of customers with known preferences."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.errors import RankingError
from bot.messages import Source, Verdict
from bot.ranking.experience import LoggedDecision
from bot.ranking.exploration import Exploring
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.gate import Judgement, judge
from bot.ranking.greedy import Greedy
from bot.ranking.team_first import TeamFirst
from tests.ranking.shoppers import Uniform, log_of
from tests.ranking.slates import KNOWING, model

BETTER = TeamFirst(Greedy("better/1", KNOWING))
WORSE = TeamFirst(Greedy("worse/1", model(answers=-1.4)))


class Unlimited:
    def is_left(self) -> bool:
        return True


EXPLORED = Exploring(FixedOrder(), 0.4, Unlimited())


def logged(seed: int = 7, visits: int = 1500) -> list[LoggedDecision]:
    return list(log_of(EXPLORED, random.Random(seed), visits))


def without(judgement: Judgement, word: str) -> list[str]:
    return [each for each in judgement.objections if word not in each]


def test_that_a_better_policy_passes() -> None:
    found = judge(logged(), BETTER, FixedOrder())

    assert found.objections == ()
    assert found.passes
    assert found.gain.low > 0


def test_that_a_worse_policy_is_held_back() -> None:
    found = judge(logged(), WORSE, FixedOrder())

    assert not found.passes
    assert any("may be chance" in each for each in found.objections)


def test_that_the_policy_in_force_never_beats_itself() -> None:
    found = judge(logged(), FixedOrder(), FixedOrder())

    assert (found.gain.value, found.passes) == (0.0, False)


def test_that_what_the_log_never_tried_is_held_back() -> None:
    log = list(log_of(FixedOrder(), random.Random(7), 1500))

    found = judge(log, BETTER, FixedOrder())

    assert any("never tried" in each for each in found.objections)


def test_that_a_policy_that_hands_more_off_is_held_back() -> None:
    hands_off = Greedy("h/1", model(is_handoff=1.0))
    log = list(log_of(Uniform(), random.Random(7), 1500))

    found = judge(log, hands_off, FixedOrder())

    assert any("hand-offs would get worse" in each for each in found.objections)


def test_that_a_policy_with_less_grounded_drafts_is_held_back() -> None:
    # Where drafts stand on nothing, whoever shows them less is better grounded.
    def bare(decision: LoggedDecision) -> LoggedDecision:
        slate = tuple(
            replace(each, features={**each.features, "support": 0.0}) if _is(each.source) else each
            for each in decision.candidates
        )
        return replace(decision, candidates=slate)

    articles_first = TeamFirst(Greedy("a/1", model(is_article=1.0)))
    found = judge([bare(each) for each in logged()], BETTER, articles_first)

    assert any("grounding would get worse" in each for each in found.objections)


def _is(source: Source) -> bool:
    return source == "draft"


def in_chinese(decision: LoggedDecision) -> LoggedDecision:
    return replace(decision, language="zh")


def in_slack(decision: LoggedDecision) -> LoggedDecision:
    return replace(decision, channel="slack")


def rated(decision: LoggedDecision, verdict: Verdict) -> LoggedDecision:
    return replace(decision, after=replace(decision.after, verdicts=[(verdict, None)]))


@pytest.mark.parametrize(
    ("change", "group"),
    [(in_chinese, "language zh"), (in_slack, "channel slack")],
    ids=["language", "channel"],
)
def test_that_a_gain_at_one_groups_cost_is_held_back(
    change: Callable[[LoggedDecision], LoggedDecision], group: str
) -> None:
    """A third of the customers dislike just what the new policy shows more often."""
    log = []
    for each in logged(visits=2000):
        is_theirs = int(each.conversation) % 3 == 0
        is_newly_shown = each.source == "article" and len(each.candidates) == 3
        if is_theirs:
            each = change(rated(each, "down" if is_newly_shown else "up"))
        log.append(each)

    found = judge(log, BETTER, FixedOrder())

    assert any(each.startswith(f"{group} would get worse") for each in found.objections)


def test_that_a_group_too_small_to_say_is_named_and_holds_nothing_back() -> None:
    log = logged()
    log[0] = replace(log[0], language="zh")

    found = judge(log, BETTER, FixedOrder())

    [chinese] = [guard for guard in found.guards if guard.name == "language zh"]
    assert (chinese.change, chinese.holds, found.passes) == (None, True, True)


@pytest.mark.parametrize("visits", [0, 20])
def test_that_a_log_that_says_too_little_is_refused(visits: int) -> None:
    with pytest.raises(RankingError, match="The log has"):
        judge(logged(visits=visits), BETTER, FixedOrder())


def test_that_ten_such_logs_let_no_equal_policy_pass() -> None:
    """A policy of equal worth passes by chance in one of forty logs, and no guard lets more."""
    equal = TeamFirst(Greedy("equal/1", model(is_draft=1.0)))

    passed = [judge(logged(seed, 300), equal, FixedOrder()).passes for seed in range(10)]

    assert sum(passed) <= 1
