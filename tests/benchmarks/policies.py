"""How much policies lose while they learn, by customers whose contentment is known.

python -m tests.benchmarks.policies          (make bench-policies)

Each policy meets the same customers of a world (tests/ranking/worlds.py), chooses, logs its choice,
and is trained from its own log at night. Its regret of a turn is what it is expected to lose
against the best reply, with all that follows from it. What is finished stays in
.cache/bench-policies: a run that was broken off goes on. docs/images/regret.svg is drawn from what
is there, unless --quick.
"""

import argparse
import json
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bot.cli.tables import print_table
from bot.messages import Decision
from bot.ranking import bandit
from bot.ranking.exploration import DailyBudget, Exploring
from bot.ranking.fixed_order import FixedOrder
from bot.ranking.greedy import Greedy
from bot.ranking.off_policy import student_quantile
from tests.benchmarks.learners import LIBRARY_BY_TURN, NAMES, Book, ByDay, Learner, Ours, learner
from tests.benchmarks.policies_plot import draw
from tests.ranking.worlds import KINDS, Kind, Visit, World, draw_reward, world

KEPT = Path(".cache") / "bench-policies"
PLOT = Path("docs") / "images" / "regret.svg"
MARKS = (1_000, 10_000, 100_000)
PLACES = (1, 2, 3, 5, 7)  # of each power of ten: where the plot has a point
VISITS = 1_000  # different ones of a world
DAY = 200  # turns
GROWTH = 1.25  # the log grows by so much until it is learned from again
SEEDS = 3
TRIED = 10_000  # turns, to see what exploring costs
# Shares of the probability, and tries a day (None: as many as come).
TRIES: tuple[tuple[float, int | None], ...] = (
    (0.02, None),
    (0.05, None),
    (0.1, None),
    (0.2, None),
    (0.05, 5),
    (0.05, 2),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One turn: the visit, the probabilities, the candidate that was shown."""

    visit: Visit
    propensities: Sequence[float]
    shown: int

    @property
    def regret(self) -> float:
        """What the policy was expected to lose against the best reply."""
        worth = self.visit.in_the_end
        return float(worth[self.visit.allowed].max() - np.dot(self.propensities, worth))

    @property
    def decision(self) -> Decision:
        """The turn as it would be logged."""
        return Decision(
            candidates=tuple(self.visit.slate),
            propensities=tuple(self.propensities),
            chosen=self.shown,
            policy="",
        )


def turns(
    of: World, chooser: Learner, seed: int, *, by_turn: bool = False, book: Book | None = None
) -> Iterator[Chosen]:
    """Yield turns without end; the learner learns at night from its book, or after each turn."""
    rng, arrivals = random.Random(seed), of.arrivals(random.Random(f"arrivals {seed}"))
    book = Book() if book is None else book
    visit, is_new, night = None, True, DAY
    while True:
        if visit is None:
            is_new, visit = next(arrivals)
        shares = chooser.propensities(visit)
        [shown] = rng.choices(range(len(shares)), shares)
        reward = draw_reward(visit, shown, rng)
        book.add(visit, shown, shares[shown], reward, is_new=is_new)
        yield Chosen(visit, shares, shown)
        visit, is_new = of.follows(visit, shown), False
        if len(book) == night or (by_turn and len(book) > DAY):
            chooser.night(book)
        if len(book) == night:
            night = max(night + DAY, int(night * GROWTH))


def regrets(kind: Kind, name: str, seed: int, most: int) -> dict[int, float]:
    """Return the regret of all turns up to each place of the plot."""
    by_turn = name == LIBRARY_BY_TURN
    chooser = learner(name, seed)
    chooser = chooser if by_turn else ByDay(chooser)
    places, total, found = set(plotted(most)), 0.0, {}
    met = turns(world(kind, seed, VISITS), chooser, seed, by_turn=by_turn)
    for count, turn in enumerate(met, start=1):
        total += turn.regret
        if count in places:
            found[count] = total
        if count == most:
            break
    return found


def plotted(most: int) -> list[int]:
    """Return the places of the plot, up to the last turn."""
    powers = (place * 10**power for power in range(2, 6) for place in PLACES)
    return [place for place in powers if place <= most]


def interval(values: Sequence[float]) -> float:
    """Return half the width of the 95% interval of a mean (Student's t)."""
    if len(values) < 2:
        return float("nan")
    error = statistics.stdev(values) / len(values) ** 0.5
    return student_quantile(0.975, len(values) - 1) * error


def exploring(share: float, budget: int | None, seed: int) -> dict[str, float]:
    """Return what exploring cost customers in TRIED turns of `linear`, and the regret in all."""
    days = [date(2026, 1, 1)]
    budgets = DailyBudget(TRIED if budget is None else budget, lambda: days[-1])
    chooser = Ours(
        lambda known: Exploring(Greedy("greedy/1", bandit.fit(known)), share, budgets),
        Exploring(FixedOrder(), share, budgets),
    )
    tried, cost, total = 0, 0.0, 0.0
    for count, turn in enumerate(turns(world("linear", seed, VISITS), chooser, seed), start=1):
        total += turn.regret
        budgets.note(turn.decision)
        if turn.decision.is_exploration:
            worth = turn.visit.in_the_end
            tried += 1
            cost += float(worth[int(np.argmax(turn.propensities))] - worth[turn.shown])
        if count % DAY == 0:
            days.append(days[-1] + timedelta(days=1))
        if count == TRIED:
            break
    return {"tried": tried, "cost": cost, "regret": total}


def _kept(kind: Kind, name: str, seed: int, most: int) -> dict[int, float]:
    """Return regrets from the folder, or measure them and keep them there."""
    path = KEPT / f"{kind}-{name.replace(' ', '-')}-{seed}-{most}.json"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(regrets(kind, name, seed, most)), encoding="utf-8")
        print(f"{kind}, {name}, seed {seed}: {most} turns", flush=True)
    found = json.loads(path.read_text(encoding="utf-8"))
    return {int(place): float(value) for place, value in found.items()}


def _rows(figures: Mapping[str, Sequence[Mapping[int, float]]]) -> list[dict[str, Any]]:
    """Return a line for each policy: its regret, with the interval over the seeds."""
    marks = [
        mark for mark in MARKS if all(mark in one for each in figures.values() for one in each)
    ]
    return [
        {"policy": name, **{f"{mark}": _cell([one[mark] for one in each]) for mark in marks}}
        for name, each in figures.items()
    ]


def _cell(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):,.0f} ± {interval(values):,.0f}"


