"""From labelled messages to a classifier: methods tried, the best one fitted and calibrated."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bot.errors import IntentsError
from bot.intents.classifier import Expert, IntentClassifier
from bot.intents.embedder import BaseName
from bot.intents.encodings import Encodings
from bot.intents.heads import sigmoid, softmax
from bot.intents.language import is_english
from bot.intents.lessons import Lessons, lessons_of
from bot.intents.live import LiveReader
from bot.intents.rows import Row, Sorted, counts, sort_rows
from bot.intents.scope import scope_of
from bot.intents.weights import has_bge

if TYPE_CHECKING:  # torch is not there where intents are only told
    from bot.intents.choosing import Choice, Trial

MOSTLY = 0.95  # of the messages are English: the other expert is kept simple
_LEAST_ENGLISH = 2  # examples of every intent that has so many, for an expert of its own
_LARGE = 3000  # labelled rows
MOST_UNLABELLED = 12_000  # the time for a graph of them grows with their square
SECONDS, SECONDS_LARGE = 240.0, 480.0

Clock = Callable[[], float]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A method with its share of held-out messages told rightly, and its time."""

    method: str
    accuracy: float
    held_out: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertReport:
    """How an expert was chosen; `expected` and `found` are the intents of held-out `texts`."""

    language: str
    method: str
    tried: Sequence[Tried]
    skipped: Sequence[str]
    texts: Sequence[str]
    expected: Sequence[tuple[str, ...]]
    found: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A classifier, ready to run live, and how it came about."""

    classifier: IntentClassifier
    reports: Sequence[ExpertReport]
    examples: Counter[str]
    unlabelled: int
    outside: int
    warnings: Sequence[str]
    seconds: float

    @property
    def method(self) -> str:
        """The methods in force, in words."""
        return "; ".join(f"{report.language}: {report.method}" for report in self.reports)


def train(
    rows: Sequence[Row],
    *,
    seed: int,
    clock: Clock,
    seconds: float | None = None,
    methods: Sequence[str] | None = None,
    encodings: Encodings | None = None,
    say: Say = lambda _: None,
) -> Trained:
    """Train a classifier. `methods` names those to try (see bot/intents/methods), default all.

    `encodings` can have vectors already, and shows how encoding and tuning get on.

    Raises IntentsError where the rows don't suffice or torch is not installed.
    """
    started = clock()
    check_torch()
    found = sort_rows(rows)
    for warning in found.warnings:
        say(warning)
    if seconds is None:
        seconds = SECONDS_LARGE if len(found.labelled) > _LARGE else SECONDS
    trainer = _Trainer(found, seconds, seed, clock, methods, encodings or Encodings(), say)
    classifier, reports = trainer.trained()
    return Trained(
        classifier=classifier,
        reports=reports,
        examples=counts(found.labelled),
        unlabelled=len(found.unlabelled),
        outside=len(found.outside),
        warnings=found.warnings,
        seconds=clock() - started,
    )


def check_torch() -> None:
    """Raise IntentsError where torch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError as err:
        raise IntentsError(
            "Training needs torch, which the extra brings: pip install 'frontdesk[training]'."
        ) from err


