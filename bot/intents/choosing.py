"""Which method learns best from these messages: cross-validation within a time budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.intents.heads import sigmoid
from bot.intents.lessons import Lessons, Method, Reader
from bot.intents.scope import Scope, scope_of
from bot.knowledge.encoder import Vectors

FOLDS = 4
_TELLING = 5.0  # seconds of a fit that tell how fast this machine is
_SLOWEST = 4.0  # times what is expected, at most
_QUICK = 25.0  # seconds: a method that takes less is tried also where the time is over
_CHEAP = 0.1  # of the time that is left: a fit that takes less is tried on every fold

Clock = Callable[[], float]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What a reader said of messages that it did not learn from.

    `rows` are their places in the lessons; `outside_logits` and `outside_far` are of the messages
    that are known to be out of scope.
    """

    rows: NDArray[np.intp]
    logits: Vectors
    far: Vectors
    outside_logits: Vectors
    outside_far: Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A method tried on some folds; `right` is 1, 0 or an F1 for each held-out row, by fold."""

    method: Method
    held_out: Sequence[HeldOut]
    right: Sequence[Vectors]
    seconds: float

    @property
    def accuracy(self) -> float:
        """The mean over its folds."""
        return float(np.concatenate(self.right).mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The method chosen, what was tried, and the names of what the time did not allow."""

    best: Trial
    trials: Sequence[Trial]
    skipped: Sequence[str]


class Chooser:
    """Tries methods on the same folds."""

    def __init__(self, *, seconds: float, seed: int, clock: Clock, say: Say) -> None:
        """`seconds` are for all trials and the last fit together."""
        self._seconds = seconds
        self._seed = seed
        self._clock = clock
        self._say = say
        self._pace = 1.0

    def choose(
        self, methods: Sequence[Method], lessons: Lessons, outside: Sequence[str], *, since: float
    ) -> Choice:
        """Try the methods in their order; the first is the simplest, which is always tried.

        The others follow in the order in which they won on public sets. An earlier one of them is
        chosen unless a later one, or the simplest, is better by more than the standard error of the
        difference on the folds that both were tried on. The time runs `since` then.
        """
        end = since + self._seconds
        folds = dealt(lessons, self._seed)
        if not folds:
            return self._untried(methods, lessons, outside)
        trials: list[Trial] = []
        skipped: list[str] = []
        for method in methods:
            expected = method.seconds(lessons) * self._pace
            is_quick = method.seconds(lessons) < _QUICK
            if trials and not is_quick and 2 * expected > end - self._clock():
                skipped.append(method.name)
                self._say(f"{method.name}: not tried, it would take about {2 * expected:.0f} s.")
                continue
            room = _CHEAP * (end - self._clock())
            some = folds if expected < room else folds[:1]
            trials.append(self._tried(method, lessons, outside, some, room))
        best, *others = [*trials[1:], trials[0]]
        for trial in others:
            if is_better(trial, best):
                best = trial
        return Choice(best=best, trials=trials, skipped=skipped)

    def _untried(
        self, methods: Sequence[Method], lessons: Lessons, outside: Sequence[str]
    ) -> Choice:
        """Take the usual winner, measured on what it learned from: there is nothing else."""
        method = methods[min(1, len(methods) - 1)]
        self._say(
            f"No intent has two examples, so nothing could be held out: {method.name} was taken "
            "unmeasured, and its probabilities and thresholds are too sure."
        )
        started = self._clock()
        every = np.arange(len(lessons.texts))
        reader = method.fit(lessons, self._seed)
        found = held_out(reader, lessons, lessons, every, outside)
        right = rightness(lessons.targets, found.logits)
        seconds = self._clock() - started
        best = Trial(method=method, held_out=[found], right=[right], seconds=seconds)
        return Choice(best=best, trials=[best], skipped=[each.name for each in methods])

    def _tried(
        self,
        method: Method,
        lessons: Lessons,
        outside: Sequence[str],
        folds: Sequence[NDArray[np.intp]],
        room: float,
    ) -> Trial:
        """Try it on the folds; after the first, only while it took less than `room` seconds."""
        started = self._clock()
        found: list[HeldOut] = []
        for fold in folds:
            if found and self._clock() - started > room:
                break
            rest = np.setdiff1d(np.arange(len(lessons.texts)), fold)
            part = lessons.subset(rest)
            fit_started = self._clock()
            reader = method.fit(part, self._seed)
            took = self._clock() - fit_started
            if took > _TELLING:
                self._pace = float(np.clip(took / method.seconds(part), 0.5, _SLOWEST))
            found.append(held_out(reader, part, lessons, fold, outside))
        trial = Trial(
            method=method,
            held_out=found,
            right=[rightness(lessons.targets[each.rows], each.logits) for each in found],
            seconds=self._clock() - started,
        )
        self._say(
            f"{method.name}: {trial.accuracy:.1%} of {sum(map(len, trial.right))} held-out "
            f"messages right, {trial.seconds:.0f} s."
        )
        return trial


def is_better(one: Trial, other: Trial) -> bool:
    """Whether `one` is better by more than the standard error of the difference."""
    shared = min(len(one.right), len(other.right))
    difference = np.concatenate(one.right[:shared]) - np.concatenate(other.right[:shared])
    error = difference.std() / np.sqrt(len(difference))
    return bool(difference.mean() > error)


def dealt(lessons: Lessons, seed: int) -> list[NDArray[np.intp]]:
    """Deal the examples of each intent out to the folds; a single example is in none."""
    rng = np.random.default_rng(seed)
    folds: list[list[int]] = [[] for _ in range(FOLDS)]
    for intent in range(len(lessons.intents)):
        rows = np.flatnonzero(lessons.labels == intent)
        first = int(rng.integers(FOLDS))
        if len(rows) > 1:
            for place, row in enumerate(rng.permutation(rows), start=first):
                folds[place % FOLDS].append(int(row))
    dealt_out = [np.array(sorted(fold), dtype=np.intp) for fold in folds]
    return sorted((fold for fold in dealt_out if len(fold)), key=len, reverse=True)


def held_out(
    reader: Reader,
    learned: Lessons,
    lessons: Lessons,
    fold: NDArray[np.intp],
    outside: Sequence[str],
) -> HeldOut:
    """Return what a reader says of a fold and of what is out of scope."""
    known, _ = reader.read(learned.texts)
    scope: Scope = scope_of(known, learned.targets)
    vectors, logits = reader.read([lessons.texts[row] for row in fold])
    if outside:
        outside_vectors, outside_logits = reader.read(outside)
        outside_far = scope.distances(outside_vectors)
    else:
        outside_logits, outside_far = logits[:0], np.zeros(0, dtype=np.float32)
    return HeldOut(
        rows=fold,
        logits=logits,
        far=scope.distances(vectors),
        outside_logits=outside_logits,
        outside_far=outside_far,
    )


def rightness(targets: Vectors, logits: Vectors) -> Vectors:
    """Return 1 where the likest intent is right; with several intents the F1 of those over 1/2."""
    if not (targets.sum(axis=1) > 1).any():
        likest = targets[np.arange(len(targets)), logits.argmax(axis=1)]
        return np.asarray(likest > 0, dtype=np.float32)
    named = sigmoid(logits) > 0.5
    both = (named * targets).sum(axis=1)
    return np.asarray(2 * both / (named.sum(axis=1) + targets.sum(axis=1)), dtype=np.float32)