def _exploring_row(share: float, budget: int | None, seeds: int) -> dict[str, Any]:
    found = [exploring(share, budget, seed) for seed in range(seeds)]
    mean = {name: statistics.mean(each[name] for each in found) for name in found[0]}
    return {
        "share": f"{share:.0%}",
        "a_day": "any" if budget is None else budget,
        "tried": f"{mean['tried']:.0f}",
        "cost": f"{mean['cost']:.1f}",
        "cost_of_a_try": f"{mean['cost'] / max(mean['tried'], 1):.3f}",
        "regret": _cell([each["regret"] for each in found]),
    }


def main() -> None:
    """Measure, print the tables, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=MARKS[-1])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--worlds", nargs="*", choices=KINDS, default=KINDS)
    parser.add_argument("--policies", nargs="*", choices=NAMES, default=NAMES)
    parser.add_argument("--quick", action="store_true", help="10,000 turns, two seeds, no plot")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    most, seeds = (10_000, 2) if options.quick else (options.turns, options.seeds)
    figures = {
        kind: {
            name: [_kept(kind, name, seed, most) for seed in range(seeds)]
            for name in options.policies
        }
        for kind in options.worlds
    }
    for kind, each in figures.items():
        print(f"\nWorld {kind}: regret after so many turns, {seeds} seeds")
        print_table(_rows(each))
    tried = [_exploring_row(share, budget, seeds) for share, budget in TRIES]
    print(f"\nWhat exploring cost in {TRIED} turns, {DAY} a day, {seeds} seeds, world linear")
    print_table(tried)
    if not options.quick:
        draw(figures, PLOT)
    if options.json:
        found = {"regret": figures, "exploring": tried}
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
