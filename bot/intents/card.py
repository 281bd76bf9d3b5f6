"""The model card: what a classifier learned from, how well it does, and where it is weak."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import numpy as np

from bot.intents.measures import confusions, f1_by_intent, macro_f1
from bot.intents.training import ExpertReport, Trained
from bot.understanding import language_of

_FEW = 10  # examples
_WEAK = 0.7  # F1
_SHOWN = 15


def model_card(trained: Trained, made_at: datetime) -> str:
    """Return it in Markdown."""
    return "\n".join([*_data(trained, made_at), *_methods(trained), *_figures(trained)]) + "\n"


def _data(trained: Trained, made_at: datetime) -> Iterator[str]:
    yield "# Intent classifier"
    yield ""
    yield f"Trained {made_at:%Y-%m-%d %H:%M} UTC in {trained.seconds:.0f} seconds."
    yield ""
    yield "## Data"
    yield ""
    yield (
        f"{sum(trained.examples.values())} labels of {len(trained.examples)} intents, "
        f"{trained.unlabelled} unlabelled messages, {trained.outside} known to be out of scope."
    )
    yield from (f"- {warning}" for warning in trained.warnings)
    yield ""


def _methods(trained: Trained) -> Iterator[str]:
    yield "## Methods tried"
    yield ""
    yield "By cross-validation on the labelled messages; the share told rightly."
    yield ""
    yield "| messages | method | held out | right | seconds | |"
    yield "|---|---|---:|---:|---:|---|"
    for report in trained.reports:
        for tried in report.tried:
            chosen = "chosen" if tried.method == report.method else ""
            yield (
                f"| {report.language} | {tried.method} | {tried.held_out} | {tried.accuracy:.1%} "
                f"| {tried.seconds:.0f} | {chosen} |"
            )
        for name in report.skipped:
            yield f"| {report.language} | {name} | | | | no time |"
    yield ""
    experts = (trained.classifier.english, trained.classifier.everything)
    thresholds = ", ".join(f"{each.scope.threshold:.3f}" for each in experts if each)
    known = "messages known to be out of scope" if trained.outside else "a quantile of those in it"
    yield f"Out of scope over a strangeness of {thresholds}, by {known}."
    yield ""


def _figures(trained: Trained) -> Iterator[str]:
    yield "## Figures"
    yield ""
    yield (
        "Of messages held out while the chosen method learned from the others, so what is in force "
        "may be a little better: it learned from all."
    )
    yield ""
    yield from _by_language(trained.reports)
    for report in trained.reports:
        yield from _by_intent(report, trained.examples)
    yield "## Known weaknesses"
    yield ""
    weaknesses = list(_weaknesses(trained))
    yield from weaknesses or ["None stands out in these figures."]


def _by_language(reports: Sequence[ExpertReport]) -> Iterator[str]:
    yield "| messages | language | held out | right | macro-F1 |"
    yield "|---|---|---:|---:|---:|"
    for report in reports:
        languages = [language_of(text) for text in report.texts]
        for language in sorted(set(languages)):
            rows = [row for row, each in enumerate(languages) if each == language]
            expected, found = ([of[row] for row in rows] for of in (report.expected, report.found))
            right = np.mean([set(a) == set(b) for a, b in zip(expected, found, strict=True)])
            yield (
                f"| {report.language} | {language} | {len(rows)} | {right:.1%} "
                f"| {macro_f1(expected, found):.1%} |"
            )
    yield ""


def _by_intent(report: ExpertReport, examples: Counter[str]) -> Iterator[str]:
    held_out = Counter(intent for each in report.expected for intent in each)
    yield f"### {report.language}"
    yield ""
    yield "| intent | examples | held out | F1 |"
    yield "|---|---:|---:|---:|"
    scores = f1_by_intent(report.expected, report.found)
    for intent, score in sorted(scores.items(), key=lambda each: (each[1], each[0])):
        yield f"| {_cell(intent)} | {examples[intent]} | {held_out[intent]} | {score:.1%} |"
    yield ""
    taken = confusions(report.expected, report.found)[:_SHOWN]
    if taken:
        yield "Taken for another most often:"
        yield ""
        yield from (f"- {_cell(a)} for {_cell(b)}: {number}" for a, b, number in taken)
        yield ""


def _weaknesses(trained: Trained) -> Iterator[str]:
    few = [name for name, number in trained.examples.items() if number < _FEW]
    if few:
        yield f"- Fewer than {_FEW} examples: {_named(few)}."
    for report in trained.reports:
        scores = f1_by_intent(report.expected, report.found)
        weak = [name for name, score in scores.items() if score < _WEAK]
        if weak:
            yield f"- {report.language}: F1 below {_WEAK:.0%}: {_named(weak)}."
        missing = [name for name in trained.examples if name not in scores]
        if missing:
            yield f"- {report.language}: not measured, no example was held out: {_named(missing)}."
    if not trained.outside:
        yield (
            "- No message was known to be out of scope, so how many of those are found is not "
            "known; some labelled `out_of_scope` would say it."
        )


def _named(names: Collection[str]) -> str:
    shown = ", ".join(_cell(name) for name in sorted(names)[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