@dataclass(frozen=True, slots=True)
class _Trainer:
    rows: Sorted
    seconds: float
    seed: int
    clock: Clock
    methods: Sequence[str] | None
    encodings: Encodings
    say: Say

    def trained(self) -> tuple[IntentClassifier, list[ExpertReport]]:
        """Return the classifier with a report for each expert that was chosen with care."""
        every = lessons_of(self.rows.labelled, self._unlabelled())
        share = float(np.mean([is_english(text) for text in every.texts]))
        english = self._english(every) if share > 0 else None
        if english is None:
            expert, report = self._expert("all languages", "e5", every, self.seconds)
            return IntentClassifier(every.intents, expert), [report]
        for_english = self.seconds if share >= MOSTLY else self.seconds * share
        expert, report = self._expert("English", "bge", english, for_english)
        # Almost everything is English: to encode all of that once more would take the time that
        # the other expert is not worth.
        is_mostly = share >= MOSTLY
        other, other_report = self._expert(
            "other languages",
            "e5",
            replace(every, unlabelled=()) if is_mostly else every,
            self.seconds - for_english,
            only=["linear"] if is_mostly else None,
        )
        return IntentClassifier(every.intents, other, expert), [report, other_report]

    def _unlabelled(self) -> list[str]:
        rows = np.random.default_rng(self.seed).permutation(len(self.rows.unlabelled))
        if len(rows) > MOST_UNLABELLED:
            self.say(f"Of {len(rows)} unlabelled messages {MOST_UNLABELLED} are used.")
        return [self.rows.unlabelled[row] for row in rows[:MOST_UNLABELLED]]

    def _english(self, every: Lessons) -> Lessons | None:
        """Return the English part, where it covers all intents and its encoder is installed."""
        rows = np.flatnonzero([is_english(text) for text in every.texts])
        part = every.subset(rows)
        has = part.targets.sum(axis=0)
        is_enough = bool((has >= every.targets.sum(axis=0).clip(max=_LEAST_ENGLISH)).all())
        if not has_bge() or not is_enough:
            return None
        pool = [text for text in every.unlabelled if is_english(text)]
        return replace(part, unlabelled=pool)

    def _expert(
        self,
        language: str,
        base: BaseName,
        lessons: Lessons,
        seconds: float,
        only: Sequence[str] | None = None,
    ) -> tuple[Expert, ExpertReport]:
        from bot.intents.calibration import calibrated
        from bot.intents.choosing import Chooser
        from bot.intents.methods import methods_for

        chooser = Chooser(seconds=seconds, seed=self.seed, clock=self.clock, say=self.say)
        methods = methods_for(base, self.encodings, lessons, only or self.methods)
        started = self.clock()
        # Encoded beforehand, so that no method pays for the others.
        self.encodings.vectors(base, [*lessons.texts, *lessons.unlabelled, *self.rows.outside])
        choice = chooser.choose(methods, lessons, self.rows.outside, since=started)
        best = choice.best
        self.say(f"{language}: chosen {best.method.name}; learning from all messages.")
        reader = best.method.fit(lessons, self.seed)
        vectors, _ = reader.read(lessons.texts)
        expert = calibrated(
            LiveReader(reader.live()),
            scope_of(vectors, lessons.targets),
            best.held_out,
            lessons.targets,
            several=lessons.has_several,
        )
        return expert, _report(language, choice, lessons, expert)


def _report(language: str, choice: "Choice", lessons: Lessons, expert: Expert) -> ExpertReport:
    best = choice.best
    rows = np.concatenate([each.rows for each in best.held_out])
    logits = np.concatenate([each.logits for each in best.held_out]) / expert.temperature
    if expert.several is None:
        probabilities = softmax(logits)
        named = [np.array([place]) for place in probabilities.argmax(axis=1)]
    else:
        probabilities = sigmoid(logits)
        over = probabilities >= np.minimum(expert.several, probabilities.max(axis=1))[:, None]
        named = [np.flatnonzero(row) for row in over]
    return ExpertReport(
        language=language,
        method=best.method.name,
        tried=[_tried(trial) for trial in choice.trials],
        skipped=choice.skipped,
        texts=[lessons.texts[row] for row in rows],
        expected=[_names(lessons, np.flatnonzero(lessons.targets[row])) for row in rows],
        found=[_names(lessons, places) for places in named],
    )


def _tried(trial: "Trial") -> Tried:
    return Tried(
        method=trial.method.name,
        accuracy=trial.accuracy,
        held_out=sum(map(len, trial.right)),
        seconds=trial.seconds,
    )


def _names(lessons: Lessons, places: NDArray[np.intp]) -> tuple[str, ...]:
    return tuple(lessons.intents[place] for place in places)
